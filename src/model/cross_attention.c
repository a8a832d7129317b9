/*
 * cross_attention.c - a decoder's look at the output of an encoder.
 *
 * Keys and values come from the encoder's last hidden state; nothing is rotated (the reference
 * doesn't either). States that are masked out never become keys, which is what the reference's
 * lowest finite number in their scores comes to.
 */
#include "compute.h"

/* Keys and values of all heads [states,2H], a head's packed ones. */
typedef struct Scratch
{
	float *key_values;
	RfHeadCache head;
} Scratch;

static bool
measure_head(const RfModel *model, size_t states, size_t *capacity, size_t *floats)
{
	RfPrecision precision = rf_attention_precision(model);

	return rf_head_cache_capacity(model->kernels, precision, states, false, capacity) &&
		   rf_head_cache_floats(model->kernels, precision, *capacity, rf_head_size(model), floats);
}

bool
rf_cross_attention_scratch(const RfModel *model, size_t states, size_t *floats)
{
	size_t capacity;
	size_t head;

	*floats = 0;
	if (states == 0)
		return true;
	return measure_head(model, states, &capacity, &head) &&
		   rf_size_mul(capacity, 2 * (size_t) model->config->hidden_size, floats) &&
		   rf_size_add(*floats, head, floats);
}

static Scratch
split_scratch(const RfModel *model, size_t states, float *scratch)
{
	Scratch parts = {.key_values = scratch};
	size_t floats;

	measure_head(model, states, &parts.head.capacity, &floats);
	parts.head.block = scratch + parts.head.capacity * 2 * (size_t) model->config->hidden_size;
	parts.head.head_size = rf_head_size(model);
	parts.head.precision = rf_attention_precision(model);
	return parts;
}

/* Keys and values of a head of those states that are looked at; how many there are. */
static size_t
collect_states(const RfModel *model, const RfStates *states, const float *keys,
			   const RfHeadCache *head)
{
	size_t hidden = (size_t) model->config->hidden_size;
	size_t count = 0;

	for (size_t i = 0; i < states->tokens; i++, keys += 2 * hidden)
		if (states->mask == NULL || states->mask[i] != 0)
			rf_head_cache_put(model->kernels, head, count++, 1, keys, keys + hidden, 2 * hidden);
	return count;
}

static RfCode
attend_head(const RfEncoder *encoder, const RfAttention *attention, RfError *err)
{
	for (size_t first = 0; first < attention->tokens; first += RF_ATTENTION_QUERIES)
	{
		RF_TRY(rf_compute_poll(encoder, err));
		rf_attention_queries(encoder->model->kernels, attention, first);
	}
	return RF_OK;
}

RfCode
rf_cross_attention_apply(const RfEncoder *encoder, const RfLayer *layer, const RfStates *states,
						 size_t tokens, Activations q, float *cross, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t hidden = (size_t) model->config->hidden_size;
	Scratch parts = split_scratch(model, states->tokens, cross);
	Activations from = {(float *) states->hidden, hidden};
	Activations key_values = {parts.key_values, 2 * hidden};

	RF_TRY(rf_linear_apply(encoder, &layer->cross_key_value, states->tokens, from, key_values,
						   false, RF_ACT_LINEAR, err));
	for (size_t column = 0; column < hidden; column += parts.head.head_size)
	{
		RfAttention attention = {
			.head = &parts.head,
			.keys = collect_states(model, states, key_values.values + column, &parts.head),
			.tokens = tokens,
			.q = q.values + column,
			.stride = q.stride,
			.context = q.values + column,
			.context_stride = q.stride,
			.scale = rf_attention_scale(model->config),
			.scratch = scratch,
		};

		RF_FAIL_IF(attention.keys == 0, err, RF_INVALID, "no state of the encoder is looked at");
		RF_TRY(attend_head(encoder, &attention, err));
	}
	return RF_OK;
}
