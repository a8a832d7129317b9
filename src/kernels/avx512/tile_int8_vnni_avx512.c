/*
 * tile_int8_vnni_avx512.c - the GEMM's tile in int8 with VNNI: four unsigned by four signed bytes.
 */
#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f,avx512vnni")))

#include "tile_int8_avx512.h"

INLINE void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const char *a = (const char *) tile->a + sizeof(RfRowHead);
	const char *b = column_terms(tile);
	size_t lda = tile->lda;
	size_t ldb = tile->ldb * 4;
	const char *ahead = tile->ahead;
	Products products[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			products[i][j] = (Products){0};
	for (size_t k = 0; k < tile->k; k += 4, a += 4, b += ldb)
	{
		__m512i columns[VECTORS];

		ahead = fetch_ahead(tile, ahead, vectors);
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			columns[j] = _mm512_loadu_si512(b + j * 64);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m512i value = broadcast_bytes(a + i * lda);

#pragma GCC unroll 4
			for (size_t j = 0; j < vectors; j++)
				products[i][j] =
					(Products) _mm512_dpbusd_epi32((__m512i) products[i][j], value, columns[j]);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_products(tile, i, vectors, products[i]);
}

DEFINE_ALL_TILES

void
rf_tile_int8_vnni_avx512(const RfTile *tile)
{
	run_tile(tile);
}

#endif
