/*
 * token_sink.h - where a tokenizer puts its tokens.
 *
 * All are counted; those stored can be limited to the first or the last so many, so that cutting a
 * huge text to a model's length needs memory for what remains only.
 */
#ifndef RF_TOKENIZER_TOKEN_SINK_H
#define RF_TOKENIZER_TOKEN_SINK_H

#include "rf/tokenizer.h"

typedef struct RfTokenSink
{
	RfTokens tokens; /* stored so far */
	size_t capacity;
	size_t limit;   /* tokens to keep */
	bool keep_last; /* the last ones, else the first */
	size_t total;   /* tokens there were */
	RfArena *arena;
	RfError *err;
} RfTokenSink;

extern RfCode rf_token_sink_grow(RfTokenSink *sink);

/* Tokens of text of length bytes; limit SIZE_MAX keeps all. */
extern RfCode rf_token_sink_init(RfTokenSink *sink, size_t length, size_t limit, bool keep_last,
								 RfArena *arena, RfError *err);
/* To be called when the text ended: leaves limit tokens at most. */
extern void rf_token_sink_finish(RfTokenSink *sink);

static inline RfCode
rf_token_sink_put(RfTokenSink *sink, int32_t id, int32_t start, int32_t end)
{
	size_t at = sink->tokens.count;

	sink->total++;
	if (at == sink->capacity)
	{
		if (!sink->keep_last && at >= sink->limit)
			return RF_OK;
		RF_TRY(rf_token_sink_grow(sink));
		at = sink->tokens.count;
	}
	sink->tokens.ids[at] = id;
	sink->tokens.start[at] = start;
	sink->tokens.length[at] = end - start;
	sink->tokens.count = at + 1;
	return RF_OK;
}

/* Tokenizes into a sink, which is finished afterwards; otherwise as rf_tokenize. */
extern RfCode rf_tokenize_into(const RfTokenizer *tokenizer, const char *text, size_t length,
							   const RfAbort *abort_fn, RfArena *arena, RfTokenSink *sink,
							   RfError *err);

#endif
