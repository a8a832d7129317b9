/*
 * wordpiece.h - a word into pieces of the vocabulary.
 */
#ifndef RF_TOKENIZER_WORDPIECE_H
#define RF_TOKENIZER_WORDPIECE_H

#include "normalize.h"
#include "token_sink.h"
#include "tokenizer_block.h"

/* Words of more code points are unknown. */
#define RF_WORDPIECE_MAX_CHARS 100

/* A word being collected. What doesn't fit is counted only: no token is that long. */
typedef struct RfWord
{
	size_t count;  /* code points */
	int32_t start; /* of its source characters */
	int32_t end;   /* behind them */
	size_t used;   /* bytes; beyond RF_TOKENIZER_MAX_TOKEN_BYTES not all are there */
	char bytes[RF_TOKENIZER_MAX_TOKEN_BYTES + 4];
	int32_t char_start[RF_WORDPIECE_MAX_CHARS]; /* sources of each code point */
	int32_t char_end[RF_WORDPIECE_MAX_CHARS];
} RfWord;

static inline void
rf_word_clear(RfWord *word)
{
	word->count = 0;
	word->used = 0;
}

extern void rf_word_add(RfWord *word, const RfAtom *atom);

/* The collected word's pieces; clears it. */
extern RfCode rf_wordpiece_put(const RfTokenizerView *view, RfWord *word, RfTokenSink *sink);

/*
 * Greedy longest match from the left over length bytes, at most RF_WORDPIECE_MAX_CHARS characters:
 * piece i has ids[i] and ends before byte ends[i]. Returns how many pieces, 0 when some position
 * has no match. ids and ends have length elements.
 */
extern size_t rf_wordpiece_match(const RfTokenizerView *view, const char *bytes, size_t length,
								 int32_t *ids, uint16_t *ends);

#endif
