/*
 * test_gemm.c - the GEMM of every kernel set and precision against sums in double.
 *
 * Sums are those of the numbers that the format keeps: weights are unpacked, rows are rounded as
 * the reference does it. So the bound is the same in all precisions: fp32 sums of K products err by
 * at most about sqrt(K) roundings of their size on average data; allowed is (4 + 4 sqrt(K)) * 2^-24
 * * (sum of |products| + |bias| + |c|), which a wrong or missing term exceeds by far. What the
 * formats keep is compared with what they were given: exact in fp32, 2^-8 in bf16, half a step in
 * int8. Equality of rows alone and in company is to the bit.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#include "../../src/kernels/convert.h"
#include "../../src/kernels/ref/kernels_ref.h"
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
	{3, 1300, 96}, {100, 48, 257}, {97, 77, 600}, {1, 80, 1027}, {300, 16, 16}, {161, 70, 840},
};

typedef struct Problem
{
	Shape shape;
	const RfKernels *kernels;
	const RfFormat *format;
	RfPrecision precision;
	float *a;
	size_t lda;
	float *kept;  /* [m,k] a as the format keeps it */
	float *sizes; /* [m,k] what is summed up for an element of it */
	char *rows;   /* a converted, or a itself */
	size_t row_size;
	float *w;        /* [n,k] */
	float *unpacked; /* [n,k] */
	float *bias;
	float *before; /* [m,n] c before an accumulating call */
	void *weight;
} Problem;

/* What reference conversion makes of a row. */
static void
keep_row(Problem *problem, size_t i)
{
	const RfKernels *ref;
	const RfFormat *format;
	const float *values = problem->a + i * problem->lda;
	float *kept = problem->kept + i * problem->shape.k;
	float *sizes = problem->sizes + i * problem->shape.k;
	char *row;
	RfError err;

	assert_int_equal(rf_kernels_choose("ref", &ref, &err), RF_OK);
	format = &ref->formats[problem->precision];
	row = malloc(rf_row_size(format, problem->shape.k) + 1);
	if (format->convert != NULL)
		format->convert(format, values, problem->shape.k, row);
	for (size_t k = 0; k < problem->shape.k; k++)
	{
		const char *block =
			row + k / RF_MAX_K_BLOCK * (format->row_head + RF_MAX_K_BLOCK * format->row_term);
		size_t within = k % RF_MAX_K_BLOCK;
		RfRowHead head;
		float part;

		if (problem->precision != RF_PRECISION_INT8)
		{
			kept[k] =
				problem->precision == RF_PRECISION_FP32 ? values[k] : ((const float *) row)[k];
			sizes[k] = fabsf(kept[k]);
			continue;
		}
		memcpy(&head, block, sizeof(head));
		part = head.scale * ((const uint8_t *) block)[sizeof(head) + within];
		kept[k] = head.low + part;
		sizes[k] = fabsf(head.low) + part;
		assert_true(fabs(kept[k] - values[k]) <= 0.501 * head.scale + 1e-6 * fabs(values[k]));
	}
	free(row);
}

static void
convert_rows(Problem *problem)
{
	const RfFormat *format = problem->format;
	Shape shape = problem->shape;

	problem->kept = malloc(shape.m * shape.k * sizeof(float));
	problem->sizes = malloc(shape.m * shape.k * sizeof(float));
	for (size_t i = 0; i < shape.m; i++)
		keep_row(problem, i);
	problem->row_size =
		format->convert == NULL ? problem->lda * sizeof(float) : rf_row_size(format, shape.k);
	problem->rows = malloc((shape.m + format->row_group) * problem->row_size);
	if (format->convert == NULL)
		memcpy(problem->rows, problem->a, shape.m * problem->row_size);
	for (size_t i = 0; i < shape.m && format->convert != NULL; i++)
		format->convert(format, problem->a + i * problem->lda, shape.k,
						problem->rows + i * problem->row_size);
}

