/*
 * rows_ref.c - norms and rotation of single rows in portable C.
 *
 * Sums run in double: these are the functions the other sets are measured against.
 */
#include "kernels_ref.h"

#include <math.h>

void
rf_layer_norm_fp32_ref(float *x, size_t n, const float *weight, const float *bias, float eps)
{
	double sum = 0;
	double squares = 0;
	double mean;
	double factor;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	mean = sum / (double) n;
	for (size_t i = 0; i < n; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	factor = 1 / sqrt(squares / (double) n + eps);
	for (size_t i = 0; i < n; i++)
		x[i] = (float) ((x[i] - mean) * factor * weight[i] + bias[i]);
}

void
rf_rms_norm_fp32_ref(float *x, size_t n, float eps)
{
	double squares = 0;
	double factor;

	for (size_t i = 0; i < n; i++)
		squares += (double) x[i] * x[i];
	factor = 1 / sqrt(squares / (double) n + eps);
	for (size_t i = 0; i < n; i++)
		x[i] = (float) (x[i] * factor);
}

void
rf_rotate_fp32_ref(float *x, size_t heads, size_t head_size, const float *table)
{
	for (size_t head = 0; head < heads; head++, x += head_size)
		for (size_t i = 0; i < head_size; i += 2)
		{
			float even = x[i] * table[i] - x[i + 1] * table[i + 1];
			float odd = x[i + 1] * table[i] + x[i] * table[i + 1];

			x[i] = even;
			x[i + 1] = odd;
		}
}

void
rf_scale_fp32_ref(float *x, size_t n, float factor)
{
	for (size_t i = 0; i < n; i++)
		x[i] *= factor;
}
