/*
 * test_hold_results.c - answers and choices that are computed ahead: the same as asked for one by
 * one, without what would be an error, for the same options only.
 */
#include "session_fixture.h"

#define CONTEXTS 5
#define PROMPTS 4

static const RfAnswerOptions usual = {15, 128, false};

static RfInput
pair(const char *text, const char *second)
{
	return (RfInput){text, strlen(text), second, strlen(second)};
}

static RfCode
hold(Fixture *fixture, RfRun *ahead, const RfHoldOptions *options, const RfInput *inputs,
	 const size_t *counts, size_t groups, RfHeld **held)
{
	*ahead = (RfRun){.options = fixture->run.options};
	return rf_session_hold(fixture->session, ahead, options, inputs, counts, groups,
						   (RfMemory){counted_alloc, counted_release, &fixture->counter}, held,
						   &fixture->err);
}

/* Counts of a run that is served are those of one that computes, but for batches. */
static void
expect_counts(const RfRunStats *served, const RfRunStats *computed)
{
	assert_int_equal(served->rows, computed->rows);
	assert_int_equal(served->tokens, computed->tokens);
	assert_int_equal(served->truncated_rows, computed->truncated_rows);
	assert_int_equal(served->windowed_rows, computed->windowed_rows);
	assert_int_equal(served->windows, computed->windows);
	assert_int_equal(served->batches, 0);
}

static RfAnswer
answer_of(Fixture *fixture, const RfInput *input, const RfAnswerOptions *options)
{
	RfAnswer *answer;

	memset(&fixture->run.stats, 0, sizeof(fixture->run.stats));
	if (rf_run_answer(fixture->session, &fixture->run, input, 1, options, &answer, &fixture->err) !=
		RF_OK)
		fail_msg("%s", fixture->err.message);
	return *answer;
}

/* Twice the same, one without tokens, one in windows, one whose question is too long. */
static void
make_contexts(RfInput *inputs)
{
	inputs[0] = pair("t5 t6", "t7 t8 t9");
	inputs[1] = pair("t5 t6", "t9 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20 t21 t22 t23 t24 t25 "
							  "t26 t27 t28 t29 t30 t31");
	inputs[2] = pair("t5 t6 t7 t8 t9 t10 t11 t12 t13 t14 t15 t16", "t7");
	inputs[3] = pair("t5 t6", "t7 t8 t9");
	inputs[4] = pair("t5 t6", "");
}

static void
test_answers(void **state)
{
	RfConfig config = random_model_config(RF_TASK_QUESTION_ANSWERING, 32, 2, 2, 64);
	RfHoldOptions options = {.kind = RF_HOLD_ANSWERS, .answer = usual};
	RfInput inputs[CONTEXTS];
	Fixture fixture;
	RfHeld *held;
	RfRun ahead;

	(void) state;
	set_up(&fixture, &config, never);
	fixture.run.options = (RfRunOptions){.max_length = 16, .overflow = RF_OVERFLOW_ERROR};
	make_contexts(inputs);
	assert_int_equal(hold(&fixture, &ahead, &options, inputs, NULL, CONTEXTS, &held), RF_OK);
	assert_int_equal(ahead.stats.rows, 3);
	assert_int_equal(ahead.stats.windowed_rows, 1);
	assert_int_equal(rf_held_rows(held), 3);
	assert_false(rf_held_has(held, &inputs[2], 1));
	for (size_t i = 0; i < CONTEXTS; i++)
	{
		RfAnswer expected;
		RfAnswer answer;
		RfRunStats computed;

		if (i == 2)
			continue;
		fixture.run.held = NULL;
		expected = answer_of(&fixture, &inputs[i], &usual);
		computed = fixture.run.stats;
		fixture.run.held = held;
		answer = answer_of(&fixture, &inputs[i], &usual);
		assert_int_equal(answer.found, expected.found);
		assert_true(answer.score == expected.score);
		assert_int_equal(answer.start, expected.start);
		assert_int_equal(answer.length, expected.length);
		expect_counts(&fixture.run.stats, &computed);
	}
	/* For other options it is computed. */
	answer_of(&fixture, &inputs[0], &(RfAnswerOptions){1, 128, false});
	assert_int_equal(fixture.run.stats.batches, 1);
	rf_held_free(held);
	/* Nor is anything held that could not be computed at all. */
	fixture.run.options.max_length = 4;
	assert_int_equal(hold(&fixture, &ahead, &options, inputs, NULL, CONTEXTS, &held), RF_INVALID);
	assert_int_equal(rf_held_rows(held), 0);
	rf_held_free(held);
	tear_down(&fixture);
}

