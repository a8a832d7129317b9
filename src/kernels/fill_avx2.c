/*
 * fill_avx2.c - rows that AVX2 and FMA do better.
 */
#include "dispatch.h"

void
rf_kernels_fill_avx2(RfKernels *kernels)
{
	(void) kernels;
}
