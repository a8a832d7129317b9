/*
 * tile_bf16_avx2.c - the GEMM's tile in bf16: pairs of weights are widened as they are loaded, rows
 * of a are fp32. Upper halves by two shifts: a mask would take the register that the sums need.
 */
#if defined(__x86_64__)

#include "tile_avx2.h"

VEC_INLINE void
multiply(const RfTile *tile, const size_t rows)
{
	const float *a = tile->a;
	const char *b = tile->b;
	size_t lda = tile->lda / sizeof(float);
	size_t ldb = tile->ldb * 2 * sizeof(uint16_t);
	const char *ahead = tile->ahead;
	Vec sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		sums[i][0] = sums[i][1] = vec_set(0);
	for (size_t k = 0; k < tile->k; k += 2, b += ldb)
	{
		const __m256i *pairs = (const __m256i *) b;
		Vec left = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(pairs), 16));
		Vec right = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(pairs + 1), 16));

		ahead = fetch_ahead(tile, ahead);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			Vec value = vec_set(a[i * lda + k]);

			sums[i][0] = vec_fma(value, left, sums[i][0]);
			sums[i][1] = vec_fma(value, right, sums[i][1]);
		}
		left = _mm256_castsi256_ps(
			_mm256_slli_epi32(_mm256_srli_epi32(_mm256_loadu_si256(pairs), 16), 16));
		right = _mm256_castsi256_ps(
			_mm256_slli_epi32(_mm256_srli_epi32(_mm256_loadu_si256(pairs + 1), 16), 16));
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			Vec value = vec_set(a[i * lda + k + 1]);

			sums[i][0] = vec_fma(value, left, sums[i][0]);
			sums[i][1] = vec_fma(value, right, sums[i][1]);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_row(tile, i, sums[i][0], sums[i][1]);
}

DEFINE_ALL_TILES

void
rf_tile_bf16_avx2(const RfTile *tile)
{
	run_tile(tile);
}

#endif
