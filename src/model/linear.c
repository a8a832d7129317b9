/*
 * linear.c - dense layers and norms over activations, in pieces between which cancellation is
 * polled.
 */
#include "compute.h"

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

static const RfFormat *
format_of(const RfEncoder *encoder, const RfLinear *linear)
{
	return &encoder->model->kernels->formats[linear->precision];
}

/* Pieces of nearly equal height, whose activations stay in the second-level cache. */
static size_t
piece_rows(const RfEncoder *encoder, size_t m)
{
	size_t chunk = encoder->model->kernels->chunk;
	size_t pieces = (m + chunk - 1) / chunk;

	return pieces == 0 ? 1 : (m + pieces - 1) / pieces;
}

/* A piece of a packed weight starts where the format allows it. */
static size_t
piece_columns(const RfFormat *format, size_t rows, size_t k)
{
	size_t blocks = PIECE_WORK / (rows * k) / format->column_block;

	return (blocks == 0 ? 1 : blocks) * format->column_block;
}

RfLinear
rf_linear_columns(const RfEncoder *encoder, const RfLinear *linear, size_t first, size_t n)
{
	RfLinear part = *linear;

	part.weight = rf_pack_column(format_of(encoder, linear), linear->weight, linear->k, first);
	part.bias = linear->bias == NULL ? NULL : linear->bias + first;
	part.n = smaller(n, linear->n - first);
	return part;
}

Rows
rf_linear_place(const RfEncoder *encoder, const RfLinear *linear, Activations plain, void *block)
{
	const RfFormat *format = format_of(encoder, linear);

	return format->convert == NULL ? (Rows){plain.values, plain.stride * sizeof(float)}
								   : (Rows){block, rf_row_stride(format, linear->k)};
}

RfCode
rf_linear_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
			   void *block, Rows *rows, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);

	*rows = rf_linear_place(encoder, linear, from, block);
	for (size_t i = 0; i < m && format->convert != NULL; i++)
	{
		if (i % encoder->model->kernels->chunk == 0)
			RF_TRY(rf_compute_poll(encoder, err));
		format->convert(format, from.values + i * from.stride, linear->k,
						(char *) block + i * rows->stride);
	}
	return RF_OK;
}

bool
rf_linear_block(const RfEncoder *encoder, const RfLinear *linear, size_t m, size_t *bytes)
{
	const RfFormat *format = format_of(encoder, linear);
	size_t rows;

	*bytes = 0;
	if (format->convert == NULL)
		return true;
	return rf_size_add(m, format->row_group - 1, &rows) &&
		   rf_size_mul(rows / format->row_group * format->row_group,
					   rf_row_stride(format, linear->k), bytes);
}

/* What a call of a GEMM has in it: rows and columns of all. */
typedef struct Piece
{
	size_t row;
	size_t rows;
	size_t column;
	size_t columns;
} Piece;

static RfGemm
describe_piece(const RfEncoder *encoder, const RfLinear *linear, const Piece *piece, Rows from)
{
	RfLinear part = rf_linear_columns(encoder, linear, piece->column, piece->columns);

	return (RfGemm){
		.m = piece->rows,
		.n = part.n,
		.k = part.k,
		.a = (const char *) from.values + piece->row * from.stride,
		.lda = from.stride,
		.weight = part.weight,
		.bias = part.bias,
	};
}

RfCode
rf_linear_multiply(const RfEncoder *encoder, const RfLinear *linear, size_t m, Rows from,
				   Activations to, bool accumulate, RfActivation activation, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);
	size_t rows = piece_rows(encoder, m);
	size_t columns = piece_columns(format, rows, linear->k);

	for (size_t row = 0; row < m; row += rows)
		for (size_t column = 0; column < linear->n; column += columns)
		{
			Piece piece = {row, smaller(rows, m - row), column, columns};
			RfGemm gemm = describe_piece(encoder, linear, &piece, from);

			RF_TRY(rf_compute_poll(encoder, err));
			gemm.c = to.values + row * to.stride + column;
			gemm.ldc = to.stride;
			gemm.accumulate = accumulate;
			gemm.activation = activation;
			format->gemm(encoder->model->kernels, format, &gemm);
		}
	return RF_OK;
}

