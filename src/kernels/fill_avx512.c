/*
 * fill_avx512.c - rows that AVX-512 does better, and its extensions for low precision.
 */
#include "dispatch.h"

#if defined(__x86_64__)

#include "avx512/kernels_avx512.h"

void
rf_kernels_fill_avx512(RfKernels *kernels)
{
	rf_fill_formats_avx512(kernels->formats);
	rf_fill_rows_avx512(kernels);
}

void
rf_kernels_fill_avx512_vnni(RfKernels *kernels)
{
	rf_fill_vnni_avx512(kernels->formats);
}

void
rf_kernels_fill_avx512_bf16(RfKernels *kernels)
{
	rf_fill_bf16_avx512(kernels->formats);
}

#else

void
rf_kernels_fill_avx512(RfKernels *kernels)
{
	(void) kernels;
}

void
rf_kernels_fill_avx512_vnni(RfKernels *kernels)
{
	(void) kernels;
}

void
rf_kernels_fill_avx512_bf16(RfKernels *kernels)
{
	(void) kernels;
}

#endif
