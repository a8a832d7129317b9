/*
 * tile_bf16_avx512.c - the GEMM's tile in bf16 without instructions for it: pairs of weights are
 * widened as they are loaded, rows of a are fp32.
 *
 * 8 shifts and masks to 48 FMAs. On Intel's processors with AVX512_BF16 this is still the faster
 * way: their dot product takes twice as long as two FMAs.
 */
#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f")))

#include "tile_avx512.h"

INLINE void
multiply_step(const float *a, size_t lda, const size_t rows, const size_t vectors,
			  const __m512 *columns, __m512 (*sums)[VECTORS])
{
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
	{
		__m512 value = _mm512_set1_ps(a[i * lda]);

#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			sums[i][j] = _mm512_fmadd_ps(value, columns[j], sums[i][j]);
	}
}

INLINE void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const float *a = tile->a;
	const char *b = tile->b;
	size_t lda = tile->lda / sizeof(float);
	size_t ldb = tile->ldb * 2 * sizeof(uint16_t);
	__m512i upper = _mm512_set1_epi32((int) 0xFFFF0000u);
	const char *ahead = tile->ahead;
	__m512 sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			sums[i][j] = _mm512_setzero_ps();
	for (size_t k = 0; k < tile->k; k += 2, b += ldb)
	{
		__m512 columns[VECTORS];

		ahead = fetch_ahead(tile, ahead, vectors);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(b + j * 64), 16));
		multiply_step(a + k, lda, rows, vectors, columns, sums);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] =
				_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(b + j * 64), upper));
		multiply_step(a + k + 1, lda, rows, vectors, columns, sums);
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_row(tile, i, vectors, sums[i]);
}

DEFINE_ALL_TILES

void
rf_tile_bf16_avx512(const RfTile *tile)
{
	run_tile(tile);
}

#endif
