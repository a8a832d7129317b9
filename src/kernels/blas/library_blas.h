/*
 * library_blas.h - the one function that is used of a BLAS.
 */
#ifndef RF_LIBRARY_BLAS_H
#define RF_LIBRARY_BLAS_H

/* Values of CBLAS_ORDER and CBLAS_TRANSPOSE, which are part of the interface's definition. */
#define RF_CBLAS_ROW_MAJOR 101
#define RF_CBLAS_NO_TRANS 111
#define RF_CBLAS_TRANS 112

typedef void (*RfSgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
						const float *a, int lda, const float *b, int ldb, float beta, float *c,
						int ldc);

/* After a successful rf_blas_load. */
extern RfSgemm rf_blas_sgemm(void);

#endif
