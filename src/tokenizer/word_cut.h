/*
 * word_cut.h - characters into jieba's words, and these into tokens: what RoFormerTokenizer does
 * before the basic tokenizer.
 */
#ifndef RF_TOKENIZER_WORD_CUT_H
#define RF_TOKENIZER_WORD_CUT_H

#include "basic_tokenize.h"
#include "fold.h"
#include "jieba.h"

typedef struct RfWordCut
{
	const RfJieba *jieba;
	const RfTokenizerView *view;
	const RfAbort *abort_fn;
	RfBasic *basic; /* for words that are not in the vocabulary */
	RfFold fold;    /* of the fast tokenizer */
	RfJiebaRun run;
	RfAtoms atoms;      /* the run's characters */
	RfAtoms blanks;     /* white space that is dropped if a literal follows */
	bool after_literal; /* white space is dropped */
} RfWordCut;

extern void rf_word_cut_init(RfWordCut *cut, const RfJieba *jieba, const RfAbort *abort_fn,
							 RfBasic *basic);

/* The next character of the text, lower-cased if need be. */
extern RfCode rf_word_cut_add(RfWordCut *cut, RfAtom atom);
/* The end of a part of the text: a literal follows, or nothing does. */
extern RfCode rf_word_cut_finish(RfWordCut *cut, bool literal);

#endif
