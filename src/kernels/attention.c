/*
 * attention.c - softmax(q k) v of one head: some query rows at a time, some keys at a time.
 *
 * Both products are the set's GEMM over packed keys and values (head_cache.c). A block of queries
 * passes the keys in blocks of RF_ATTENTION_KEYS: scores of a block become weights relative to the
 * largest score so far; when that grows, sum and context of the query are scaled down before more
 * is added (online softmax: Milakov and Gimelshein 2018, Dao et al. 2022). Scores, context and
 * queries as rows of the format stay in the first levels of cache, however many keys there are. The
 * division by the sum is left to the D numbers of the context.
 *
 * In bf16, queries, keys, values and weights are rounded to it; scores, sums and context are fp32.
 * What is summed up are the rounded weights, so their share in the context is 1.
 *
 * What a query's result depends on are its own keys and nothing else: blocks begin at multiples of
 * their size, and keys it doesn't see add zeros at the end.
 */
#include "dispatch.h"

#include <math.h>
#include <string.h>

#include "rf/memory.h"

/* Scores of a row; a power of two would put a column of them into few lines of a cache. */
#define SCORES_STRIDE (RF_ATTENTION_KEYS + RF_LANES)

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t
round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* A block of queries on its way. */
typedef struct Queries
{
	const RfKernels *kernels;
	const RfFormat *format;
	const RfAttention *attention;
	size_t first;
	size_t rows;
	const void *q; /* [rows,D] as the format has rows */
	size_t q_stride;
	float *scores;  /* [rows,SCORES_STRIDE], then weights as rows of the format */
	float *context; /* [rows,width] */
	size_t width;
	float largest[RF_ATTENTION_QUERIES]; /* score so far */
	float sums[RF_ATTENTION_QUERIES];    /* of weights */
} Queries;

/* GEMMs may read rows in groups. */
static size_t
scratch_rows(const RfFormat *format)
{
	return round_up(RF_ATTENTION_QUERIES, format->row_group);
}

bool
rf_attention_scratch(const RfKernels *kernels, RfPrecision precision, size_t head_size,
					 size_t *floats)
{
	const RfFormat *format = &kernels->formats[precision];
	size_t width;

	if (!rf_size_add(head_size, RF_LANES - 1, &width))
		return false;
	width = width / RF_LANES * RF_LANES;
	/* Rows of a format are no wider than fp32. */
	return rf_size_mul(width, 2, floats) && rf_size_add(*floats, SCORES_STRIDE, floats) &&
		   rf_size_mul(*floats, scratch_rows(format), floats);
}

static void
begin_queries(Queries *queries, const RfAttention *attention)
{
	const RfFormat *format = queries->format;
	size_t rows = scratch_rows(format);
	const float *q = attention->q + queries->first * attention->stride;
	char *converted;

	queries->width = RF_LANES_UP(attention->head->head_size);
	queries->scores = attention->scratch;
	queries->context = queries->scores + rows * SCORES_STRIDE;
	queries->q = q;
	queries->q_stride = attention->stride * sizeof(float);
	if (format->convert == NULL)
		return;
	converted = (char *) (queries->context + rows * queries->width);
	queries->q = converted;
	queries->q_stride = rf_row_size(format, attention->head->head_size);
	for (size_t row = 0; row < queries->rows; row++)
		format->convert(format, q + row * attention->stride, attention->head->head_size,
						converted + row * queries->q_stride);
}

/* OpenBLAS has other layouts for its GEMM. */
static void
multiply(const Queries *queries, const RfGemm *gemm)
{
	if (queries->format->tile != NULL)
		rf_gemm_panels(queries->kernels, queries->format, gemm);
	else
		queries->format->gemm(queries->kernels, queries->format, gemm);
}

