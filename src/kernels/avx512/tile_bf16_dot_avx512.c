/*
 * tile_bf16_dot_avx512.c - the GEMM's tile in bf16 with AVX512_BF16: pairs of terms at once.
 *
 * The instruction takes subnormal numbers for zero and rounds after each of the two products; its
 * result depends on nothing but the lane.
 */
#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f,avx512bf16")))

#include "tile_avx512.h"

INLINE void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const char *a = tile->a;
	const char *b = tile->b;
	size_t lda = tile->lda;
	size_t ldb = tile->ldb * 2 * sizeof(uint16_t);
	const char *ahead = tile->ahead;
	__m512 sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			sums[i][j] = _mm512_setzero_ps();
	for (size_t k = 0; k < tile->k; k += 2, a += 4, b += ldb)
	{
		__m512bh columns[VECTORS];

		ahead = fetch_ahead(tile, ahead, vectors);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] = (__m512bh) _mm512_loadu_si512(b + j * 64);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m512bh value = (__m512bh) broadcast_bytes(a + i * lda);

#pragma GCC unroll 4
			for (size_t j = 0; j < vectors; j++)
				sums[i][j] = _mm512_dpbf16_ps(sums[i][j], columns[j], value);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_row(tile, i, vectors, sums[i]);
}

DEFINE_ALL_TILES

void
rf_tile_bf16_dot_avx512(const RfTile *tile)
{
	run_tile(tile);
}

#endif
