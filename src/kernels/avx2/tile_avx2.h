/*
 * tile_avx2.h - what the tiles of all precisions share: 6 rows by 2 vectors of 8 columns.
 *
 * 12 of 16 registers hold sums. A sum is one chain over k, then added to c, then bias: the same for
 * every height and width of the tile.
 *
 * A file that includes this defines VEC_TARGET before when it wants more than AVX2 and FMA, after
 * it an always inlined function multiply(tile, rows), and puts DEFINE_ALL_TILES behind that.
 */
#ifndef RF_TILE_AVX2_H
#define RF_TILE_AVX2_H

#include "kernels_avx2.h"

#include <string.h>

#include "vector_avx2.h"

#define ROWS RF_TILE_ROWS_AVX2
#define VECTORS (RF_TILE_COLUMNS_AVX2 / 8)

/* Into the second level: the first holds the block that the strips pass. */
VEC_INLINE const char *
fetch_ahead(const RfTile *tile, const char *ahead)
{
	_mm_prefetch(ahead, _MM_HINT_T1);
	return ahead + tile->ahead_step;
}

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
store_row(const RfTile *tile, size_t row, Vec left, Vec right)
{
	store_vector(tile, row, 0, tile->columns < VEC_LANES ? tile->columns : VEC_LANES, left);
	if (tile->columns > VEC_LANES)
		store_vector(tile, row, VEC_LANES, tile->columns - VEC_LANES, right);
}

/* Four bytes of a row, as they are, in all lanes. */
VEC_INLINE __m256i
broadcast_bytes(const char *p)
{
	int bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return _mm256_set1_epi32(bytes);
}

#define DEFINE_TILE(rows)                                                                          \
	VEC_TARGET static void multiply_##rows(const RfTile *tile)                                     \
	{                                                                                              \
		multiply(tile, rows);                                                                      \
	}

/* And run_tile, which takes the one of the tile's height. */
#define DEFINE_ALL_TILES                                                                           \
	DEFINE_TILE(1)                                                                                 \
	DEFINE_TILE(2)                                                                                 \
	DEFINE_TILE(3)                                                                                 \
	DEFINE_TILE(4)                                                                                 \
	DEFINE_TILE(5)                                                                                 \
	DEFINE_TILE(6)                                                                                 \
	static void run_tile(const RfTile *tile)                                                       \
	{                                                                                              \
		static void (*const tiles[ROWS])(const RfTile *) = {multiply_1, multiply_2, multiply_3,    \
															multiply_4, multiply_5, multiply_6};   \
                                                                                                   \
		tiles[tile->rows - 1](tile);                                                               \
	}

#endif
