/*
 * convert_vector.h - rows of activations in bf16 and int8 for any vector; included after a
 * vector_<isa>.h. The numbers are those of ref/format_ref.c, to the bit.
 */
#ifndef RF_CONVERT_VECTOR_H
#define RF_CONVERT_VECTOR_H

#include "../convert.h"
#include "../dispatch.h"

/* Terms up to the end of the last step. */
static inline size_t
padded_depth(const RfFormat *format, size_t depth)
{
	return (depth + format->k_step - 1) / format->k_step * format->k_step;
}

/* row_term 4 */
VEC_TARGET static void
convert_bf16_wide(const RfFormat *format, const float *values, size_t k, void *row)
{
	float *to = row;
	size_t i = 0;

	for (; i + VEC_LANES <= k; i += VEC_LANES)
		vec_store(to + i, vec_round_bf16(vec_load(values + i)));
	for (; i < k; i++)
		to[i] = rf_float_of_bf16(rf_bf16_of_float(values[i]));
	for (; i < padded_depth(format, k); i++)
		to[i] = 0;
}

/* Smallest and largest of n > 0 values. */
VEC_TARGET static void
find_range(const float *values, size_t n, float *low, float *high)
{
	Vec least = vec_set(values[0]);
	Vec most = least;
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		least = vec_min(vec_load(values + i), least);
		most = vec_max(vec_load(values + i), most);
	}
	if (i < n)
	{
		least = vec_min(vec_load_part(values + i, n - i, least), least);
		most = vec_max(vec_load_part(values + i, n - i, most), most);
	}
	*low = -vec_largest(vec_sub(vec_set(-0.0f), least));
	*high = vec_largest(most);
}

/* (values - low) * inverse as whole numbers in 0 .. 255 */
VEC_INLINE Vec
quantize(Vec values, Vec low, Vec inverse)
{
	Vec code = vec_round(vec_mul(vec_sub(values, low), inverse));

	return vec_min(vec_max(code, vec_set(0)), vec_set(RF_QUANTUM_STEPS));
}

VEC_TARGET static RfRowHead
convert_block(const RfFormat *format, const float *values, size_t depth, uint8_t *codes)
{
	float low;
	float high;
	float inverse;
	RfRowHead head;
	size_t i = 0;

	find_range(values, depth, &low, &high);
	head = rf_row_head(low, high, &inverse);
	for (; i + VEC_LANES <= depth; i += VEC_LANES)
		vec_store_bytes(codes + i, quantize(vec_load(values + i), vec_set(low), vec_set(inverse)));
	for (; i < depth; i++)
		codes[i] = rf_row_code(values[i], low, inverse);
	for (; i < padded_depth(format, depth); i++)
		codes[i] = 0;
	return head;
}

/* row_term 1 */
VEC_TARGET static void
convert_int8(const RfFormat *format, const float *values, size_t k, void *row)
{
	char *block = row;

	for (size_t first = 0; first < k; first += format->k_block)
	{
		size_t depth = k - first < format->k_block ? k - first : format->k_block;
		RfRowHead head =
			convert_block(format, values + first, depth, (uint8_t *) block + format->row_head);

		memcpy(block, &head, sizeof(head));
		block += format->row_head + format->k_block;
	}
}

/* row_term 2 */
VEC_TARGET static void
convert_int8_wide(const RfFormat *format, const float *values, size_t k, void *row)
{
	char *block = row;
	uint8_t codes[RF_MAX_K_BLOCK];

	for (size_t first = 0; first < k; first += format->k_block)
	{
		size_t depth = k - first < format->k_block ? k - first : format->k_block;
		size_t padded = padded_depth(format, depth);
		RfRowHead head = convert_block(format, values + first, depth, codes);
		int16_t *to = (int16_t *) (block + format->row_head);

		memcpy(block, &head, sizeof(head));
		for (size_t i = 0; i < padded; i++)
			to[i] = codes[i];
		block += format->row_head + format->k_block * sizeof(*to);
	}
}

#endif
