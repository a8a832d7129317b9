/*
 * kernels_avx512.h - functions of the AVX-512 set.
 */
#ifndef RF_KERNELS_AVX512_H
#define RF_KERNELS_AVX512_H

#include "../dispatch.h"

/* Rows and columns of the tile: 24 of 32 registers hold sums, 4 hold b, 1 holds a. */
#define RF_TILE_ROWS_AVX512 6
#define RF_TILE_COLUMNS_AVX512 64

extern void rf_tile_fp32_avx512(const RfTile *tile);
extern void rf_fill_rows_avx512(RfKernels *kernels);

#endif
