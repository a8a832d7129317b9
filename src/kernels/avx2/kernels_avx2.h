/*
 * kernels_avx2.h - functions of the AVX2 set.
 */
#ifndef RF_KERNELS_AVX2_H
#define RF_KERNELS_AVX2_H

#include "../dispatch.h"

/* Rows and columns of the tile: 12 of 16 registers hold sums, 2 hold b, 2 hold a. */
#define RF_TILE_ROWS_AVX2 6
#define RF_TILE_COLUMNS_AVX2 16

extern void rf_tile_fp32_avx2(const RfTile *tile);
extern void rf_fill_rows_avx2(RfKernels *kernels);

#endif
