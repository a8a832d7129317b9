/*
 * gemm_blas.c - the GEMM by OpenBLAS, with rows that don't depend on their company.
 *
 * OpenBLAS picks kernels by the shape of a call: measured with 0.3.21, up to half of all calls
 * with another row count gave rows with other last bits. So every call made here has the same
 * number of rows (rows_blas.c), surplus ones being zero, and what else its shape is follows from
 * the element's column and from K. Weights stay as they are, OpenBLAS packs them on each call.
 */
#include "kernels_blas.h"

#include <string.h>

#include "library_blas.h"

#define CALL_K ((size_t) 256)

/* Rows [row, row + rows), columns and k of one call. */
typedef struct Call
{
	size_t row;
	size_t rows;
	size_t column;
	size_t columns;
	size_t k;
	size_t depth;
} Call;

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* c += a * transpose(w), or c = that when fresh */
static void
multiply(const Call *call, const float *a, size_t lda, const float *w, size_t ldw, float *c,
		 size_t ldc, bool fresh)
{
	rf_blas_sgemm()(RF_CBLAS_ROW_MAJOR, RF_CBLAS_NO_TRANS, RF_CBLAS_TRANS, rf_blas_rows(),
					(int) call->columns, (int) call->depth, 1, a, (int) lda, w, (int) ldw,
					fresh ? 0 : 1, c, (int) ldc);
}

/* A call with too few rows, through copies with rows of zeros. */
static void
multiply_padded(const Call *call, const float *a, size_t lda, const float *w, size_t ldw, float *c,
				size_t ldc, bool fresh)
{
	float padded_a[RF_BLAS_MAX_ROWS * CALL_K];
	float padded_c[RF_BLAS_MAX_ROWS * RF_BLAS_COLUMNS];
	size_t rows = (size_t) rf_blas_rows();

	for (size_t i = 0; i < rows; i++)
	{
		float *to_a = padded_a + i * call->depth;
		float *to_c = padded_c + i * call->columns;

		if (i < call->rows)
			memcpy(to_a, a + i * lda, call->depth * sizeof(float));
		else
			memset(to_a, 0, call->depth * sizeof(float));
		if (i < call->rows && !fresh)
			memcpy(to_c, c + i * ldc, call->columns * sizeof(float));
		else
			memset(to_c, 0, call->columns * sizeof(float));
	}
	multiply(call, padded_a, call->depth, w, ldw, padded_c, call->columns, fresh);
	for (size_t i = 0; i < call->rows; i++)
		memcpy(c + i * ldc, padded_c + i * call->columns, call->columns * sizeof(float));
}

static void
finish_rows(const RfKernels *kernels, const RfGemm *gemm, const Call *call)
{
	for (size_t i = 0; i < call->rows; i++)
	{
		float *c = gemm->c + (call->row + i) * gemm->ldc + call->column;

		if (gemm->bias != NULL)
			for (size_t j = 0; j < call->columns; j++)
				c[j] += gemm->bias[call->column + j];
		if (gemm->activation != RF_ACT_LINEAR)
			kernels->activate[gemm->activation](c, call->columns);
	}
}

static void
multiply_block(const RfKernels *kernels, const RfGemm *gemm, Call *call)
{
	for (call->k = 0; call->k < gemm->k; call->k += CALL_K)
	{
		size_t lda = gemm->lda / sizeof(float);
		const float *a = (const float *) gemm->a + call->row * lda + call->k;
		const float *w = (const float *) gemm->weight + call->column * gemm->k + call->k;
		float *c = gemm->c + call->row * gemm->ldc + call->column;
		bool fresh = call->k == 0 && !gemm->accumulate;

		call->depth = smaller(CALL_K, gemm->k - call->k);
		if (call->rows == (size_t) rf_blas_rows())
			multiply(call, a, lda, w, gemm->k, c, gemm->ldc, fresh);
		else
			multiply_padded(call, a, lda, w, gemm->k, c, gemm->ldc, fresh);
	}
	finish_rows(kernels, gemm, call);
}

void
rf_gemm_fp32_blas(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm)
{
	size_t rows = (size_t) rf_blas_rows();
	Call call;

	(void) format;
	for (call.column = 0; call.column < gemm->n; call.column += RF_BLAS_COLUMNS)
	{
		call.columns = smaller(RF_BLAS_COLUMNS, gemm->n - call.column);
		for (call.row = 0; call.row < gemm->m; call.row += rows)
		{
			call.rows = smaller(rows, gemm->m - call.row);
			multiply_block(kernels, gemm, &call);
		}
	}
}

/* Weights as PyTorch has them: row after row. */
size_t
rf_weight_size_blas(const RfFormat *format, size_t n, size_t k)
{
	size_t size;

	(void) format;
	if (n > INT32_MAX || k > INT32_MAX || !rf_size_mul(n, k, &size) ||
		!rf_size_mul(size, sizeof(float), &size))
		return 0;
	return size;
}

void
rf_pack_fp32_blas(const RfFormat *format, size_t n, size_t k, size_t row, const float *values,
				  void *weight)
{
	(void) format;
	(void) n;
	memcpy((float *) weight + row * k, values, k * sizeof(float));
}

void
rf_unpack_fp32_blas(const RfFormat *format, size_t n, size_t k, size_t row, const void *weight,
					float *values)
{
	(void) format;
	(void) n;
	memcpy(values, (const float *) weight + row * k, k * sizeof(float));
}
