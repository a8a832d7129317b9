/*
 * fill_avx2.c - rows that AVX2 and FMA do better.
 */
#include "dispatch.h"

#if defined(__x86_64__)

#include "avx2/kernels_avx2.h"

void
rf_kernels_fill_avx2(RfKernels *kernels)
{
	kernels->tile_rows = RF_TILE_ROWS_AVX2;
	kernels->panel = RF_TILE_COLUMNS_AVX2;
	kernels->row_block = 96;
	kernels->k_block = 256;
	kernels->column_block = kernels->panel;
	kernels->tile = rf_tile_fp32_avx2;
	rf_fill_rows_avx2(kernels);
}

#else

void
rf_kernels_fill_avx2(RfKernels *kernels)
{
	(void) kernels;
}

#endif
