/*
 * tile_ref.c - the GEMM's tile in portable C.
 *
 * Sums of RF_LANES columns at a time in a small array, which compilers keep in whatever vector
 * registers the target has.
 */
#include "../dispatch.h"
#include "kernels_ref.h"

static void
multiply_lanes(const RfTile *tile, size_t row, size_t column, float *sums)
{
	const float *a = tile->a + row * tile->lda;
	const float *b = tile->b + column;

	for (size_t j = 0; j < RF_LANES; j++)
		sums[j] = 0;
	for (size_t k = 0; k < tile->k; k++)
		for (size_t j = 0; j < RF_LANES; j++)
			sums[j] += a[k] * b[k * tile->ldb + j];
}

void
rf_tile_fp32_ref(const RfTile *tile)
{
	float sums[RF_LANES];

	for (size_t row = 0; row < tile->rows; row++)
		for (size_t column = 0; column < tile->columns; column += RF_LANES)
		{
			float *c = tile->c + row * tile->ldc + column;

			multiply_lanes(tile, row, column, sums);
			for (size_t j = 0; j < RF_LANES && column + j < tile->columns; j++)
			{
				float value = tile->accumulate ? c[j] + sums[j] : sums[j];

				c[j] = tile->bias == NULL ? value : value + tile->bias[column + j];
			}
		}
}
