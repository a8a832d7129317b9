/*
 * fold.h - characters as the fast word tokenizer gives them to jieba: cleaned, without accents.
 */
#ifndef RF_TOKENIZER_FOLD_H
#define RF_TOKENIZER_FOLD_H

#include "normalize.h"
#include "tokenizer_block.h"

/* What is open between two characters. */
typedef struct RfFold
{
	const RfTokenizerView *view;
	RfAtoms open;   /* a character and what stands on it, not decomposed yet */
	RfAtoms folded; /* what came out of the last call */
} RfFold;

/*
 * The next character of the text, lower-cased if need be; fold->folded is what can be told now,
 * also of earlier ones.
 */
extern RfCode rf_fold_add(RfFold *fold, RfAtom atom, RfArena *arena, RfError *err);
/* The end of a part of the text: the rest of it is in fold->folded. */
extern RfCode rf_fold_finish(RfFold *fold, RfArena *arena, RfError *err);

#endif
