/*
 * jieba_dictionary.c - jieba's dict.txt as a block, and opening one.
 *
 * Format: a line for each word, with its frequency and a tag, separated by white space; the tag is
 * not used, a missing frequency is 0, empty lines are skipped. Of a word that occurs twice the
 * later line counts. Limits: RF_JIEBA_MAX_BYTES, RF_JIEBA_MAX_WORDS lines, words of
 * RF_JIEBA_MAX_WORD bytes, frequencies below 2^53, at which doubles are no longer exact. Rejected:
 * invalid UTF-8, a frequency that is no number, a dictionary without frequencies.
 *
 * Weights are computed here, once, in the order of the reference: the difference of two logarithms
 * in double precision. Sums of them decide between cuts that are nearly equal.
 */
#include "jieba.h"

#include <math.h>
#include <string.h>

#include "rf/utf8.h"

#define RF_JIEBA_MAX_BYTES ((size_t) 1 << 28)
#define RF_JIEBA_MAX_WORDS ((size_t) 1 << 24)
#define RF_JIEBA_MAX_WORD ((size_t) 1024)
#define MAX_FREQUENCY ((uint64_t) 1 << 53)
#define POLL_LINES ((size_t) 32768) /* and nodes: a few milliseconds */

typedef struct Dictionary
{
	RfArena scratch;
	const RfAbort *abort_fn;
	RfError *err;
	RfTrieKey *keys;       /* [count] value: which line */
	uint64_t *frequencies; /* [count] by line */
	size_t count;
	RfTrie trie;
	size_t word_count; /* distinct words */
	uint64_t total;    /* of their frequencies */
} Dictionary;

static bool
is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Called for each line or node with its number. */
static RfCode
poll(const Dictionary *dictionary, size_t number)
{
	RF_FAIL_IF(number % POLL_LINES == 0 && rf_abort_requested(dictionary->abort_fn),
			   dictionary->err, RF_CANCELED, "compiling the dictionary was canceled");
	return RF_OK;
}

/* The next field of a line; its length is 0 when there is none. */
static const char *
next_field(const char **at, const char *end, size_t *length)
{
	const char *field;

	while (*at < end && is_blank(**at))
		(*at)++;
	field = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	*length = (size_t) (*at - field);
	return field;
}

static bool
parse_frequency(const char *field, size_t length, uint64_t *frequency)
{
	*frequency = 0;
	for (size_t i = 0; i < length; i++)
	{
		if (field[i] < '0' || field[i] > '9')
			return false;
		*frequency = *frequency * 10 + (uint64_t) (field[i] - '0');
		if (*frequency >= MAX_FREQUENCY)
			return false;
	}
	return true;
}

static RfCode
parse_line(Dictionary *dictionary, const char *line, const char *end, size_t number)
{
	size_t length;
	size_t digits;
	const char *word = next_field(&line, end, &length);
	const char *frequency = next_field(&line, end, &digits);
	size_t at = dictionary->count;

	if (length == 0)
		return RF_OK;
	RF_FAIL_IF(length > RF_JIEBA_MAX_WORD, dictionary->err, RF_LIMIT,
			   "line %zu of the dictionary has a word of %zu bytes, more than %zu", number, length,
			   RF_JIEBA_MAX_WORD);
	RF_FAIL_IF(!parse_frequency(frequency, digits, &dictionary->frequencies[at]), dictionary->err,
			   RF_CORRUPT, "line %zu of the dictionary has no valid frequency", number);
	dictionary->keys[at] = (RfTrieKey){word, (uint32_t) length, (int32_t) at};
	dictionary->count++;
	return RF_OK;
}

static size_t
count_lines(const char *text, size_t length)
{
	size_t count = 1;

	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n';
	return count;
}

static RfCode
parse_lines(Dictionary *dictionary, const char *text, size_t length)
{
	const char *end = text + length;
	size_t lines;
	size_t valid;
	size_t number = 0;

	RF_FAIL_IF(length > RF_JIEBA_MAX_BYTES, dictionary->err, RF_LIMIT,
			   "dictionary has %zu bytes, more than %zu", length, RF_JIEBA_MAX_BYTES);
	lines = count_lines(text, length);
	RF_FAIL_IF(lines > RF_JIEBA_MAX_WORDS, dictionary->err, RF_LIMIT,
			   "dictionary has %zu lines, more than %zu", lines, RF_JIEBA_MAX_WORDS);
	valid = rf_utf8_valid_prefix(text, length);
	if (valid != length)
	{
		rf_error_set(dictionary->err, RF_CORRUPT, "dictionary is not valid UTF-8");
		rf_error_detail(dictionary->err, "The first invalid byte is at offset %zu, in line %zu.",
						valid, count_lines(text, valid));
		return RF_CORRUPT;
	}
	RF_NEW(&dictionary->scratch, dictionary->keys, lines, dictionary->err);
	RF_NEW(&dictionary->scratch, dictionary->frequencies, lines, dictionary->err);
	while (text < end)
	{
		const char *line_end = memchr(text, '\n', (size_t) (end - text));

		if (line_end == NULL)
			line_end = end;
		RF_TRY(parse_line(dictionary, text, line_end, ++number));
		RF_TRY(poll(dictionary, number));
		text = line_end == end ? end : line_end + 1;
	}
	return RF_OK;
}

static bool
is_word(const RfTrie *trie, size_t node)
{
	return node != 0 && trie->nodes[node].parent != RF_TRIE_FREE &&
		   rf_trie_accepts(trie, (uint32_t) node);
}

