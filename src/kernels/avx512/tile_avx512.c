/*
 * tile_avx512.c - the GEMM's tile: up to 6 rows by 4 vectors of 16 columns.
 *
 * Per step of k: 4 loads of b, then each of 6 broadcasts of a meets all 4. So 10 loads feed 24
 * FMAs and the two FMA units are the limit. Each sum is one chain of FMAs over k, then added to
 * c, then bias: the same for every height and width of the tile.
 */
#if defined(__x86_64__)

#include "kernels_avx512.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define ROWS RF_TILE_ROWS_AVX512
#define VECTORS (RF_TILE_COLUMNS_AVX512 / 16)

/* Steps of k by which the weights are prefetched: the hardware's streamer stops at page borders. */
#define PREFETCH_STEPS 64

TARGET static inline __attribute__((always_inline)) void
store_row(const RfTile *tile, size_t row, const size_t vectors, __mmask16 last, const __m512 *sums)
{
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

TARGET static inline __attribute__((always_inline)) void
multiply(const RfTile *tile, const size_t rows, const size_t vectors)
{
	const float *a = tile->a;
	const float *b = tile->b;
	size_t lda = tile->lda;
	size_t ldb = tile->ldb;
	__mmask16 last = (__mmask16) (0xFFFFu >> (vectors * 16 - tile->columns));
	__m512 sums[ROWS][VECTORS];

#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			sums[i][j] = _mm512_setzero_ps();
	for (size_t k = 0; k < tile->k; k++, b += ldb)
	{
		__m512 columns[VECTORS];

#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
		{
			columns[j] = _mm512_loadu_ps(b + j * 16);
			_mm_prefetch((const char *) (b + PREFETCH_STEPS * ldb + j * 16), _MM_HINT_T1);
		}
#pragma GCC unroll 6
		for (size_t i = 0; i < rows; i++)
		{
			__m512 value = _mm512_set1_ps(a[i * lda + k]);

#pragma GCC unroll 4
			for (size_t j = 0; j < vectors; j++)
				sums[i][j] = _mm512_fmadd_ps(value, columns[j], sums[i][j]);
		}
	}
#pragma GCC unroll 6
	for (size_t i = 0; i < rows; i++)
		store_row(tile, i, vectors, last, sums[i]);
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
#define TILES(rows)                                                                                \
	{                                                                                              \
		multiply_##rows##_1, multiply_##rows##_2, multiply_##rows##_3, multiply_##rows##_4         \
	}

DEFINE_TILES(1)
DEFINE_TILES(2)
DEFINE_TILES(3)
DEFINE_TILES(4)
DEFINE_TILES(5)
DEFINE_TILES(6)

void
rf_tile_fp32_avx512(const RfTile *tile)
{
	static void (*const tiles[ROWS][VECTORS])(const RfTile *) = {TILES(1), TILES(2), TILES(3),
																 TILES(4), TILES(5), TILES(6)};

	tiles[tile->rows - 1][(tile->columns - 1) / 16](tile);
}

#endif
