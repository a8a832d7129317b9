/*
 * convert.h - the numbers of the formats below fp32, one at a time.
 *
 * bf16 is the upper half of an fp32, rounded to nearest, ties to even. A product of two is exact in
 * fp32.
 *
 * int8 multiplies whole numbers and puts sizes to the sums. A weight is scale * q, q in -127 ..
 * 127, with one scale for each column and block of K. What it is multiplied with is low + scale *
 * q, q in 0 .. 255, with one low and scale for each row and block: activations are skewed (after
 * gelu most are small and negative), and a channel with outliers coarsens no more than its block.
 * Then
 *
 *   sum of x w = scale_x scale_w (sum of q_x q_w) + low_x (scale_w sum of q_w)
 *
 * where the first sum is exact (below 2^24 for blocks of 256) and the last is kept with the weight.
 */
#ifndef RF_KERNELS_CONVERT_H
#define RF_KERNELS_CONVERT_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Heads of blocks: of a converted row, and of a column in a panel (an array of each, see below). */
typedef struct RfRowHead
{
	float scale;
	float low;
} RfRowHead;

/* The head of a panel's block is float scale [width], then float sum [width]: scale * sum of q. */
#define RF_COLUMN_HEAD (2 * sizeof(float))

#define RF_QUANTUM_STEPS 255
#define RF_WEIGHT_LIMIT 127

static inline uint32_t
rf_float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline uint16_t
rf_bf16_of_float(float value)
{
	uint32_t bits = rf_float_bits(value);

	if (value != value)
		return (uint16_t) (bits >> 16 | 0x40);
	return (uint16_t) ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float
rf_float_of_bf16(uint16_t half)
{
	uint32_t bits = (uint32_t) half << 16;
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Where low and high are what a row's block lies between; *inverse is what x - low is multiplied
 * by. */
static inline RfRowHead
rf_row_head(float low, float high, float *inverse)
{
	RfRowHead head = {(high - low) / RF_QUANTUM_STEPS, low};

	*inverse = head.scale > FLT_MIN ? 1 / head.scale : 0;
	return head;
}

/* 0 for what is no number */
static inline uint8_t
rf_row_code(float value, float low, float inverse)
{
	float code = rintf((value - low) * inverse);

	code = code > 0 ? code : 0;
	return (uint8_t) (code < RF_QUANTUM_STEPS ? code : RF_QUANTUM_STEPS);
}

#endif
