/*
 * tile_avx512.c - the GEMM's tile in fp32.
 */
#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f")))

#include "tile_avx512.h"

INLINE void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const float *a = tile->a;
	const float *b = tile->b;
	size_t lda = tile->lda / sizeof(float);
	size_t ldb = tile->ldb;
	const char *ahead = tile->ahead;
	__m512 sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			sums[i][j] = _mm512_setzero_ps();
	for (size_t k = 0; k < tile->k; k++, b += ldb)
	{
		__m512 columns[VECTORS];

		ahead = fetch_ahead(tile, ahead, vectors);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] = _mm512_loadu_ps(b + j * 16);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m512 value = _mm512_set1_ps(a[i * lda + k]);

#pragma GCC unroll 4
			for (size_t j = 0; j < vectors; j++)
				sums[i][j] = _mm512_fmadd_ps(value, columns[j], sums[i][j]);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_row(tile, i, vectors, sums[i]);
}

DEFINE_ALL_TILES

void
rf_tile_fp32_avx512(const RfTile *tile)
{
	run_tile(tile);
}

#endif
