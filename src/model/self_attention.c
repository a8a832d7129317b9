/*
 * self_attention.c - rotation and attention of one row, head by head.
 *
 * Decoders are masked causally, except those with a pooler: these come from the RoFormer-Sim
 * family, where a prompt (token type 0) sees all of itself and what is generated (type 1) sees what
 * came before: token i sees j when the sum of types up to j is no greater than that up to i (the
 * mask of UniLM, Dong et al. 2019).
 */
#include "compute.h"

#include <math.h>

bool
rf_model_is_seq2seq(const RfModel *model)
{
	return model->config->task == RF_TASK_CAUSAL_LM && model->config->has_pooler;
}

bool
rf_model_decodes(const RfModel *model)
{
	return rf_model_is_seq2seq(model) || (model->config->is_decoder && !model->config->has_pooler);
}

/* Tokens up to the next one of another type than 0 see each other. */
static void
mask_by_types(const int32_t *token_type_ids, size_t tokens, uint32_t *sees)
{
	size_t end = tokens;

	for (size_t i = tokens; i-- > 0;)
	{
		sees[i] = (uint32_t) end;
		if (token_type_ids[i] != 0)
			end = i;
	}
}

const uint32_t *
rf_attention_mask(const RfModel *model, const int32_t *token_type_ids, size_t tokens,
				  uint32_t *sees)
{
	if (!rf_model_decodes(model))
		return NULL;
	if (rf_model_is_seq2seq(model))
		mask_by_types(token_type_ids, tokens, sees);
	else
		for (size_t i = 0; i < tokens; i++)
			sees[i] = (uint32_t) i + 1;
	return sees;
}

float
rf_attention_scale(const RfConfig *config)
{
	return (float) (1 / sqrt((double) (config->hidden_size / config->num_attention_heads)));
}

void
rf_rotary_apply(const RfEncoder *encoder, const AttentionRow *row, float *qkv)
{
	const RfKernels *kernels = encoder->model->kernels;
	size_t heads = (size_t) encoder->model->config->num_attention_heads;
	size_t hidden = (size_t) encoder->model->config->hidden_size;
	/* Values turn as well when the model says so; query, key and value stand side by side. */
	size_t turned = (encoder->model->config->rotary_value ? 3 : 2) * heads;

	for (size_t t = 0; t < row->tokens; t++)
		kernels->rotate(
			qkv + t * 3 * hidden, turned, hidden / heads,
			rf_rotary_row(encoder, row->positions == NULL ? row->past + t : row->positions[t]));
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

	rf_rotary_apply(encoder, row, qkv);
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
			.scale = rf_attention_scale(config),
			.sees = row->sees,
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
