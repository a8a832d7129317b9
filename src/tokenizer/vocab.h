/*
 * vocab.h - the lines of vocab.txt.
 */
#ifndef RF_TOKENIZER_VOCAB_H
#define RF_TOKENIZER_VOCAB_H

#include "trie.h"

/* Tokens by id: keys[i].value is i. Their bytes lie in the text that was given. */
typedef struct RfVocab
{
	RfTrieKey *keys; /* [count] */
	size_t count;
} RfVocab;

/*
 * Cuts text into lines, one token each. A line ends at \n, \r\n or a lone \r; blanks and empty
 * lines are tokens like any other. RF_CORRUPT for invalid UTF-8 or no line at all, RF_LIMIT for too
 * many or too long ones.
 */
extern RfCode rf_vocab_parse(const char *text, size_t length, RfArena *arena, RfVocab *vocab,
							 RfError *err);

#endif
