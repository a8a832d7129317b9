/*
 * rows_avx2.c - the vector rows, compiled for AVX2 and FMA.
 */
#if defined(__x86_64__)

#include "kernels_avx2.h"

#include "vector_avx2.h"

#include "../vector/activations_vector.h"
#include "../vector/attention_vector.h"
#include "../vector/convert_vector.h"
#include "../vector/rows_vector.h"

/* Tiles without instructions for dot products: rows of fp32 and 16-bit numbers. */
void
rf_fill_formats_avx2(RfFormat *formats)
{
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	for (size_t i = 0; i < RF_PRECISIONS; i++)
	{
		formats[i].tile_rows = RF_TILE_ROWS_AVX2;
		formats[i].panel = formats[i].column_block = RF_TILE_COLUMNS_AVX2;
		formats[i].row_block = RF_ROW_BLOCK_AVX2;
	}
	fill_attention(formats);
	formats[RF_PRECISION_FP32].tile = rf_tile_fp32_avx2;
	bf16->tile = rf_tile_bf16_avx2;
	bf16->convert = convert_bf16_wide;
	int8->tile = rf_tile_int8_avx2;
	int8->convert = convert_int8_wide;
	int8->k_step = int8->k_unit = 2;
	int8->row_term = sizeof(int16_t);
}

/* Dot products of four bytes. */
void
rf_fill_vnni_avx2(RfFormat *formats)
{
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	int8->tile = rf_tile_int8_vnni_avx2;
	int8->convert = convert_int8;
	int8->k_step = int8->k_unit = 4;
	int8->row_term = sizeof(uint8_t);
}

void
rf_fill_rows_avx2(RfKernels *kernels)
{
	fill_rows(kernels);
	fill_activations(kernels->activate);
}

#endif