/* All of the rows, by a GEMM that makes them. */
static RfCode
make_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m, Rows from,
		  RfActivation activation, Rows to, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);
	size_t columns = piece_columns(format, m, linear->k);

	for (size_t column = 0; column < linear->n; column += columns)
	{
		Piece piece = {0, m, column, columns};
		RfGemm gemm = describe_piece(encoder, linear, &piece, from);

		RF_TRY(rf_compute_poll(encoder, err));
		gemm.activation = activation;
		gemm.rows = (char *) to.values + column * format->row_term;
		gemm.ldr = to.stride;
		format->gemm(encoder->model->kernels, format, &gemm);
	}
	return RF_OK;
}

/* One block of K of the rows that are made. */
static RfCode
multiply_block(const RfEncoder *encoder, const RfLinear *linear, size_t m, Rows from,
			   RfActivation activation, float *scratch, Rows to, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);
	Activations values = {scratch, RF_BLOCK_STRIDE};

	RF_TRY(rf_linear_multiply(encoder, linear, m, from, values, false, activation, err));
	for (size_t i = 0; i < m; i++)
		format->convert(format, scratch + i * RF_BLOCK_STRIDE, linear->n,
						(char *) to.values + i * to.stride);
	return RF_OK;
}

RfCode
rf_linear_multiply_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m, Rows from,
						RfActivation activation, float *scratch, Rows to, RfError *err)
{
	const RfFormat *format = format_of(encoder, linear);
	Activations plain = {to.values, to.stride / sizeof(float)};

	if (format->convert == NULL)
		return rf_linear_multiply(encoder, linear, m, from, plain, false, activation, err);
	if (format->makes_rows)
		return make_rows(encoder, linear, m, from, activation, to, err);
	for (size_t column = 0; column < linear->n; column += format->k_block)
	{
		RfLinear part = rf_linear_columns(encoder, linear, column, format->k_block);
		Rows block = {(char *) to.values + rf_row_size(format, column), to.stride};

		RF_TRY(multiply_block(encoder, &part, m, from, activation, scratch, block, err));
	}
	return RF_OK;
}

/* Piece after piece, so that block is small. */
static RfCode
apply_pieces(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
			 Activations to, bool accumulate, RfActivation activation, void *block, RfError *err)
{
	size_t piece = piece_rows(encoder, m);

	for (size_t row = 0; row < m; row += piece)
	{
		size_t count = smaller(piece, m - row);
		Activations part = {from.values + row * from.stride, from.stride};
		Activations result = {to.values + row * to.stride, to.stride};
		Rows rows;

		RF_TRY(rf_linear_rows(encoder, linear, count, part, block, &rows, err));
		RF_TRY(
			rf_linear_multiply(encoder, linear, count, rows, result, accumulate, activation, err));
	}
	return RF_OK;
}

/* Heads are called without or with a smaller workspace: they get a block of their own. */
RfCode
rf_linear_apply(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
				Activations to, bool accumulate, RfActivation activation, RfError *err)
{
	void *block = encoder->converted;
	size_t bytes;
	RfCode code;

	RF_FAIL_IF(!rf_linear_block(encoder, linear, piece_rows(encoder, m), &bytes), err, RF_LIMIT,
			   "the batch does not fit into memory");
	if (bytes > encoder->converted_size)
	{
		block = encoder->memory.alloc(encoder->memory.context, bytes);
		if (block == NULL)
			return rf_error_memory(err, bytes);
	}
	code = apply_pieces(encoder, linear, m, from, to, accumulate, activation, block, err);
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
