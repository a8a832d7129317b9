/*
 * row_cache.c - the memory of a row's keys and values: one block, head after head, layer after
 * layer.
 *
 * It grows by half at least, so that a token costs the copy of a few; what a head has is moved as
 * it lies there. A row that will have so many tokens is better reserved at once.
 */
#include "compute.h"

#include <string.h>

/* Capacity for so many tokens, floats of a head and bytes of all. */
static bool
measure_cache(const RfModel *model, size_t tokens, size_t *capacity, size_t *floats, size_t *bytes)
{
	size_t heads = (size_t) model->config->num_attention_heads;
	size_t layers = (size_t) model->config->num_hidden_layers;
	RfPrecision precision = rf_attention_precision(model);

	return rf_head_cache_capacity(model->kernels, precision, tokens, true, capacity) &&
		   rf_head_cache_floats(model->kernels, precision, *capacity, rf_head_size(model),
								floats) &&
		   rf_size_mul(*floats, heads * layers, bytes) &&
		   rf_size_mul(*bytes, sizeof(float), bytes) && rf_size_add(*bytes, RF_ALIGNMENT, bytes);
}

bool
rf_row_cache_size(const RfModel *model, size_t tokens, size_t *bytes)
{
	size_t capacity;
	size_t floats;

	return measure_cache(model, tokens, &capacity, &floats, bytes);
}

RfHeadCache
rf_row_cache_head(const RfModel *model, const RfRowCache *cache, size_t layer, size_t head)
{
	size_t index = layer * (size_t) model->config->num_attention_heads + head;
	RfHeadCache kept = {
		.capacity = cache->capacity,
		.head_size = rf_head_size(model),
		.precision = rf_attention_precision(model),
	};
	size_t floats;

	rf_head_cache_floats(model->kernels, kept.precision, kept.capacity, kept.head_size, &floats);
	kept.block = (float *) RF_ALIGN((uintptr_t) cache->block) + index * floats;
	return kept;
}

static void
copy_heads(const RfModel *model, const RfRowCache *from, const RfRowCache *to)
{
	for (size_t layer = 0; layer < (size_t) model->config->num_hidden_layers; layer++)
		for (size_t head = 0; head < (size_t) model->config->num_attention_heads; head++)
		{
			RfHeadCache old = rf_row_cache_head(model, from, layer, head);
			RfHeadCache new = rf_row_cache_head(model, to, layer, head);

			rf_head_cache_copy(model->kernels, &old, from->tokens, &new);
		}
}

RfCode
rf_row_cache_reserve(const RfEncoder *encoder, RfRowCache *cache, size_t tokens, RfError *err)
{
	RfRowCache grown = {.tokens = cache->tokens};
	size_t wanted = cache->capacity + cache->capacity / 2;
	size_t floats;

	if (tokens <= cache->capacity)
		return RF_OK;
	if (wanted < tokens)
		wanted = tokens;
	RF_FAIL_IF(!measure_cache(encoder->model, wanted, &grown.capacity, &floats, &grown.size), err,
			   RF_LIMIT, "a row of %zu tokens is too long", tokens);
	grown.block = encoder->memory.alloc(encoder->memory.context, grown.size);
	if (grown.block == NULL)
		return rf_error_memory(err, grown.size);
	if (cache->tokens > 0)
		copy_heads(encoder->model, cache, &grown);
	rf_row_cache_release(encoder, cache);
	*cache = grown;
	return RF_OK;
}

void
rf_row_cache_release(const RfEncoder *encoder, RfRowCache *cache)
{
	if (cache->block != NULL)
		encoder->memory.release(encoder->memory.context, cache->block);
	*cache = (RfRowCache){0};
}
