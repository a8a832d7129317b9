/*
 * test_gemm.c - the GEMM of every kernel set against sums in double.
 *
 * Bound: fp32 sums of K products err by at most about sqrt(K) roundings of their size on average
 * data; allowed is (4 + 4 sqrt(K)) * 2^-24 * (sum of |products| + |bias| + |c|), which a wrong or
 * missing term exceeds by far. Equality of rows alone and in company is to the bit.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#include "double_activation.h"

#define CANARY 12345.0f

typedef struct Shape
{
	size_t m;
	size_t n;
	size_t k;
} Shape;

static const Shape shapes[] = {
	{1, 1, 1},     {1, 3, 64},     {2, 7, 6},     {5, 40, 24},   {6, 64, 64},   {7, 65, 40},
	{13, 120, 40}, {16, 96, 96},   {17, 130, 33}, {31, 40, 96},  {64, 256, 64}, {65, 257, 255},
	{3, 1300, 96}, {100, 48, 257}, {97, 77, 600}, {1, 80, 1027}, {300, 16, 16},
};

typedef struct Problem
{
	Shape shape;
	const RfKernels *kernels;
	float *a;
	size_t lda;
	float *w; /* [n,k] */
	float *bias;
	float *before; /* [m,n] c before an accumulating call */
	void *weight;
} Problem;

static void
set_up(Problem *problem, const RfKernels *kernels, Shape shape, uint64_t seed)
{
	uint64_t state = seed + 1;
	size_t size = kernels->weight_size(kernels, shape.n, shape.k);

	problem->shape = shape;
	problem->kernels = kernels;
	problem->lda = shape.k + seed % 5;
	problem->a = random_floats(shape.m * problem->lda, 2, &state);
	problem->w = random_floats(shape.n * shape.k, 1, &state);
	problem->bias = random_floats(shape.n, 3, &state);
	problem->before = random_floats(shape.m * shape.n, 3, &state);
	problem->weight = aligned_alloc(64, (size + 63) / 64 * 64);
	for (size_t row = 0; row < shape.n; row++)
		kernels->pack(kernels, shape.n, shape.k, row, problem->w + row * shape.k, problem->weight);
}

static void
tear_down(Problem *problem)
{
	free(problem->a);
	free(problem->w);
	free(problem->bias);
	free(problem->before);
	free(problem->weight);
}

/* Rows [row, row + rows) into c, whose first row is row. */
static void
run(const Problem *problem, size_t row, size_t rows, bool bias, bool accumulate,
	RfActivation activation, float *c, size_t ldc)
{
	RfGemm gemm = {
		.m = rows,
		.n = problem->shape.n,
		.k = problem->shape.k,
		.a = problem->a + row * problem->lda,
		.lda = problem->lda,
		.weight = problem->weight,
		.bias = bias ? problem->bias : NULL,
		.c = c,
		.ldc = ldc,
		.accumulate = accumulate,
		.activation = activation,
	};

	problem->kernels->gemm(problem->kernels, &gemm);
}

static void
check_element(const Problem *problem, size_t i, size_t j, bool bias, bool accumulate, float found)
{
	Shape shape = problem->shape;
	double expected = accumulate ? problem->before[i * shape.n + j] : 0;
	double size = fabs(expected);
	double bound;

	for (size_t l = 0; l < shape.k; l++)
	{
		double product = (double) problem->a[i * problem->lda + l] * problem->w[j * shape.k + l];

		expected += product;
		size += fabs(product);
	}
	if (bias)
	{
		expected += problem->bias[j];
		size += fabs(problem->bias[j]);
	}
	bound = (4 + 4 * sqrt((double) shape.k)) * 0x1p-24 * size;
	if (!(fabs(found - expected) <= bound))
		fail_msg("%s, M %zu N %zu K %zu, element %zu,%zu: %.9g, not %.9g", problem->kernels->name,
				 shape.m, shape.n, shape.k, i, j, (double) found, expected);
}

static void
check_values(const Problem *problem, bool bias, bool accumulate)
{
	Shape shape = problem->shape;
	size_t ldc = shape.n + 3;
	float *c = malloc(shape.m * ldc * sizeof(float));

	for (size_t i = 0; i < shape.m * ldc; i++)
		c[i] = CANARY;
	for (size_t i = 0; i < shape.m && accumulate; i++)
		memcpy(c + i * ldc, problem->before + i * shape.n, shape.n * sizeof(float));
	run(problem, 0, shape.m, bias, accumulate, RF_ACT_LINEAR, c, ldc);
	for (size_t i = 0; i < shape.m; i++)
	{
		for (size_t j = 0; j < shape.n; j++)
			check_element(problem, i, j, bias, accumulate, c[i * ldc + j]);
		for (size_t j = shape.n; j < ldc; j++)
			assert_true(c[i * ldc + j] == CANARY);
	}
	free(c);
}

