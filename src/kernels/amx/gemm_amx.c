/*
 * gemm_amx.c - the GEMM of the tile unit, for bf16 and int8.
 *
 * Four tiles hold sums of 32 rows by 32 columns, two hold rows of a, two columns of b: four loads
 * feed four multiplications. The second-level cache delivers less than that takes, so the 32
 * columns stay in the first level for DEPTH steps of k, while up to GROUP blocks of rows pass,
 * whose tiles are loaded past that cache. Sums go through a scratch that stays there, too. Bringing
 * them to c is left for later: a few rows of the block before are finished between the steps of the
 * next one, and the panel that follows is fetched ahead, both hidden behind the tile unit. In bf16
 * they may become rows for the next GEMM there.
 *
 * bf16 sums up all of K in the tiles; leaving them at DEPTH and coming back changes no bit. int8
 * does so for a block of k_block terms, whose whole-numbered sums then get their sizes. Either way
 * the order depends on K only.
 *
 * Tiles are configured at the beginning of a call and released at its end: whoever else uses them
 * in this process may do as it likes. Rows of a are read in sixteens (format->row_group).
 */
#if defined(__x86_64__)

#include "kernels_amx.h"

#include "../convert.h"
#include "tiles_amx.h"

#define INLINE AMX_TARGET static inline __attribute__((always_inline))

#define ROWS (2 * TILE_ROWS)
#define COLUMNS ((size_t) 32)
#define GROUP ((size_t) 4)       /* blocks of rows that pass columns in the first-level cache */
#define DEPTH ((size_t) 12)      /* steps of k for which these stay there: 24 KB */
#define ROW_BLOCK ((size_t) 384) /* rows of a that stay in the second-level cache */
#define LINE ((size_t) 64)

typedef union Sums
{
	float real[ROWS][COLUMNS];
	int32_t whole[ROWS][COLUMNS];
} Sums;

/* A block of sums on its way to c or to rows of the format. */
typedef struct Finish
{
	Sums *sums;
	const char *a;     /* of its first row in this block of k: there is the head */
	const float *head; /* of its columns; int8 only */
	const float *bias; /* [columns] or NULL */
	float *c;
	char *made; /* rows of the format, or NULL */
	size_t columns;
	size_t width;
	size_t rows;
	size_t next; /* row */
	bool accumulate;
	bool last; /* block of k */
} Finish;

/* One panel in one block of k. */
typedef struct Panel
{
	const char *head;
	const char *terms;
	size_t column;
	size_t columns;
	size_t width; /* 16 or 32 */
	size_t a;     /* bytes from the start of a row */
	size_t steps; /* whole ones */
	size_t tail;  /* bytes of a in the step behind them */
	bool first;
	bool last;
	const char *ahead; /* to be fetched */
	size_t lines;      /* in each step */
} Panel;

typedef struct Call
{
	const RfKernels *kernels;
	const RfFormat *format;
	const RfGemm *gemm;
	Finish finish;
	size_t side;
	Sums (*sums)[GROUP]; /* [2][GROUP] */
} Call;

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* depth: bytes of a in a step; whole ones have 64 */
AMX_TARGET static void
configure(size_t depth)
{
	TileShapes shapes = {.palette = 1};

	for (size_t tile = 0; tile < 4; tile++)
	{
		shapes.rows[tile] = TILE_ROWS;
		shapes.bytes[tile] = TILE_BYTES;
	}
	for (size_t tile = 4; tile < 6; tile++)
	{
		shapes.rows[tile] = TILE_ROWS;
		shapes.bytes[tile] = (uint16_t) depth;
	}
	for (size_t tile = 6; tile < 8; tile++)
	{
		shapes.rows[tile] = (uint8_t) (depth / 4);
		shapes.bytes[tile] = TILE_BYTES;
	}
	tile_configure(&shapes);
}

/* The sums of a row with their sizes: x w = scale_x scale_w (q_x q_w) + low_x (sum of w) */
INLINE void
size_products(const int32_t *restrict sums, const RfRowHead *head, const float *restrict scales,
			  const float *restrict weights, const size_t columns, float *restrict values)
{
	for (size_t j = 0; j < columns; j++)
		values[j] = (float) sums[j] * (head->scale * scales[j]) + head->low * weights[j];
}

/* c = (c +) values (+ bias); that c overlaps neither is what makes vectors of this. */
INLINE void
add_row(float *restrict c, const float *restrict values, const float *restrict bias,
		const size_t columns, bool accumulate)
{
	if (accumulate && bias != NULL)
		for (size_t j = 0; j < columns; j++)
			c[j] = c[j] + values[j] + bias[j];
	else if (accumulate)
		for (size_t j = 0; j < columns; j++)
			c[j] = c[j] + values[j];
	else if (bias != NULL)
		for (size_t j = 0; j < columns; j++)
			c[j] = values[j] + bias[j];
	else
		for (size_t j = 0; j < columns; j++)
			c[j] = values[j];
}

