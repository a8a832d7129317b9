/*
 * test_attention.c - attention of every kernel set, in fp32 and bf16, against a plain one in
 * double.
 *
 * Contexts are averages of values up to 2. In fp32 2e-6 are allowed for scores that reach 20, so
 * that the softmax is neither flat nor a single one. In bf16 the reference computes with rounded
 * queries, keys and values; a weight may be off by half a unit of its 8 bits, 2^-8 of it, and what
 * comes of that for an average is no more: allowed are 2^-8 of the average of absolute values.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#include "../../src/kernels/convert.h"

#define HEADS_APART 7 /* columns between queries, keys and values that nobody may touch */
#define CANARY 55.0f
#define BLOCK RF_ATTENTION_KEYS

typedef struct Head
{
	size_t tokens;
	size_t d;
	size_t stride;
	float *rows; /* [tokens,stride]: q, gap, k, gap, v, gap */
} Head;

/* What queries see. */
typedef struct Mask
{
	size_t keys;
	bool causal;
} Mask;

static float *
query_of(const Head *head, size_t token)
{
	return head->rows + token * head->stride;
}

static float *
key_of(const Head *head, size_t token)
{
	return query_of(head, token) + head->d + HEADS_APART;
}

static float *
value_of(const Head *head, size_t token)
{
	return key_of(head, token) + head->d + HEADS_APART;
}

static void
make_head(Head *head, size_t tokens, size_t d, uint64_t seed)
{
	uint64_t state = seed + 21;

	head->tokens = tokens;
	head->d = d;
	head->stride = 3 * (d + HEADS_APART);
	head->rows = random_floats(tokens * head->stride, 2, &state);
	for (size_t i = 0; i < tokens * head->stride; i++)
		if (i % (d + HEADS_APART) >= d)
			head->rows[i] = CANARY;
}

static Head
copy_head(const Head *head)
{
	Head copy = *head;

	copy.rows = malloc(head->tokens * head->stride * sizeof(float));
	memcpy(copy.rows, head->rows, head->tokens * head->stride * sizeof(float));
	return copy;
}

static double
rounded(RfPrecision precision, float value)
{
	return (double) (precision == RF_PRECISION_FP32 ? value
													: rf_float_of_bf16(rf_bf16_of_float(value)));
}

static size_t
sees(Mask mask, size_t token)
{
	return mask.causal && token < mask.keys ? token + 1 : mask.keys;
}

/* Context [d] of a token, and the average of absolute values [d]. */
static void
expect_context(const Head *head, RfPrecision precision, size_t token, size_t keys, double scale,
			   double *context, double *sizes)
{
	double *weights = malloc(keys * sizeof(double));
	double largest = -INFINITY;
	double sum = 0;

	for (size_t j = 0; j < keys; j++)
	{
		weights[j] = 0;
		for (size_t i = 0; i < head->d; i++)
			weights[j] += rounded(precision, query_of(head, token)[i]) *
						  rounded(precision, key_of(head, j)[i]) * scale;
		largest = fmax(largest, weights[j]);
	}
	for (size_t j = 0; j < keys; j++)
		sum += weights[j] = exp(weights[j] - largest);
	for (size_t i = 0; i < head->d; i++)
		context[i] = sizes[i] = 0;
	for (size_t j = 0; j < keys; j++)
		for (size_t i = 0; i < head->d; i++)
		{
			double value = rounded(precision, value_of(head, j)[i]);

			context[i] += weights[j] / sum * value;
			sizes[i] += weights[j] / sum * fabs(value);
		}
	free(weights);
}

/* Floats with a canary behind them. */
static float *
allocate_floats(size_t floats)
{
	float *block = aligned_alloc(64, (floats / RF_LANES + 1) * RF_LANES * sizeof(float));

	for (size_t i = 0; i <= floats; i++)
		block[i] = CANARY;
	return block;
}

/* Packed in pieces of step tokens, with room to grow or without. */
static RfHeadCache
pack_head(const RfKernels *kernels, RfPrecision precision, const Head *head, size_t keys,
		  size_t step, bool grows, size_t *floats)
{
	RfHeadCache cache = {.head_size = head->d, .precision = precision};

	assert_true(rf_head_cache_capacity(kernels, precision, keys, grows, &cache.capacity));
	assert_true(rf_head_cache_floats(kernels, precision, cache.capacity, head->d, floats));
	cache.block = allocate_floats(*floats);
	for (size_t token = 0; token < keys; token += step)
		rf_head_cache_put(kernels, &cache, token, keys - token < step ? keys - token : step,
						  key_of(head, token), value_of(head, token), head->stride);
	assert_true(((float *) cache.block)[*floats] == CANARY);
	return cache;
}

