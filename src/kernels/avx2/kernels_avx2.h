/*
 * kernels_avx2.h - functions of the AVX2 set.
 */
#ifndef RF_KERNELS_AVX2_H
#define RF_KERNELS_AVX2_H

#include "../dispatch.h"

/* Rows and columns of the tile: 12 of 16 registers hold sums, 2 hold b, 2 hold a. */
#define RF_TILE_ROWS_AVX2 6
#define RF_TILE_COLUMNS_AVX2 16

/* Rows of a that stay in the second-level cache while panels pass. */
#define RF_ROW_BLOCK_AVX2 96

extern void rf_tile_fp32_avx2(const RfTile *tile);
extern void rf_tile_bf16_avx2(const RfTile *tile);
extern void rf_tile_int8_avx2(const RfTile *tile);
extern void rf_tile_int8_vnni_avx2(const RfTile *tile);
extern void rf_fill_formats_avx2(RfFormat *formats);
extern void rf_fill_vnni_avx2(RfFormat *formats);
extern void rf_fill_rows_avx2(RfKernels *kernels);

#endif
