/*
 * jieba.h - a compiled dictionary, and cutting one run of block characters with it.
 */
#ifndef RF_TOKENIZER_JIEBA_H
#define RF_TOKENIZER_JIEBA_H

#include "rf/tokenizer.h"
#include "trie.h"

#define RF_JIEBA_MAGIC "RFJIEBA1"
#define RF_JIEBA_VERSION 1

struct RfJiebaBlock
{
	char magic[8];
	uint32_t version;
	uint32_t reserved;
	uint64_t size;
	uint64_t node_count;
	uint64_t word_count;
	uint64_t nodes;   /* offset of RfTrieNode [node_count] */
	uint64_t values;  /* offset of int32_t [node_count]: which weight */
	uint64_t weights; /* offset of double [word_count]: ln frequency - ln total */
	double single;    /* weight of a character that begins no word: ln 1 - ln total */
};

/* Workspace of one run after the other; grows with the longest. All zero at first. */
typedef struct RfJiebaRun
{
	size_t count; /* characters */
	size_t capacity;
	size_t used;       /* bytes */
	char *bytes;       /* [capacity * RF_UTF8_MAX] the run */
	uint32_t *starts;  /* [capacity + 1] where each character's bytes begin; its end last */
	double *route;     /* [capacity + 1] best weight from a character to the end */
	uint32_t *ends;    /* [capacity] end of the best word from a character; then ends of words */
	size_t word_count; /* words, once it is cut: word i ends before character ends[i] */
} RfJiebaRun;

/* Letters that the dictionary's words are made of; all others are words by themselves. */
extern bool rf_jieba_is_block(uint32_t code_point);

static inline void
rf_jieba_run_clear(RfJiebaRun *run)
{
	run->count = 0;
	run->used = 0;
}

extern RfCode rf_jieba_run_add(RfJiebaRun *run, uint32_t code_point, RfArena *arena, RfError *err);

/* Cuts the collected run, which is not empty, into words. */
extern RfCode rf_jieba_run_cut(const RfJieba *jieba, RfJiebaRun *run, const RfAbort *abort_fn,
							   RfError *err);

#endif
