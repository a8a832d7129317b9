/*
 * attention_vector.h - keys, values and weights of attention in fp32 and bf16 for any vector;
 * included after a vector_<isa>.h. Keys and values are those of ref/attention_ref.c, to the bit.
 */
#ifndef RF_ATTENTION_VECTOR_H
#define RF_ATTENTION_VECTOR_H

#include <math.h>
#include <string.h>

#include "../convert.h"
#include "../dispatch.h"
#include "../ref/kernels_ref.h"
#include "exponential_vector.h"

/* VEC_LANES numbers of each of VEC_LANES rows, of which there are count and n; zeros for the rest,
 * transposed. */
VEC_INLINE void
load_columns(const float *rows, size_t stride, size_t count, size_t n, Vec *columns)
{
	if (count >= VEC_LANES && n >= VEC_LANES)
		for (size_t row = 0; row < VEC_LANES; row++)
			columns[row] = vec_load(rows + row * stride);
	else
		for (size_t row = 0; row < VEC_LANES; row++)
			columns[row] = row >= count    ? vec_set(0)
						   : n < VEC_LANES ? vec_load_part(rows + row * stride, n, vec_set(0))
										   : vec_load(rows + row * stride);
	vec_transpose(columns);
}

VEC_TARGET static void
encode_lanes_fp32(const RfFormat *format, const float *rows, size_t stride, size_t count, size_t k,
				  void *to, size_t width)
{
	(void) format;
	for (size_t lane = 0; lane < RF_LANES; lane += VEC_LANES)
		for (size_t i = 0; i < k; i += VEC_LANES)
		{
			float *place = (float *) to + i * width + lane;
			Vec columns[VEC_LANES];

			load_columns(rows + lane * stride + i, stride, count > lane ? count - lane : 0, k - i,
						 columns);
			for (size_t j = 0; j < VEC_LANES && i + j < k; j++)
				vec_store(place + j * width, columns[j]);
		}
}

/* Pairs of terms. */
VEC_TARGET static void
encode_lanes_bf16(const RfFormat *format, const float *rows, size_t stride, size_t count, size_t k,
				  void *to, size_t width)
{
	(void) format;
	for (size_t lane = 0; lane < RF_LANES; lane += VEC_LANES)
		for (size_t i = 0; i < k; i += VEC_LANES)
		{
			float *place = (float *) to + i / 2 * width + lane;
			Vec columns[VEC_LANES];

			load_columns(rows + lane * stride + i, stride, count > lane ? count - lane : 0, k - i,
						 columns);
			for (size_t j = 0; j < VEC_LANES && i + j < k; j += 2)
				vec_store(place + j / 2 * width, vec_pair_bf16(columns[j], columns[j + 1]));
		}
}

VEC_INLINE Vec
load_padded(const float *p, size_t n)
{
	return n < VEC_LANES ? vec_load_part(p, n, vec_set(0)) : vec_load(p);
}

/* To the end of the last RF_LANES columns. */
VEC_TARGET static void
encode_step_fp32(const RfFormat *format, const float *rows, size_t stride, size_t first,
				 size_t count, size_t columns, void *to)
{
	float *place = to;
	size_t i = 0;

	(void) format;
	(void) stride;
	(void) first;
	(void) count;
	for (; i < columns; i += VEC_LANES)
		vec_store(place + i, load_padded(rows + i, columns - i));
	for (; i % RF_LANES != 0; i += VEC_LANES)
		vec_store(place + i, vec_set(0));
}

VEC_TARGET static void
encode_step_bf16(const RfFormat *format, const float *rows, size_t stride, size_t first,
				 size_t count, size_t columns, void *to)
{
	float *place = to;
	size_t i = 0;

	if (count < 2)
	{
		rf_encode_step_bf16_ref(format, rows, stride, first, count, columns, to);
		return;
	}
	for (; i < columns; i += VEC_LANES)
		vec_store(place + i, vec_pair_bf16(load_padded(rows + i, columns - i),
										   load_padded(rows + stride + i, columns - i)));
	for (; i % RF_LANES != 0; i += VEC_LANES)
		vec_store(place + i, vec_set(0));
}

VEC_INLINE Vec
find_largest(const float *x, size_t n, float least)
{
	Vec largest = vec_set(least);
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		largest = vec_max(largest, vec_load(x + i));
	if (i < n)
		largest = vec_max(largest, vec_load_part(x + i, n - i, largest));
	return vec_set(vec_largest(largest));
}

/* exp((x - largest) * times) */
VEC_INLINE Vec
weigh_score(Vec x, Vec largest, Vec times)
{
	return vec_exp(vec_mul(vec_sub(x, largest), times));
}

VEC_INLINE float
weigh_wide(float *x, size_t n, size_t depth, float scale, float *largest, const bool rounded)
{
	Vec top = find_largest(x, n, *largest);
	Vec times = vec_set(scale);
	Vec sum = vec_set(0);
	Vec value;
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		value = weigh_score(vec_load(x + i), top, times);
		value = rounded ? vec_round_bf16(value) : value;
		vec_store(x + i, value);
		sum = vec_add(sum, value);
	}
	if (i < n)
	{
		value = weigh_score(vec_load_part(x + i, n - i, vec_set(-INFINITY)), top, times);
		value = rounded ? vec_round_bf16(value) : value;
		vec_store_part(x + i, n - i, value);
		sum = vec_add(sum, value);
	}
	for (i = n; i < depth; i++)
		x[i] = 0;
	*largest = vec_first_lane(top);
	return vec_sum(sum);
}

VEC_TARGET static float
weigh_fp32(const RfFormat *format, float *x, size_t n, size_t depth, float scale, float *largest)
{
	(void) format;
	return weigh_wide(x, n, depth, scale, largest, false);
}

/* row_term 4 */
VEC_TARGET static float
weigh_bf16_wide(const RfFormat *format, float *x, size_t n, size_t depth, float scale,
				float *largest)
{
	(void) format;
	return weigh_wide(x, n, depth, scale, largest, true);
}

static void
fill_attention(RfFormat *formats)
{
	RfFormat *fp32 = &formats[RF_PRECISION_FP32];
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];

	fp32->encode_lanes = encode_lanes_fp32;
	fp32->encode_step = encode_step_fp32;
	fp32->weigh = weigh_fp32;
	bf16->encode_lanes = encode_lanes_bf16;
	bf16->encode_step = encode_step_bf16;
	bf16->weigh = weigh_bf16_wide;
}

#endif
