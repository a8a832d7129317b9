/*
 * kernels_blas.h - functions of the OpenBLAS set.
 */
#ifndef RF_KERNELS_BLAS_H
#define RF_KERNELS_BLAS_H

#include "../dispatch.h"
#include "rf/memory.h"

/* Columns of a call. */
#define RF_BLAS_COLUMNS ((size_t) 256)

extern void rf_gemm_fp32_blas(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm);
extern size_t rf_weight_size_blas(const RfFormat *format, size_t n, size_t k);
extern void rf_pack_fp32_blas(const RfFormat *format, size_t n, size_t k, size_t row,
							  const float *values, void *weight);
extern void rf_unpack_fp32_blas(const RfFormat *format, size_t n, size_t k, size_t row,
								const void *weight, float *values);

#endif
