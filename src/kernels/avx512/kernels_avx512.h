/*
 * kernels_avx512.h - functions of the AVX-512 set.
 */
#ifndef RF_KERNELS_AVX512_H
#define RF_KERNELS_AVX512_H

#include "../dispatch.h"

/* Rows and columns of the tile: 24 of 32 registers hold sums, 4 hold b, 1 holds a. */
#define RF_TILE_ROWS_AVX512 6
#define RF_TILE_COLUMNS_AVX512 64

/* Rows of a that stay in the second-level cache while panels pass. */
#define RF_ROW_BLOCK_AVX512 256

extern void rf_tile_fp32_avx512(const RfTile *tile);
extern void rf_tile_bf16_avx512(const RfTile *tile);
extern void rf_tile_bf16_dot_avx512(const RfTile *tile);
extern void rf_tile_int8_avx512(const RfTile *tile);
extern void rf_tile_int8_vnni_avx512(const RfTile *tile);
extern void rf_fill_formats_avx512(RfFormat *formats);
extern void rf_fill_vnni_avx512(RfFormat *formats);
extern void rf_fill_bf16_avx512(RfFormat *formats);
extern void rf_fill_rows_avx512(RfKernels *kernels);

#endif
