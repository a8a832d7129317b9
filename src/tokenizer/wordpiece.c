/*
 * wordpiece.c - greedy longest-match-first cutting of words, as WordpieceTokenizer does it.
 *
 * One walk of the vocabulary's trie finds the longest match at a position; walks after the first
 * begin below "##". The cost of a word is bounded by its length times the longest token's.
 */
#include "wordpiece.h"

#include <string.h>

#include "rf/utf8.h"

void
rf_word_add(RfWord *word, const RfAtom *atom)
{
	if (word->count == 0 || atom->start < word->start)
		word->start = atom->start;
	if (word->count == 0 || atom->end > word->end)
		word->end = atom->end;
	if (word->count < RF_WORDPIECE_MAX_CHARS)
	{
		word->char_start[word->count] = atom->start;
		word->char_end[word->count] = atom->end;
	}
	word->count++;
	if (word->used <= RF_TOKENIZER_MAX_TOKEN_BYTES)
		word->used += rf_utf8_encode(atom->code_point, word->bytes + word->used);
}

size_t
rf_wordpiece_match(const RfTokenizerView *view, const char *bytes, size_t length, int32_t *ids,
				   uint16_t *ends)
{
	const RfTrie *vocab = &view->vocab;
	uint32_t node = 0;
	size_t count = 0;
	size_t at = 0;

	while (at < length)
	{
		uint32_t match = 0;
		size_t match_end = at;

		for (size_t i = at; i < length; i++)
		{
			node = rf_trie_step(vocab, node, (unsigned char) bytes[i]);
			if (node == 0)
				break;
			if (rf_trie_accepts(vocab, node))
			{
				match = node;
				match_end = i + 1;
			}
		}
		node = view->block->continuation;
		if (match == 0 || (node == 0 && match_end < length))
			return 0;
		ids[count] = vocab->values[match];
		ends[count++] = (uint16_t) match_end;
		at = match_end;
	}
	return count;
}

/* Puts the pieces of a word with the sources of their characters. */
static RfCode
put_pieces(const RfWord *word, const int32_t *ids, const uint16_t *ends, size_t count,
		   RfTokenSink *sink)
{
	size_t at = 0;
	size_t c = 0;

	for (size_t piece = 0; piece < count; piece++)
	{
		int32_t start = word->char_start[c];
		int32_t end = word->char_end[c];

		for (; at < ends[piece]; at++)
		{
			if (((unsigned char) word->bytes[at] & 0xC0) == 0x80)
				continue;
			if (word->char_start[c] < start)
				start = word->char_start[c];
			if (word->char_end[c] > end)
				end = word->char_end[c];
			c++;
		}
		RF_TRY(rf_token_sink_put(sink, ids[piece], start, end));
	}
	return RF_OK;
}

RfCode
rf_wordpiece_put(const RfTokenizerView *view, RfWord *word, RfTokenSink *sink)
{
	int32_t ids[RF_WORDPIECE_MAX_CHARS * RF_UTF8_MAX];
	uint16_t ends[RF_WORDPIECE_MAX_CHARS * RF_UTF8_MAX];
	size_t count = 0;
	RfCode code;

	if (word->count == 0)
		return RF_OK;
	if (word->count <= RF_WORDPIECE_MAX_CHARS)
		count = rf_wordpiece_match(view, word->bytes, word->used, ids, ends);
	if (count == 0)
		code = rf_token_sink_put(sink, view->block->special_ids[RF_SPECIAL_UNK], word->start,
								 word->end);
	else
		code = put_pieces(word, ids, ends, count, sink);
	rf_word_clear(word);
	return code;
}
