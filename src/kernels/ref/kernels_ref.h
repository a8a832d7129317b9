/*
 * kernels_ref.h - functions of the reference set.
 */
#ifndef RF_KERNELS_REF_H
#define RF_KERNELS_REF_H

#include "../dispatch.h"

extern void rf_tile_fp32_ref(const RfTile *tile);
extern void rf_tile_bf16_ref(const RfTile *tile);
extern void rf_tile_int8_ref(const RfTile *tile);

extern void rf_convert_bf16_ref(const RfFormat *format, const float *values, size_t k, void *row);
extern void rf_convert_int8_ref(const RfFormat *format, const float *values, size_t k, void *row);
extern void rf_fill_formats_ref(RfFormat *formats);

extern void rf_layer_norm_fp32_ref(float *x, size_t n, const float *weight, const float *bias,
								   float eps);
extern void rf_rms_norm_fp32_ref(float *x, size_t n, float eps);
extern void rf_rotate_fp32_ref(float *x, size_t heads, size_t head_size, const float *table);
extern void rf_scale_fp32_ref(float *x, size_t n, float factor);

/* The rows of attention of RfFormat; lanes for both precisions. */
extern void rf_encode_lanes_ref(const RfFormat *format, const float *rows, size_t stride,
								size_t count, size_t k, void *to, size_t width);
extern void rf_encode_step_fp32_ref(const RfFormat *format, const float *rows, size_t stride,
									size_t first, size_t count, size_t columns, void *to);
extern void rf_encode_step_bf16_ref(const RfFormat *format, const float *rows, size_t stride,
									size_t first, size_t count, size_t columns, void *to);
extern float rf_weigh_fp32_ref(const RfFormat *format, float *x, size_t n, size_t depth,
							   float scale, float *largest);
extern float rf_weigh_bf16_ref(const RfFormat *format, float *x, size_t n, size_t depth,
							   float scale, float *largest);

extern void rf_fill_activations_ref(RfActivate *activate);

#endif