static void
set_up(Problem *problem, const RfKernels *kernels, RfPrecision precision, Shape shape,
	   uint64_t seed)
{
	const RfFormat *format = &kernels->formats[precision];
	uint64_t state = seed + 1;
	size_t size = format->weight_size(format, shape.n, shape.k);

	problem->shape = shape;
	problem->kernels = kernels;
	problem->format = format;
	problem->precision = precision;
	problem->lda = shape.k + seed % 5;
	problem->a = random_floats(shape.m * problem->lda, 2, &state);
	problem->w = random_floats(shape.n * shape.k, 1, &state);
	problem->bias = random_floats(shape.n, 3, &state);
	problem->before = random_floats(shape.m * shape.n, 3, &state);
	problem->weight = aligned_alloc(64, (size + 63) / 64 * 64);
	problem->unpacked = malloc(shape.n * shape.k * sizeof(float));
	memset(problem->weight, 0xA5, size);
	for (size_t row = 0; row < shape.n; row++)
		format->pack(format, shape.n, shape.k, row, problem->w + row * shape.k, problem->weight);
	for (size_t row = 0; row < shape.n; row++)
		format->unpack(format, shape.n, shape.k, row, problem->weight,
					   problem->unpacked + row * shape.k);
	convert_rows(problem);
}

static void
tear_down(Problem *problem)
{
	free(problem->a);
	free(problem->kept);
	free(problem->sizes);
	free(problem->rows);
	free(problem->w);
	free(problem->unpacked);
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
		.a = problem->rows + row * problem->row_size,
		.lda = problem->row_size,
		.weight = problem->weight,
		.bias = bias ? problem->bias : NULL,
		.c = c,
		.ldc = ldc,
		.accumulate = accumulate,
		.activation = activation,
	};

	problem->format->gemm(problem->kernels, problem->format, &gemm);
}

/* All rows, as rows of the format. */
static void
run_rows(const Problem *problem, bool bias, RfActivation activation, void *rows, size_t ldr)
{
	RfGemm gemm = {
		.m = problem->shape.m,
		.n = problem->shape.n,
		.k = problem->shape.k,
		.a = problem->rows,
		.lda = problem->row_size,
		.weight = problem->weight,
		.bias = bias ? problem->bias : NULL,
		.activation = activation,
		.rows = rows,
		.ldr = ldr,
	};

	problem->format->gemm(problem->kernels, problem->format, &gemm);
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
		double weight = problem->unpacked[j * shape.k + l];

		expected += problem->kept[i * shape.k + l] * weight;
		size += fabs(problem->sizes[i * shape.k + l] * weight);
	}
	if (bias)
	{
		expected += problem->bias[j];
		size += fabs(problem->bias[j]);
	}
	bound = (4 + 4 * sqrt((double) shape.k)) * 0x1p-24 * size;
	if (!(fabs(found - expected) <= bound))
		fail_msg("%s in %s, M %zu N %zu K %zu, element %zu,%zu: %.9g, not %.9g",
				 problem->kernels->name, rf_precision_name(problem->precision), shape.m, shape.n,
				 shape.k, i, j, (double) found, expected);
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
check_set_values(const RfKernels *kernels, RfPrecision precision)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (uint64_t seed = 0; seed < 3; seed++)
		{
			Problem problem;

			set_up(&problem, kernels, precision, shapes[i], seed * 100 + i);
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
	with_every_format(check_set_values);
}

/* The activation of a sum is applied to all of it, once. */
static void
check_set_activation(const RfKernels *kernels, RfPrecision precision)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		float *plain = malloc(shape.m * shape.n * sizeof(float));
		float *active = malloc(shape.m * shape.n * sizeof(float));
		Problem problem;

		set_up(&problem, kernels, precision, shape, i);
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
	with_every_format(check_set_activation);
}

/* Rows that a GEMM makes are what is made of its results. */
static void
check_set_made_rows(const RfKernels *kernels, RfPrecision precision)
{
	const RfFormat *format = &kernels->formats[precision];

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && format->makes_rows; i++)
	{
		Shape shape = shapes[i];
		size_t size = rf_row_size(format, shape.n);
		float *c = malloc(shape.m * shape.n * sizeof(float));
		char *expected = malloc(size);
		char *rows = malloc(shape.m * (size + 4));
		Problem problem;

		set_up(&problem, kernels, precision, shape, i);
		memset(rows, 0x5A, shape.m * (size + 4));
		for (int bias = 0; bias < 2; bias++)
			for (RfActivation activation = RF_ACT_GELU; activation <= RF_ACT_LINEAR;
				 activation += RF_ACT_LINEAR - RF_ACT_GELU)
			{
				run(&problem, 0, shape.m, bias, false, activation, c, shape.n);
				run_rows(&problem, bias, activation, rows, size + 4);
				for (size_t row = 0; row < shape.m; row++)
				{
					format->convert(format, c + row * shape.n, shape.n, expected);
					assert_memory_equal(rows + row * (size + 4), expected, size);
					for (size_t gap = 0; gap < 4; gap++)
						assert_int_equal(rows[row * (size + 4) + size + gap], 0x5A);
				}
			}
		tear_down(&problem);
		free(c);
		free(expected);
		free(rows);
	}
}

