/*
 * test_golden_decoders.c - causal language models and RoFormer-Sim against the reference: whole
 * rows under their masks, growing rows, greedy texts, what sampling keeps.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/sample.h"
#include "golden_records.h"

/* A row of ids: the record's prompt, then tokens of type 1 or, in plain decoders, 0. */
typedef struct Grown
{
	uint32_t row_start[2];
	int32_t *ids;
	int32_t *types;
	size_t prompt;
} Grown;

static void
grow_row(const Checking *checking, const json_t *record, Grown *grown)
{
	bool seq2seq = rf_model_is_seq2seq(&checking->model->view);
	const json_t *prompt = json_object_get(record, seq2seq ? "input_ids" : "prompt_ids");
	const json_t *more = json_object_get(json_object_get(record, "out"), "greedy_ids");
	size_t tokens;

	grown->prompt = json_array_size(prompt);
	tokens = grown->prompt + json_array_size(more);
	grown->row_start[0] = 0;
	grown->row_start[1] = (uint32_t) tokens;
	grown->ids = malloc((tokens + 1) * sizeof(int32_t));
	grown->types = malloc((tokens + 1) * sizeof(int32_t));
	for (size_t i = 0; i < tokens; i++)
	{
		const json_t *id =
			i < grown->prompt ? json_array_get(prompt, i) : json_array_get(more, i - grown->prompt);

		grown->ids[i] = (int32_t) json_integer_value(id);
		grown->types[i] = seq2seq && i >= grown->prompt ? 1 : 0;
	}
}

static void
free_row(Grown *grown)
{
	free(grown->ids);
	free(grown->types);
}

/* Last hidden states [tokens,H] of the whole row; caller frees */
static float *
compute_whole(Checking *checking, const Grown *grown)
{
	size_t width = (size_t) checking->model->view.config->hidden_size;
	size_t floats = grown->row_start[1] * width;
	float *whole = malloc(floats * sizeof(float));
	RfBatch batch = {
		.rows = 1,
		.row_start = grown->row_start,
		.input_ids = grown->ids,
		.token_type_ids = grown->types,
	};
	const float *hidden;
	RfError err = {0};

	expect_ok(checking, rf_encoder_forward(&checking->model->encoder, &batch, &hidden, &err), &err);
	memcpy(whole, hidden, floats * sizeof(float));
	return whole;
}

/* The best of logits [V], and how far it is from the next, are those of a greedy step. */
static void
check_step(Checking *checking, const json_t *step, const float *logits)
{
	size_t n = (size_t) checking->model->view.config->vocab_size;
	size_t id = (size_t) json_integer_value(json_object_get(step, "id"));
	double next = -INFINITY;

	for (size_t i = 0; i < n; i++)
		if (i != id)
			next = fmax(next, (double) logits[i]);
	expect_number(checking, "greedy logit", id, (double) logits[id],
				  json_number_value(json_object_get(step, "logit")), VOCABULARY_BOUND);
	expect_number(checking, "greedy margin", id, (double) logits[id] - next,
				  json_number_value(json_object_get(step, "margin")), 2 * VOCABULARY_BOUND);
	expect_number(checking, "greedy logsumexp", id, log_sum_exp(logits, n),
				  json_number_value(json_object_get(step, "logsumexp")), VOCABULARY_BOUND);
}

/* All steps from one pass over prompt and continuation: the mask of the whole row counts. */
static void
check_whole_row(Checking *checking, const json_t *steps, const Grown *grown, const float *whole)
{
	size_t width = (size_t) checking->model->view.config->hidden_size;

	assert_true(json_array_size(steps) > 0);
	for (size_t i = 0; i < json_array_size(steps); i++)
	{
		float *logits = vocabulary_logits(checking, whole + (grown->prompt - 1 + i) * width);

		check_step(checking, json_array_get(steps, i), logits);
		free(logits);
	}
}

