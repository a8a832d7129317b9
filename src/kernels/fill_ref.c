/*
 * fill_ref.c - the table every set starts from.
 */
#include "dispatch.h"
#include "ref/kernels_ref.h"

void
rf_kernels_fill_ref(RfKernels *kernels)
{
	kernels->tile_rows = 4;
	kernels->panel = RF_LANES;
	kernels->row_block = 256;
	kernels->k_block = 256;
	kernels->column_block = kernels->panel;
	kernels->tile = rf_tile_fp32_ref;
	kernels->gemm = rf_gemm_panels;
	kernels->weight_size = rf_pack_panels_size;
	kernels->pack = rf_pack_panels;
	kernels->unpack = rf_unpack_panels;
	rf_fill_activations_ref(kernels->activate);
	kernels->layer_norm = rf_layer_norm_fp32_ref;
	kernels->rms_norm = rf_rms_norm_fp32_ref;
	kernels->rotate = rf_rotate_fp32_ref;
	kernels->exponentials = rf_exponentials_fp32_ref;
	kernels->scale = rf_scale_fp32_ref;
}
