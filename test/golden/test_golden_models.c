/*
 * test_golden_models.c - numbers and texts of every golden model against the reference's, with
 * every kernel set of this machine, in fp32: sets that differ from another one in low precision
 * only (avx2_vnni from avx2) are left to test_golden_precision.
 *
 * Tolerances are those of the goldens' README. Each record is computed from its ids; where the
 * model's tokenizer has what it needs and the record was encoded without arguments, its texts
 * go through the whole engine as well. Weights are read in whatever format a model has
 * them; the least numbers of records hold only when PyTorch files are read, too.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_records.h"

/* Bare models */

static void
check_rows(const Checking *checking, const json_t *out, const float *hidden, size_t width)
{
	const char *position;
	json_t *numbers;
	const json_t *norms = json_object_get(out, "row_l2");

	json_object_foreach(json_object_get(out, "rows"), position, numbers)
		expect_numbers(checking, "row", hidden + strtoul(position, NULL, 10) * width, numbers,
					   width, HIDDEN_BOUND);
	for (size_t row = 0; row < json_array_size(norms); row++)
	{
		double squares = 0;

		for (size_t i = 0; i < width; i++)
			squares += (double) hidden[row * width + i] * (double) hidden[row * width + i];
		expect_number(checking, "row_l2", row, sqrt(squares),
					  json_number_value(json_array_get(norms, row)), HIDDEN_BOUND);
	}
}

static void
check_pooled(Checking *checking, const json_t *out, const RfInput *input)
{
	static const struct
	{
		const char *key;
		RfPooling pooling;
	} kinds[] = {{"mean_pooled", RF_POOL_MEAN},
				 {"max_pooled", RF_POOL_MAX},
				 {"pooler_output", RF_POOL_POOLER}};
	size_t width = (size_t) checking->model->view.config->hidden_size;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		const json_t *expected = json_object_get(out, kinds[i].key);
		RfArena arena;
		RfRun run = {.arena = &arena};
		float *vectors;
		RfError err = {0};

		if (expected == NULL)
			continue;
		rf_arena_init(&arena, rf_memory_malloc);
		expect_ok(checking,
				  rf_run_embed(checking->model->session, &run, input, 1, kinds[i].pooling, false,
							   &vectors, &err),
				  &err);
		expect_numbers(checking, kinds[i].key, vectors, expected, width, HIDDEN_BOUND);
		rf_arena_free(&arena);
	}
}

static void
check_mean_and_max(const Checking *checking, const json_t *out, const float *hidden, size_t tokens,
				   size_t width)
{
	const json_t *means = json_object_get(out, "mean_pooled");
	const json_t *largest = json_object_get(out, "max_pooled");

	for (size_t i = 0; i < width; i++)
	{
		double sum = 0;
		double most = -INFINITY;

		for (size_t t = 0; t < tokens; t++)
		{
			sum += (double) hidden[t * width + i];
			most = fmax(most, (double) hidden[t * width + i]);
		}
		expect_number(checking, "mean_pooled", i, sum / (double) tokens,
					  json_number_value(json_array_get(means, i)), HIDDEN_BOUND);
		expect_number(checking, "max_pooled", i, most,
					  json_number_value(json_array_get(largest, i)), HIDDEN_BOUND);
	}
}

static void
check_encoder(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	size_t width = (size_t) checking->model->view.config->hidden_size;
	GoldenRow row;
	RfInput input;
	const float *hidden;

	golden_row_read(&row, record, "input_ids");
	hidden = forward(checking, &row);
	check_rows(checking, out, hidden, width);
	check_mean_and_max(checking, out, hidden, row.row_start[1], width);
	if (json_object_get(out, "pooler_output") != NULL)
		check_pooler(checking, json_object_get(out, "pooler_output"), hidden);
	if (text_of(checking, record, &input))
	{
		RfArena arena;
		RfRun run = {.arena = &arena};
		RfMatrix matrix;
		RfError err = {0};

		rf_arena_init(&arena, rf_memory_malloc);
		expect_ok(checking,
				  rf_run_hidden_state(checking->model->session, &run, &input, 1, &matrix, &err),
				  &err);
		assert_int_equal(matrix.rows, row.row_start[1]);
		check_rows(checking, out, matrix.values, width);
		check_pooled(checking, out, &input);
		rf_arena_free(&arena);
	}
	golden_row_free(&row);
}

static void
test_encoder(void **state)
{
	(void) state;
	for_records(RF_TASK_ENCODER, check_encoder, 200);
}

/* Masked language models */

/* One mask's fills [[token, sequence], ...] against the engine's; neighbours may change places when
 * tied. */
