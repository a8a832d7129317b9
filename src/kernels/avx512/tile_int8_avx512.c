/*
 * tile_int8_avx512.c - the GEMM's tile in int8 without VNNI: pairs of 16-bit products.
 *
 * Products of bytes by vpmaddubsw would saturate (255 * 127 * 2 is beyond 16 bits), so weights are
 * widened as they are loaded and rows of a are 16-bit.
 */
#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f,avx512bw")))

#include "tile_int8_avx512.h"

INLINE void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const char *a = (const char *) tile->a + sizeof(RfRowHead);
	const char *b = column_terms(tile);
	size_t lda = tile->lda;
	size_t ldb = tile->ldb * 2;
	const char *ahead = tile->ahead;
	Products products[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			products[i][j] = (Products){0};
	for (size_t k = 0; k < tile->k; k += 2, a += 4, b += ldb)
	{
		__m512i columns[VECTORS];

		ahead = fetch_ahead(tile, ahead, vectors);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) (b + j * 32)));
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m512i value = broadcast_bytes(a + i * lda);

#pragma GCC unroll 4
			for (size_t j = 0; j < vectors; j++)
				products[i][j] = (Products) _mm512_madd_epi16(value, columns[j]) + products[i][j];
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_products(tile, i, vectors, products[i]);
}

DEFINE_ALL_TILES

void
rf_tile_int8_avx512(const RfTile *tile)
{
	run_tile(tile);
}

#endif
