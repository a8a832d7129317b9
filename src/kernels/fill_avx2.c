/*
 * fill_avx2.c - rows that AVX2 and FMA do better, and its extensions for low precision.
 */
#include "dispatch.h"

#if defined(__x86_64__)

#include "avx2/kernels_avx2.h"

void
rf_kernels_fill_avx2(RfKernels *kernels)
{
	rf_fill_formats_avx2(kernels->formats);
	rf_fill_rows_avx2(kernels);
}

void
rf_kernels_fill_avx2_vnni(RfKernels *kernels)
{
	rf_fill_vnni_avx2(kernels->formats);
}

#else

void
rf_kernels_fill_avx2(RfKernels *kernels)
{
	(void) kernels;
}

void
rf_kernels_fill_avx2_vnni(RfKernels *kernels)
{
	(void) kernels;
}

#endif
