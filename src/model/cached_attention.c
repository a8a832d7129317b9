/*
 * cached_attention.c - self-attention of a row that grows.
 *
 * What comes first is a prompt, computed like any row; its keys and values are kept. Tokens that
 * follow are attended to one by one: each adds its key and value and looks at all there are. Both
 * ways give the same bits (kernels/head_cache.c).
 */
#include "compute.h"

/* Keeps the row's keys and values, rotated, of one head. */
static void
keep_row(const RfEncoder *encoder, const RfHeadCache *cache, size_t tokens, const float *q,
		 size_t hidden)
{
	for (size_t t = 0; t < tokens; t++, q += 3 * hidden)
		rf_head_cache_put(encoder->model->kernels, cache, t, q + hidden, q + 2 * hidden);
}

static RfCode
attend_prompt(const RfEncoder *encoder, const RfRowCache *cache, size_t layer,
			  const AttentionRow *row, float *qkv, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t heads = (size_t) model->config->num_attention_heads;
	size_t hidden = (size_t) model->config->hidden_size;

	RF_TRY(rf_self_attention_apply(encoder, row, qkv, scratch, err));
	for (size_t head = 0; head < heads; head++)
	{
		RfHeadCache kept = rf_row_cache_head(model, cache, layer, head);

		keep_row(encoder, &kept, row->tokens, qkv + head * kept.head_size, hidden);
	}
	return RF_OK;
}

RfCode
rf_cached_attention_apply(const RfEncoder *encoder, const RfRowCache *cache, size_t layer,
						  const AttentionRow *row, float *qkv, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t hidden = (size_t) model->config->hidden_size;
	AttentionRow growing = *row;

	if (cache->tokens == 0)
		return attend_prompt(encoder, cache, layer, row, qkv, scratch, err);
	growing.past = cache->tokens;
	rf_rotary_apply(encoder, &growing, qkv);
	for (size_t head = 0; head < (size_t) model->config->num_attention_heads; head++)
	{
		RfHeadCache kept = rf_row_cache_head(model, cache, layer, head);

		RF_TRY(rf_compute_poll(encoder, err));
		for (size_t t = 0; t < row->tokens; t++)
		{
			float *q = qkv + t * 3 * hidden + head * kept.head_size;

			rf_head_cache_put(model->kernels, &kept, growing.past + t, q + hidden, q + 2 * hidden);
			rf_head_cache_attend(model->kernels, &kept, growing.past + t + 1,
								 rf_attention_scale(model->config), q, scratch);
		}
	}
	return RF_OK;
}