/* The second is too long in its last choice, the third equals the first. */
static size_t
make_prompts(RfInput *inputs, size_t *counts)
{
	static const char *const texts[PROMPTS][3] = {
		{"t8", "t9 t10 t11", ""},
		{"t8", "t9", "t8 t9 t10 t11 t12 t13 t14 t15 t16 t17"},
		{"t8", "t9 t10 t11", ""},
		{"t8", "t9", NULL},
	};
	size_t next = 0;

	for (size_t i = 0; i < PROMPTS; i++)
	{
		counts[i] = 0;
		for (size_t j = 0; j < 3 && texts[i][j] != NULL; j++, counts[i]++)
			inputs[next++] = pair("t5 t6", texts[i][j]);
	}
	return next;
}

static void
check_prompt(Fixture *fixture, const RfHeld *held, const RfInput *inputs, size_t count)
{
	RfRunStats computed;
	float *expected;
	float *logits;

	fixture->run.held = NULL;
	memset(&fixture->run.stats, 0, sizeof(fixture->run.stats));
	assert_int_equal(rf_run_choices(fixture->session, &fixture->run, inputs, &count, 1, &expected,
									&fixture->err),
					 RF_OK);
	computed = fixture->run.stats;
	fixture->run.held = held;
	memset(&fixture->run.stats, 0, sizeof(fixture->run.stats));
	assert_int_equal(
		rf_run_choices(fixture->session, &fixture->run, inputs, &count, 1, &logits, &fixture->err),
		RF_OK);
	assert_memory_equal(logits, expected, count * sizeof(float));
	expect_counts(&fixture->run.stats, &computed);
}

static void
test_choices(void **state)
{
	static const RfHoldOptions options = {.kind = RF_HOLD_CHOICES};
	static const RfSummary summaries[] = {RF_SUMMARY_FIRST, RF_SUMMARY_LAST, RF_SUMMARY_MEAN};

	(void) state;
	for (size_t i = 0; i < sizeof(summaries) / sizeof(summaries[0]); i++)
	{
		RfConfig config = random_model_config(RF_TASK_MULTIPLE_CHOICE, 32, 2, 2, 64);
		RfInput inputs[3 * PROMPTS];
		size_t counts[PROMPTS];
		Fixture fixture;
		RfHeld *held;
		RfRun ahead;

		config.summary = summaries[i];
		set_up(&fixture, &config, never);
		fixture.run.options = (RfRunOptions){.max_length = 12, .overflow = RF_OVERFLOW_ERROR};
		assert_int_equal(make_prompts(inputs, counts), 11);
		assert_int_equal(hold(&fixture, &ahead, &options, inputs, counts, PROMPTS, &held), RF_OK);
		assert_int_equal(ahead.stats.batches, 1);
		assert_int_equal(rf_held_rows(held), 2);
		assert_false(rf_held_has(held, inputs + 3, 3));
		assert_false(rf_held_has(held, inputs, 2));
		check_prompt(&fixture, held, inputs, 3);
		check_prompt(&fixture, held, inputs + 6, 3);
		check_prompt(&fixture, held, inputs + 9, 2);
		rf_held_free(held);
		tear_down(&fixture);
	}
}

/* Whatever allocation is refused, whatever poll says stop: nothing is held, all is given back. */
static void
test_failures(void **state)
{
	RfConfig config = random_model_config(RF_TASK_QUESTION_ANSWERING, 32, 2, 1, 64);
	RfHoldOptions options = {.kind = RF_HOLD_ANSWERS, .answer = usual};
	long left = 1000;
	RfAbort abort_fn = {count_down, &left};
	RfInput inputs[CONTEXTS];
	Fixture fixture;
	RfHeld *held;
	RfRun ahead;

	(void) state;
	set_up(&fixture, &config, abort_fn);
	fixture.run.options.max_length = 16;
	make_contexts(inputs);
	for (long polls = 0;; polls += 3)
	{
		RfCode code;

		left = polls;
		code = hold(&fixture, &ahead, &options, inputs, NULL, CONTEXTS, &held);
		if (code == RF_OK)
			break;
		assert_int_equal(code, RF_CANCELED);
		assert_int_equal(rf_held_rows(held), 0);
		rf_held_free(held);
	}
	assert_int_equal(rf_held_rows(held), 4);
	rf_held_free(held);
	left = 1000000;
	for (size_t call = 1;; call += 2)
	{
		RfCode code;

		fixture.counter.calls = 0;
		fixture.counter.refuse_at = call;
		code = hold(&fixture, &ahead, &options, inputs, NULL, CONTEXTS, &held);
		if (code == RF_OK)
			break;
		assert_int_equal(code, RF_NO_MEMORY);
		assert_true(held == NULL || rf_held_rows(held) == 0);
		rf_held_free(held);
	}
	fixture.counter.refuse_at = 0;
	rf_held_free(held);
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
