/*
 * tile_int8_avx2.h - from a block's whole-numbered sums to c, for the two ways of summing.
 */
#ifndef RF_TILE_INT8_AVX2_H
#define RF_TILE_INT8_AVX2_H

#include "../convert.h"
#include "tile_avx2.h"

/* Sums of 32 bits; arrays of __m256i are kept in memory by gcc 12, arrays of these in registers. */
typedef int Products __attribute__((vector_size(32)));

/* The terms behind the heads of the tile's block of columns. */
VEC_INLINE const char *
column_terms(const RfTile *tile)
{
	return (const char *) tile->b + tile->ldb * RF_COLUMN_HEAD;
}

VEC_INLINE Vec
scale_products(const RfTile *tile, RfRowHead head, size_t column, Products products)
{
	const float *scales = (const float *) tile->b + column;
	Vec scale = vec_mul(vec_set(head.scale), vec_load(scales));
	Vec low = vec_mul(vec_set(head.low), vec_load(scales + tile->ldb));

	return vec_fma(_mm256_cvtepi32_ps((__m256i) products), scale, low);
}

VEC_INLINE void
store_products(const RfTile *tile, size_t row, const Products *products)
{
	RfRowHead head;

	memcpy(&head, (const char *) tile->a + row * tile->lda, sizeof(head));
	store_row(tile, row, scale_products(tile, head, 0, products[0]),
			  scale_products(tile, head, VEC_LANES, products[1]));
}

#endif
