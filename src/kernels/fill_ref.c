/*
 * fill_ref.c - the table every set starts from.
 */
#include "dispatch.h"
#include "ref/kernels_ref.h"

void
rf_kernels_fill_ref(RfKernels *kernels)
{
	rf_fill_formats_ref(kernels->formats);
	rf_fill_activations_ref(kernels->activate);
	kernels->layer_norm = rf_layer_norm_fp32_ref;
	kernels->rms_norm = rf_rms_norm_fp32_ref;
	kernels->rotate = rf_rotate_fp32_ref;
	kernels->scale = rf_scale_fp32_ref;
	kernels->chunk = 256;
}
