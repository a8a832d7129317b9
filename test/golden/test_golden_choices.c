/*
 * test_golden_choices.c - answers to questions, and choices, of every golden model that gives them:
 * logits from ids, results from texts, over windows as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_records.h"

#define SPAN_BOUND 1e-4 /* relative: scores of spans are products of small probabilities */

/*
 * The answer is the first of best, or one whose score is as good; widened to whole words.
 */
static void
expect_answer(const Checking *checking, const json_t *best, const RfAnswer *answer)
{
	double highest = json_number_value(json_object_get(json_array_get(best, 0), "score"));

	assert_true(answer->found);
	expect_number(checking, "score of the answer", 0, (double) answer->score, highest,
				  highest * SPAN_BOUND);
	for (size_t i = 0; i < json_array_size(best); i++)
	{
		const json_t *span = json_array_get(best, i);
		double score = json_number_value(json_object_get(span, "score"));

		if (score >= highest * (1 - SPAN_BOUND) &&
			answer->start == json_integer_value(json_object_get(span, "word_char_start")) &&
			answer->start + answer->length ==
				json_integer_value(json_object_get(span, "word_char_end")))
			return;
	}
	fail_msg("%s: the answer has characters %d to %d", checking->id, (int) answer->start,
			 (int) (answer->start + answer->length));
}

static void
check_answer(const Checking *checking, const json_t *best, const RfInput *input,
			 const RfRunOptions *run_options, int32_t doc_stride)
{
	RfAnswerOptions options = {.max_answer_len = 15, .doc_stride = doc_stride};
	RfArena arena;
	RfRun run = {.options = *run_options, .arena = &arena};
	RfAnswer *answer;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking,
			  rf_run_answer(checking->model->session, &run, input, 1, &options, &answer, &err),
			  &err);
	expect_answer(checking, best, answer);
	rf_arena_free(&arena);
}

static void
check_question(Checking *checking, const json_t *record)
{
	static const RfRunOptions whole = {0};
	const json_t *out = json_object_get(record, "out");
	const json_t *starts = json_object_get(out, "start_logits");
	const json_t *ends = json_object_get(out, "end_logits");
	GoldenRow row;
	RfInput input;
	RfArena arena;
	float *logits;
	RfError err = {0};

	golden_row_read(&row, record, "input_ids");
	logits = malloc(row.row_start[1] * 2 * sizeof(float));
	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking,
			  rf_head_labels(&checking->model->encoder, forward(checking, &row), row.row_start[1],
							 &arena, logits, &err),
			  &err);
	rf_arena_free(&arena);
	assert_int_equal(json_array_size(starts), row.row_start[1]);
	for (size_t i = 0; i < row.row_start[1]; i++)
	{
		expect_number(checking, "start_logits", i, (double) logits[2 * i],
					  json_number_value(json_array_get(starts, i)), HIDDEN_BOUND);
		expect_number(checking, "end_logits", i, (double) logits[2 * i + 1],
					  json_number_value(json_array_get(ends, i)), HIDDEN_BOUND);
	}
	if (text_of(checking, record, &input))
	{
		RfRun run = {.arena = &arena};
		RfMatrix matrix;

		rf_arena_init(&arena, rf_memory_malloc);
		expect_ok(checking, rf_run_logits(checking->model->session, &run, &input, 1, &matrix, &err),
				  &err);
		assert_int_equal(matrix.rows, 2);
		assert_int_equal(matrix.columns, row.row_start[1]);
		expect_numbers(checking, "start_logits", matrix.values, starts, matrix.columns,
					   HIDDEN_BOUND);
		expect_numbers(checking, "end_logits", matrix.values + matrix.columns, ends, matrix.columns,
					   HIDDEN_BOUND);
		rf_arena_free(&arena);
		check_answer(checking, json_object_get(out, "best"), &input, &whole, 128);
	}
	free(logits);
	golden_row_free(&row);
}

static void
test_questions(void **state)
{
	(void) state;
	for_records(RF_TASK_QUESTION_ANSWERING, check_question, 20);
}

/* A context that is longer than a row. */
static void
check_windows(Checking *checking, const json_t *record)
{
	RfRunOptions options = {
		.max_length = (int32_t) json_integer_value(json_object_get(record, "max_seq_len")),
	};
	RfInput input;

	input.text = golden_text(record, "question", &input.length);
	input.pair = golden_text(record, "context", &input.pair_length);
	check_answer(checking, json_object_get(record, "best"), &input, &options,
				 (int32_t) json_integer_value(json_object_get(record, "doc_stride")));
	checking->texts++;
}

static void
test_windows(void **state)
{
	(void) state;
	for_records_in("windows", RF_TASK_QUESTION_ANSWERING, check_windows, 20);
}

/* Multiple choice */

#define MAX_CHOICES 8

