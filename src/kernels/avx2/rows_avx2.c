/*
 * rows_avx2.c - the vector rows, compiled for AVX2 and FMA.
 */
#if defined(__x86_64__)

#include "kernels_avx2.h"

#include "vector_avx2.h"

#include "../vector/activations_vector.h"
#include "../vector/rows_vector.h"

void
rf_fill_rows_avx2(RfKernels *kernels)
{
	fill_rows(kernels);
	fill_activations(kernels->activate);
}

#endif