INLINE void
store_row(const Finish *finish, const size_t columns, const bool int8)
{
	float sized[COLUMNS];
	RfRowHead head;

	if (!int8)
	{
		add_row(finish->c, finish->sums->real[finish->next], finish->bias, columns,
				finish->accumulate);
		return;
	}
	memcpy(&head, finish->a, sizeof(head));
	size_products(finish->sums->whole[finish->next], &head, finish->head,
				  finish->head + finish->width, columns, sized);
	add_row(finish->c, sized, finish->bias, columns, finish->accumulate);
}

INLINE void
finish_row(Call *call, const bool int8)
{
	Finish *finish = &call->finish;
	RfActivation activation = call->gemm->activation;

	if (finish->columns == COLUMNS)
		store_row(finish, COLUMNS, int8);
	else
		store_row(finish, finish->columns, int8);
	if (finish->last && activation != RF_ACT_LINEAR)
		call->kernels->activate[activation](finish->c, finish->columns);
	finish->c += call->gemm->ldc;
	finish->a += call->gemm->lda;
	finish->next++;
}

/* Rows of the format, in bf16: activated where the sums are, all at once when nothing lies between
 * them. */
INLINE void
make_rows(Call *call, size_t count)
{
	Finish *finish = &call->finish;
	RfActivate activate = call->kernels->activate[call->gemm->activation];
	float *values = finish->sums->real[finish->next];
	size_t columns = finish->columns;

	for (size_t i = 0; i < count && finish->bias != NULL; i++)
		add_row(values + i * COLUMNS, finish->bias, NULL, columns, true);
	if (columns == COLUMNS)
		activate(values, count * COLUMNS);
	else
		for (size_t i = 0; i < count; i++)
			activate(values + i * COLUMNS, columns);
	for (size_t i = 0; i < count; i++, finish->made += call->gemm->ldr)
		call->format->convert(call->format, values + i * COLUMNS, columns, finish->made);
	finish->next += count;
}

/* Of the next rows as many as there are. */
INLINE void
finish_rows(Call *call, size_t count, const bool int8)
{
	Finish *finish = &call->finish;

	count = smaller(count, finish->rows - finish->next);
	if (count == 0)
		return;
	if (!int8 && finish->made != NULL)
		make_rows(call, count);
	else
		while (count-- > 0)
			finish_row(call, int8);
}

/* Loads and multiplications of one step: a at two rows' places, b at two columns'. */
INLINE void
multiply_step(const char *a, size_t lda, const char *b, size_t width, const bool two_rows,
			  const bool two_columns, const bool int8)
{
	tile_load_once(4, a, lda);
	tile_load(6, b, width * 4);
	if (two_columns)
		tile_load(7, b + TILE_BYTES, width * 4);
	if (two_rows)
		tile_load_once(5, a + TILE_ROWS * lda, lda);
	if (int8)
	{
		tile_multiply_int8(0, 4, 6);
		if (two_columns)
			tile_multiply_int8(1, 4, 7);
		if (two_rows)
			tile_multiply_int8(2, 5, 6);
		if (two_rows && two_columns)
			tile_multiply_int8(3, 5, 7);
	}
	else
	{
		tile_multiply_bf16(0, 4, 6);
		if (two_columns)
			tile_multiply_bf16(1, 4, 7);
		if (two_rows)
			tile_multiply_bf16(2, 5, 6);
		if (two_rows && two_columns)
			tile_multiply_bf16(3, 5, 7);
	}
}

#define SUMS_STRIDE (COLUMNS * sizeof(float))

INLINE void
begin_sums(Sums *sums, bool fresh, const bool two_rows, const bool two_columns)
{
	if (fresh)
	{
		tile_zero(0);
		tile_zero(1);
		tile_zero(2);
		tile_zero(3);
		return;
	}
	tile_load(0, &sums->real[0][0], SUMS_STRIDE);
	if (two_columns)
		tile_load(1, &sums->real[0][TILE_ROWS], SUMS_STRIDE);
	if (two_rows)
		tile_load(2, &sums->real[TILE_ROWS][0], SUMS_STRIDE);
	if (two_rows && two_columns)
		tile_load(3, &sums->real[TILE_ROWS][TILE_ROWS], SUMS_STRIDE);
}