/* Contexts of the tokens [first, end) replace their queries. */
static void
attend(const RfKernels *kernels, const RfHeadCache *cache, Head *head, size_t first, size_t end,
	   Mask mask, float scale)
{
	uint32_t *seen = malloc((end - first) * sizeof(uint32_t));
	RfAttention attention = {
		.head = cache,
		.keys = mask.keys,
		.tokens = end - first,
		.q = query_of(head, first),
		.stride = head->stride,
		.context = query_of(head, first),
		.context_stride = head->stride,
		.scale = scale,
		.sees = mask.causal ? seen : NULL,
	};
	size_t floats;

	for (size_t i = first; i < end; i++)
		seen[i - first] = (uint32_t) i + 1;
	assert_true(rf_attention_scratch(kernels, cache->precision, head->d, &floats));
	attention.scratch = allocate_floats(floats);
	for (size_t i = 0; i < attention.tokens; i += RF_ATTENTION_QUERIES)
		rf_attention_queries(kernels, &attention, i);
	assert_true(attention.scratch[floats] == CANARY);
	free(attention.scratch);
	free(seen);
}

static void
run_attention(const RfKernels *kernels, RfPrecision precision, Head *head, Mask mask, float scale)
{
	size_t floats;
	RfHeadCache cache = pack_head(kernels, precision, head, mask.keys, mask.keys, false, &floats);

	attend(kernels, &cache, head, 0, head->tokens, mask, scale);
	free(cache.block);
}

static void
compare_context(const RfKernels *kernels, RfPrecision precision, const Head *before,
				const Head *after, size_t token, Mask mask, float scale)
{
	double *context = malloc(2 * before->d * sizeof(double));
	double *sizes = context + before->d;

	expect_context(before, precision, token, sees(mask, token), (double) scale, context, sizes);
	for (size_t i = 0; i < before->d + HEADS_APART; i++)
	{
		float found = query_of(after, token)[i];
		double bound = i >= before->d                   ? 0
					   : precision == RF_PRECISION_FP32 ? 2e-6
														: 2e-6 + ldexp(sizes[i], -8);

		if (i < before->d ? !(fabs(found - context[i]) <= bound) : found != CANARY)
			fail_msg("%s in %s, %zu of %zu tokens, head size %zu, causal %d, token %zu, number "
					 "%zu: %.9g, not %.9g",
					 kernels->name, rf_precision_name(precision), mask.keys, before->tokens,
					 before->d, (int) mask.causal, token, i, (double) found,
					 i < before->d ? context[i] : (double) CANARY);
	}
	free(context);
}

/* Every token of short rows, of long ones those around the borders of blocks and some others. */
static void
check_head(const RfKernels *kernels, RfPrecision precision, size_t tokens, size_t d, Mask mask)
{
	float scale = (float) (1 / sqrt((double) d));
	Head before;
	Head after;

	make_head(&before, tokens, d, tokens * 100 + d);
	after = copy_head(&before);
	run_attention(kernels, precision, &after, mask, scale);
	for (size_t token = 0; token < tokens; token++)
		if (tokens < 100 || (token + 1) % BLOCK <= 2 || token % 37 == 0 || token + 1 == tokens)
			compare_context(kernels, precision, &before, &after, token, mask, scale);
	free(before.rows);
	free(after.rows);
}

static void
check_masks(const RfKernels *kernels, RfPrecision precision, size_t tokens, size_t d)
{
	size_t half = (tokens + 1) / 2;

	check_head(kernels, precision, tokens, d, (Mask){tokens, false});
	check_head(kernels, precision, tokens, d, (Mask){tokens, true});
	check_head(kernels, precision, tokens, d, (Mask){half, false});
	check_head(kernels, precision, tokens, d, (Mask){half, true});
}