/* scores [rows,count] = q * transpose(k) for the keys from key on; whole panels of them */
static void
score_keys(const Queries *queries, size_t key, size_t count)
{
	const RfHeadCache *head = queries->attention->head;
	RfGemm gemm = {
		.m = queries->rows,
		.n = smaller(round_up(count, queries->format->panel), head->capacity - key),
		.k = head->head_size,
		.a = queries->q,
		.lda = queries->q_stride,
		.weight = rf_head_cache_keys(queries->kernels, head, key),
		.c = queries->scores,
		.ldc = SCORES_STRIDE,
		.activation = RF_ACT_LINEAR,
	};

	multiply(queries, &gemm);
}

static size_t
sees_keys(const RfAttention *attention, size_t query)
{
	return attention->sees == NULL ? attention->keys
								   : smaller(attention->sees[query], attention->keys);
}

/* Scores of the keys [key, key + count) become weights in rows of depth terms. */
static void
weigh_keys(Queries *queries, size_t key, size_t count, size_t depth)
{
	const RfAttention *attention = queries->attention;
	const RfFormat *format = queries->format;

	for (size_t row = 0; row < queries->rows; row++)
	{
		float *scores = queries->scores + row * SCORES_STRIDE;
		size_t sees = sees_keys(attention, queries->first + row);
		float before = queries->largest[row];
		float sum;

		if (sees <= key)
		{
			memset(scores, 0, depth * format->row_term);
			continue;
		}
		sum = format->weigh(format, scores, smaller(sees - key, count), depth, attention->scale,
							&queries->largest[row]);
		if (key > 0 && queries->largest[row] != before)
		{
			float factor = expf((before - queries->largest[row]) * attention->scale);

			queries->sums[row] *= factor;
			queries->kernels->scale(queries->context + row * queries->width,
									attention->head->head_size, factor);
		}
		queries->sums[row] += sum;
	}
}

/* context [rows,D] += weights * v, panel by panel, of which the first depth terms are taken */
static void
mix_values(const Queries *queries, size_t key, size_t depth)
{
	const RfHeadCache *head = queries->attention->head;
	const RfFormat *format = queries->format;

	for (size_t column = 0; column < head->head_size; column += format->panel)
	{
		RfGemm gemm = {
			.m = queries->rows,
			.n = smaller(format->panel, head->head_size - column),
			.k = depth,
			.a = queries->scores,
			.lda = SCORES_STRIDE * sizeof(float),
			.weight = rf_head_cache_values(queries->kernels, head, column, key),
			.c = queries->context + column,
			.ldc = queries->width,
			.accumulate = key > 0,
			.activation = RF_ACT_LINEAR,
		};

		multiply(queries, &gemm);
	}
}

static void
finish_queries(const Queries *queries)
{
	const RfAttention *attention = queries->attention;
	size_t head_size = attention->head->head_size;

	for (size_t row = 0; row < queries->rows; row++)
	{
		float *context = queries->context + row * queries->width;

		queries->kernels->scale(context, head_size, 1 / queries->sums[row]);
		memcpy(attention->context + (queries->first + row) * attention->context_stride, context,
			   head_size * sizeof(float));
	}
}

void
rf_attention_queries(const RfKernels *kernels, const RfAttention *attention, size_t first)
{
	Queries queries = {
		.kernels = kernels,
		.format = &kernels->formats[attention->head->precision],
		.attention = attention,
		.first = first,
		.rows = smaller(RF_ATTENTION_QUERIES, attention->tokens - first),
	};
	size_t keys = sees_keys(attention, first + queries.rows - 1);

	begin_queries(&queries, attention);
	for (size_t row = 0; row < queries.rows; row++)
		queries.largest[row] = -INFINITY;
	for (size_t key = 0; key < keys; key += RF_ATTENTION_KEYS)
	{
		size_t count = smaller(RF_ATTENTION_KEYS, keys - key);
		size_t depth = round_up(count, queries.format->k_unit);

		score_keys(&queries, key, count);
		weigh_keys(&queries, key, count, depth);
		mix_values(&queries, key, depth);
	}
	finish_queries(&queries);
}