static void
check_set_values(const RfKernels *kernels)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (uint64_t seed = 0; seed < 3; seed++)
		{
			Problem problem;

			set_up(&problem, kernels, shapes[i], seed * 100 + i);
			check_values(&problem, false, false);
			check_values(&problem, true, false);
			check_values(&problem, true, true);
			tear_down(&problem);
		}
}

static void
test_values(void **state)
{
	(void) state;
	with_every_set(check_set_values);
}

/* The activation of a sum is applied to all of it, once. */
static void
check_set_activation(const RfKernels *kernels)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		float *plain = malloc(shape.m * shape.n * sizeof(float));
		float *active = malloc(shape.m * shape.n * sizeof(float));
		Problem problem;

		set_up(&problem, kernels, shape, i);
		run(&problem, 0, shape.m, true, false, RF_ACT_LINEAR, plain, shape.n);
		run(&problem, 0, shape.m, true, false, RF_ACT_GELU, active, shape.n);
		for (size_t j = 0; j < shape.m * shape.n; j++)
			assert_true(fabs(active[j] - double_activation(RF_ACT_GELU, plain[j])) <=
						2e-7 * fmax(1, fabs(plain[j])));
		tear_down(&problem);
		free(plain);
		free(active);
	}
}

static void
test_activation(void **state)
{
	(void) state;
	with_every_set(check_set_activation);
}

/* Bits of a row alone, in runs of every length from 2 to 13 and in the whole. */
static void
check_set_company(const RfKernels *kernels)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		float *whole = malloc(shape.m * shape.n * sizeof(float));
		float *part = malloc(shape.m * shape.n * sizeof(float));
		Problem problem;

		set_up(&problem, kernels, shape, i);
		run(&problem, 0, shape.m, true, false, RF_ACT_GELU, whole, shape.n);
		for (size_t rows = 1; rows <= 13; rows++)
			for (size_t row = 0; row + rows <= shape.m; row += rows)
			{
				run(&problem, row, rows, true, false, RF_ACT_GELU, part, shape.n);
				assert_memory_equal(part, whole + row * shape.n, rows * shape.n * sizeof(float));
			}
		tear_down(&problem);
		free(whole);
		free(part);
	}
}

static void
test_company(void **state)
{
	(void) state;
	with_every_set(check_set_company);
}

/* A weight computed in pieces of whole column blocks gives the same bits. */
static void
check_set_pieces(const RfKernels *kernels)
{
	Shape shape = {9, 3 * kernels->column_block + 21, 70};
	float *whole = malloc(shape.m * shape.n * sizeof(float));
	float *part = malloc(shape.m * shape.n * sizeof(float));
	Problem problem;

	set_up(&problem, kernels, shape, 5);
	run(&problem, 0, shape.m, true, false, RF_ACT_LINEAR, whole, shape.n);
	for (size_t column = 0; column < shape.n; column += kernels->column_block)
	{
		size_t left = shape.n - column;
		RfGemm gemm = {
			.m = shape.m,
			.n = left < kernels->column_block ? left : kernels->column_block,
			.k = shape.k,
			.a = problem.a,
			.lda = problem.lda,
			.weight = rf_pack_column(problem.weight, shape.k, column),
			.bias = problem.bias + column,
			.c = part + column,
			.ldc = shape.n,
			.activation = RF_ACT_LINEAR,
		};

		kernels->gemm(kernels, &gemm);
	}
	assert_memory_equal(part, whole, shape.m * shape.n * sizeof(float));
	tear_down(&problem);
	free(whole);
	free(part);
}

static void
test_pieces(void **state)
{
	(void) state;
	with_every_set(check_set_pieces);
}

/* Rows packed in any order come back as they were. */
static void
check_set_packing(const RfKernels *kernels)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		Problem problem;
		float *row = malloc(shape.k * sizeof(float));

		set_up(&problem, kernels, shape, i);
		for (size_t j = shape.n; j-- > 0;)
			kernels->pack(kernels, shape.n, shape.k, j, problem.w + j * shape.k, problem.weight);
		for (size_t j = 0; j < shape.n; j++)
		{
			kernels->unpack(kernels, shape.n, shape.k, j, problem.weight, row);
			assert_memory_equal(row, problem.w + j * shape.k, shape.k * sizeof(float));
		}
		free(row);
		tear_down(&problem);
	}
	assert_int_equal(kernels->weight_size(kernels, SIZE_MAX / 8, 9), 0);
}

static void
test_packing(void **state)
{
	(void) state;
	with_every_set(check_set_packing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_activation),
		cmocka_unit_test(test_company), cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
