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

/* After a successful rf_blas_load: the function, and the rows every call of it must have. */
extern RfSgemm rf_blas_sgemm(void);
extern int rf_blas_rows(void);

#define RF_BLAS_MAX_ROWS 64

/* The most rows, up to RF_BLAS_MAX_ROWS, with which a row's result does not depend on its place. */
extern int rf_blas_choose_rows(RfSgemm sgemm);

#endif
