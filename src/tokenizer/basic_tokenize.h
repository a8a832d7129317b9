/*
 * basic_tokenize.h - characters into words: cleaning, normal form, cutting at blanks, Chinese
 * characters and punctuation.
 */
#ifndef RF_TOKENIZER_BASIC_TOKENIZE_H
#define RF_TOKENIZER_BASIC_TOKENIZE_H

#include "wordpiece.h"

#define RF_BASIC_INLINE_ATOMS 64

/* What is open between two characters. Not to be moved once it is initialised. */
typedef struct RfBasic
{
	const RfTokenizerView *view;
	RfTokenSink *sink;
	RfArena *arena;
	RfError *err;
	RfAtoms block;   /* characters whose canonical composition can't be told yet */
	RfAtoms piece;   /* characters since the last cut */
	RfAtoms spare;   /* the normal form of either */
	uint32_t traits; /* RF_UNICODE_UNSTABLE, RF_UNICODE_ACCENTED: some character is so */
	bool continued;  /* a first part of the piece is gone already */
	RfWord word;
	RfAtom block_items[RF_BASIC_INLINE_ATOMS];
	RfAtom piece_items[RF_BASIC_INLINE_ATOMS];
	RfAtom spare_items[RF_BASIC_INLINE_ATOMS];
} RfBasic;

extern void rf_basic_init(RfBasic *basic, const RfTokenizerView *view, RfTokenSink *sink,
						  RfArena *arena, RfError *err);

/* The next character of the text, lower-cased if need be. */
extern RfCode rf_basic_add(RfBasic *basic, RfAtom atom);
/* A cut: the end of the text, a special literal. */
extern RfCode rf_basic_finish(RfBasic *basic);

/* Nothing is open: the next character begins a piece. */
static inline bool
rf_basic_idle(const RfBasic *basic)
{
	return basic->piece.count == 0 && basic->block.count == 0 && !basic->continued;
}

#endif
