/*
 * jieba.c - cutting text into words: jieba without its hidden Markov model.
 *
 * The most probable path through the dictionary's words in a run, by dynamic programming from its
 * end: see the reference's section on jieba. Sums are evaluated from the right in double precision
 * and the longest of equally good words wins, so that even ties come out like the reference's; that
 * is why a run can't be cut up. Its memory is 44 bytes for a character; RUN_LIMIT bounds it.
 */
#include "jieba.h"

#include <string.h>

#include "rf/utf8.h"

#define RUN_LIMIT ((size_t) 1 << 20)
#define LEAST_CAPACITY ((size_t) 256)
#define POLL_CHARACTERS ((size_t) 65536)
#define POLL_BYTES ((size_t) 65536)
/* Offsets in a run are uint32_t, those in a text int32_t. */
#define MAX_TEXT_BYTES ((size_t) 1 << 30)

static const uint32_t block_ranges[][2] = {
	{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
	{0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
	{0x2B820, 0x2CEAF}, {0x2CEB0, 0x2EBEF}, {0x2F800, 0x2FA1F},
};

static bool
is_ascii_alphanumeric(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
rf_jieba_is_block(uint32_t c)
{
	if (c < 0x80)
		return is_ascii_alphanumeric(c) || (c != 0 && strchr("+#&._%-", (int) c) != NULL);
	if (c >= 0x4E00 && c <= 0x9FFF)
		return true;
	for (size_t i = 0; i < sizeof(block_ranges) / sizeof(block_ranges[0]); i++)
		if (c >= block_ranges[i][0] && c <= block_ranges[i][1])
			return true;
	return false;
}

static RfCode
grow_run(RfJiebaRun *run, RfArena *arena, RfError *err)
{
	RfJiebaRun grown = *run;

	RF_FAIL_IF(run->count >= RUN_LIMIT, err, RF_LIMIT,
			   "text has more than %zu letters without blank or punctuation", RUN_LIMIT);
	grown.capacity = run->capacity == 0 ? LEAST_CAPACITY : run->capacity * 2;
	RF_NEW(arena, grown.bytes, grown.capacity * RF_UTF8_MAX, err);
	RF_NEW(arena, grown.starts, grown.capacity + 1, err);
	RF_NEW(arena, grown.route, grown.capacity + 1, err);
	RF_NEW(arena, grown.ends, grown.capacity, err);
	if (run->count > 0)
	{
		memcpy(grown.bytes, run->bytes, run->used);
		memcpy(grown.starts, run->starts, run->count * sizeof(*run->starts));
	}
	*run = grown;
	return RF_OK;
}

RfCode
rf_jieba_run_add(RfJiebaRun *run, uint32_t code_point, RfArena *arena, RfError *err)
{
	if (run->count == run->capacity)
		RF_TRY(grow_run(run, arena, err));
	run->starts[run->count++] = (uint32_t) run->used;
	run->used += rf_utf8_encode(code_point, run->bytes + run->used);
	return RF_OK;
}

/* The best word that begins at a character, given the best cuts of what follows it. */
static void
route_from(const RfTrie *trie, const double *weights, double single, RfJiebaRun *run, size_t first)
{
	double best = single + run->route[first + 1];
	size_t best_end = first + 1;
	bool found = false;
	uint32_t node = 0;

	for (size_t c = first; c < run->count; c++)
	{
		for (uint32_t at = run->starts[c]; at < run->starts[c + 1]; at++)
		{
			node = rf_trie_step(trie, node, (unsigned char) run->bytes[at]);
			if (node == 0)
				goto done;
		}
		if (rf_trie_accepts(trie, node))
		{
			double value = weights[trie->values[node]] + run->route[c + 1];

			if (!found || value >= best)
			{
				best = value;
				best_end = c + 1;
				found = true;
			}
		}
	}
done:
	run->route[first] = best;
	run->ends[first] = (uint32_t) best_end;
}

/*
 * Follows the best words from the start. Single ASCII letters and digits in a row become one word.
 * Ends of words overwrite those of routes: there are never more of them than characters passed.
 */
static void
collect_words(RfJiebaRun *run)
{
	bool open = false; /* letters and digits that are no word yet stand before at */
	size_t at = 0;

	run->word_count = 0;
	while (at < run->count)
	{
		size_t end = run->ends[at];
		bool single =
			end == at + 1 && is_ascii_alphanumeric((unsigned char) run->bytes[run->starts[at]]);

		if (open && !single)
			run->ends[run->word_count++] = (uint32_t) at;
		if (!single)
			run->ends[run->word_count++] = (uint32_t) end;
		open = single;
		at = end;
	}
	if (open)
		run->ends[run->word_count++] = (uint32_t) at;
}

RfCode
rf_jieba_run_cut(const RfJieba *jieba, RfJiebaRun *run, const RfAbort *abort_fn, RfError *err)
{
	const RfJiebaBlock *block = jieba->block;
	const char *base = (const char *) block;
	const double *weights = (const double *) (base + block->weights);
	RfTrie trie = {(const RfTrieNode *) (base + block->nodes),
				   (const int32_t *) (base + block->values), block->node_count};

	run->starts[run->count] = (uint32_t) run->used;
	run->route[run->count] = 0;
	for (size_t first = run->count; first-- > 0;)
	{
		if (first % POLL_CHARACTERS == POLL_CHARACTERS - 1)
			RF_FAIL_IF(rf_abort_requested(abort_fn), err, RF_CANCELED,
					   "cutting words was canceled");
		route_from(&trie, weights, block->single, run, first);
	}
	collect_words(run);
	return RF_OK;
}

typedef struct Cut
{
	RfArena *arena;
	RfError *err;
	const RfJieba *jieba;
	const RfAbort *abort_fn;
	RfJiebaRun run;
	RfWords *words;
	size_t capacity;
} Cut;

static RfCode
put_word(Cut *cut, size_t length)
{
	RfWords *words = cut->words;

	if (words->count == cut->capacity)
	{
		size_t capacity = cut->capacity == 0 ? LEAST_CAPACITY : cut->capacity * 2;
		int32_t *lengths;

		RF_NEW(cut->arena, lengths, capacity, cut->err);
		if (words->count > 0)
			memcpy(lengths, words->length, words->count * sizeof(*lengths));
		words->length = lengths;
		cut->capacity = capacity;
	}
	words->length[words->count++] = (int32_t) length;
	return RF_OK;
}

static RfCode
end_run(Cut *cut)
{
	size_t start = 0;

	if (cut->run.count == 0)
		return RF_OK;
	RF_TRY(rf_jieba_run_cut(cut->jieba, &cut->run, cut->abort_fn, cut->err));
	for (size_t i = 0; i < cut->run.word_count; i++)
	{
		RF_TRY(put_word(cut, cut->run.ends[i] - start));
		start = cut->run.ends[i];
	}
	rf_jieba_run_clear(&cut->run);
	return RF_OK;
}

/* One character, or \r\n, from at on. */
static RfCode
take_character(Cut *cut, const char *text, size_t length, size_t *at)
{
	uint32_t c;
	size_t step = rf_utf8_decode(text + *at, length - *at, &c);
	bool newline = length - *at >= 2 && text[*at] == '\r' && text[*at + 1] == '\n';

	if (step == 0)
	{
		rf_error_set(cut->err, RF_INVALID, "text is not valid UTF-8");
		rf_error_detail(cut->err, "The first invalid byte is at offset %zu.", *at);
		return RF_INVALID;
	}
	*at += newline ? 2 : step;
	if (rf_jieba_is_block(c))
		return rf_jieba_run_add(&cut->run, c, cut->arena, cut->err);
	RF_TRY(end_run(cut));
	return put_word(cut, newline ? 2 : 1);
}

RfCode
rf_jieba_cut(const RfJieba *jieba, const char *text, size_t length, const RfAbort *abort_fn,
			 RfArena *arena, RfWords *words, RfError *err)
{
	Cut cut = {arena, err, jieba, abort_fn, {0}, words, 0};
	size_t next_poll = POLL_BYTES;

	RF_FAIL_IF(length > MAX_TEXT_BYTES, err, RF_LIMIT, "text has %zu bytes, more than %zu", length,
			   MAX_TEXT_BYTES);
	words->count = 0;
	words->length = NULL;
	for (size_t at = 0; at < length;)
	{
		if (at >= next_poll)
		{
			RF_FAIL_IF(rf_abort_requested(abort_fn), err, RF_CANCELED,
					   "cutting words was canceled");
			next_poll = at + POLL_BYTES;
		}
		RF_TRY(take_character(&cut, text, length, &at));
	}
	return end_run(&cut);
}
