/*
 * attention.c - softmax(q k) v of one head, a few query rows at a time.
 *
 * Keys are packed as panels of columns, values as rows with padded width: then both products are
 * calls of the GEMM's tile. A block of query rows is scored against all keys ([queries,T], it
 * stays in the second-level cache up to some 10,000 tokens), the softmax is exact and in one
 * piece, and its division is left to the D numbers of the context instead of the T weights. What a
 * row's result depends on is the row's own tokens, its position and nothing else.
 */
#include "dispatch.h"

#include <string.h>

#include "rf/memory.h"

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Scratch: keys [ceil(T / panel)][D][panel], values [T,width], scores [queries,keys]. */
typedef struct Scratch
{
	float *keys;
	float *values;
	float *scores;
	size_t width;  /* of a row of values */
	size_t stride; /* of a row of scores */
} Scratch;

static Scratch
split_scratch(const RfAttention *attention)
{
	size_t width = RF_LANES_UP(attention->head_size);
	size_t columns = RF_LANES_UP(attention->keys);
	Scratch scratch;

	scratch.width = width;
	scratch.stride = columns;
	scratch.keys = attention->scratch;
	scratch.values = scratch.keys + columns * attention->head_size;
	scratch.scores = scratch.values + attention->keys * width;
	return scratch;
}

bool
rf_attention_scratch(const RfKernels *kernels, size_t tokens, size_t head_size, size_t *floats)
{
	size_t queries = smaller(RF_ATTENTION_QUERIES, tokens);
	size_t width = RF_LANES_UP(head_size);
	size_t columns;
	size_t each;

	(void) kernels;
	if (!rf_size_add(tokens, RF_LANES - 1, &columns) || !rf_size_add(head_size, width, &each) ||
		!rf_size_add(each, queries, &each))
		return false;
	columns = columns / RF_LANES * RF_LANES;
	return rf_size_mul(columns, each, floats);
}

/*
 * RF_LANES keys, or as many as there are, from the first on: transposed into columns of their
 * panel, line by line, zeros behind the last. Key by key would touch each line 16 times.
 */
static void
pack_lanes(const RfAttention *attention, size_t first, float *to, size_t width)
{
	size_t keys = smaller(RF_LANES, attention->keys - first);
	const float *k = attention->k + first * attention->stride;

	for (size_t i = 0; i < attention->head_size; i++, to += width)
	{
		for (size_t j = 0; j < keys; j++)
			to[j] = k[j * attention->stride + i];
		for (size_t j = keys; j < RF_LANES; j++)
			to[j] = 0;
	}
}

static void
pack_keys(const RfKernels *kernels, const RfAttention *attention, float *keys)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];

	for (size_t key = 0; key < attention->keys; key += format->panel)
	{
		size_t width = RF_LANES_UP(smaller(format->panel, attention->keys - key));
		float *panel = keys + key * attention->head_size;

		for (size_t lane = 0; lane < width; lane += RF_LANES)
			pack_lanes(attention, key + lane, panel + lane, width);
	}
}

void
rf_attention_begin(const RfKernels *kernels, const RfAttention *attention)
{
	Scratch scratch = split_scratch(attention);

	pack_keys(kernels, attention, scratch.keys);
	for (size_t t = 0; t < attention->keys; t++)
	{
		float *to = scratch.values + t * scratch.width;

		memcpy(to, attention->v + t * attention->stride, attention->head_size * sizeof(float));
		for (size_t i = attention->head_size; i < scratch.width; i++)
			to[i] = 0;
	}
}

/* scores [rows,keys] = q * transpose(k) */
static void
score_keys(const RfKernels *kernels, const RfAttention *attention, const Scratch *scratch,
		   const float *q, size_t rows, size_t keys)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];

	for (size_t key = 0; key < keys; key += format->panel)
	{
		size_t columns = smaller(format->panel, attention->keys - key);
		const float *panel = rf_pack_column(format, scratch->keys, attention->head_size, key);

		for (size_t row = 0; row < rows; row += format->tile_rows)
		{
			RfTile tile = {
				.rows = smaller(format->tile_rows, rows - row),
				.columns = columns,
				.k = attention->head_size,
				.a = q + row * attention->stride,
				.lda = attention->stride * sizeof(float),
				.b = panel,
				.ldb = RF_LANES_UP(columns),
				.c = scratch->scores + row * scratch->stride + key,
				.ldc = scratch->stride,
			};

			format->tile(&tile);
		}
	}
}

/* context [rows,D] = weights * v, not yet divided by the weights' sums */
static void
mix_values(const RfKernels *kernels, const RfAttention *attention, const Scratch *scratch,
		   float *context, size_t rows, size_t keys)
{
	const RfFormat *format = &kernels->formats[RF_PRECISION_FP32];

	for (size_t column = 0; column < attention->head_size; column += format->panel)
		for (size_t key = 0; key < keys; key += format->k_block)
			for (size_t row = 0; row < rows; row += format->tile_rows)
			{
				RfTile tile = {
					.rows = smaller(format->tile_rows, rows - row),
					.columns = smaller(format->panel, attention->head_size - column),
					.k = smaller(format->k_block, keys - key),
					.a = scratch->scores + row * scratch->stride + key,
					.lda = scratch->stride * sizeof(float),
					.b = scratch->values + key * scratch->width + column,
					.ldb = scratch->width,
					.c = context + row * attention->stride + column,
					.ldc = attention->stride,
					.accumulate = key > 0,
				};

				format->tile(&tile);
			}
}

static size_t
sees_keys(const RfAttention *attention, size_t query)
{
	return attention->sees == NULL ? attention->keys
								   : smaller(attention->sees[query], attention->keys);
}

void
rf_attention_queries(const RfKernels *kernels, const RfAttention *attention, size_t first)
{
	Scratch scratch = split_scratch(attention);
	size_t rows = smaller(RF_ATTENTION_QUERIES, attention->tokens - first);
	size_t keys = sees_keys(attention, first + rows - 1);
	float *q = attention->q + first * attention->stride;
	float sums[RF_ATTENTION_QUERIES];

	score_keys(kernels, attention, &scratch, q, rows, keys);
	for (size_t row = 0; row < rows; row++)
	{
		float *scores = scratch.scores + row * scratch.stride;
		size_t seen = sees_keys(attention, first + row);

		sums[row] = kernels->exponentials(scores, seen, attention->scale);
		for (size_t key = seen; key < keys; key++)
			scores[key] = 0;
	}
	mix_values(kernels, attention, &scratch, q, rows, keys);
	for (size_t row = 0; row < rows; row++)
		kernels->scale(q + row * attention->stride, attention->head_size, 1 / sums[row]);
}