/* Counts the words that are left of the lines and sums their frequencies up. */
static RfCode
sum_frequencies(Dictionary *dictionary)
{
	for (size_t node = 0; node < dictionary->trie.count; node++)
	{
		RF_TRY(poll(dictionary, node));
		if (!is_word(&dictionary->trie, node))
			continue;
		dictionary->word_count++;
		/* At most 2^24 words of less than 2^53 each: no overflow before the check. */
		dictionary->total += dictionary->frequencies[dictionary->trie.values[node]];
		RF_FAIL_IF(dictionary->total >= MAX_FREQUENCY, dictionary->err, RF_LIMIT,
				   "frequencies of the dictionary add up to more than 2^53");
	}
	RF_FAIL_IF(dictionary->total == 0, dictionary->err, RF_CORRUPT,
			   "dictionary has no word with a frequency");
	return RF_OK;
}

static RfCode
write_weights(const Dictionary *dictionary, int32_t *values, double *weights, double log_total)
{
	int32_t word = 0;

	for (size_t node = 0; node < dictionary->trie.count; node++)
	{
		RF_TRY(poll(dictionary, node));
		if (!is_word(&dictionary->trie, node))
		{
			values[node] = -1;
			continue;
		}
		weights[word] =
			log((double) dictionary->frequencies[dictionary->trie.values[node]]) - log_total;
		values[node] = word++;
	}
	return RF_OK;
}

static RfCode
write_block(const Dictionary *dictionary, RfArena *arena, void **block, size_t *size)
{
	const RfTrie *trie = &dictionary->trie;
	double log_total = log((double) dictionary->total);
	RfJiebaBlock header = {.version = RF_JIEBA_VERSION,
						   .node_count = trie->count,
						   .word_count = dictionary->word_count,
						   .single = log(1.0) - log_total};
	char *bytes;

	memcpy(header.magic, RF_JIEBA_MAGIC, sizeof(header.magic));
	header.nodes = RF_ALIGN(sizeof(header));
	header.values = header.nodes + RF_ALIGN(trie->count * sizeof(*trie->nodes));
	header.weights = header.values + RF_ALIGN(trie->count * sizeof(*trie->values));
	header.size = header.weights + RF_ALIGN(dictionary->word_count * sizeof(double));
	bytes = rf_arena_zalloc(arena, header.size, 1);
	if (bytes == NULL)
		return rf_error_memory(dictionary->err, header.size);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + header.nodes, trie->nodes, trie->count * sizeof(*trie->nodes));
	RF_TRY(write_weights(dictionary, (int32_t *) (bytes + header.values),
						 (double *) (bytes + header.weights), log_total));
	*block = bytes;
	*size = header.size;
	return RF_OK;
}

static RfCode
compile_dictionary(Dictionary *dictionary, const char *text, size_t length, RfArena *arena,
				   void **block, size_t *size)
{
	RF_TRY(parse_lines(dictionary, text, length));
	RF_TRY(rf_trie_build(dictionary->keys, dictionary->count, dictionary->abort_fn,
						 &dictionary->scratch, &dictionary->trie, dictionary->err));
	RF_TRY(sum_frequencies(dictionary));
	return write_block(dictionary, arena, block, size);
}

RfCode
rf_jieba_compile(const char *dict, size_t length, const RfAbort *abort_fn, RfArena *arena,
				 void **block, size_t *size, RfError *err)
{
	Dictionary dictionary = {.abort_fn = abort_fn, .err = err};
	RfCode code;

	rf_arena_init(&dictionary.scratch, arena->memory);
	code = compile_dictionary(&dictionary, dict, length, arena, block, size);
	rf_arena_free(&dictionary.scratch);
	return code;
}

static bool
section_fits(const RfJiebaBlock *block, uint64_t offset, uint64_t count, size_t size)
{
	uint64_t bytes;
	uint64_t end;

	return offset % sizeof(double) == 0 && offset >= sizeof(*block) &&
		   !__builtin_mul_overflow(count, size, &bytes) &&
		   !__builtin_add_overflow(offset, bytes, &end) && end <= block->size;
}

RfCode
rf_jieba_open(const void *block, size_t size, RfJieba *jieba, RfError *err)
{
	const RfJiebaBlock *header = block;

	RF_FAIL_IF(block == NULL || (uintptr_t) block % _Alignof(RfJiebaBlock) != 0 ||
				   size < sizeof(*header) ||
				   memcmp(header->magic, RF_JIEBA_MAGIC, sizeof(header->magic)) != 0,
			   err, RF_CORRUPT, "not a compiled dictionary");
	RF_FAIL_IF(header->version != RF_JIEBA_VERSION, err, RF_CORRUPT,
			   "compiled dictionary has version %u, not %d", (unsigned) header->version,
			   RF_JIEBA_VERSION);
	RF_FAIL_IF(header->size > size, err, RF_CORRUPT,
			   "compiled dictionary is cut short: %zu of %zu bytes", size, (size_t) header->size);
	RF_FAIL_IF(!section_fits(header, header->nodes, header->node_count, sizeof(RfTrieNode)) ||
				   !section_fits(header, header->values, header->node_count, sizeof(int32_t)) ||
				   !section_fits(header, header->weights, header->word_count, sizeof(double)),
			   err, RF_CORRUPT, "compiled dictionary has an inconsistent header");
	jieba->block = header;
	return RF_OK;
}
