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

/* A piece of a packed weight starts where the kernels allow it. */
static size_t
piece_columns(const RfKernels *kernels, size_t rows, size_t k)
{
	size_t blocks = PIECE_WORK / (rows * k) / kernels->column_block;

	return (blocks == 0 ? 1 : blocks) * kernels->column_block;
}

RfCode
rf_linear_apply(const RfEncoder *encoder, const RfLinear *linear, size_t m, Activations from,
				Activations to, bool accumulate, RfActivation activation, RfError *err)
{
	const RfKernels *kernels = encoder->model->kernels;
	size_t rows = piece_rows(m);
	size_t columns = piece_columns(kernels, rows, linear->k);

	for (size_t row = 0; row < m; row += rows)
		for (size_t column = 0; column < linear->n; column += columns)
		{
			RfGemm gemm = {
				.m = smaller(rows, m - row),
				.n = smaller(columns, linear->n - column),
				.k = linear->k,
				.a = from.values + row * from.stride,
				.lda = from.stride,
				.weight = rf_pack_column(linear->weight, linear->k, column),
				.bias = linear->bias == NULL ? NULL : linear->bias + column,
				.c = to.values + row * to.stride + column,
				.ldc = to.stride,
				.accumulate = accumulate,
				.activation = activation,
			};

			RF_TRY(rf_compute_poll(encoder, err));
			kernels->gemm(kernels, &gemm);
		}
	return RF_OK;
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
