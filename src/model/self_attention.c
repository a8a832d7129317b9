/*
 * self_attention.c - rotation and attention of one row, head by head.
 *
 * Decoders are masked causally, except those with a pooler: these come from the RoFormer-Sim
 * family, whose encoding pass sees the whole prompt in both directions.
 */
#include "compute.h"

#include <math.h>

static void
rotate_rows(const RfEncoder *encoder, const AttentionRow *row, size_t heads, size_t head_size,
			float *qkv)
{
	const RfKernels *kernels = encoder->model->kernels;
	size_t hidden = heads * head_size;
	/* Values turn as well when the model says so; query, key and value stand side by side. */
	size_t turned = (encoder->model->config->rotary_value ? 3 : 2) * heads;

	for (size_t t = 0; t < row->tokens; t++)
		kernels->rotate(qkv + t * 3 * hidden, turned, head_size,
						rf_rotary_row(encoder, row->positions == NULL ? t : row->positions[t]));
}

RfCode
rf_self_attention_apply(const RfEncoder *encoder, const AttentionRow *row, float *qkv,
						float *scratch, RfError *err)
{
	const RfConfig *config = encoder->model->config;
	const RfKernels *kernels = encoder->model->kernels;
	size_t heads = (size_t) config->num_attention_heads;
	size_t hidden = (size_t) config->hidden_size;
	size_t head_size = hidden / heads;

	rotate_rows(encoder, row, heads, head_size, qkv);
	for (size_t head = 0; head < heads; head++)
	{
		float *q = qkv + head * head_size;
		RfAttention attention = {
			.tokens = row->tokens,
			.keys = row->seen,
			.head_size = head_size,
			.q = q,
			.k = q + hidden,
			.v = q + 2 * hidden,
			.stride = 3 * hidden,
			.scale = (float) (1 / sqrt((double) head_size)),
			.causal = config->is_decoder && !config->has_pooler,
			.scratch = scratch,
		};

		rf_attention_begin(kernels, &attention);
		for (size_t first = 0; first < row->tokens; first += RF_ATTENTION_QUERIES)
		{
			RF_TRY(rf_compute_poll(encoder, err));
			rf_attention_queries(kernels, &attention, first);
		}
	}
	return RF_OK;
}
