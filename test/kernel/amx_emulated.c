/*
 * amx_emulated.c - src/kernels/amx compiled once more, with tiles in C instead of instructions.
 */
#include "amx_emulated.h"

#include <string.h>

#define RF_AMX_EMULATED
#define rf_fill_formats_amx fill_emulated_formats
#include "../../src/kernels/amx/gemm_amx.c"

const RfKernels *
emulated_amx(void)
{
	static RfKernels kernels;

	if (kernels.name == NULL)
	{
		rf_kernels_fill_ref(&kernels);
		fill_emulated_formats(kernels.formats);
		kernels.name = "amx, emulated";
	}
	return &kernels;
}
