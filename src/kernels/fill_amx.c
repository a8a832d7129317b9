/*
 * fill_amx.c - the tile unit behind the GEMMs of low precision, attention's in bf16 included; the
 * other rows stay those of AVX-512.
 */
#include "dispatch.h"

#if defined(__x86_64__)

#include "amx/kernels_amx.h"

void
rf_kernels_fill_amx(RfKernels *kernels)
{
	rf_fill_formats_amx(kernels->formats);
	kernels->fast_bf16 = true;
	kernels->chunk = 384;
}

#else

void
rf_kernels_fill_amx(RfKernels *kernels)
{
	(void) kernels;
}

#endif
