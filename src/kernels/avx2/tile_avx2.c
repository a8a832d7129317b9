/*
 * tile_avx2.c - the GEMM's tile: up to 6 rows by 2 vectors of 8 columns.
 *
 * Per step of k: 2 loads of b and 6 broadcasts of a feed 12 FMAs. Each sum is one chain of FMAs
 * over k, then added to c, then bias: the same for every height of the tile.
 */
#if defined(__x86_64__)

#include "kernels_avx2.h"

#include "vector_avx2.h"

#define ROWS RF_TILE_ROWS_AVX2
#define VECTORS (RF_TILE_COLUMNS_AVX2 / 8)

/* Steps of k by which the weights are prefetched: the hardware's streamer stops at page borders. */
#define PREFETCH_STEPS 64

/* count: columns of this vector, 1 .. 8 */
VEC_INLINE void
store_vector(const RfTile *tile, size_t row, size_t column, size_t count, Vec value)
{
	float *c = tile->c + row * tile->ldc + column;

	if (count == VEC_LANES)
	{
		if (tile->accumulate)
			value = vec_add(vec_load(c), value);
		if (tile->bias != NULL)
			value = vec_add(value, vec_load(tile->bias + column));
		vec_store(c, value);
		return;
	}
	if (tile->accumulate)
		value = vec_add(vec_load_part(c, count, vec_set(0)), value);
	if (tile->bias != NULL)
		value = vec_add(value, vec_load_part(tile->bias + column, count, vec_set(0)));
	vec_store_part(c, count, value);
}

VEC_INLINE void
multiply(const RfTile *tile, const size_t rows)
{
	const float *a = tile->a;
	const float *b = tile->b;
	size_t lda = tile->lda;
	Vec sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		sums[i][0] = sums[i][1] = vec_set(0);
	for (size_t k = 0; k < tile->k; k++, b += tile->ldb)
	{
		Vec left = vec_load(b);
		Vec right = vec_load(b + VEC_LANES);

		_mm_prefetch((const char *) (b + PREFETCH_STEPS * tile->ldb), _MM_HINT_T0);
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
	{
		size_t first = tile->columns < VEC_LANES ? tile->columns : VEC_LANES;

		store_vector(tile, i, 0, first, sums[i][0]);
		if (tile->columns > VEC_LANES)
			store_vector(tile, i, VEC_LANES, tile->columns - VEC_LANES, sums[i][1]);
	}
}

#define DEFINE_TILE(rows)                                                                          \
	VEC_TARGET static void multiply_##rows(const RfTile *tile)                                     \
	{                                                                                              \
		multiply(tile, rows);                                                                      \
	}

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

void
rf_tile_fp32_avx2(const RfTile *tile)
{
	static void (*const tiles[ROWS])(const RfTile *) = {multiply_1, multiply_2, multiply_3,
														multiply_4, multiply_5, multiply_6};

	tiles[tile->rows - 1](tile);
}

#endif
