/*
 * tiles_amx.h - the eight tile registers: the instructions of AMX or, with RF_AMX_EMULATED, a model
 * of them in C, which lets the kernels be tested on processors without AMX.
 *
 * A tile is up to 16 rows of up to 64 bytes, as the configuration says. The products are those of
 * the Intel SDM, volume 2 (TDPBF16PS, TDPBUSD): row r, column n of c is added the products of the
 * pairs (bf16) or fours (int8) of row r of a with those that stand at column n of b's rows.
 *
 * The number of a tile must be a constant.
 */
#ifndef RF_TILES_AMX_H
#define RF_TILES_AMX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TILE_ROWS ((size_t) 16)
#define TILE_BYTES ((size_t) 64) /* of a row */

/* As LDTILECFG reads it (palette 1). */
typedef struct TileShapes
{
	uint8_t palette;
	uint8_t start_row;
	uint8_t reserved[14];
	uint16_t bytes[16]; /* of a row of each tile */
	uint8_t rows[16];
} TileShapes;

#ifndef RF_AMX_EMULATED

#include <immintrin.h>

#define AMX_TARGET __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512dq")))

/* An instruction of its own: the intrinsic of gcc 12 says that it reads 8 of the 64 bytes. */
#define tile_configure(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(*(shapes)))
#define tile_release() _tile_release()
#define tile_zero(tile) _tile_zero(tile)
#define tile_load(tile, from, stride) _tile_loadd(tile, from, stride)
/* What is read once goes past the first-level cache. */
#define tile_load_once(tile, from, stride) _tile_stream_loadd(tile, from, stride)
#define tile_store(tile, to, stride) _tile_stored(tile, to, stride)
#define tile_multiply_bf16(c, a, b) _tile_dpbf16ps(c, a, b)
#define tile_multiply_int8(c, a, b) _tile_dpbusd(c, a, b) /* a without sign, b with */

#else

#define AMX_TARGET

typedef struct ModelTiles
{
	TileShapes shapes;
	uint8_t tiles[8][TILE_ROWS][TILE_BYTES];
} ModelTiles;

static ModelTiles model_tiles;

static inline void
tile_configure(const TileShapes *shapes)
{
	memset(&model_tiles, 0, sizeof(model_tiles));
	model_tiles.shapes = *shapes;
}

static inline void
tile_release(void)
{
	memset(&model_tiles, 0, sizeof(model_tiles));
}

static inline void
tile_zero(int tile)
{
	memset(model_tiles.tiles[tile], 0, sizeof(model_tiles.tiles[tile]));
}

static inline void
tile_load(int tile, const void *from, size_t stride)
{
	tile_zero(tile);
	for (size_t row = 0; row < model_tiles.shapes.rows[tile]; row++)
		memcpy(model_tiles.tiles[tile][row], (const char *) from + row * stride,
			   model_tiles.shapes.bytes[tile]);
}

#define tile_load_once(tile, from, stride) tile_load(tile, from, stride)

static inline void
tile_store(int tile, void *to, size_t stride)
{
	for (size_t row = 0; row < model_tiles.shapes.rows[tile]; row++)
		memcpy((char *) to + row * stride, model_tiles.tiles[tile][row],
			   model_tiles.shapes.bytes[tile]);
}

/* Subnormal numbers count as zero. */
static inline float
model_bf16(const uint8_t *p)
{
	uint16_t half;
	uint32_t bits;
	float value;

	memcpy(&half, p, sizeof(half));
	bits = (half & 0x7F80) == 0 ? (uint32_t) (half & 0x8000) << 16 : (uint32_t) half << 16;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The terms of even and of odd number are summed up apart. */
static inline void
tile_multiply_bf16(int c, int a, int b)
{
	const TileShapes *shapes = &model_tiles.shapes;

	for (size_t row = 0; row < shapes->rows[c]; row++)
		for (size_t column = 0; column < shapes->bytes[c] / 4u; column++)
		{
			float even = 0;
			float odd = 0;
			float sum;

			for (size_t k = 0; k < shapes->bytes[a] / 4u; k++)
			{
				const uint8_t *x = model_tiles.tiles[a][row] + k * 4;
				const uint8_t *w = model_tiles.tiles[b][k] + column * 4;

				even = __builtin_fmaf(model_bf16(x), model_bf16(w), even);
				odd = __builtin_fmaf(model_bf16(x + 2), model_bf16(w + 2), odd);
			}
			memcpy(&sum, model_tiles.tiles[c][row] + column * 4, sizeof(sum));
			sum += even + odd;
			memcpy(model_tiles.tiles[c][row] + column * 4, &sum, sizeof(sum));
		}
}

static inline void
tile_multiply_int8(int c, int a, int b)
{
	const TileShapes *shapes = &model_tiles.shapes;

	for (size_t row = 0; row < shapes->rows[c]; row++)
		for (size_t column = 0; column < shapes->bytes[c] / 4u; column++)
		{
			int32_t sum;

			memcpy(&sum, model_tiles.tiles[c][row] + column * 4, sizeof(sum));
			for (size_t k = 0; k < shapes->bytes[a]; k++)
				sum += model_tiles.tiles[a][row][k] *
					   (int8_t) model_tiles.tiles[b][k / 4][column * 4 + k % 4];
			memcpy(model_tiles.tiles[c][row] + column * 4, &sum, sizeof(sum));
		}
}

#endif

#endif