static void
check_mask_fills(Checking *checking, const json_t *expected, const json_t *position,
				 const RfFill *fills)
{
	const json_t *top = json_object_get(position, "top");

	for (size_t i = 0; i < json_array_size(expected); i++)
	{
		const json_t *fill = NULL;

		for (size_t j = 0; j < json_array_size(expected); j++)
		{
			const json_t *entry = json_array_get(top, j);
			double gap = json_number_value(json_array_get(entry, 2)) -
						 json_number_value(json_array_get(json_array_get(top, i), 2));

			if (json_integer_value(json_array_get(entry, 1)) != fills[i].id)
				continue;
			if (i != j && fabs(gap) >= TIE)
				fail_msg("%s: token %d is fill %zu, expected as %zu", checking->id,
						 (int) fills[i].id, i, j);
			fill = json_array_get(expected, j);
			expect_number(checking, "fill score", i, (double) fills[i].score,
						  json_number_value(json_array_get(entry, 3)), SCORE_BOUND);
		}
		if (fill == NULL)
			fail_msg("%s: fill %zu is token %d", checking->id, i, (int) fills[i].id);
		expect_text(checking, "filled token", fills[i].token,
					json_string_value(json_array_get(fill, 0)));
		expect_text(checking, "filled sequence", fills[i].sequence,
					json_string_value(json_array_get(fill, 1)));
	}
}

static void
check_fills(Checking *checking, const json_t *out, const RfInput *input)
{
	const json_t *expected = json_object_get(out, "fill");
	size_t masks = json_array_size(expected);
	RfArena arena;
	RfRun run = {.arena = &arena};
	RfFills *fills;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking, rf_run_fill_mask(checking->model->session, &run, input, 1, 5, &fills, &err),
			  &err);
	/* Records show at most six masks. */
	assert_true(masks < 6 ? fills->count == 5 * masks : fills->count >= 5 * masks);
	for (size_t mask = 0; mask < masks; mask++)
		check_mask_fills(checking, json_array_get(expected, mask),
						 json_array_get(json_object_get(out, "positions"), mask),
						 fills->fills + 5 * mask);
	rf_arena_free(&arena);
}

static void
check_masked_lm(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	const json_t *positions = json_object_get(out, "positions");
	size_t width = (size_t) checking->model->view.config->hidden_size;
	GoldenRow row;
	RfInput input;

	golden_row_read(&row, record, "input_ids");
	for (size_t i = 0; i < json_array_size(positions); i++)
	{
		const json_t *position = json_array_get(positions, i);
		size_t at = (size_t) json_integer_value(json_object_get(position, "pos"));
		float *logits;

		if (at >= row.row_start[1])
			continue; /* padding */
		logits = vocabulary_logits(checking, forward(checking, &row) + at * width);
		check_distribution(checking, position, logits);
		free(logits);
	}
	if (text_of(checking, record, &input))
		check_fills(checking, out, &input);
	golden_row_free(&row);
}

static void
test_masked_lm(void **state)
{
	(void) state;
	for_records(RF_TASK_MASKED_LM, check_masked_lm, 120);
}

/* Classification */

static void
label_logits(Checking *checking, const float *hidden, size_t rows, float *logits)
{
	RfArena arena;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking,
			  rf_head_labels(&checking->model->encoder, hidden, rows, &arena, logits, &err), &err);
	rf_arena_free(&arena);
}

/* The largest of scores is expected's label, or one that is as good. */
static void
check_label(const Checking *checking, const char *expected, const float *logits)
{
	size_t labels = (size_t) checking->model->view.config->num_labels;
	size_t best = 0;

	for (size_t i = 1; i < labels; i++)
		if (logits[i] > logits[best])
			best = i;
	for (size_t i = 0; i < labels; i++)
		if (strcmp(rf_session_label(checking->model->session, (int32_t) i), expected) == 0 &&
			logits[best] - logits[i] < (float) TIE)
			return;
	fail_msg("%s: label is \"%s\", expected \"%s\"", checking->id,
			 rf_session_label(checking->model->session, (int32_t) best), expected);
}

static void
check_sequence_outputs(const Checking *checking, const json_t *out, const float *logits)
{
	size_t labels = (size_t) checking->model->view.config->num_labels;
	const json_t *probs = json_object_get(out, "probs");
	const json_t *label = json_object_get(out, "label");
	float *scores = malloc(labels * sizeof(float));

	expect_numbers(checking, "logits", logits, json_object_get(out, "logits"), labels,
				   HIDDEN_BOUND);
	rf_session_scores(checking->model->session, logits, scores);
	if (probs != NULL)
		expect_numbers(checking, "probs", scores, probs, labels, SCORE_BOUND);
	if (label != NULL)
		check_label(checking, json_string_value(label), logits);
	free(scores);
}

static void
check_sequence(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	size_t labels = (size_t) checking->model->view.config->num_labels;
	float *logits = malloc(labels * sizeof(float));
	GoldenRow row;
	RfInput input;

	golden_row_read(&row, record, "input_ids");
	label_logits(checking, forward(checking, &row), 1, logits);
	check_sequence_outputs(checking, out, logits);
	if (text_of(checking, record, &input))
	{
		RfArena arena;
		RfRun run = {.arena = &arena};
		float *found;
		RfError err = {0};

		rf_arena_init(&arena, rf_memory_malloc);
		expect_ok(checking,
				  rf_run_sequence_logits(checking->model->session, &run, &input, 1, &found, &err),
				  &err);
		/* Shapes of weights and of calls are the same: so are the bits. */
		assert_memory_equal(found, logits, labels * sizeof(float));
		rf_arena_free(&arena);
	}
	golden_row_free(&row);
	free(logits);
}

