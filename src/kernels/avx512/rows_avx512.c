/*
 * rows_avx512.c - the vector rows, compiled for AVX-512.
 */
#if defined(__x86_64__)

#include "kernels_avx512.h"

#include "vector_avx512.h"

#include "../vector/activations_vector.h"
#include "../vector/attention_vector.h"
#include "../vector/convert_vector.h"
#include "../vector/rows_vector.h"

/* The upper 16 bits of each lane. */
VEC_INLINE void
vec_store_upper(uint16_t *p, Vec x)
{
	__m512i upper = _mm512_srli_epi32(_mm512_castps_si512(x), 16);

	_mm256_storeu_si256((__m256i *) p, _mm512_cvtepi32_epi16(upper));
}

#define DOT_TARGET __attribute__((target("avx512f,avx512dq,avx512bf16")))

/* row_term 2. The instruction takes subnormal numbers for zero, as the products do. */
DOT_TARGET static void
convert_bf16_dot(const RfFormat *format, const float *values, size_t k, void *row)
{
	uint16_t *to = row;
	size_t i = 0;

	for (; i + VEC_LANES <= k; i += VEC_LANES)
		_mm256_storeu_si256((__m256i *) (to + i),
							(__m256i) _mm512_cvtneps_pbh(_mm512_loadu_ps(values + i)));
	for (; i < k; i++)
		to[i] = fabsf(values[i]) < FLT_MIN ? (uint16_t) (rf_bf16_of_float(values[i]) & 0x8000)
										   : rf_bf16_of_float(values[i]);
	for (; i < padded_depth(format, k); i++)
		to[i] = 0;
}

/* row_term 2. Weights are written no further than scores have been read. */
VEC_TARGET static float
weigh_bf16(const RfFormat *format, float *x, size_t n, size_t depth, float scale, float *largest)
{
	uint16_t *to = (uint16_t *) x;
	Vec top = find_largest(x, n, *largest);
	Vec times = vec_set(scale);
	Vec sum = vec_set(0);
	size_t i = 0;

	(void) format;
	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		Vec value = vec_round_bf16(weigh_score(vec_load(x + i), top, times));

		vec_store_upper(to + i, value);
		sum = vec_add(sum, value);
	}
	if (i < n)
	{
		Vec scores = vec_load_part(x + i, n - i, top);
		Vec value = vec_round_bf16(weigh_score(scores, top, times));

		value = _mm512_maskz_mov_ps(vec_first(n - i), value);
		vec_store_upper(to + i, value);
		sum = vec_add(sum, value);
	}
	for (i = n; i < depth; i++)
		to[i] = 0;
	*largest = vec_first_lane(top);
	return vec_sum(sum);
}

/* Tiles without instructions for dot products: rows of fp32 and 16-bit numbers. */
void
rf_fill_formats_avx512(RfFormat *formats)
{
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	for (size_t i = 0; i < RF_PRECISIONS; i++)
	{
		formats[i].tile_rows = RF_TILE_ROWS_AVX512;
		formats[i].panel = formats[i].column_block = RF_TILE_COLUMNS_AVX512;
		formats[i].row_block = RF_ROW_BLOCK_AVX512;
	}
	fill_attention(formats);
	formats[RF_PRECISION_FP32].tile = rf_tile_fp32_avx512;
	bf16->tile = rf_tile_bf16_avx512;
	bf16->convert = convert_bf16_wide;
	int8->tile = rf_tile_int8_avx512;
	int8->convert = convert_int8_wide;
	int8->k_step = int8->k_unit = 2;
	int8->row_term = sizeof(int16_t);
}

/* Dot products of four bytes. */
void
rf_fill_vnni_avx512(RfFormat *formats)
{
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	int8->tile = rf_tile_int8_vnni_avx512;
	int8->convert = convert_int8;
	int8->k_step = int8->k_unit = 4;
	int8->row_term = sizeof(uint8_t);
}

/* Dot products of pairs. */
void
rf_fill_bf16_avx512(RfFormat *formats)
{
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];

	bf16->tile = rf_tile_bf16_dot_avx512;
	bf16->convert = convert_bf16_dot;
	bf16->weigh = weigh_bf16;
	bf16->row_term = sizeof(uint16_t);
}

void
rf_fill_rows_avx512(RfKernels *kernels)
{
	fill_rows(kernels);
	fill_activations(kernels->activate);
}

#endif
