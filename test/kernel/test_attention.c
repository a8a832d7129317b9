/*
 * test_attention.c - fused attention of every kernel set against a plain one in double.
 *
 * Contexts are averages of values of size 1: allowed are 2e-6. Scores reach 20, so that the softmax
 * is neither flat nor a single one.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#define HEADS_APART 7 /* columns between queries, keys and values that nobody may touch */
#define CANARY 55.0f

typedef struct Head
{
	size_t tokens;
	size_t d;
	size_t stride;
	float *rows; /* [tokens,stride]: q, gap, k, gap, v, gap */
} Head;

static void
fill_head(Head *head, size_t tokens, size_t d, uint64_t seed)
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

static void
expect_context(const Head *head, size_t token, size_t keys, double scale, double *context)
{
	const float *q = head->rows + token * head->stride;
	double *weights = malloc(keys * sizeof(double));
	double largest = -INFINITY;
	double sum = 0;

	for (size_t j = 0; j < keys; j++)
	{
		const float *k = head->rows + j * head->stride + head->d + HEADS_APART;

		weights[j] = 0;
		for (size_t l = 0; l < head->d; l++)
			weights[j] += (double) q[l] * k[l] * scale;
		largest = fmax(largest, weights[j]);
	}
	for (size_t j = 0; j < keys; j++)
		sum += weights[j] = exp(weights[j] - largest);
	for (size_t l = 0; l < head->d; l++)
		context[l] = 0;
	for (size_t j = 0; j < keys; j++)
		for (size_t l = 0; l < head->d; l++)
			context[l] +=
				weights[j] / sum * head->rows[j * head->stride + 2 * (head->d + HEADS_APART) + l];
	free(weights);
}

static void
run_attention(const RfKernels *kernels, Head *head, size_t keys, bool causal, float scale)
{
	uint32_t *sees = malloc(head->tokens * sizeof(uint32_t));
	RfAttention attention = {
		.tokens = head->tokens,
		.keys = keys,
		.head_size = head->d,
		.q = head->rows,
		.k = head->rows + head->d + HEADS_APART,
		.v = head->rows + 2 * (head->d + HEADS_APART),
		.stride = head->stride,
		.scale = scale,
		.sees = causal ? sees : NULL,
	};
	size_t floats;

	for (size_t i = 0; i < head->tokens; i++)
		sees[i] = (uint32_t) i + 1;
	assert_true(rf_attention_scratch(kernels, head->tokens, head->d, &floats));
	attention.scratch = aligned_alloc(64, (floats + 31) / 16 * 16 * sizeof(float));
	attention.scratch[floats] = CANARY;
	rf_attention_begin(kernels, &attention);
	for (size_t first = 0; first < head->tokens; first += RF_ATTENTION_QUERIES)
		rf_attention_queries(kernels, &attention, first);
	assert_true(attention.scratch[floats] == CANARY);
	free(attention.scratch);
	free(sees);
}

static void
check_head(const RfKernels *kernels, size_t tokens, size_t keys, size_t d, bool causal)
{
	double *expected = malloc(tokens * d * sizeof(double));
	float scale = (float) (1 / sqrt((double) d));
	Head head;

	fill_head(&head, tokens, d, tokens * 100 + d);
	for (size_t token = 0; token < tokens; token++)
		expect_context(&head, token, causal && token < keys ? token + 1 : keys, (double) scale,
					   expected + token * d);
	run_attention(kernels, &head, keys, causal, scale);
	for (size_t token = 0; token < tokens; token++)
		for (size_t i = 0; i < d + HEADS_APART; i++)
		{
			float found = head.rows[token * head.stride + i];

			if (i < d ? !(fabs(found - expected[token * d + i]) <= 2e-6) : found != CANARY)
				fail_msg(
					"%s, %zu of %zu tokens, head size %zu, causal %d, token %zu, number %zu: %.9g",
					kernels->name, keys, tokens, d, (int) causal, token, i, (double) found);
		}
	free(expected);
	free(head.rows);
}

static void
check_set(const RfKernels *kernels)
{
	static const size_t tokens[] = {1, 2, 5, 16, 17, 24, 25, 63, 64, 65, 130, 300};
	static const size_t sizes[] = {2, 10, 16, 24, 32, 64, 66, 100};

	for (size_t t = 0; t < sizeof(tokens) / sizeof(tokens[0]); t++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		{
			check_head(kernels, tokens[t], tokens[t], sizes[s], false);
			check_head(kernels, tokens[t], tokens[t], sizes[s], true);
			check_head(kernels, tokens[t], (tokens[t] + 1) / 2, sizes[s], false);
			check_head(kernels, tokens[t], (tokens[t] + 1) / 2, sizes[s], true);
		}
}

static void
test_context(void **state)
{
	(void) state;
	with_every_set(check_set);
}

/* Scores that differ by hundreds neither overflow nor give not-a-number. */
static void
check_set_extreme_scores(const RfKernels *kernels)
{
	Head head;

	fill_head(&head, 40, 16, 1);
	for (size_t i = 0; i < 40 * head.stride; i++)
		head.rows[i] *= 100;
	run_attention(kernels, &head, 40, false, 0.25f);
	for (size_t token = 0; token < 40; token++)
		for (size_t i = 0; i < 16; i++)
			assert_true(fabsf(head.rows[token * head.stride + i]) <= 200.001f);
	free(head.rows);
}

static void
test_extreme_scores(void **state)
{
	(void) state;
	with_every_set(check_set_extreme_scores);
}

static void
test_scratch_is_linear(void **state)
{
	const RfKernels *kernels;
	size_t small;
	size_t large;

	(void) state;
	assert_int_equal(rf_kernels_choose("ref", &kernels, NULL), RF_OK);
	assert_true(rf_attention_scratch(kernels, 1600, 64, &small));
	assert_true(rf_attention_scratch(kernels, 16000, 64, &large));
	assert_true(large <= 10 * small);
	assert_false(rf_attention_scratch(kernels, SIZE_MAX / 8, 64, &large));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_extreme_scores),
		cmocka_unit_test(test_scratch_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