/* Token by token hidden states have the bits of the whole row's. */
static void
check_growing_row(Checking *checking, const Grown *grown, const float *whole)
{
	RfEncoder *encoder = &checking->model->encoder;
	size_t width = (size_t) checking->model->view.config->hidden_size;
	RfRowCache cache = {0};
	uint32_t row_start[2] = {0, (uint32_t) grown->prompt};
	RfBatch batch = {.rows = 1, .row_start = row_start, .caches = &cache};
	const float *hidden;
	RfError err = {0};

	for (size_t at = 0; at < grown->row_start[1]; at += row_start[1], row_start[1] = 1)
	{
		batch.input_ids = grown->ids + at;
		batch.token_type_ids = grown->types + at;
		expect_ok(checking, rf_encoder_forward(encoder, &batch, &hidden, &err), &err);
		assert_memory_equal(hidden, whole + at * width, row_start[1] * width * sizeof(float));
		assert_int_equal(cache.tokens, at + row_start[1]);
	}
	rf_row_cache_release(encoder, &cache);
}

static void
check_greedy(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	const json_t *ids = json_object_get(out, "greedy_ids");
	RfGenerateOptions options = {.max_new_tokens = (int32_t) json_array_size(ids), .top_p = 1};
	RfInput input = {0};
	RfArena arena;
	RfRun run = {.arena = &arena};
	RfGenerated *generated;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	input.text = golden_text(record, "text", &input.length);
	expect_ok(checking,
			  rf_run_generate(checking->model->session, &run, &input, 1, &options, NULL, &generated,
							  &err),
			  &err);
	assert_int_equal(generated->count, json_array_size(ids));
	for (size_t i = 0; i < generated->count; i++)
		assert_int_equal(generated->ids[i], json_integer_value(json_array_get(ids, i)));
	expect_text(checking, "greedy_text", generated->text,
				json_string_value(json_object_get(out, "greedy_text")));
	checking->texts++;
	rf_arena_free(&arena);
}

/* One of {temperature, top_k, top_p, ids, probs [, n_kept]} */
static void
check_kept(Checking *checking, const json_t *entry, const float *logits)
{
	size_t n = (size_t) checking->model->view.config->vocab_size;
	const json_t *ids = json_object_get(entry, "ids");
	const json_t *probs = json_object_get(entry, "probs");
	const json_t *kept = json_object_get(entry, "n_kept");
	RfGenerateOptions options = {
		.max_new_tokens = 1,
		.temperature = json_number_value(json_object_get(entry, "temperature")),
		.top_k = (int32_t) json_integer_value(json_object_get(entry, "top_k")),
		.top_p = json_number_value(json_object_get(entry, "top_p")),
	};
	RfCandidates candidates;
	RfArena arena;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking, rf_sample_allocate(n, &arena, &candidates, &err), &err);
	rf_sample_candidates(logits, n, &options, &candidates);
	assert_int_equal(candidates.count,
					 kept == NULL ? (json_int_t) json_array_size(ids) : json_integer_value(kept));
	for (size_t i = 0; i < json_array_size(ids); i++)
	{
		size_t id = (size_t) json_integer_value(json_array_get(ids, i));

		/* Neighbours may change places when they are as good as equal. */
		if (candidates.ids[i] != (int32_t) id)
			expect_number(checking, "logit of a tie", i, (double) logits[candidates.ids[i]],
						  (double) logits[id], TIE);
		expect_number(checking, "kept probability", i, candidates.probabilities[i],
					  json_number_value(json_array_get(probs, i)), SCORE_BOUND);
	}
	rf_arena_free(&arena);
}

/* token_logprobs: of each prompt token given those before it */
static void
check_token_logprobs(Checking *checking, const json_t *expected, const GoldenRow *row)
{
	size_t n = (size_t) checking->model->view.config->vocab_size;
	size_t width = (size_t) checking->model->view.config->hidden_size;

	assert_int_equal(json_array_size(expected), row->row_start[1]);
	for (size_t i = 1; i < json_array_size(expected); i++)
	{
		float *logits = vocabulary_logits(checking, forward(checking, row) + (i - 1) * width);

		expect_number(checking, "token_logprobs", i,
					  (double) logits[row->input_ids[i]] - log_sum_exp(logits, n),
					  json_number_value(json_array_get(expected, i)), VOCABULARY_BOUND);
		free(logits);
	}
}