static void
check_context(const RfKernels *kernels, RfPrecision precision)
{
	static const size_t tokens[] = {1, 2, 5, 16, 17, 24, 31, 48, 49, 65};
	static const size_t sizes[] = {2, 10, 16, 24, 32, 64, 66, 100};
	static const size_t around[] = {BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5};

	if (precision == RF_PRECISION_INT8)
		return;
	for (size_t t = 0; t < sizeof(tokens) / sizeof(tokens[0]); t++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			check_masks(kernels, precision, tokens[t], sizes[s]);
	for (size_t t = 0; t < sizeof(around) / sizeof(around[0]); t++)
		check_masks(kernels, precision, around[t], t % 2 == 0 ? 64 : 12);
	/* More terms than a sum's block has. */
	check_masks(kernels, precision, 20, 300);
}

static void
test_context(void **state)
{
	(void) state;
	with_every_format(check_context);
}

static void
expect_same_rows(const Head *a, const Head *b, size_t first, size_t end)
{
	for (size_t token = first; token < end; token++)
		assert_memory_equal(query_of(a, token), query_of(b, token), a->d * sizeof(float));
}

/* Keys put one by one and in uneven pieces, with other capacities, and queries in other blocks. */
static void
check_same_bits(const RfKernels *kernels, RfPrecision precision)
{
	static const size_t steps[] = {1, 2, 7, 16, 50};
	Mask mask = {2 * BLOCK + 19, true};
	size_t floats;
	Head whole;
	Head again;

	if (precision == RF_PRECISION_INT8)
		return;
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
	{
		RfHeadCache cache;
		size_t step = steps[s];

		make_head(&whole, mask.keys, s % 2 == 0 ? 72 : 10, s);
		again = copy_head(&whole);
		run_attention(kernels, precision, &whole, mask, 0.3f);
		cache = pack_head(kernels, precision, &again, mask.keys, step, true, &floats);
		for (size_t first = 0; first < mask.keys; first += step)
			attend(kernels, &cache, &again, first,
				   first + step < mask.keys ? first + step : mask.keys, mask, 0.3f);
		expect_same_rows(&whole, &again, 0, mask.keys);
		free(cache.block);
		free(whole.rows);
		free(again.rows);
	}
}

static void
test_same_bits(void **state)
{
	(void) state;
	with_every_format(check_same_bits);
}

/* A copy to a larger capacity goes on like the original. */
static void
check_copy(const RfKernels *kernels, RfPrecision precision)
{
	size_t floats;
	RfHeadCache small;
	RfHeadCache large;
	Head whole;
	Head again;

	if (precision == RF_PRECISION_INT8)
		return;
	make_head(&whole, 150, 40, 3);
	again = copy_head(&whole);
	run_attention(kernels, precision, &whole, (Mask){150, false}, 0.2f);
	small = pack_head(kernels, precision, &again, 61, 61, true, &floats);
	large = small;
	assert_true(rf_head_cache_capacity(kernels, precision, 150, true, &large.capacity));
	assert_true(rf_head_cache_floats(kernels, precision, large.capacity, 40, &floats));
	large.block = allocate_floats(floats);
	rf_head_cache_copy(kernels, &small, 61, &large);
	rf_head_cache_put(kernels, &large, 61, 89, key_of(&again, 61), value_of(&again, 61),
					  again.stride);
	attend(kernels, &large, &again, 0, 150, (Mask){150, false}, 0.2f);
	expect_same_rows(&whole, &again, 0, 150);
	assert_true(((float *) large.block)[floats] == CANARY);
	free(small.block);
	free(large.block);
	free(whole.rows);
	free(again.rows);
}

static void
test_copy(void **state)
{
	(void) state;
	with_every_format(check_copy);
}

/* How scores of a row are spread over its keys. */
typedef float (*Spread)(size_t token, size_t tokens);

static float
all_equal(size_t token, size_t tokens)
{
	(void) token;
	(void) tokens;
	return 0;
}

static float
one_huge_first(size_t token, size_t tokens)
{
	(void) tokens;
	return token == 1 ? 3e37f : 0;
}

static float
one_huge_last(size_t token, size_t tokens)
{
	return token + 2 == tokens ? 3e37f : 0;
}

static float
rising(size_t token, size_t tokens)
{
	return (float) token * (1024.0f / (float) tokens);
}

static float
falling(size_t token, size_t tokens)
{
	return -rising(token, tokens);
}

static float
far_apart(size_t token, size_t tokens)
{
	(void) tokens;
	return token % 2 == 0 ? -3e37f : -1;
}

/* The first number of a query is 1, that of a key its score. */
static void
check_spread(const RfKernels *kernels, RfPrecision precision, size_t tokens, Spread spread)
{
	Mask mask = {tokens, false};
	Head before;
	Head after;

	make_head(&before, tokens, 16, tokens);
	for (size_t token = 0; token < tokens; token++)
	{
		memset(query_of(&before, token), 0, 16 * sizeof(float));
		query_of(&before, token)[0] = 1;
		key_of(&before, token)[0] = spread(token, tokens);
	}
	after = copy_head(&before);
	run_attention(kernels, precision, &after, mask, 1);
	compare_context(kernels, precision, &before, &after, 0, mask, 1);
	compare_context(kernels, precision, &before, &after, tokens - 1, mask, 1);
	free(before.rows);
	free(after.rows);
}

static void
check_extreme_scores(const RfKernels *kernels, RfPrecision precision)
{
	static const Spread spreads[] = {all_equal, one_huge_first, one_huge_last,
									 rising,    falling,        far_apart};
	static const size_t tokens[] = {2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5};

	if (precision == RF_PRECISION_INT8)
		return;
	for (size_t s = 0; s < sizeof(spreads) / sizeof(spreads[0]); s++)
		for (size_t t = 0; t < sizeof(tokens) / sizeof(tokens[0]); t++)
			check_spread(kernels, precision, tokens[t], spreads[s]);
}

static void
test_extreme_scores(void **state)
{
	(void) state;
	with_every_format(check_extreme_scores);
}

/* Weights of a block: their sum is that of what is written, and zeros follow. */
static void
check_weights(const RfKernels *kernels, RfPrecision precision)
{
	const RfFormat *format = &kernels->formats[precision];
	uint64_t state = 14;

	if (precision == RF_PRECISION_INT8)
		return;
	for (size_t n = 1; n <= BLOCK; n += n < 40 ? 1 : 43)
	{
		size_t depth = (n + 31) / 32 * 32;
		float *scores = random_floats(depth, 40, &state);
		float *row = malloc(depth * sizeof(float));
		float largest = n % 3 == 0 ? 50 : -INFINITY;
		double top = (double) largest;
		double sum = 0;
		float found;

		for (size_t i = 0; i < n; i++)
			top = fmax(top, (double) scores[i]);
		memcpy(row, scores, depth * sizeof(float));
		found = format->weigh(format, row, n, depth, 0.37f, &largest);
		assert_true((double) largest == top);
		for (size_t i = 0; i < depth; i++)
		{
			double exponent = (scores[i] - top) * (double) 0.37f;
			double expected = i < n ? exp(exponent) : 0;
			/* The exponent is rounded twice. */
			double error = ldexp(fabs(exponent), -23) + 3e-7;
			double bound =
				expected * (precision == RF_PRECISION_FP32 ? error : error + ldexp(1, -8));
			double value = format->row_term == sizeof(uint16_t)
							   ? (double) rf_float_of_bf16(((uint16_t *) row)[i])
							   : (double) row[i];

			assert_true(fabs(value - expected) <= bound);
			assert_true(value == rounded(precision, (float) value));
			sum += value;
		}
		assert_true(fabs(found - sum) <= 1e-6 * sum);
		free(scores);
		free(row);
	}
}

static void
test_weights(void **state)
{
	(void) state;
	with_every_format(check_weights);
}

/* Nothing grows with T but the packed keys and values of a head: 2 D numbers a token. */
static void
check_memory(const RfKernels *kernels, RfPrecision precision)
{
	size_t number = precision == RF_PRECISION_FP32 ? sizeof(float) : sizeof(uint16_t);
	size_t capacity;
	size_t floats;

	if (precision == RF_PRECISION_INT8)
		return;
	assert_true(rf_attention_scratch(kernels, precision, 64, &floats));
	assert_int_equal(floats, RF_ATTENTION_QUERIES * (BLOCK + RF_LANES + 2 * 64));
	for (size_t tokens = 1024; tokens <= 1024 * 1024; tokens *= 32)
	{
		assert_true(rf_head_cache_capacity(kernels, precision, tokens, false, &capacity));
		assert_int_equal(capacity, tokens);
		assert_true(rf_head_cache_floats(kernels, precision, capacity, 64, &floats));
		assert_int_equal(floats, tokens * 2 * 64 * number / sizeof(float));
	}
	assert_false(rf_head_cache_capacity(kernels, precision, SIZE_MAX - 1, true, &capacity));
	assert_false(rf_head_cache_floats(kernels, precision, SIZE_MAX / 64, 64, &floats));
	assert_false(rf_attention_scratch(kernels, precision, SIZE_MAX - 1, &floats));
	assert_false(rf_attention_scratch(kernels, precision, SIZE_MAX / 16, &floats));
}

static void
test_memory(void **state)
{
	(void) state;
	with_every_format(check_memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context), cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_copy),    cmocka_unit_test(test_extreme_scores),
		cmocka_unit_test(test_weights), cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
