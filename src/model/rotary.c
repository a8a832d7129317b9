/*
 * rotary.c - the table of rotary position embedding (Su et al., "RoFormer", 2021).
 *
 * Pair i of a head turns by p / 10000^(2i/D) at position p. Angles are computed in double: in fp32
 * they are off by 1e-4 at position 1500, which shows in the outputs. Positions have no upper limit:
 * the image has the first ones, an encoder that needs more makes a table of its own, which grows by
 * half at least, since a session's rows tend to grow slowly.
 */
#include "compute.h"

#include <math.h>
#include <string.h>

#define POLL_POSITIONS ((size_t) 1024)

static size_t
head_size(const RfEncoder *encoder)
{
	const RfConfig *config = encoder->model->config;

	return (size_t) (config->hidden_size / config->num_attention_heads);
}

void
rf_rotary_fill(float *table, size_t first, size_t end, size_t head_size)
{
	for (size_t i = 0; i < head_size; i += 2)
	{
		double frequency = pow(10000.0, -(double) i / (double) head_size);

		for (size_t position = first; position < end; position++)
		{
			double angle = (double) position * frequency;

			table[position * head_size + i] = (float) cos(angle);
			table[position * head_size + i + 1] = (float) sin(angle);
		}
	}
}

/* The table takes milliseconds a thousand positions. */
static RfCode
fill_polling(const RfEncoder *encoder, float *table, size_t first, size_t end, RfError *err)
{
	for (; first < end; first += POLL_POSITIONS)
	{
		size_t last = end - first < POLL_POSITIONS ? end : first + POLL_POSITIONS;

		RF_TRY(rf_compute_poll(encoder, err));
		rf_rotary_fill(table, first, last, head_size(encoder));
	}
	return RF_OK;
}

static RfCode
allocate_table(const RfEncoder *encoder, size_t positions, void **block, size_t *bytes,
			   RfError *err)
{
	RF_FAIL_IF(!rf_size_mul(positions, head_size(encoder) * sizeof(float), bytes) ||
				   !rf_size_add(*bytes, RF_ALIGNMENT, bytes),
			   err, RF_LIMIT, "a row of %zu tokens is too long", positions);
	*block = encoder->memory.alloc(encoder->memory.context, *bytes);
	return *block == NULL ? rf_error_memory(err, *bytes) : RF_OK;
}

RfCode
rf_rotary_reserve(RfEncoder *encoder, size_t positions, RfError *err)
{
	size_t known = encoder->rotary_positions;
	size_t wanted = known + known / 2;
	float *table;
	void *block;
	size_t bytes;
	RfCode code;

	if (positions <= known)
		return RF_OK;
	if (wanted < positions)
		wanted = positions;
	RF_TRY(allocate_table(encoder, wanted, &block, &bytes, err));
	table = (float *) RF_ALIGN((uintptr_t) block);
	memcpy(table, encoder->rotary, known * head_size(encoder) * sizeof(float));
	code = fill_polling(encoder, table, known, wanted, err);
	if (code != RF_OK)
	{
		encoder->memory.release(encoder->memory.context, block);
		return code;
	}
	rf_rotary_release(encoder);
	encoder->rotary = table;
	encoder->rotary_positions = wanted;
	encoder->rotary_block = block;
	encoder->rotary_size = bytes;
	return RF_OK;
}

const float *
rf_rotary_row(const RfEncoder *encoder, size_t position)
{
	return encoder->rotary + position * head_size(encoder);
}

void
rf_rotary_release(RfEncoder *encoder)
{
	if (encoder->rotary_block != NULL)
		encoder->memory.release(encoder->memory.context, encoder->rotary_block);
	encoder->rotary_block = NULL;
	encoder->rotary_size = 0;
	encoder->rotary = encoder->model->rotary;
	encoder->rotary_positions = encoder->model->rotary_positions;
}
