/*
 * test_rows.c - norms, rotation and scaling of every kernel set against double precision.
 *
 * Results of norms are of size 1 to 5 and carry the rounding of a mean over n numbers: allowed are
 * 4e-6.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#define LONGEST 800
#define EPS 1e-12f

static const size_t lengths[] = {1,  2,  5,  8,  10,  15,  16,  17, 24,
								 31, 40, 64, 96, 129, 384, 768, 799};

#define EACH_LENGTH(n)                                                                             \
	for (size_t at_ = 0, n;                                                                        \
		 at_ < sizeof(lengths) / sizeof(lengths[0]) && (n = lengths[at_], true); at_++)

/* x has one canary behind its n numbers. */
static void
fill_row(float *x, size_t n, float offset, float scale, uint64_t *state)
{
	for (size_t i = 0; i < n; i++)
		x[i] = offset + scale * next_random(state);
	x[n] = 77;
}

static void
check_set_layer_norm(const RfKernels *kernels)
{
	uint64_t state = 11;
	float x[LONGEST + 1];
	float before[LONGEST + 1];
	float weight[LONGEST + 1];
	float bias[LONGEST + 1];

	EACH_LENGTH(n)
	{
		double mean = 0;
		double variance = 0;

		if (n < 5)
			continue; /* the variance of so few numbers can be as small as one likes */
		fill_row(x, n, 3, 2, &state);
		fill_row(weight, n, 1, 0.5f, &state);
		fill_row(bias, n, 0, 1, &state);
		memcpy(before, x, sizeof(x));
		for (size_t i = 0; i < n; i++)
			mean += before[i] / (double) n;
		for (size_t i = 0; i < n; i++)
			variance += (before[i] - mean) * (before[i] - mean) / (double) n;
		kernels->layer_norm(x, n, weight, bias, EPS);
		for (size_t i = 0; i < n; i++)
		{
			double expected =
				(before[i] - mean) / sqrt(variance + (double) EPS) * weight[i] + bias[i];

			assert_true(fabs(x[i] - expected) <= 4e-6);
		}
		assert_true(x[n] == 77);
	}
}

static void
test_layer_norm(void **state)
{
	(void) state;
	with_every_set(check_set_layer_norm);
}

/* Equal numbers have no variance: eps alone must keep the result finite, at the bias. */
static void
check_set_constant_row(const RfKernels *kernels)
{
	EACH_LENGTH(n)
	{
		float x[LONGEST];
		float weight[LONGEST];
		float bias[LONGEST];

		for (size_t i = 0; i < n; i++)
		{
			x[i] = 0.5f;
			weight[i] = 2;
			bias[i] = (float) i;
		}
		kernels->layer_norm(x, n, weight, bias, EPS);
		for (size_t i = 0; i < n; i++)
			assert_true(x[i] == (float) i);
	}
}

static void
test_constant_row(void **state)
{
	(void) state;
	with_every_set(check_set_constant_row);
}

static void
check_set_rms_norm(const RfKernels *kernels)
{
	uint64_t state = 12;
	float x[LONGEST + 1];
	float before[LONGEST + 1];

	EACH_LENGTH(n)
	{
		double squares = 0;

		fill_row(x, n, 1, 2, &state);
		memcpy(before, x, sizeof(x));
		for (size_t i = 0; i < n; i++)
			squares += (double) before[i] * before[i];
		kernels->rms_norm(x, n, EPS);
		for (size_t i = 0; i < n; i++)
			assert_true(fabs(x[i] - before[i] / sqrt(squares / (double) n + (double) EPS)) <= 4e-6);
		assert_true(x[n] == 77);
	}
}

static void
test_rms_norm(void **state)
{
	(void) state;
	with_every_set(check_set_rms_norm);
}

static void
check_set_rotate(const RfKernels *kernels)
{
	static const size_t sizes[] = {2, 4, 6, 8, 10, 12, 16, 18, 32, 34, 64, 80};
	uint64_t state = 13;
	float x[3 * 80 + 1];
	float before[3 * 80 + 1];
	float table[80];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		size_t d = sizes[s];

		fill_row(x, 3 * d, 0, 2, &state);
		memcpy(before, x, sizeof(x));
		for (size_t i = 0; i < d; i += 2)
		{
			double angle = 3 * (double) next_random(&state);

			table[i] = (float) cos(angle);
			table[i + 1] = (float) sin(angle);
		}
		kernels->rotate(x, 3, d, table);
		for (size_t i = 0; i < 3 * d; i += 2)
		{
			double c = table[i % d];
			double s_ = table[i % d + 1];

			assert_true(fabs(x[i] - (before[i] * c - before[i + 1] * s_)) <= 5e-7);
			assert_true(fabs(x[i + 1] - (before[i + 1] * c + before[i] * s_)) <= 5e-7);
		}
		assert_true(x[3 * d] == 77);
	}
}

static void
test_rotate(void **state)
{
	(void) state;
	with_every_set(check_set_rotate);
}

static void
check_set_scale(const RfKernels *kernels)
{
	uint64_t state = 15;
	float x[LONGEST + 1];
	float before[LONGEST + 1];

	EACH_LENGTH(n)
	{
		fill_row(x, n, 0, 2, &state);
		memcpy(before, x, sizeof(x));
		kernels->scale(x, n, 0.3f);
		for (size_t i = 0; i < n; i++)
			assert_true(x[i] == before[i] * 0.3f);
		assert_true(x[n] == 77);
	}
}

static void
test_scale(void **state)
{
	(void) state;
	with_every_set(check_set_scale);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_constant_row),
		cmocka_unit_test(test_rms_norm),   cmocka_unit_test(test_rotate),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
