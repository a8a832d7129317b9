/*
 * tile_ref.c - the GEMM's tile in portable C, in each precision.
 *
 * Sums of RF_LANES columns at a time in a small array, which compilers keep in whatever vector
 * registers the target has.
 */
#include "../convert.h"
#include "../dispatch.h"
#include "kernels_ref.h"

typedef void (*MultiplyLanes)(const RfTile *tile, const char *a, size_t column, float *sums);

static void
multiply_fp32(const RfTile *tile, const char *row, size_t column, float *sums)
{
	const float *a = (const float *) row;
	const float *b = (const float *) tile->b + column;

	for (size_t j = 0; j < RF_LANES; j++)
		sums[j] = 0;
	for (size_t k = 0; k < tile->k; k++)
		for (size_t j = 0; j < RF_LANES; j++)
			sums[j] += a[k] * b[k * tile->ldb + j];
}

/* Pairs of terms in b, single ones widened to fp32 in a. */
static void
multiply_bf16(const RfTile *tile, const char *row, size_t column, float *sums)
{
	const float *a = (const float *) row;
	const uint16_t *b = (const uint16_t *) tile->b + 2 * column;

	for (size_t j = 0; j < RF_LANES; j++)
		sums[j] = 0;
	for (size_t k = 0; k < tile->k; k += 2, b += 2 * tile->ldb)
	{
		for (size_t j = 0; j < RF_LANES; j++)
			sums[j] += a[k] * rf_float_of_bf16(b[2 * j]);
		for (size_t j = 0; j < RF_LANES; j++)
			sums[j] += a[k + 1] * rf_float_of_bf16(b[2 * j + 1]);
	}
}

/* Four terms of each column side by side. */
static void
multiply_int8(const RfTile *tile, const char *row, size_t column, float *sums)
{
	const uint8_t *a = (const uint8_t *) row + sizeof(RfRowHead);
	const float *scales = (const float *) tile->b;
	const int8_t *b = (const int8_t *) (scales + 2 * tile->ldb) + 4 * column;
	int32_t products[RF_LANES] = {0};
	RfRowHead head;

	memcpy(&head, row, sizeof(head));
	scales += column;
	for (size_t k = 0; k < tile->k; k += 4, b += 4 * tile->ldb)
		for (size_t j = 0; j < RF_LANES; j++)
			for (size_t i = 0; i < 4; i++)
				products[j] += a[k + i] * b[4 * j + i];
	for (size_t j = 0; j < RF_LANES; j++)
		sums[j] = (float) products[j] * (head.scale * scales[j]) + head.low * scales[tile->ldb + j];
}

static void
run_tile(const RfTile *tile, MultiplyLanes multiply)
{
	float sums[RF_LANES];

	for (size_t row = 0; row < tile->rows; row++)
		for (size_t column = 0; column < tile->columns; column += RF_LANES)
		{
			float *c = tile->c + row * tile->ldc + column;

			multiply(tile, (const char *) tile->a + row * tile->lda, column, sums);
			for (size_t j = 0; j < RF_LANES && column + j < tile->columns; j++)
			{
				float value = tile->accumulate ? c[j] + sums[j] : sums[j];

				c[j] = tile->bias == NULL ? value : value + tile->bias[column + j];
			}
		}
}

void
rf_tile_fp32_ref(const RfTile *tile)
{
	run_tile(tile, multiply_fp32);
}

void
rf_tile_bf16_ref(const RfTile *tile)
{
	run_tile(tile, multiply_bf16);
}

void
rf_tile_int8_ref(const RfTile *tile)
{
	run_tile(tile, multiply_int8);
}
