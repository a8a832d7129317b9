/*
 * rotary.c - the table of rotary position embedding (Su et al., "RoFormer", 2021).
 *
 * Pair i of a head turns by p / 10000^(2i/D) at position p. Angles are computed in double: in fp32
 * they are off by 1e-4 at position 1500, which shows in the outputs. Positions have no upper limit;
 * the table grows by half and at least ROTARY_STEP, since a session's rows tend to grow slowly.
 */
#include "compute.h"

#include <math.h>
#include <string.h>

#define ROTARY_STEP ((size_t) 128)

static size_t
head_size(const RfEncoder *encoder)
{
	const RfConfig *config = encoder->model->config;

	return (size_t) (config->hidden_size / config->num_attention_heads);
}

static float *
aligned_table(void *block)
{
	return (float *) RF_ALIGN((uintptr_t) block);
}

/* Rows of positions [first, end). */
static void
fill_table(float *table, size_t first, size_t end, size_t size)
{
	for (size_t i = 0; i < size; i += 2)
	{
		double frequency = pow(10000.0, -(double) i / (double) size);

		for (size_t position = first; position < end; position++)
		{
			double angle = (double) position * frequency;

			table[position * size + i] = (float) cos(angle);
			table[position * size + i + 1] = (float) sin(angle);
		}
	}
}

RfCode
rf_rotary_reserve(RfEncoder *encoder, size_t positions, RfError *err)
{
	size_t known = encoder->rotary_positions;
	size_t size = head_size(encoder);
	size_t wanted = known + known / 2 + ROTARY_STEP;
	size_t bytes;
	void *block;

	if (positions <= known)
		return RF_OK;
	if (wanted < positions)
		wanted = positions;
	RF_FAIL_IF(!rf_size_mul(wanted, size * sizeof(float), &bytes) ||
				   !rf_size_add(bytes, RF_ALIGNMENT, &bytes),
			   err, RF_LIMIT, "a row of %zu tokens is too long", positions);
	block = encoder->memory.alloc(encoder->memory.context, bytes);
	if (block == NULL)
		return rf_error_memory(err, bytes);
	if (known > 0)
		memcpy(aligned_table(block), aligned_table(encoder->rotary), known * size * sizeof(float));
	fill_table(aligned_table(block), known, wanted, size);
	rf_rotary_release(encoder);
	encoder->rotary = block;
	encoder->rotary_positions = wanted;
	encoder->rotary_size = bytes;
	return RF_OK;
}

const float *
rf_rotary_row(const RfEncoder *encoder, size_t position)
{
	return aligned_table(encoder->rotary) + position * head_size(encoder);
}

void
rf_rotary_release(RfEncoder *encoder)
{
	if (encoder->rotary != NULL)
		encoder->memory.release(encoder->memory.context, encoder->rotary);
	encoder->rotary = NULL;
	encoder->rotary_positions = 0;
	encoder->rotary_size = 0;
}
