/*
 * pack.c - weights as panels of columns.
 *
 * W [n,k] is cut into panels of format->panel rows of W, that is columns of transpose(W). A panel
 * is a sequence of blocks of k_block steps of k, the last one as short as k_step allows. A block is
 * the heads of all columns and then, for each k_step steps, the terms of column 0, of column 1, and
 * so on: the tile reads it from front to back. The last panel is as narrow as RF_LANES allows, its
 * surplus columns are zero. Panels follow each other without gaps, so a GEMM that takes them in
 * order reads the weight as one stream.
 *
 * fp32 has no heads and steps of one: its panel is a matrix [k,width].
 */
#include "dispatch.h"

#include <string.h>

#include "rf/memory.h"

/* Bytes of k terms in blocks, each with a head; false when that overflows. */
static bool
blocks_size(const RfFormat *format, size_t k, size_t head, size_t term, size_t *size)
{
	size_t blocks = k / format->k_block + (k % format->k_block != 0);
	size_t terms;
	size_t heads;

	if (!rf_size_add(k, format->k_step - 1, &terms) ||
		!rf_size_mul(terms / format->k_step * format->k_step, term, &terms) ||
		!rf_size_mul(blocks, head, &heads))
		return false;
	return rf_size_add(terms, heads, size);
}

size_t
rf_row_size(const RfFormat *format, size_t k)
{
	size_t size;

	return blocks_size(format, k, format->row_head, format->row_term, &size) ? size : 0;
}

/* An odd number of lines, so that the same line of many rows is in many sets of a cache. */
size_t
rf_row_stride(const RfFormat *format, size_t k)
{
	size_t lines = (rf_row_size(format, k) + RF_ALIGNMENT - 1) / RF_ALIGNMENT;

	return (lines | 1) * RF_ALIGNMENT;
}

static size_t
column_size(const RfFormat *format, size_t k)
{
	size_t size;

	return blocks_size(format, k, format->head, format->term, &size) ? size : 0;
}

size_t
rf_pack_panels_size(const RfFormat *format, size_t n, size_t k)
{
	size_t columns;
	size_t size;

	if (!rf_size_add(n, RF_LANES - 1, &columns) ||
		!blocks_size(format, k, format->head, format->term, &size) ||
		!rf_size_mul(columns / RF_LANES * RF_LANES, size, &size))
		return 0;
	return size;
}

const void *
rf_pack_column(const RfFormat *format, const void *weight, size_t k, size_t first)
{
	return (const char *) weight + first * column_size(format, k);
}

/* The block from term k on of column row. */
static RfBlock
find_block(const RfFormat *format, size_t n, size_t k, size_t row, size_t first_k,
		   const void *weight)
{
	size_t first = row / format->panel * format->panel;
	size_t columns = n - first < format->panel ? n - first : format->panel;
	size_t width = RF_LANES_UP(columns);
	size_t before =
		first_k / format->k_block * width * (format->head + format->k_block * format->term);
	char *head = (char *) weight + first * column_size(format, k) + before;
	RfBlock block = {head, head + width * format->head, width, row - first};

	return block;
}

static size_t
block_depth(const RfFormat *format, size_t k, size_t first_k)
{
	return k - first_k < format->k_block ? k - first_k : format->k_block;
}

/* The last row brings the columns of zeros beside it. */
static void
clear_surplus(const RfFormat *format, const RfBlock *block, size_t depth)
{
	RfBlock surplus = *block;
	float zeros[RF_MAX_K_BLOCK] = {0};

	for (surplus.column++; surplus.column % RF_LANES != 0; surplus.column++)
		format->encode(format, &surplus, zeros, depth);
}

void
rf_pack_panels(const RfFormat *format, size_t n, size_t k, size_t row, const float *values,
			   void *weight)
{
	for (size_t first = 0; first < k; first += format->k_block)
	{
		RfBlock block = find_block(format, n, k, row, first, weight);
		size_t depth = block_depth(format, k, first);

		format->encode(format, &block, values + first, depth);
		if (row + 1 == n)
			clear_surplus(format, &block, depth);
	}
}

void
rf_unpack_panels(const RfFormat *format, size_t n, size_t k, size_t row, const void *weight,
				 float *values)
{
	for (size_t first = 0; first < k; first += format->k_block)
	{
		RfBlock block = find_block(format, n, k, row, first, weight);

		format->decode(format, &block, block_depth(format, k, first), values + first);
	}
}
