/*
 * rows_vector.h - norms and rotation for any vector; included after a vector_<isa>.h.
 *
 * Statistics take two passes (mean, then squares of differences from it). The order of a sum is
 * fixed by the row's length alone.
 */
#ifndef RF_ROWS_VECTOR_H
#define RF_ROWS_VECTOR_H

#include <math.h>

VEC_TARGET static float
sum_values(const float *x, size_t n)
{
	Vec sum = vec_set(0);
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		sum = vec_add(sum, vec_load(x + i));
	if (i < n)
		sum = vec_add(sum, vec_load_part(x + i, n - i, vec_set(0)));
	return vec_sum(sum);
}

/* sum of (x - mean)^2 */
VEC_TARGET static float
sum_squares(const float *x, size_t n, float mean)
{
	Vec center = vec_set(mean);
	Vec sum = vec_set(0);
	Vec difference;
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		difference = vec_sub(vec_load(x + i), center);
		sum = vec_fma(difference, difference, sum);
	}
	if (i < n)
	{
		difference = vec_sub(vec_load_part(x + i, n - i, center), center);
		sum = vec_fma(difference, difference, sum);
	}
	return vec_sum(sum);
}

VEC_TARGET static void
layer_norm(float *x, size_t n, const float *weight, const float *bias, float eps)
{
	float mean = sum_values(x, n) / (float) n;
	float variance = sum_squares(x, n, mean) / (float) n;
	Vec center = vec_set(mean);
	Vec factor = vec_set(1 / sqrtf(variance + eps));
	Vec zero = vec_set(0);
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		vec_store(x + i, vec_fma(vec_mul(vec_sub(vec_load(x + i), center), factor),
								 vec_load(weight + i), vec_load(bias + i)));
	if (i < n)
	{
		size_t rest = n - i;
		Vec value = vec_mul(vec_sub(vec_load_part(x + i, rest, center), center), factor);

		vec_store_part(x + i, rest,
					   vec_fma(value, vec_load_part(weight + i, rest, zero),
							   vec_load_part(bias + i, rest, zero)));
	}
}

VEC_TARGET static void
scale(float *x, size_t n, float factor)
{
	Vec times = vec_set(factor);
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		vec_store(x + i, vec_mul(vec_load(x + i), times));
	if (i < n)
		vec_store_part(x + i, n - i, vec_mul(vec_load_part(x + i, n - i, times), times));
}

VEC_TARGET static void
rms_norm(float *x, size_t n, float eps)
{
	scale(x, n, 1 / sqrtf(sum_squares(x, n, 0) / (float) n + eps));
}

/* Even lanes x0 cos - x1 sin, odd lanes x1 cos + x0 sin. */
VEC_INLINE Vec
rotate_pairs(Vec x, Vec table)
{
	return vec_fma_subtract_add(x, vec_even(table), vec_mul(vec_swap_pairs(x), vec_odd(table)));
}

VEC_TARGET static void
rotate(float *x, size_t heads, size_t head_size, const float *table)
{
	Vec zero = vec_set(0);

	for (size_t head = 0; head < heads; head++, x += head_size)
	{
		size_t i = 0;

		for (; i + VEC_LANES <= head_size; i += VEC_LANES)
			vec_store(x + i, rotate_pairs(vec_load(x + i), vec_load(table + i)));
		if (i < head_size)
		{
			size_t rest = head_size - i;

			vec_store_part(x + i, rest,
						   rotate_pairs(vec_load_part(x + i, rest, zero),
										vec_load_part(table + i, rest, zero)));
		}
	}
}

static void
fill_rows(RfKernels *kernels)
{
	kernels->layer_norm = layer_norm;
	kernels->rms_norm = rms_norm;
	kernels->rotate = rotate;
	kernels->scale = scale;
}

#endif
