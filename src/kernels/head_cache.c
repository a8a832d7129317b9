/*
 * head_cache.c - attention of a single query over keys and values that are kept from token to
 * token.
 *
 * Keys stand in panels of columns, values as rows with padded width, as attention.c packs them for
 * itself, and both products are calls of the same tile in the same order: the context of a token is
 * the same to the last bit, whether it is computed with the whole row or from what was kept.
 */
#include "dispatch.h"

#include <string.h>

#include "rf/memory.h"

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

bool
rf_head_cache_capacity(const RfKernels *kernels, size_t tokens, size_t *capacity)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];

	if (!rf_size_add(tokens, format->panel - 1, capacity))
		return false;
	*capacity = *capacity / format->panel * format->panel;
	return true;
}

bool
rf_head_cache_floats(size_t capacity, size_t head_size, size_t *floats)
{
	return rf_size_mul(capacity, head_size + RF_LANES_UP(head_size), floats);
}

static float *
value_rows(const RfHeadCache *cache)
{
	return cache->block + cache->capacity * cache->head_size;
}

/* A panel is cleared with its first key: its tail is read before it is written. */
void
rf_head_cache_put(const RfKernels *kernels, const RfHeadCache *cache, size_t token, const float *k,
				  const float *v)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];
	size_t d = cache->head_size;
	size_t width = RF_LANES_UP(d);
	size_t column = token % format->panel;
	float *panel = cache->block + (token - column) * d;
	float *value = value_rows(cache) + token * width;

	if (column == 0)
		memset(panel, 0, format->panel * d * sizeof(float));
	for (size_t i = 0; i < d; i++)
		panel[i * format->panel + column] = k[i];
	memcpy(value, v, d * sizeof(float));
	memset(value + d, 0, (width - d) * sizeof(float));
}

void
rf_head_cache_copy(const RfKernels *kernels, const RfHeadCache *from, size_t tokens,
				   const RfHeadCache *to)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];
	size_t d = from->head_size;
	size_t columns = (tokens + format->panel - 1) / format->panel * format->panel;

	memcpy(to->block, from->block, columns * d * sizeof(float));
	memcpy(value_rows(to), value_rows(from), tokens * RF_LANES_UP(d) * sizeof(float));
}

static void
score_keys(const RfKernels *kernels, const RfHeadCache *cache, size_t tokens, const float *q,
		   float *scores)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];

	for (size_t key = 0; key < tokens; key += format->panel)
	{
		RfTile tile = {
			.rows = 1,
			.columns = smaller(format->panel, tokens - key),
			.k = cache->head_size,
			.a = q,
			.lda = cache->head_size * sizeof(float),
			.b = cache->block + key * cache->head_size,
			.ldb = format->panel,
			.c = scores + key,
			.ldc = tokens,
		};

		format->tile(&tile);
	}
}

static void
mix_values(const RfKernels *kernels, const RfHeadCache *cache, size_t tokens, const float *weights,
		   float *context)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];
	size_t width = RF_LANES_UP(cache->head_size);

	for (size_t column = 0; column < cache->head_size; column += format->panel)
		for (size_t key = 0; key < tokens; key += format->k_block)
		{
			RfTile tile = {
				.rows = 1,
				.columns = smaller(format->panel, cache->head_size - column),
				.k = smaller(format->k_block, tokens - key),
				.a = weights + key,
				.lda = tokens * sizeof(float),
				.b = value_rows(cache) + key * width + column,
				.ldb = width,
				.c = context + column,
				.ldc = cache->head_size,
				.accumulate = key > 0,
			};

			format->tile(&tile);
		}
}

void
rf_head_cache_attend(const RfKernels *kernels, const RfHeadCache *cache, size_t tokens, float scale,
					 float *q, float *scores)
{
	float sum;

	score_keys(kernels, cache, tokens, q, scores);
	sum = kernels->exponentials(scores, tokens, scale);
	mix_values(kernels, cache, tokens, scores, q);
	kernels->scale(q, cache->head_size, 1 / sum);
}