INLINE void
leave_sums(Sums *sums, const bool two_rows, const bool two_columns)
{
	tile_store(0, &sums->real[0][0], SUMS_STRIDE);
	if (two_columns)
		tile_store(1, &sums->real[0][TILE_ROWS], SUMS_STRIDE);
	if (two_rows)
		tile_store(2, &sums->real[TILE_ROWS][0], SUMS_STRIDE);
	if (two_rows && two_columns)
		tile_store(3, &sums->real[TILE_ROWS][TILE_ROWS], SUMS_STRIDE);
}

/* Steps [first, end) for the rows of a at a; sums continue in, and end up in, sums. */
INLINE void
multiply_block(Call *call, Panel *panel, const char *a, size_t first, size_t end, Sums *sums,
			   const bool two_rows, const bool two_columns, const bool int8)
{
	size_t lda = call->gemm->lda;
	size_t width = panel->width;
	Finish *finish = &call->finish;
	size_t due = (finish->rows - finish->next + end - first - 1) / (end - first);
	const char *b = panel->terms + first * TILE_ROWS * width * 4;

	begin_sums(sums, first == 0, two_rows, two_columns);
	for (size_t step = first; step < end; step++, b += TILE_ROWS * width * 4)
	{
		multiply_step(a + step * TILE_BYTES, lda, b, width, two_rows, two_columns, int8);
		for (size_t line = 0; line < panel->lines; line++, panel->ahead += LINE)
			__builtin_prefetch(panel->ahead, 0, 2);
		finish_rows(call, due, int8);
	}
	leave_sums(sums, two_rows, two_columns);
}

/* The terms behind the last whole step, in tiles of their own shape. */
INLINE void
multiply_tail(const Call *call, const Panel *panel, const char *a, Sums *sums, const bool two_rows,
			  const bool two_columns, const bool int8)
{
	const char *b = panel->terms + panel->steps * TILE_ROWS * panel->width * 4;

	tile_release();
	configure(panel->tail);
	begin_sums(sums, panel->steps == 0, two_rows, two_columns);
	multiply_step(a + panel->steps * TILE_BYTES, call->gemm->lda, b, panel->width, two_rows,
				  two_columns, int8);
	leave_sums(sums, two_rows, two_columns);
	tile_release();
	configure(TILE_BYTES);
}

#define DEFINE_BLOCK(name, two_rows, two_columns, int8)                                            \
	AMX_TARGET static void block_##name(Call *call, Panel *panel, const char *a, size_t first,     \
										size_t end, Sums *sums)                                    \
	{                                                                                              \
		if (first < end)                                                                           \
			multiply_block(call, panel, a, first, end, sums, two_rows, two_columns, int8);         \
		if (end == panel->steps && panel->tail > 0)                                                \
			multiply_tail(call, panel, a, sums, two_rows, two_columns, int8);                      \
		finish_rows(call, ROWS, int8);                                                             \
	}

DEFINE_BLOCK(bf16_1_1, false, false, false)
DEFINE_BLOCK(bf16_1_2, false, true, false)
DEFINE_BLOCK(bf16_2_1, true, false, false)
DEFINE_BLOCK(bf16_2_2, true, true, false)
DEFINE_BLOCK(int8_1_1, false, false, true)
DEFINE_BLOCK(int8_1_2, false, true, true)
DEFINE_BLOCK(int8_2_1, true, false, true)
DEFINE_BLOCK(int8_2_2, true, true, true)

typedef void (*BlockFunction)(Call *call, Panel *panel, const char *a, size_t first, size_t end,
							  Sums *sums);

static BlockFunction
find_block(bool two_rows, bool two_columns, bool int8)
{
	static const BlockFunction functions[2][2][2] = {
		{{block_bf16_1_1, block_bf16_1_2}, {block_bf16_2_1, block_bf16_2_2}},
		{{block_int8_1_1, block_int8_1_2}, {block_int8_2_1, block_int8_2_2}},
	};

	return functions[int8][two_rows][two_columns];
}

/* The sums of these rows are complete for this block of k. */
static void
begin_finish(Call *call, const Panel *panel, size_t row, size_t rows, Sums *sums)
{
	const RfGemm *gemm = call->gemm;

	call->finish = (Finish){
		.sums = sums,
		.a = (const char *) gemm->a + row * gemm->lda + panel->a - call->format->row_head,
		.head = (const float *) panel->head,
		.bias = panel->last && gemm->bias != NULL ? gemm->bias + panel->column : NULL,
		.c = gemm->rows == NULL ? gemm->c + row * gemm->ldc + panel->column : NULL,
		.made = gemm->rows == NULL ? NULL
								   : (char *) gemm->rows + row * gemm->ldr +
										 panel->column * call->format->row_term,
		.columns = panel->columns,
		.width = panel->width,
		.rows = rows,
		.accumulate = !panel->first || gemm->accumulate,
		.last = panel->last,
	};
}

