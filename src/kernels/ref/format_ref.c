/*
 * format_ref.c - how columns of a weight and rows of activations are written in each precision.
 *
 * The int8 formats differ in k_step and in the size of a row's terms, as processors' instructions
 * want them: products of 4 unsigned by 4 signed bytes (row_term 1), or of pairs of 16-bit numbers
 * (row_term 2). Likewise bf16: pairs as they are (row_term 2), or each as an fp32 (row_term 4).
 * The numbers are the same.
 */
#include "kernels_ref.h"

#include "../convert.h"

/* The place of term i of the block's column. */
static inline char *
find_term(const RfFormat *format, const RfBlock *block, size_t i)
{
	size_t step = format->k_step;
	size_t index = (i / step * block->width + block->column) * step + i % step;

	return block->terms + index * format->term;
}

/* Terms up to the end of the last step. */
static inline size_t
padded_depth(const RfFormat *format, size_t depth)
{
	return (depth + format->k_step - 1) / format->k_step * format->k_step;
}

static void
encode_fp32(const RfFormat *format, const RfBlock *block, const float *values, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		memcpy(find_term(format, block, i), &values[i], sizeof(float));
}

static void
decode_fp32(const RfFormat *format, const RfBlock *block, size_t depth, float *values)
{
	for (size_t i = 0; i < depth; i++)
		memcpy(&values[i], find_term(format, block, i), sizeof(float));
}

static void
encode_bf16(const RfFormat *format, const RfBlock *block, const float *values, size_t depth)
{
	for (size_t i = 0; i < padded_depth(format, depth); i++)
	{
		uint16_t half = i < depth ? rf_bf16_of_float(values[i]) : 0;

		memcpy(find_term(format, block, i), &half, sizeof(half));
	}
}

static void
decode_bf16(const RfFormat *format, const RfBlock *block, size_t depth, float *values)
{
	for (size_t i = 0; i < depth; i++)
	{
		uint16_t half;

		memcpy(&half, find_term(format, block, i), sizeof(half));
		values[i] = rf_float_of_bf16(half);
	}
}

static void
encode_int8(const RfFormat *format, const RfBlock *block, const float *values, size_t depth)
{
	float *heads = (float *) block->head;
	float largest = 0;
	float inverse;
	float scale;
	int32_t sum = 0;

	for (size_t i = 0; i < depth; i++)
		largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
	scale = largest / RF_WEIGHT_LIMIT;
	inverse = scale > FLT_MIN && scale < FLT_MAX ? 1 / scale : 0;
	for (size_t i = 0; i < padded_depth(format, depth); i++)
	{
		float code = i < depth ? rintf(values[i] * inverse) : 0;

		code = code > -RF_WEIGHT_LIMIT ? code : -RF_WEIGHT_LIMIT;
		code = code < RF_WEIGHT_LIMIT ? code : RF_WEIGHT_LIMIT;
		*(int8_t *) find_term(format, block, i) = (int8_t) code;
		sum += (int8_t) code;
	}
	heads[block->column] = scale;
	heads[block->width + block->column] = scale * (float) sum;
}

static void
decode_int8(const RfFormat *format, const RfBlock *block, size_t depth, float *values)
{
	float scale = ((const float *) block->head)[block->column];

	for (size_t i = 0; i < depth; i++)
		values[i] = scale * *(const int8_t *) find_term(format, block, i);
}

void
rf_convert_bf16_ref(const RfFormat *format, const float *values, size_t k, void *row)
{
	for (size_t i = 0; i < padded_depth(format, k); i++)
	{
		uint16_t half = i < k ? rf_bf16_of_float(values[i]) : 0;

		if (format->row_term == sizeof(half))
			((uint16_t *) row)[i] = half;
		else
			((float *) row)[i] = rf_float_of_bf16(half);
	}
}

static void
convert_block(const RfFormat *format, const float *values, size_t depth, char *block)
{
	float low = values[0];
	float high = values[0];
	RfRowHead head;
	float inverse;

	for (size_t i = 1; i < depth; i++)
	{
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	head = rf_row_head(low, high, &inverse);
	memcpy(block, &head, sizeof(head));
	block += format->row_head;
	for (size_t i = 0; i < padded_depth(format, depth); i++)
	{
		uint8_t code = i < depth ? rf_row_code(values[i], low, inverse) : 0;

		if (format->row_term == sizeof(code))
			((uint8_t *) block)[i] = code;
		else
			((int16_t *) block)[i] = code;
	}
}

void
rf_convert_int8_ref(const RfFormat *format, const float *values, size_t k, void *row)
{
	char *block = row;

	for (size_t first = 0; first < k; first += format->k_block)
	{
		size_t depth = k - first < format->k_block ? k - first : format->k_block;

		convert_block(format, values + first, depth, block);
		block += format->row_head + format->k_block * format->row_term;
	}
}

/* What the formats of all sets with panels have in common. */
static void
fill_panels(RfFormat *format)
{
	format->tile_rows = 4;
	format->panel = RF_LANES;
	format->row_block = 256;
	format->k_block = RF_MAX_K_BLOCK;
	format->row_group = 1;
	format->k_unit = 1;
	format->column_block = format->panel;
	format->gemm = rf_gemm_panels;
	format->weight_size = rf_pack_panels_size;
	format->pack = rf_pack_panels;
	format->unpack = rf_unpack_panels;
}

void
rf_fill_formats_ref(RfFormat *formats)
{
	RfFormat *fp32 = &formats[RF_PRECISION_FP32];
	RfFormat *bf16 = &formats[RF_PRECISION_BF16];
	RfFormat *int8 = &formats[RF_PRECISION_INT8];

	for (size_t i = 0; i < RF_PRECISIONS; i++)
		fill_panels(&formats[i]);
	fp32->k_step = 1;
	fp32->term = fp32->row_term = sizeof(float);
	fp32->encode = encode_fp32;
	fp32->decode = decode_fp32;
	fp32->encode_lanes = rf_encode_lanes_ref;
	fp32->encode_step = rf_encode_step_fp32_ref;
	fp32->weigh = rf_weigh_fp32_ref;
	fp32->tile = rf_tile_fp32_ref;

	bf16->k_step = bf16->k_unit = 2;
	bf16->term = sizeof(uint16_t);
	bf16->row_term = sizeof(float);
	bf16->encode = encode_bf16;
	bf16->decode = decode_bf16;
	bf16->convert = rf_convert_bf16_ref;
	bf16->encode_lanes = rf_encode_lanes_ref;
	bf16->encode_step = rf_encode_step_bf16_ref;
	bf16->weigh = rf_weigh_bf16_ref;
	bf16->tile = rf_tile_bf16_ref;

	int8->k_step = int8->k_unit = 4;
	int8->head = RF_COLUMN_HEAD;
	int8->term = sizeof(int8_t);
	int8->row_head = sizeof(RfRowHead);
	int8->row_term = sizeof(uint8_t);
	int8->encode = encode_int8;
	int8->decode = decode_int8;
	int8->convert = rf_convert_int8_ref;
	int8->tile = rf_tile_int8_ref;
}
