/*
 * tile_avx2.c - the GEMM's tile in fp32: per step of k, 2 loads of b and 6 broadcasts of a feed 12
 * FMAs.
 */
#if defined(__x86_64__)

#include "tile_avx2.h"

VEC_INLINE void
multiply(const RfTile *tile, const size_t rows)
{
	const float *a = tile->a;
	const float *b = tile->b;
	size_t lda = tile->lda / sizeof(float);
	const char *ahead = tile->ahead;
	Vec sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		sums[i][0] = sums[i][1] = vec_set(0);
	for (size_t k = 0; k < tile->k; k++, b += tile->ldb)
	{
		Vec left = vec_load(b);
		Vec right = vec_load(b + VEC_LANES);

		ahead = fetch_ahead(tile, ahead);
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			Vec value = vec_set(a[i * lda + k]);

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
rf_tile_fp32_avx2(const RfTile *tile)
{
	run_tile(tile);
}

#endif
