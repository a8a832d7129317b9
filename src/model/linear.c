/*
 * linear.c - dense layers and norms over activations, in pieces between which cancellation is
 * polled.
 */
#include "compute.h"

/* Rows of a piece: its activations stay in the second-level cache. */
#define PIECE_ROWS ((size_t) 256)
/* Multiplications of a piece: about 2 ms with AVX-512, 20 ms with the reference kernels. */
#define PIECE_WORK ((size_t) 160 * 1000 * 1000)

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

RfCode
rf_compute_poll(const RfEncoder *encoder, RfError *err)
{
	RF_FAIL_IF(rf_abort_requested(&encoder->abort_fn), err, RF_CANCELED,
			   "computation was canceled");
	return RF_OK;
}

/* Pieces of nearly equal height. */
static size_t
piece_rows(size_t m)
{
	size_t pieces = (m + PIECE_ROWS - 1) / PIECE_ROWS;

	return pieces == 0 ? 1 : (m + pieces - 1) / pieces;
}

/* A piece of a packed weight starts where the format allows it. */
static size_t
piece_columns(const RfFormat *format, size_t rows, size_t k)
{
	size_t blocks = PIECE_WORK / (rows * k) / format->column_block;

	return (blocks == 0 ? 1 : blocks) * format->column_block;
}

static const RfFormat *
format_of(const RfEncoder *encoder, const RfLinear *linear)
{
	return &encoder->model->kernels->formats[linear->precision];
}

/* Rows as a GEMM reads them: size bytes apart. */
typedef struct Rows
{
	const void *values;
	size_t stride;
} Rows;

/* The rows themselves, or what they are converted to in block. */
static Rows
convert_rows(const RfFormat *format, size_t m, size_t k, Activations from, void *block)
{
	Rows rows = {from.values, from.stride * sizeof(float)};

	if (format->convert == NULL)
		return rows;
	rows = (Rows){block, rf_row_size(format, k)};
	for (size_t i = 0; i < m; i++)
		format->convert(format, from.values + i * from.stride, k, (char *) block + i * rows.stride);
	return rows;
}

/* All columns of m rows. */
static RfCode
multiply_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m, size_t columns, Rows rows,
			  Activations to, bool accumulate, RfActivation activation, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);

	for (size_t column = 0; column < linear->n; column += columns)
	{
		RfGemm gemm = {
			.m = m,
			.n = smaller(columns, linear->n - column),
			.k = linear->k,
			.a = rows.values,
			.lda = rows.stride,
			.weight = rf_pack_column(format, linear->weight, linear->k, column),
			.bias = linear->bias == NULL ? NULL : linear->bias + column,
			.c = to.values + column,
			.ldc = to.stride,
			.accumulate = accumulate,
			.activation = activation,
		};

		RF_TRY(rf_compute_poll(encoder, err));
		format->gemm(encoder->model->kernels, format, &gemm);
	}
	return RF_OK;
}

static RfCode
multiply_pieces(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
				Activations to, bool accumulate, RfActivation activation, void *block, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);
	size_t piece = piece_rows(m);
	size_t columns = piece_columns(format, piece, linear->k);

	for (size_t row = 0; row < m; row += piece)
	{
		size_t count = smaller(piece, m - row);
		Activations part = {from.values + row * from.stride, from.stride};
		Activations result = {to.values + row * to.stride, to.stride};
		Rows rows = convert_rows(format, count, linear->k, part, block);

		RF_TRY(multiply_rows(encoder, linear, count, columns, rows, result, accumulate, activation,
							 err));
	}
	return RF_OK;
}

size_t
rf_linear_scratch(const RfEncoder *encoder, const RfLinear *linear, size_t m)
{
	const RfFormat *format = format_of(encoder, linear);
	size_t groups = (smaller(m, PIECE_ROWS) + format->row_group - 1) / format->row_group;

	return format->convert == NULL ? 0
								   : groups * format->row_group * rf_row_size(format, linear->k);
}

/* Heads are called without or with a smaller workspace: they get a block of their own. */
RfCode
rf_linear_apply(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
				Activations to, bool accumulate, RfActivation activation, RfError *err)
{
	size_t bytes = rf_linear_scratch(encoder, linear, m);
	void *block = encoder->converted;
	RfCode code;

	if (bytes > encoder->converted_size)
	{
		block = encoder->memory.alloc(encoder->memory.context, bytes);
		if (block == NULL)
			return rf_error_memory(err, bytes);
	}
	code = multiply_pieces(encoder, linear, m, from, to, accumulate, activation, block, err);
	if (block != encoder->converted)
		encoder->memory.release(encoder->memory.context, block);
	return code;
}

void
rf_norm_apply(const RfEncoder *encoder, const RfNorm *norm, size_t m, size_t width,
			  Activations rows)
{
	const RfKernels *kernels = encoder->model->kernels;
	float eps = (float) encoder->model->config->layer_norm_eps;

	for (size_t i = 0; i < m; i++)
	{
		float *row = rows.values + i * rows.stride;

		if (norm->weight == NULL)
			kernels->rms_norm(row, width, eps);
		else
			kernels->layer_norm(row, width, norm->weight, norm->bias, eps);
	}
}
