/*
 * fill_avx512.c - rows that AVX-512 do better.
 */
#include "dispatch.h"

void
rf_kernels_fill_avx512(RfKernels *kernels)
{
	(void) kernels;
}