static void
test_sequence(void **state)
{
	(void) state;
	for_records(RF_TASK_SEQUENCE_CLASSIFICATION, check_sequence, 260);
}

/* entities {"simple": [[group, score, start, end], ...], ...} */
static void
check_entities(Checking *checking, const json_t *out, const RfInput *input)
{
	static const struct
	{
		const char *key;
		RfAggregation aggregation;
	} kinds[] = {{"simple", RF_AGGREGATE_SIMPLE},
				 {"first", RF_AGGREGATE_FIRST},
				 {"average", RF_AGGREGATE_AVERAGE},
				 {"max", RF_AGGREGATE_MAX}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		const json_t *expected = json_object_get(json_object_get(out, "entities"), kinds[i].key);
		RfArena arena;
		RfRun run = {.arena = &arena};
		RfEntities *found;
		RfError err = {0};

		rf_arena_init(&arena, rf_memory_malloc);
		expect_ok(checking,
				  rf_run_tag(checking->model->session, &run, input, 1, kinds[i].aggregation, &found,
							 &err),
				  &err);
		if (found->count != json_array_size(expected))
			fail_msg("%s, %s: %zu entities, expected %zu", checking->id, kinds[i].key, found->count,
					 json_array_size(expected));
		for (size_t j = 0; j < found->count; j++)
		{
			const RfEntity *entity = &found->entities[j];
			const json_t *entry = json_array_get(expected, j);

			expect_text(checking, kinds[i].key, entity->label,
						json_string_value(json_array_get(entry, 0)));
			expect_number(checking, "entity score", j, (double) entity->score,
						  json_number_value(json_array_get(entry, 1)), SCORE_BOUND);
			assert_int_equal(entity->start, json_integer_value(json_array_get(entry, 2)));
			assert_int_equal(entity->start + entity->length,
							 json_integer_value(json_array_get(entry, 3)));
		}
		rf_arena_free(&arena);
	}
}

/* Strategy none: one entity for each token that is not special and not O. */
static void
check_plain_entities(Checking *checking, const json_t *record, const RfInput *input)
{
	const json_t *out = json_object_get(record, "out");
	const json_t *labels = json_object_get(out, "labels");
	size_t next = 0;
	RfArena arena;
	RfRun run = {.arena = &arena};
	RfEntities *found;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking,
			  rf_run_tag(checking->model->session, &run, input, 1, RF_AGGREGATE_NONE, &found, &err),
			  &err);
	for (size_t i = 0; i < json_array_size(labels); i++)
	{
		const char *label = json_string_value(json_array_get(labels, i));
		const json_t *offset = json_array_get(json_object_get(record, "offsets"), i);

		if (json_is_null(offset) || strcmp(label, "O") == 0)
			continue;
		assert_true(next < found->count);
		expect_text(checking, "token label", found->entities[next].label, label);
		expect_number(checking, "token score", i, (double) found->entities[next].score,
					  json_number_value(json_array_get(json_object_get(out, "scores"), i)),
					  SCORE_BOUND);
		assert_int_equal(found->entities[next].start,
						 json_integer_value(json_array_get(offset, 0)));
		next++;
	}
	assert_int_equal(next, found->count);
	rf_arena_free(&arena);
}

static void
check_tokens(Checking *checking, const json_t *record)
{
	const json_t *out = json_object_get(record, "out");
	const json_t *expected = json_object_get(out, "logits");
	size_t labels = (size_t) checking->model->view.config->num_labels;
	GoldenRow row;
	RfInput input;
	float *logits;

	golden_row_read(&row, record, "input_ids");
	logits = malloc(row.row_start[1] * labels * sizeof(float));
	label_logits(checking, forward(checking, &row), row.row_start[1], logits);
	for (size_t i = 0; i < row.row_start[1]; i++)
	{
		if (expected != NULL)
			expect_numbers(checking, "logits", logits + i * labels, json_array_get(expected, i),
						   labels, HIDDEN_BOUND);
		check_label(checking, json_string_value(json_array_get(json_object_get(out, "labels"), i)),
					logits + i * labels);
	}
	if (text_of(checking, record, &input))
	{
		check_entities(checking, out, &input);
		check_plain_entities(checking, record, &input);
	}
	free(logits);
	golden_row_free(&row);
}

static void
test_tokens(void **state)
{
	(void) state;
	for_records(RF_TASK_TOKEN_CLASSIFICATION, check_tokens, 90);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoder),
		cmocka_unit_test(test_masked_lm),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