/* The ids of all choices, padded to one length: every column is computed. */
static void
read_choices(const json_t *record, size_t count, RfBatch *batch, RfArena *arena)
{
	size_t padded = (size_t) json_integer_value(json_object_get(record, "padded_len"));
	int32_t *ids = rf_arena_zalloc(arena, count * padded, sizeof(*ids));
	int32_t *types = rf_arena_zalloc(arena, count * padded, sizeof(*types));
	uint32_t *row_start = rf_arena_alloc(arena, count + 1, sizeof(*row_start));
	uint32_t *row_seen = rf_arena_alloc(arena, count, sizeof(*row_seen));

	for (size_t i = 0; i <= count; i++)
		row_start[i] = (uint32_t) (i * padded);
	for (size_t i = 0; i < count; i++)
	{
		const json_t *from = json_array_get(json_object_get(record, "choice_input_ids"), i);
		const json_t *kinds = json_array_get(json_object_get(record, "choice_token_type_ids"), i);

		row_seen[i] = (uint32_t) json_array_size(from);
		assert_in_range(row_seen[i], 1, padded);
		for (size_t j = 0; j < row_seen[i]; j++)
		{
			ids[i * padded + j] = (int32_t) json_integer_value(json_array_get(from, j));
			types[i * padded + j] = (int32_t) json_integer_value(json_array_get(kinds, j));
		}
	}
	*batch = (RfBatch){.rows = count,
					   .row_start = row_start,
					   .input_ids = ids,
					   .token_type_ids = types,
					   .row_seen = row_seen};
}

static void
check_choice_ids(Checking *checking, const json_t *record, size_t count)
{
	RfEncoder *encoder = &checking->model->encoder;
	size_t width = (size_t) checking->model->view.config->hidden_size;
	RfSummary summary = checking->model->view.config->summary;
	float logits[MAX_CHOICES];
	float *summaries;
	const float *hidden;
	RfBatch batch;
	RfArena arena;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	read_choices(record, count, &batch, &arena);
	summaries = rf_arena_alloc(&arena, count * width, sizeof(float));
	expect_ok(checking, rf_encoder_forward(encoder, &batch, &hidden, &err), &err);
	for (size_t i = 0; i < count; i++)
	{
		size_t column =
			summary == RF_SUMMARY_FIRST ? batch.row_start[i] : batch.row_start[i + 1] - 1;

		assert_int_not_equal(summary, RF_SUMMARY_MEAN);
		memcpy(summaries + i * width, hidden + column * width, width * sizeof(float));
	}
	expect_ok(checking, rf_head_choices(encoder, summaries, count, &arena, logits, &err), &err);
	expect_numbers(checking, "logits", logits,
				   json_object_get(json_object_get(record, "out"), "logits"), count, HIDDEN_BOUND);
	rf_arena_free(&arena);
}

/* All choices together, and each by itself, from their texts. */
static void
check_choice_texts(Checking *checking, const json_t *record, size_t count)
{
	static const size_t alone[MAX_CHOICES] = {1, 1, 1, 1, 1, 1, 1, 1};
	const json_t *out = json_object_get(record, "out");
	RfSession *session = checking->model->session;
	RfInput inputs[MAX_CHOICES];
	float scores[MAX_CHOICES];
	float *logits;
	RfArena arena;
	RfRun run = {.arena = &arena};
	RfError err = {0};

	for (size_t i = 0; i < count; i++)
	{
		const json_t *choice = json_array_get(json_object_get(record, "choices"), i);

		inputs[i].text = golden_text(record, "text", &inputs[i].length);
		inputs[i].pair = json_string_value(choice);
		inputs[i].pair_length = json_string_length(choice);
	}
	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking, rf_run_choices(session, &run, inputs, &count, 1, &logits, &err), &err);
	expect_numbers(checking, "logits", logits, json_object_get(out, "logits"), count, HIDDEN_BOUND);
	rf_softmax(logits, count, scores);
	expect_numbers(checking, "probs", scores, json_object_get(out, "probs"), count, SCORE_BOUND);
	expect_ok(checking, rf_run_choices(session, &run, inputs, alone, count, &logits, &err), &err);
	expect_numbers(checking, "logits_each_unpadded", logits,
				   json_object_get(out, "logits_each_unpadded"), count, HIDDEN_BOUND);
	rf_arena_free(&arena);
	checking->texts++;
}

static void
check_choices(Checking *checking, const json_t *record)
{
	size_t count = json_array_size(json_object_get(record, "choices"));

	assert_in_range(count, 1, MAX_CHOICES);
	check_choice_ids(checking, record, count);
	if (checking->model->has_text && json_object_size(json_object_get(record, "args")) == 0)
		check_choice_texts(checking, record, count);
}

static void
test_choices(void **state)
{
	(void) state;
	for_records(RF_TASK_MULTIPLE_CHOICE, check_choices, 28);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