static void
test_made_rows(void **state)
{
	(void) state;
	assert_true(emulated_amx()->formats[RF_PRECISION_BF16].makes_rows);
	with_every_format(check_set_made_rows);
}

/* Bits of a row alone, in runs of every length from 2 to 13 and in the whole. */
static void
check_set_company(const RfKernels *kernels, RfPrecision precision)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		float *whole = malloc(shape.m * shape.n * sizeof(float));
		float *part = malloc(shape.m * shape.n * sizeof(float));
		Problem problem;

		set_up(&problem, kernels, precision, shape, i);
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
	with_every_format(check_set_company);
}

/* A weight computed in pieces of whole column blocks gives the same bits. */
static void
check_set_pieces(const RfKernels *kernels, RfPrecision precision)
{
	const RfFormat *format = &kernels->formats[precision];
	Shape shape = {9, 3 * format->column_block + 21, 270};
	float *whole = malloc(shape.m * shape.n * sizeof(float));
	float *part = malloc(shape.m * shape.n * sizeof(float));
	Problem problem;

	set_up(&problem, kernels, precision, shape, 5);
	run(&problem, 0, shape.m, true, false, RF_ACT_LINEAR, whole, shape.n);
	for (size_t column = 0; column < shape.n; column += format->column_block)
	{
		size_t left = shape.n - column;
		RfGemm gemm = {
			.m = shape.m,
			.n = left < format->column_block ? left : format->column_block,
			.k = shape.k,
			.a = problem.rows,
			.lda = problem.row_size,
			.weight = rf_pack_column(format, problem.weight, shape.k, column),
			.bias = problem.bias + column,
			.c = part + column,
			.ldc = shape.n,
			.activation = RF_ACT_LINEAR,
		};

		format->gemm(kernels, format, &gemm);
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
	with_every_format(check_set_pieces);
}

/* Largest |w| of the block that term k of a column is in. */
static float
block_size(const float *w, size_t count, size_t k)
{
	size_t first = k / RF_MAX_K_BLOCK * RF_MAX_K_BLOCK;
	float size = 0;

	for (size_t i = first; i < count && i < first + RF_MAX_K_BLOCK; i++)
		size = fmaxf(size, fabsf(w[i]));
	return size;
}

/* Rows packed in any order come back as near as the format can have them. */
static void
check_set_packing(const RfKernels *kernels, RfPrecision precision)
{
	const RfFormat *format = &kernels->formats[precision];

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		Shape shape = shapes[i];
		Problem problem;
		float *row = malloc(shape.k * sizeof(float));

		set_up(&problem, kernels, precision, shape, i);
		for (size_t j = shape.n; j-- > 0;)
			format->pack(format, shape.n, shape.k, j, problem.w + j * shape.k, problem.weight);
		for (size_t j = 0; j < shape.n; j++)
		{
			const float *w = problem.w + j * shape.k;

			format->unpack(format, shape.n, shape.k, j, problem.weight, row);
			for (size_t k = 0; k < shape.k; k++)
			{
				float bound = precision == RF_PRECISION_FP32   ? 0
							  : precision == RF_PRECISION_BF16 ? fabsf(w[k]) * 0x1p-8f
															   : block_size(w, shape.k, k) / 253;

				assert_true(fabsf(row[k] - w[k]) <= bound);
			}
		}
		free(row);
		tear_down(&problem);
	}
	assert_int_equal(format->weight_size(format, SIZE_MAX / 8, 9), 0);
}

static void
test_packing(void **state)
{
	(void) state;
	with_every_format(check_set_packing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),    cmocka_unit_test(test_activation),
		cmocka_unit_test(test_company),   cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_made_rows), cmocka_unit_test(test_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