/* A group of rows [first, end) passes the panel, DEPTH steps at a time. */
static void
multiply_group(Call *call, Panel *panel, size_t first, size_t end, size_t depth, bool int8)
{
	const RfGemm *gemm = call->gemm;
	size_t step = 0;

	do
	{
		size_t last_step = smaller(step + depth, panel->steps);

		for (size_t row = first; row < end; row += ROWS)
		{
			size_t rows = smaller(ROWS, end - row);
			Sums *sums = &call->sums[call->side][(row - first) / ROWS];

			find_block(rows > TILE_ROWS, panel->width > TILE_ROWS,
					   int8)(call, panel, (const char *) gemm->a + row * gemm->lda + panel->a, step,
							 last_step, sums);
			if (last_step == panel->steps)
				begin_finish(call, panel, row, rows, sums);
		}
		step = last_step;
	} while (step < panel->steps);
	/* A lone block's sums wait while the next one's are written. */
	if (end - first <= ROWS)
		call->side = 1 - call->side;
}

/* Rows [first, end) against the panel of column, block of k after block of k. */
static void
multiply_panel(Call *call, size_t first, size_t end, size_t column, bool int8)
{
	const RfFormat *format = call->format;
	const RfGemm *gemm = call->gemm;
	size_t columns = smaller(COLUMNS, gemm->n - column);
	size_t width = RF_LANES_UP(columns);
	size_t blocks = (end - first + ROWS - 1) / ROWS;
	size_t k_block = int8 ? format->k_block : gemm->k;
	const char *start = rf_pack_column(format, gemm->weight, gemm->k, column);

	for (size_t k = 0; k < gemm->k; k += k_block)
	{
		size_t depth = smaller(k_block, gemm->k - k);
		size_t bytes = (depth + format->k_step - 1) / format->k_step * 4;
		Panel panel = {
			.head = start,
			.terms = start + format->head * width,
			.column = column,
			.columns = columns,
			.width = width,
			.a = format->row_head + k / k_block * (format->row_head + k_block * format->row_term),
			.steps = bytes / TILE_BYTES,
			.tail = bytes % TILE_BYTES,
			.first = k == 0,
			.last = k + depth == gemm->k,
			.ahead = start + (format->head + bytes) * width,
			.lines = (TILE_ROWS * width * 4 / LINE + blocks - 1) / blocks,
		};

		/* Few rows leave room for the whole depth. */
		for (size_t row = first; row < end; row += GROUP * ROWS)
			multiply_group(call, &panel, row, smaller(row + GROUP * ROWS, end),
						   blocks <= 2 ? panel.steps : DEPTH, int8);
		start = panel.terms + bytes * width;
	}
}

AMX_TARGET static void
multiply_all(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm, bool int8)
{
	Sums sums[2][GROUP] __attribute__((aligned(64)));
	Call call = {.kernels = kernels, .format = format, .gemm = gemm, .sums = sums};

	configure(TILE_BYTES);
	for (size_t first = 0; first < gemm->m; first += format->row_block)
		for (size_t column = 0; column < gemm->n; column += COLUMNS)
			multiply_panel(&call, first, smaller(first + format->row_block, gemm->m), column, int8);
	tile_release();
	finish_rows(&call, ROWS, int8);
}

static void
multiply_bf16(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm)
{
	multiply_all(kernels, format, gemm, false);
}

static void
multiply_int8(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm)
{
	multiply_all(kernels, format, gemm, true);
}

static void
fill_panels(RfFormat *format)
{
	format->tile_rows = ROWS;
	format->panel = COLUMNS;
	format->row_block = ROW_BLOCK;
	format->column_block = COLUMNS;
	format->row_group = TILE_ROWS;
	format->tile = NULL;
}

void
rf_fill_formats_amx(RfFormat *formats)
{
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	fill_panels(bf16);
	bf16->k_step = 2;
	bf16->k_unit = TILE_BYTES / sizeof(uint16_t);
	bf16->row_term = sizeof(uint16_t);
	bf16->makes_rows = true;
	bf16->gemm = multiply_bf16;

	fill_panels(int8);
	int8->k_step = 4;
	int8->k_unit = TILE_BYTES;
	int8->row_term = sizeof(uint8_t);
	/* Of one line, so that the terms begin where a line does. */
	int8->row_head = LINE;
	int8->gemm = multiply_int8;
}

#endif