/* What is known of the prompt: the distribution after it, its own likelihood, its vector. */
static void
check_prompt(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	const json_t *last = json_object_get(out, "last");
	const json_t *sampling = json_object_get(out, "sampling");
	size_t width = (size_t) checking->model->view.config->hidden_size;
	GoldenRow row;
	float *logits;

	golden_row_read(&row, record, last != NULL ? "prompt_ids" : "input_ids");
	logits = vocabulary_logits(checking, forward(checking, &row) + (row.row_start[1] - 1) * width);
	check_distribution(checking, last != NULL ? last : json_object_get(out, "first"), logits);
	for (size_t i = 0; i < json_array_size(sampling); i++)
		check_kept(checking, json_array_get(sampling, i), logits);
	free(logits);
	if (json_object_get(out, "token_logprobs") != NULL)
		check_token_logprobs(checking, json_object_get(out, "token_logprobs"), &row);
	if (json_object_get(out, "pooler_output") != NULL)
		check_pooler(checking, json_object_get(out, "pooler_output"), forward(checking, &row));
	golden_row_free(&row);
}

static void
check_decoder(Checking *checking, const json_t *record)
{
	const json_t *steps = json_object_get(json_object_get(record, "out"), "greedy_steps");
	Grown grown;
	float *whole;

	check_prompt(checking, record);
	grow_row(checking, record, &grown);
	whole = compute_whole(checking, &grown);
	check_whole_row(checking, steps, &grown, whole);
	check_growing_row(checking, &grown, whole);
	free(whole);
	free_row(&grown);
	check_greedy(checking, record);
}

typedef struct States
{
	RfStates states;
	float *hidden;
	uint8_t *mask;
} States;

/* encoder_hidden_states, encoder_attention_mask */
static void
read_states(const json_t *record, size_t width, States *read)
{
	const json_t *rows = json_object_get(record, "encoder_hidden_states");
	const json_t *mask = json_object_get(record, "encoder_attention_mask");
	size_t tokens = json_array_size(rows);

	read->hidden = malloc(tokens * width * sizeof(float));
	read->mask = malloc(tokens);
	for (size_t i = 0; i < tokens; i++)
	{
		const json_t *row = json_array_get(rows, i);

		read->mask[i] = (uint8_t) json_integer_value(json_array_get(mask, i));
		assert_int_equal(json_array_size(row), width);
		for (size_t j = 0; j < width; j++)
			read->hidden[i * width + j] = (float) json_number_value(json_array_get(row, j));
	}
	read->states = (RfStates){tokens, read->hidden, read->mask};
}

static void
check_cross_attention(Checking *checking, const json_t *record)
{
	static const char *const keys[] = {"first", "last"};
	size_t width = (size_t) checking->model->view.config->hidden_size;
	States read;
	GoldenRow row;

	read_states(record, width, &read);
	golden_row_read(&row, record, "input_ids");
	row.batch.states = &read.states;
	for (size_t i = 0; i < 2; i++)
	{
		size_t at = i == 0 ? 0 : row.row_start[1] - 1;
		float *logits = vocabulary_logits(checking, forward(checking, &row) + at * width);

		check_distribution(checking, json_object_get(json_object_get(record, "out"), keys[i]),
						   logits);
		free(logits);
	}
	free(read.hidden);
	free(read.mask);
	golden_row_free(&row);
}

static void
check_causal_lm(Checking *checking, const json_t *record)
{
	if (checking->model->view.config->add_cross_attention)
		check_cross_attention(checking, record);
	else
		check_decoder(checking, record);
}

static void
test_causal_lm(void **state)
{
	(void) state;
	for_records(RF_TASK_CAUSAL_LM, check_causal_lm, 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_causal_lm)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
