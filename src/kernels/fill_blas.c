/*
 * fill_blas.c - OpenBLAS behind the GEMM; the other rows stay those of the best vector set.
 */
#include "blas/kernels_blas.h"
#include "dispatch.h"

void
rf_kernels_fill_blas(RfKernels *kernels)
{
	kernels->column_block = RF_BLAS_COLUMNS;
	kernels->gemm = rf_gemm_fp32_blas;
	kernels->weight_size = rf_weight_size_blas;
	kernels->pack = rf_pack_fp32_blas;
	kernels->unpack = rf_unpack_fp32_blas;
}
