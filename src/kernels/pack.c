/*
 * pack.c - weights as panels of columns.
 *
 * W [n,k] is cut into panels of kernels->panel rows of W, that is columns of transpose(W). A panel
 * is [k, width]: the tile reads it from front to back. The last panel is as narrow as RF_LANES
 * allows, its surplus columns are zero. Panels follow each other without gaps, so panel p starts
 * at element p * panel * k, and a GEMM that takes them in order reads the weight as one stream.
 */
#include "dispatch.h"

#include "rf/memory.h"

typedef struct Column
{
	size_t offset; /* of its first element */
	size_t width;  /* from one element to the next */
} Column;

static Column
find_column(const RfKernels *kernels, size_t n, size_t k, size_t row)
{
	size_t first = row / kernels->panel * kernels->panel;
	size_t columns = n - first < kernels->panel ? n - first : kernels->panel;
	Column column = {first * k + (row - first), RF_LANES_UP(columns)};

	return column;
}

size_t
rf_pack_panels_size(const RfKernels *kernels, size_t n, size_t k)
{
	size_t columns;
	size_t size;

	(void) kernels;
	if (!rf_size_add(n, RF_LANES - 1, &columns) ||
		!rf_size_mul(columns / RF_LANES * RF_LANES, k, &size) ||
		!rf_size_mul(size, sizeof(float), &size))
		return 0;
	return size;
}

void
rf_pack_panels(const RfKernels *kernels, size_t n, size_t k, size_t row, const float *values,
			   void *weight)
{
	Column column = find_column(kernels, n, k, row);
	float *to = (float *) weight + column.offset;

	for (size_t i = 0; i < k; i++)
		to[i * column.width] = values[i];
	/* The last row brings the zeros beside it. */
	if (row + 1 == n)
		for (size_t pad = 1; (n + pad - 1) % RF_LANES != 0; pad++)
			for (size_t i = 0; i < k; i++)
				to[i * column.width + pad] = 0;
}

void
rf_unpack_panels(const RfKernels *kernels, size_t n, size_t k, size_t row, const void *weight,
				 float *values)
{
	Column column = find_column(kernels, n, k, row);
	const float *from = (const float *) weight + column.offset;

	for (size_t i = 0; i < k; i++)
		values[i] = from[i * column.width];
}

const void *
rf_pack_column(const void *weight, size_t k, size_t first)
{
	return (const float *) weight + first * k;
}
