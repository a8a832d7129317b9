/*
 * fill_blas.c - OpenBLAS behind the GEMM of fp32, the only precision it has; the other rows stay
 * those of the best vector set.
 */
#include "blas/kernels_blas.h"
#include "dispatch.h"

#include <string.h>

void
rf_kernels_fill_blas(RfKernels *kernels)
{
	RfFormat *fp32 = &kernels->formats[RF_PRECISION_FP32];

	memset(&kernels->formats[RF_PRECISION_BF16], 0, sizeof(RfFormat));
	memset(&kernels->formats[RF_PRECISION_INT8], 0, sizeof(RfFormat));
	fp32->column_block = RF_BLAS_COLUMNS;
	fp32->gemm = rf_gemm_fp32_blas;
	fp32->weight_size = rf_weight_size_blas;
	fp32->pack = rf_pack_fp32_blas;
	fp32->unpack = rf_unpack_fp32_blas;
}
