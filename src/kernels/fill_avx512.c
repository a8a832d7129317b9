/*
 * fill_avx512.c - rows that AVX-512 does better.
 */
#include "dispatch.h"

#if defined(__x86_64__)

#include "avx512/kernels_avx512.h"

void
rf_kernels_fill_avx512(RfKernels *kernels)
{
	kernels->tile_rows = RF_TILE_ROWS_AVX512;
	kernels->panel = RF_TILE_COLUMNS_AVX512;
	kernels->row_block = 256;
	kernels->k_block = 256;
	kernels->column_block = kernels->panel;
	kernels->tile = rf_tile_fp32_avx512;
	rf_fill_rows_avx512(kernels);
}

#else

void
rf_kernels_fill_avx512(RfKernels *kernels)
{
	(void) kernels;
}

#endif
