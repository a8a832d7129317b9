/*
 * token_sink.c - growing, dropping and handing over tokens.
 *
 * Of the last n tokens up to 2n are stored: when they are there, the older half makes room. Each
 * token is so moved once on average.
 */
#include "token_sink.h"

#include <string.h>

/* English has a token for every four bytes or so. */
#define BYTES_PER_TOKEN 4
#define LEAST_CAPACITY ((size_t) 16)

static void
move_tokens(RfTokens *to, const RfTokens *from, size_t first, size_t count)
{
	memmove(to->ids, from->ids + first, count * sizeof(*to->ids));
	memmove(to->start, from->start + first, count * sizeof(*to->start));
	memmove(to->length, from->length + first, count * sizeof(*to->length));
	to->count = count;
}

static size_t
largest_capacity(const RfTokenSink *sink)
{
	size_t doubled;

	if (!sink->keep_last)
		return sink->limit;
	return rf_size_mul(sink->limit, 2, &doubled) ? doubled : SIZE_MAX;
}

static RfCode
reserve(RfTokenSink *sink, size_t capacity)
{
	RfTokens grown = {0};

	if (capacity > largest_capacity(sink))
		capacity = largest_capacity(sink);
	RF_NEW(sink->arena, grown.ids, capacity, sink->err);
	RF_NEW(sink->arena, grown.start, capacity, sink->err);
	RF_NEW(sink->arena, grown.length, capacity, sink->err);
	if (sink->tokens.count > 0)
		move_tokens(&grown, &sink->tokens, 0, sink->tokens.count);
	sink->tokens = grown;
	sink->capacity = capacity;
	return RF_OK;
}

RfCode
rf_token_sink_init(RfTokenSink *sink, size_t length, size_t limit, bool keep_last, RfArena *arena,
				   RfError *err)
{
	memset(sink, 0, sizeof(*sink));
	sink->limit = limit;
	sink->keep_last = keep_last;
	sink->arena = arena;
	sink->err = err;
	return reserve(sink, length / BYTES_PER_TOKEN + LEAST_CAPACITY);
}

RfCode
rf_token_sink_grow(RfTokenSink *sink)
{
	if (sink->capacity < largest_capacity(sink))
		return reserve(sink, sink->capacity * 2);
	move_tokens(&sink->tokens, &sink->tokens, sink->tokens.count - sink->limit, sink->limit);
	return RF_OK;
}

void
rf_token_sink_finish(RfTokenSink *sink)
{
	if (sink->tokens.count > sink->limit)
		move_tokens(&sink->tokens, &sink->tokens, sink->tokens.count - sink->limit, sink->limit);
}
