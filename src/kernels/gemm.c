/*
 * gemm.c - loops of the packed GEMM: which tile comes after which.
 *
 * Rows in blocks of row_block, panels, K in blocks of k_block, rows in strips of tile_rows. A block
 * of a panel stays in the first-level cache while the strips pass; the rows' block of a stays in
 * the second level while the panels pass. Bias comes with the last block of K, the activation when
 * the tile's sums are complete and still in the cache.
 */
#include "dispatch.h"

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Rows of a strip: the strips of a block are of nearly equal height. */
static size_t
strip_rows(size_t rows, size_t tile_rows)
{
	size_t strips = (rows + tile_rows - 1) / tile_rows;

	return (rows + strips - 1) / strips;
}

static void
activate_block(const RfKernels *kernels, const RfGemm *gemm, const RfTile *tile)
{
	RfActivate activate = kernels->activate[gemm->activation];

	for (size_t i = 0; i < tile->rows; i++)
		activate(tile->c + i * tile->ldc, tile->columns);
}

/* Strip after strip of a block fetches its share of what is read next. */
typedef struct Ahead
{
	const char *share;
	size_t step; /* bytes of a region for one step of k */
	size_t region;
	size_t size;
} Ahead;

/*
 * What follows the block in memory, of its size. All strips have a part in it, so that memory is
 * read the whole time, not only while the first of them meets weights that nobody had before.
 */
static Ahead
plan_ahead(const RfFormat *format, const char *block, size_t width, size_t depth, size_t strips)
{
	size_t steps = (depth + format->k_step - 1) / format->k_step;
	size_t regions = width / RF_LANES;
	size_t bytes = width * (format->head + steps * format->k_step * format->term);
	Ahead ahead = {.share = block + bytes, .step = (bytes - 1) / (steps * regions * strips) + 1};

	ahead.region = ahead.step * steps;
	ahead.size = ahead.region * regions;
	return ahead;
}

/* Rows [first, end) against columns [column, column + columns) of one panel. */
static void
multiply_panel(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm, size_t first,
			   size_t end, size_t column, size_t columns)
{
	const char *panel = rf_pack_column(format, gemm->weight, gemm->k, column);
	size_t width = RF_LANES_UP(columns);
	size_t strip = strip_rows(end - first, format->tile_rows);
	size_t block_size = width * (format->head + format->k_block * format->term);
	size_t row_block_size = format->row_head + format->k_block * format->row_term;
	size_t strips = (end - first + strip - 1) / strip;

	for (size_t block = 0; block * format->k_block < gemm->k; block++)
	{
		size_t k = block * format->k_block;
		size_t depth = smaller(format->k_block, gemm->k - k);
		bool last = k + depth == gemm->k;
		Ahead ahead = plan_ahead(format, panel + block * block_size, width, depth, strips);

		for (size_t row = first; row < end; row += strip)
		{
			RfTile tile = {
				.rows = smaller(strip, end - row),
				.columns = columns,
				.k = depth,
				.a = (const char *) gemm->a + row * gemm->lda + block * row_block_size,
				.lda = gemm->lda,
				.b = panel + block * block_size,
				.ldb = width,
				.bias = last && gemm->bias != NULL ? gemm->bias + column : NULL,
				.c = gemm->c + row * gemm->ldc + column,
				.ldc = gemm->ldc,
				.accumulate = k > 0 || gemm->accumulate,
				.ahead = ahead.share,
				.ahead_step = ahead.step,
				.ahead_region = ahead.region,
			};

			ahead.share += ahead.size;
			format->tile(&tile);
			if (last && gemm->activation != RF_ACT_LINEAR)
				activate_block(kernels, gemm, &tile);
		}
	}
}

void
rf_gemm_panels(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm)
{
	for (size_t first = 0; first < gemm->m; first += format->row_block)
	{
		size_t end = first + smaller(format->row_block, gemm->m - first);

		for (size_t column = 0; column < gemm->n; column += format->panel)
			multiply_panel(kernels, format, gemm, first, end, column,
						   smaller(format->panel, gemm->n - column));
	}
}
