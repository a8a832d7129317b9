/*
 * cross_attention.c - a decoder's look at the output of an encoder.
 *
 * Keys and values come from the encoder's last hidden state; nothing is rotated (the reference
 * doesn't either). States that are masked out never become keys, which is what the reference's
 * lowest finite number in their scores comes to.
 */
#include "compute.h"

/* Scratch: keys and values of all heads [states,2H], a head's cache, its scores. */
typedef struct Scratch
{
	float *key_values;
	float *head;
	float *scores;
	size_t capacity; /* states the head's cache has room for */
} Scratch;

static size_t
head_size(const RfModel *model)
{
	return (size_t) (model->config->hidden_size / model->config->num_attention_heads);
}

bool
rf_cross_attention_scratch(const RfModel *model, size_t states, size_t *floats)
{
	size_t capacity;
	size_t head;

	*floats = 0;
	if (states == 0)
		return true;
	return rf_head_cache_capacity(model->kernels, states, &capacity) &&
		   rf_head_cache_floats(capacity, head_size(model), &head) &&
		   rf_size_mul(capacity, 2 * (size_t) model->config->hidden_size, floats) &&
		   rf_size_add(*floats, head, floats) && rf_size_add(*floats, capacity, floats);
}

static Scratch
split_scratch(const RfModel *model, size_t states, float *scratch)
{
	Scratch parts = {.key_values = scratch};
	size_t head;

	rf_head_cache_capacity(model->kernels, states, &parts.capacity);
	rf_head_cache_floats(parts.capacity, head_size(model), &head);
	parts.head = scratch + parts.capacity * 2 * (size_t) model->config->hidden_size;
	parts.scores = parts.head + head;
	return parts;
}

/* Keys and values of a head of those states that are looked at; how many there are. */
static size_t
collect_states(const RfModel *model, const RfStates *states, const float *keys,
			   const RfHeadCache *cache)
{
	size_t hidden = (size_t) model->config->hidden_size;
	size_t count = 0;

	for (size_t i = 0; i < states->tokens; i++, keys += 2 * hidden)
		if (states->mask == NULL || states->mask[i] != 0)
			rf_head_cache_put(model->kernels, cache, count++, keys, keys + hidden);
	return count;
}

RfCode
rf_cross_attention_apply(const RfEncoder *encoder, const RfLayer *layer, const RfStates *states,
						 size_t tokens, Activations q, float *scratch, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t hidden = (size_t) model->config->hidden_size;
	Scratch parts = split_scratch(model, states->tokens, scratch);
	Activations from = {(float *) states->hidden, hidden};
	Activations key_values = {parts.key_values, 2 * hidden};
	RfHeadCache cache = {parts.head, parts.capacity, head_size(model)};

	RF_TRY(rf_linear_apply(encoder, &layer->cross_key_value, states->tokens, from, key_values,
						   false, RF_ACT_LINEAR, err));
	for (size_t column = 0; column < hidden; column += cache.head_size)
	{
		size_t count = collect_states(model, states, key_values.values + column, &cache);

		RF_FAIL_IF(count == 0, err, RF_INVALID, "no state of the encoder is looked at");
		RF_TRY(rf_compute_poll(encoder, err));
		for (size_t t = 0; t < tokens; t++)
			rf_head_cache_attend(model->kernels, &cache, count, rf_attention_scale(model->config),
								 q.values + t * q.stride + column, parts.scores);
	}
	return RF_OK;
}
