/*
 * attention_ref.c - keys, values and weights of attention in fp32 and bf16, in portable C.
 *
 * Sums of weights run in double. In place, weights of 16 bits are written no further than scores
 * have been read.
 */
#include "kernels_ref.h"

#include <math.h>
#include <string.h>

#include "../convert.h"

void
rf_encode_lanes_ref(const RfFormat *format, const float *rows, size_t stride, size_t count,
					size_t k, void *to, size_t width)
{
	size_t steps = (k + format->k_step - 1) / format->k_step;
	size_t step_size = width * format->k_step * format->term;

	if (count < RF_LANES)
		for (size_t step = 0; step < steps; step++)
			memset((char *) to + step * step_size, 0, RF_LANES * format->k_step * format->term);
	for (size_t i = 0; i < count; i++)
	{
		RfBlock block = {to, to, width, i};

		format->encode(format, &block, rows + i * stride, k);
	}
}

void
rf_encode_step_fp32_ref(const RfFormat *format, const float *rows, size_t stride, size_t first,
						size_t count, size_t columns, void *to)
{
	float *place = to;

	(void) format;
	(void) stride;
	(void) first;
	(void) count;
	for (size_t i = 0; i < RF_LANES_UP(columns); i++)
		place[i] = i < columns ? rows[i] : 0;
}

void
rf_encode_step_bf16_ref(const RfFormat *format, const float *rows, size_t stride, size_t first,
						size_t count, size_t columns, void *to)
{
	uint16_t *place = to;

	(void) format;
	for (size_t term = first; term < 2; term++)
		for (size_t i = 0; i < RF_LANES_UP(columns); i++)
			place[2 * i + term] = i < columns && term - first < count
									  ? rf_bf16_of_float(rows[(term - first) * stride + i])
									  : 0;
}

static float
raise_largest(const float *x, size_t n, float largest)
{
	for (size_t i = 0; i < n; i++)
		largest = x[i] > largest ? x[i] : largest;
	return largest;
}

float
rf_weigh_fp32_ref(const RfFormat *format, float *x, size_t n, size_t depth, float scale,
				  float *largest)
{
	double sum = 0;

	(void) format;
	*largest = raise_largest(x, n, *largest);
	for (size_t i = 0; i < n; i++)
	{
		x[i] = expf((x[i] - *largest) * scale);
		sum += x[i];
	}
	for (size_t i = n; i < depth; i++)
		x[i] = 0;
	return (float) sum;
}

float
rf_weigh_bf16_ref(const RfFormat *format, float *x, size_t n, size_t depth, float scale,
				  float *largest)
{
	double sum = 0;

	*largest = raise_largest(x, n, *largest);
	for (size_t i = 0; i < depth; i++)
	{
		uint16_t half = i < n ? rf_bf16_of_float(expf((x[i] - *largest) * scale)) : 0;
		float value = rf_float_of_bf16(half);

		if (format->row_term == sizeof(half))
			memcpy((char *) x + i * sizeof(half), &half, sizeof(half));
		else
			x[i] = value;
		sum += value;
	}
	return (float) sum;
}
