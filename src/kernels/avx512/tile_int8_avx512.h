/*
 * tile_int8_avx512.h - from a block's whole-numbered sums to c, for the two ways of summing.
 */
#ifndef RF_TILE_INT8_AVX512_H
#define RF_TILE_INT8_AVX512_H

#include "../convert.h"
#include "tile_avx512.h"

/* Sums of 32 bits; arrays of __m512i are kept in memory by gcc 12, arrays of these in registers. */
typedef int Products __attribute__((vector_size(64)));

/* The terms behind the heads of the tile's block of columns. */
INLINE const char *
column_terms(const RfTile *tile)
{
	return (const char *) tile->b + tile->ldb * RF_COLUMN_HEAD;
}

INLINE void
store_products(const RfTile *tile, size_t row, const size_t vectors, const Products *products)
{
	const float *scales = tile->b;
	__m512 sums[VECTORS];
	RfRowHead head;

	memcpy(&head, (const char *) tile->a + row * tile->lda, sizeof(head));
#pragma GCC unroll 4
	for (size_t j = 0; j < vectors; j++)
	{
		__m512 scale = _mm512_mul_ps(_mm512_set1_ps(head.scale), _mm512_loadu_ps(scales + j * 16));
		__m512 low =
			_mm512_mul_ps(_mm512_set1_ps(head.low), _mm512_loadu_ps(scales + tile->ldb + j * 16));

		sums[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps((__m512i) products[j]), scale, low);
	}
	store_row(tile, row, vectors, sums);
}

#endif
