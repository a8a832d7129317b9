/*
 * rows_blas.c - finds out how many rows a call of sgemm must have for a row not to depend on its
 * place.
 *
 * OpenBLAS picks kernels by the shape of a call, and within a call by a row's place. Measured with
 * 0.3.21: with calls of 64 rows a row's place makes no difference on SkylakeX, Prescott, Nehalem
 * and Sandybridge kernels; on Haswell's it does, where only calls of 1, 2, 3, 4 and 8 rows are
 * even. So the library at hand is asked: the largest row count that passes is used for every call.
 */
#include "library_blas.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LARGEST_K 256
#define LARGEST_N 256

static const int row_counts[] = {RF_BLAS_MAX_ROWS, 8, 4};

/* Shapes [n,k]: a full call, remainders of both, and one for which there are kernels of its own. */
static const int shapes[][2] = {{LARGEST_N, LARGEST_K}, {21, 33}, {64, 40}, {3, 7}};

/* Twice as many rows as a call takes, and what comes of them. */
typedef struct Trial
{
	float a[2 * RF_BLAS_MAX_ROWS * LARGEST_K];
	float w[LARGEST_N * LARGEST_K];
	float expected[2 * RF_BLAS_MAX_ROWS * LARGEST_N];
	float found[RF_BLAS_MAX_ROWS * LARGEST_N];
} Trial;

static void
fill_numbers(float *values, size_t count)
{
	uint32_t state = 12345;

	for (size_t i = 0; i < count; i++)
	{
		state = state * 1664525u + 1013904223u;
		values[i] = (float) (state >> 8) / 8388608.0f - 1;
	}
}

/* Rows [first, first + rows) */
static void
multiply(RfSgemm sgemm, const Trial *trial, int first, int rows, const int *shape, float *c)
{
	int n = shape[0];
	int k = shape[1];

	sgemm(RF_CBLAS_ROW_MAJOR, RF_CBLAS_NO_TRANS, RF_CBLAS_TRANS, rows, n, k, 1,
		  trial->a + (size_t) first * (size_t) k, k, trial->w, k, 0, c, n);
}

/* A row as the first of a call is what it is at any other place. */
static bool
is_even(RfSgemm sgemm, Trial *trial, int rows, const int *shape)
{
	size_t n = (size_t) shape[0];

	multiply(sgemm, trial, 0, rows, shape, trial->expected);
	multiply(sgemm, trial, rows, rows, shape, trial->expected + (size_t) rows * n);
	for (int first = 1; first < rows; first++)
	{
		multiply(sgemm, trial, first, rows, shape, trial->found);
		if (memcmp(trial->found, trial->expected + (size_t) first * n,
				   (size_t) rows * n * sizeof(float)) != 0)
			return false;
	}
	return true;
}

int
rf_blas_choose_rows(RfSgemm sgemm)
{
	static Trial trial;

	fill_numbers(trial.a, sizeof(trial.a) / sizeof(float));
	fill_numbers(trial.w, sizeof(trial.w) / sizeof(float));
	for (size_t i = 0; i < sizeof(row_counts) / sizeof(row_counts[0]); i++)
	{
		bool even = true;

		for (size_t j = 0; j < sizeof(shapes) / sizeof(shapes[0]) && even; j++)
			even = is_even(sgemm, &trial, row_counts[i], shapes[j]);
		if (even)
			return row_counts[i];
	}
	return 1;
}
