/*
 * tile_int8_vnni_avx2.c - the GEMM's tile in int8 with AVX-VNNI: four unsigned by four signed
 * bytes.
 */
#if defined(__x86_64__)

#define VEC_TARGET __attribute__((target("avx2,fma,avxvnni")))

#include "tile_int8_avx2.h"

VEC_INLINE void
multiply(const RfTile *tile, const size_t rows)
{
	const char *a = (const char *) tile->a + sizeof(RfRowHead);
	const char *b = column_terms(tile);
	size_t lda = tile->lda;
	size_t ldb = tile->ldb * 4;
	const char *ahead = tile->ahead;
	Products products[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		products[i][0] = products[i][1] = (Products){0};
	for (size_t k = 0; k < tile->k; k += 4, a += 4, b += ldb)
	{
		__m256i left = _mm256_loadu_si256((const __m256i *) b);
		__m256i right = _mm256_loadu_si256((const __m256i *) (b + 32));

		ahead = fetch_ahead(tile, ahead);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m256i value = broadcast_bytes(a + i * lda);

			products[i][0] =
				(Products) _mm256_dpbusd_avx_epi32((__m256i) products[i][0], value, left);
			products[i][1] =
				(Products) _mm256_dpbusd_avx_epi32((__m256i) products[i][1], value, right);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_products(tile, i, products[i]);
}

DEFINE_ALL_TILES

void
rf_tile_int8_vnni_avx2(const RfTile *tile)
{
	run_tile(tile);
}

#endif
