/*
 * tile_int8_avx2.c - the GEMM's tile in int8 without VNNI: pairs of 16-bit products.
 *
 * Products of bytes by vpmaddubsw would saturate (255 * 127 * 2 is beyond 16 bits), so weights are
 * widened as they are loaded and rows of a are 16-bit.
 */
#if defined(__x86_64__)

#include "tile_int8_avx2.h"

VEC_INLINE void
multiply(const RfTile *tile, const size_t rows)
{
	const char *a = (const char *) tile->a + sizeof(RfRowHead);
	const char *b = column_terms(tile);
	size_t lda = tile->lda;
	size_t ldb = tile->ldb * 2;
	const char *ahead = tile->ahead;
	Products products[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		products[i][0] = products[i][1] = (Products){0};
#pragma GCC unroll 2
	for (size_t k = 0; k < tile->k; k += 2, a += 4, b += ldb)
	{
		__m256i left = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) b));
		__m256i right = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) (b + 16)));

		ahead = fetch_ahead(tile, ahead);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m256i value = broadcast_bytes(a + i * lda);

			products[i][0] = (Products) _mm256_madd_epi16(value, left) + products[i][0];
			products[i][1] = (Products) _mm256_madd_epi16(value, right) + products[i][1];
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_products(tile, i, products[i]);
}

DEFINE_ALL_TILES

void
rf_tile_int8_avx2(const RfTile *tile)
{
	run_tile(tile);
}

#endif
