/*
 * self_attention.c - rotation and attention of one row, head by head.
 *
 * Keys and values are packed into scratch or, when the row grows, into its cache, behind those that
 * are there: a prompt and the tokens that follow one by one are computed alike and give the same
 * bits.
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

size_t
rf_head_size(const RfModel *model)
{
	return (size_t) (model->config->hidden_size / model->config->num_attention_heads);
}

RfPrecision
rf_attention_precision(const RfModel *model)
{
	return model->layers[0].qkv.precision == RF_PRECISION_FP32 ? RF_PRECISION_FP32
															   : RF_PRECISION_BF16;
}

bool
rf_self_attention_scratch(const RfModel *model, size_t tokens, size_t *floats)
{
	RfPrecision precision = rf_attention_precision(model);
	size_t capacity;

	return rf_head_cache_capacity(model->kernels, precision, tokens, false, &capacity) &&
		   rf_head_cache_floats(model->kernels, precision, capacity, rf_head_size(model), floats);
}

/* As many as fill this many columns of query, key and value, which are computed at once. */
#define HEAD_COLUMNS ((size_t) 384)

size_t
rf_attention_heads(const RfModel *model)
{
	size_t heads = (size_t) model->config->num_attention_heads;
	size_t columns = 3 * rf_head_size(model);
	size_t block = model->kernels->formats[model->layers[0].qkv.precision].column_block;
	size_t unit = 1;

	/* A multiple of the block, where a GEMM may start. */
	while (unit < heads && unit * columns % block != 0)
		unit++;
	columns *= unit;
	unit *= (HEAD_COLUMNS + columns - 1) / columns;
	return unit < heads ? unit : heads;
}

/* Numbers of one head in count tokens of the row, from the token on. */
static void
rotate_head(const RfEncoder *encoder, const AttentionRow *row, size_t token, size_t count,
			float *values, size_t stride)
{
	const RfModel *model = encoder->model;

	for (size_t t = token; t < token + count; t++, values += stride)
		model->kernels->rotate(
			values, 1, rf_head_size(model),
			rf_rotary_row(encoder, row->positions == NULL ? row->past + t : row->positions[t]));
}

/* Values turn as well when the model says so. */
static void
put_head(const RfEncoder *encoder, const AttentionRow *row, const RfHeadCache *head, float *k,
		 size_t stride)
{
	float *v = k + head->head_size;
	size_t count = row->seen - row->past;

	rotate_head(encoder, row, 0, count, k, stride);
	if (encoder->model->config->rotary_value)
		rotate_head(encoder, row, 0, count, v, stride);
	rf_head_cache_put(encoder->model->kernels, head, row->past, count, k, v, stride);
}

static RfCode
attend_head(const RfEncoder *encoder, const AttentionRow *row, const RfHeadCache *head,
			Activations q, Activations context, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	RfAttention attention = {
		.head = head,
		.keys = row->seen,
		.tokens = row->tokens,
		.q = q.values,
		.stride = q.stride,
		.context = context.values,
		.context_stride = context.stride,
		.scale = rf_attention_scale(model->config),
		.sees = row->sees,
		.scratch = scratch,
	};

	for (size_t first = 0; first < row->tokens; first += RF_ATTENTION_QUERIES)
	{
		size_t rest = row->tokens - first;

		RF_TRY(rf_compute_poll(encoder, err));
		rotate_head(encoder, row, first, rest < RF_ATTENTION_QUERIES ? rest : RF_ATTENTION_QUERIES,
					q.values + first * q.stride, q.stride);
		rf_attention_queries(model->kernels, &attention, first);
	}
	return RF_OK;
}

RfCode
rf_self_attention_apply(const RfEncoder *encoder, const AttentionRow *row, size_t layer,
						const HeadRange *heads, Activations qkv, Activations context,
						float *head_scratch, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	RfHeadCache head = {
		.block = head_scratch,
		.head_size = rf_head_size(model),
		.precision = rf_attention_precision(model),
	};

	rf_head_cache_capacity(model->kernels, head.precision, row->seen, false, &head.capacity);
	for (size_t i = heads->first; i < heads->first + heads->count; i++)
	{
		Activations part = {context.values + i * head.head_size, context.stride};

		if (row->cache != NULL)
			head = rf_row_cache_head(model, row->cache, layer, i);
		put_head(encoder, row, &head, qkv.values + head.head_size, qkv.stride);
		RF_TRY(attend_head(encoder, row, &head, qkv, part, scratch, err));
		qkv.values += 3 * head.head_size;
	}
	return RF_OK;
}
