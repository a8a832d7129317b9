/*
 * test_activation.c - activation functions of every kernel set against double-precision libm.
 *
 * Bounds over dense ranges, times the larger of 1 and |x|: 1e-7 for gelu by erf (2^-24 of that is
 * the rounding of the result itself), 2e-7 for x times a logistic function. Relative error at most
 * 4 units in the last place for tanh, sigmoid, silu, mish and selu, whose formulas keep all digits.
 */
#include "every_set.h"

#include <math.h>

#include "double_activation.h"

#define SAMPLES 200001
#define ULP 0x1p-23

/* Values from low to high and their results. */
typedef struct Samples
{
	float x[SAMPLES];
	float y[SAMPLES];
} Samples;

static void
sample(const RfKernels *kernels, RfActivation activation, double low, double high, Samples *samples)
{
	for (size_t i = 0; i < SAMPLES; i++)
	{
		samples->x[i] = (float) (low + (high - low) * (double) i / (SAMPLES - 1));
		samples->y[i] = samples->x[i];
	}
	kernels->activate[activation](samples->y, SAMPLES);
}

/* |error| <= absolute * max(1, |x|) + relative * |expected| */
static void
check_range(const RfKernels *kernels, RfActivation activation, double low, double high,
			double absolute, double relative)
{
	Samples *samples = malloc(sizeof(*samples));

	sample(kernels, activation, low, high, samples);
	for (size_t i = 0; i < SAMPLES; i++)
	{
		double expected = double_activation(activation, samples->x[i]);
		double bound = absolute * fmax(1, fabs(samples->x[i])) + relative * fabs(expected);

		if (!(fabs(samples->y[i] - expected) <= bound))
			fail_msg("%s, activation %d of %.9g: %.9g, not %.9g", kernels->name, (int) activation,
					 (double) samples->x[i], (double) samples->y[i], expected);
	}
	free(samples);
}

static void
check_set_gelu(const RfKernels *kernels)
{
	static const struct
	{
		RfActivation activation;
		double bound;
	} kinds[] = {{RF_ACT_GELU, 1e-7},      {RF_ACT_GELU_10, 1e-7},   {RF_ACT_LAPLACE, 1e-7},
				 {RF_ACT_GELU_TANH, 2e-7}, {RF_ACT_GELU_FAST, 2e-7}, {RF_ACT_GELU_ACCURATE, 2e-7},
				 {RF_ACT_QUICK_GELU, 2e-7}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		check_range(kernels, kinds[i].activation, -0.01, 0.01, kinds[i].bound, 0);
		check_range(kernels, kinds[i].activation, -8, 8, kinds[i].bound, 0);
		check_range(kernels, kinds[i].activation, -100, 100, kinds[i].bound, 0);
	}
}

static void
test_gelu(void **state)
{
	(void) state;
	with_every_set(check_set_gelu);
}

/* Results below 1e-37 are on their way to 0, with or without the digits of subnormal numbers. */
static void
check_set_exponential(const RfKernels *kernels)
{
	static const RfActivation kinds[] = {RF_ACT_TANH, RF_ACT_SIGMOID, RF_ACT_SILU, RF_ACT_MISH,
										 RF_ACT_SELU};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		check_range(kernels, kinds[i], -1e-3, 1e-3, 1e-37, 4 * ULP);
		check_range(kernels, kinds[i], -3, 3, 1e-37, 4 * ULP);
		check_range(kernels, kinds[i], -87, 100, 1e-37, 4 * ULP);
	}
}

static void
test_exponential(void **state)
{
	(void) state;
	with_every_set(check_set_exponential);
}

static void
check_set_linear(const RfKernels *kernels)
{
	static const RfActivation kinds[] = {RF_ACT_RELU, RF_ACT_RELU6, RF_ACT_LINEAR,
										 RF_ACT_LEAKY_RELU, RF_ACT_RELU2};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_range(kernels, kinds[i], -20, 20, 0, ULP);
}

static void
test_linear(void **state)
{
	(void) state;
	with_every_set(check_set_linear);
}

/* The softmax's exponential, by way of rows [0, -x]. */
static void
check_set_softmax_exponential(const RfKernels *kernels)
{
	const RfFormat *fp32 = &kernels->formats[RF_PRECISION_FP32];

	for (size_t i = 0; i < SAMPLES; i++)
	{
		float x = (float) (-87.0 * (double) i / SAMPLES);
		float row[RF_LANES] = {0, x};
		float largest = -INFINITY;
		float sum = fp32->weigh(fp32, row, 2, 2, 1, &largest);

		assert_true(row[0] == 1);
		assert_true(fabs(row[1] - exp(x)) <= 2 * ULP * exp(x));
		assert_true(fabs(sum - (1 + exp(x))) <= 2 * ULP);
	}
}

static void
test_softmax_exponential(void **state)
{
	(void) state;
	with_every_set(check_set_softmax_exponential);
}

/* A number's result has the same bits wherever in a row it stands. */
static void
check_set_places(const RfKernels *kernels)
{
	uint64_t state = 3;

	for (int activation = 0; activation < RF_ACTIVATIONS; activation++)
		for (int i = 0; i < 200; i++)
		{
			float x = 6 * next_random(&state);
			float alone[1] = {x};

			kernels->activate[activation](alone, 1);
			for (size_t n = 1; n <= 40; n++)
			{
				float row[40];

				for (size_t j = 0; j < n; j++)
					row[j] = x;
				kernels->activate[activation](row, n);
				for (size_t j = 0; j < n; j++)
					assert_memory_equal(&row[j], alone, sizeof(float));
			}
		}
}

static void
test_places(void **state)
{
	(void) state;
	with_every_set(check_set_places);
}

/* Infinite input gives the limit, and not-a-number stays that. */
static void
check_set_extremes(const RfKernels *kernels)
{
	for (int activation = 0; activation < RF_ACTIVATIONS; activation++)
	{
		float row[3] = {NAN, 3e38f, -3e38f};

		kernels->activate[activation](row, 3);
		assert_true(isnan(row[0]));
		assert_false(isnan(row[1]));
		assert_false(isnan(row[2]));
	}
}

static void
test_extremes(void **state)
{
	(void) state;
	with_every_set(check_set_extremes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gelu),   cmocka_unit_test(test_exponential),
		cmocka_unit_test(test_linear), cmocka_unit_test(test_softmax_exponential),
		cmocka_unit_test(test_places), cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
