/*
 * golden_records.c - going through the records, and comparing numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "golden_records.h"
#include "tested_set.h"

void
expect_number(const Checking *checking, const char *what, size_t index, double found,
			  double expected, double bound)
{
	if (!(fabs(found - expected) <= bound))
		fail_msg("%s, %s: %s[%zu] is %.9g, expected %.9g", checking->id,
				 rf_kernels_name(checking->model->view.kernels), what, index, found, expected);
}

void
expect_numbers(const Checking *checking, const char *what, const float *found,
			   const json_t *expected, size_t count, double bound)
{
	if (json_array_size(expected) != count)
		fail_msg("%s: %s has %zu numbers, not %zu", checking->id, what, json_array_size(expected),
				 count);
	for (size_t i = 0; i < count; i++)
		expect_number(checking, what, i, (double) found[i],
					  json_number_value(json_array_get(expected, i)), bound);
}

void
expect_text(const Checking *checking, const char *what, const char *found, const char *expected)
{
	if (strcmp(found, expected) != 0)
		fail_msg("%s: %s is \"%s\", expected \"%s\"", checking->id, what, found, expected);
}

void
expect_ok(const Checking *checking, RfCode code, const RfError *err)
{
	if (code != RF_OK)
		fail_msg("%s: %s", checking->id, err->message);
}

/* Whether the engine can do the whole record from its text; fills input. */
bool
text_of(Checking *checking, const json_t *record, RfInput *input)
{
	memset(input, 0, sizeof(*input));
	if (!checking->model->has_text || json_object_get(record, "args") != NULL ||
		!json_is_string(json_object_get(record, "text")))
		return false;
	input->text = golden_text(record, "text", &input->length);
	input->pair = golden_text(record, "text_pair", &input->pair_length);
	checking->texts++;
	return true;
}

const float *
forward(Checking *checking, const GoldenRow *row)
{
	const float *hidden;
	RfError err = {0};

	expect_ok(checking, rf_encoder_forward(&checking->model->encoder, &row->batch, &hidden, &err),
			  &err);
	return hidden;
}

void
check_pooler(Checking *checking, const json_t *expected, const float *hidden)
{
	size_t width = (size_t) checking->model->view.config->hidden_size;
	float *pooled = malloc(width * sizeof(float));
	RfError err = {0};

	expect_ok(checking, rf_head_pooler(&checking->model->encoder, hidden, 1, pooled, &err), &err);
	expect_numbers(checking, "pooler_output", pooled, expected, width, HIDDEN_BOUND);
	free(pooled);
}

double
log_sum_exp(const float *logits, size_t n)
{
	double largest = -INFINITY;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, (double) logits[i]);
	for (size_t i = 0; i < n; i++)
		sum += exp((double) logits[i] - largest);
	return largest + log(sum);
}

/* top [[token, id, logit, probability], ...], logsumexp, logits_first8 of one position */
void
check_distribution(Checking *checking, const json_t *expected, const float *logits)
{
	size_t n = (size_t) checking->model->view.config->vocab_size;
	double norm = log_sum_exp(logits, n);
	const json_t *top = json_object_get(expected, "top");
	const json_t *first = json_object_get(expected, "logits_first8");

	expect_number(checking, "logsumexp", 0, norm,
				  json_number_value(json_object_get(expected, "logsumexp")), VOCABULARY_BOUND);
	if (first != NULL)
		expect_numbers(checking, "logits_first8", logits, first, 8, VOCABULARY_BOUND);
	assert_true(json_array_size(top) > 0);
	for (size_t i = 0; i < json_array_size(top); i++)
	{
		const json_t *entry = json_array_get(top, i);
		size_t id = (size_t) json_integer_value(json_array_get(entry, 1));
		size_t length;
		const char *token = rf_tokenizer_token(rf_session_tokenizer(checking->model->session),
											   (int32_t) id, &length);

		expect_number(checking, "top logit", i, (double) logits[id],
					  json_number_value(json_array_get(entry, 2)), VOCABULARY_BOUND);
		expect_number(checking, "top probability", i, exp((double) logits[id] - norm),
					  json_number_value(json_array_get(entry, 3)), SCORE_BOUND);
		assert_int_equal(length, json_string_length(json_array_get(entry, 0)));
		assert_memory_equal(token, json_string_value(json_array_get(entry, 0)), length);
	}
}

float *
vocabulary_logits(Checking *checking, const float *hidden)
{
	float *logits = malloc((size_t) checking->model->view.config->vocab_size * sizeof(float));
	RfArena arena;
	RfError err = {0};

	rf_arena_init(&arena, rf_memory_malloc);
	expect_ok(checking,
			  rf_head_vocabulary(&checking->model->encoder, hidden, 1, &arena, logits, &err), &err);
	rf_arena_free(&arena);
	return logits;
}

/* The loop over models, sets and records */

typedef struct RecordLoop
{
	Checking checking;
	RecordCheck check;
	const char *folder;
} RecordLoop;

static void
check_record(void *context, const json_t *record, size_t line)
{
	RecordLoop *loop = context;

	(void) line;
	loop->checking.id = json_string_value(json_object_get(record, "id"));
	loop->check(&loop->checking, record);
	loop->checking.records++;
}

static void
check_model(RecordLoop *loop, const char *name, const char *kernels, RfTask task)
{
	GoldenModel model;
	char path[512];

	if (!golden_model_open(&model, name, kernels))
		return;
	loop->checking.model = &model;
	snprintf(path, sizeof(path), "%s/%s/%s.jsonl", golden_directory(), loop->folder, name);
	if (model.view.config->task == task &&
		(strcmp(loop->folder, "outputs") == 0 || access(path, F_OK) == 0))
		golden_each(path, check_record, loop);
	golden_model_close(&model);
}

void
for_records_in(const char *folder, RfTask task, RecordCheck check, size_t least)
{
	char **names = golden_model_names();
	RfKernelsStatus status;

	for (size_t set = 0; tested_set(set, &status); set++)
	{
		RecordLoop loop = {.check = check, .folder = folder};

		/* Sets that differ in low precision only are left to test_golden_precision. */
		if (strchr(status.name, '_') != NULL)
			continue;
		for (size_t i = 0; names[i] != NULL && status.available; i++)
			check_model(&loop, names[i], status.name, task);
		if (!status.available)
			print_message("# kernel set %s is left out: %s\n", status.name, status.reason);
		else
			print_message("# %s: %zu records, %zu of them from their text\n", status.name,
						  loop.checking.records, loop.checking.texts);
		assert_true(!status.available || loop.checking.records >= least);
	}
	for (size_t i = 0; names[i] != NULL; i++)
		free(names[i]);
	free(names);
}

void
for_records(RfTask task, RecordCheck check, size_t least)
{
	for_records_in("outputs", task, check, least);
}
