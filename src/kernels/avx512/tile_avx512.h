/*
 * tile_avx512.h - what the tiles of all precisions share: 6 rows by 4 vectors of 16 columns.
 *
 * 24 of 32 registers hold sums, 4 hold columns of b, each of 6 broadcasts of a meets all 4: 10
 * loads feed 24 multiplications and the two units for these are the limit. A sum is one chain over
 * k, then added to c, then bias: the same for every height and width of the tile.
 *
 * A file that includes this defines TARGET before and, after it, an always inlined function
 * multiply(tile, rows, vectors), and puts DEFINE_ALL_TILES behind that.
 */
#ifndef RF_TILE_AVX512_H
#define RF_TILE_AVX512_H

#include "kernels_avx512.h"

#include <immintrin.h>
#include <string.h>

#define INLINE TARGET static inline __attribute__((always_inline))
#define ROWS RF_TILE_ROWS_AVX512
#define VECTORS (RF_TILE_COLUMNS_AVX512 / 16)

/* Into the second level: the first holds the block that the strips pass. */
INLINE const char *
fetch_ahead(const RfTile *tile, const char *ahead, const size_t vectors)
{
#pragma GCC unroll 4
	for (size_t j = 0; j < vectors; j++)
		_mm_prefetch(ahead + j * tile->ahead_region, _MM_HINT_T1);
	return ahead + tile->ahead_step;
}

/* The columns of the last of so many vectors. */
INLINE __mmask16
last_columns(const RfTile *tile, const size_t vectors)
{
	return (__mmask16) (0xFFFFu >> (vectors * 16 - tile->columns));
}

INLINE void
store_row(const RfTile *tile, size_t row, const size_t vectors, const __m512 *sums)
{
	__mmask16 last = last_columns(tile, vectors);
	float *c = tile->c + row * tile->ldc;

#pragma GCC unroll 4
	for (size_t j = 0; j < vectors; j++)
	{
		__mmask16 mask = j + 1 == vectors ? last : 0xFFFF;
		__m512 value = sums[j];

		if (tile->accumulate)
			value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c + j * 16), value);
		if (tile->bias != NULL)
			value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, tile->bias + j * 16));
		_mm512_mask_storeu_ps(c + j * 16, mask, value);
	}
}

/* Four bytes of a row, as they are, in all lanes. */
INLINE __m512i
broadcast_bytes(const char *p)
{
	int bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return _mm512_set1_epi32(bytes);
}

#define DEFINE_TILE(rows, vectors)                                                                 \
	TARGET static void multiply_##rows##_##vectors(const RfTile *tile)                             \
	{                                                                                              \
		multiply(tile, rows, vectors);                                                             \
	}
#define DEFINE_TILES(rows)                                                                         \
	DEFINE_TILE(rows, 1)                                                                           \
	DEFINE_TILE(rows, 2)                                                                           \
	DEFINE_TILE(rows, 3)                                                                           \
	DEFINE_TILE(rows, 4)
#define LIST_TILES(rows)                                                                           \
	{                                                                                              \
		multiply_##rows##_1, multiply_##rows##_2, multiply_##rows##_3, multiply_##rows##_4         \
	}

/* And run_tile, which takes the one of the tile's size. */
#define DEFINE_ALL_TILES                                                                           \
	DEFINE_TILES(1)                                                                                \
	DEFINE_TILES(2)                                                                                \
	DEFINE_TILES(3)                                                                                \
	DEFINE_TILES(4)                                                                                \
	DEFINE_TILES(5)                                                                                \
	DEFINE_TILES(6)                                                                                \
	static void run_tile(const RfTile *tile)                                                       \
	{                                                                                              \
		static void (*const tiles[ROWS][VECTORS])(const RfTile *) = {                              \
			LIST_TILES(1), LIST_TILES(2), LIST_TILES(3),                                           \
			LIST_TILES(4), LIST_TILES(5), LIST_TILES(6)};                                          \
                                                                                                   \
		tiles[tile->rows - 1][(tile->columns - 1) / 16](tile);                                     \
	}

#endif
