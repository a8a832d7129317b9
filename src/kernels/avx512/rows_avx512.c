/*
 * rows_avx512.c - the vector rows, compiled for AVX-512.
 */
#if defined(__x86_64__)

#include "kernels_avx512.h"

#include "vector_avx512.h"

#include "../vector/activations_vector.h"
#include "../vector/rows_vector.h"

void
rf_fill_rows_avx512(RfKernels *kernels)
{
	fill_rows(kernels);
	fill_activations(kernels->activate);
}

#endif
