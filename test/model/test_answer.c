/*
 * test_answer.c - answers against a search written down from its definition, over logits of windows
 * that are computed one by one; and what happens at the edges of lengths, texts and memory.
 */
#include "session_fixture.h"

#define MAX_TOKENS 400
#define QUESTION "t5 t6 t7"
#define QUESTION_TOKENS 3

static const RfAnswerOptions usual = {.max_answer_len = 15, .doc_stride = 128};

static RfConfig
question_config(void)
{
	return random_model_config(RF_TASK_QUESTION_ANSWERING, 32, 2, 2, 64);
}

/* A context of that many words, each a token, and where they stand. */
typedef struct Context
{
	char text[MAX_TOKENS * 4];
	size_t length;
	int32_t start[MAX_TOKENS];
	int32_t end[MAX_TOKENS];
	size_t tokens;
} Context;

static void
make_context(Context *context, size_t tokens)
{
	context->tokens = tokens;
	context->length = 0;
	context->text[0] = '\0';
	for (size_t i = 0; i < tokens; i++)
	{
		context->start[i] = (int32_t) context->length;
		context->length +=
			(size_t) snprintf(context->text + context->length, 4, "t%zu", 8 + (i * i + i / 3) % 80);
		context->end[i] = (int32_t) context->length;
		if (i + 1 < tokens)
			context->text[context->length++] = ' ';
	}
}

typedef struct Expected
{
	double score; /* -1: there is no answer */
	double impossible;
	size_t first; /* tokens of the context */
	size_t last;
} Expected;

/* Probabilities of [CLS] and of tokens [first, first + size) of a row's logits. */
static void
share(const float *logits, size_t first, size_t size, double *cls, double *shares)
{
	double sum = exp((double) logits[0]);

	for (size_t i = 0; i < size; i++)
		sum += exp((double) logits[first + i]);
	*cls = exp((double) logits[0]) / sum;
	for (size_t i = 0; i < size; i++)
		shares[i] = exp((double) logits[first + i]) / sum;
}

/* Searches the window of tokens [first, first + size) of the context. */
static void
search_window(Fixture *fixture, const char *question, size_t question_tokens,
			  const Context *context, size_t first, size_t size, const RfAnswerOptions *options,
			  Expected *expected)
{
	size_t length = (size_t) (context->end[first + size - 1] - context->start[first]);
	RfInput input = {question, strlen(question), context->text + context->start[first], length};
	RfRun run = {.arena = &fixture->results};
	double starts[MAX_TOKENS];
	double ends[MAX_TOKENS];
	double cls[2];
	RfMatrix logits;

	assert_int_equal(rf_run_logits(fixture->session, &run, &input, 1, &logits, &fixture->err),
					 RF_OK);
	assert_int_equal(logits.columns, size + question_tokens + 3);
	share(logits.values, question_tokens + 2, size, &cls[0], starts);
	share(logits.values + logits.columns, question_tokens + 2, size, &cls[1], ends);
	expected->impossible = fmin(expected->impossible, cls[0] * cls[1]);
	for (size_t s = 0; s < size; s++)
		for (size_t e = s; e < size && e < s + (size_t) options->max_answer_len; e++)
			if (starts[s] * ends[e] > expected->score)
			{
				expected->score = starts[s] * ends[e];
				expected->first = first + s;
				expected->last = first + e;
			}
}

/* window: tokens of the context in one row; step: from one window to the next */
static void
search_context(Fixture *fixture, const char *question, size_t question_tokens,
			   const Context *context, size_t window, size_t step, const RfAnswerOptions *options,
			   Expected *expected)
{
	*expected = (Expected){-1, 1, 0, 0};
	for (size_t first = 0; first < context->tokens; first += step)
	{
		size_t size = context->tokens - first < window ? context->tokens - first : window;

		search_window(fixture, question, question_tokens, context, first, size, options, expected);
		if (first + size == context->tokens)
			break;
	}
}

static void
expect_answer(const Context *context, const Expected *expected, const RfAnswer *answer)
{
	if (context->tokens == 0)
	{
		assert_false(answer->found);
		return;
	}
	assert_true(answer->found);
	assert_true(fabs((double) answer->score - expected->score) <= 1e-6 * expected->score);
	assert_int_equal(answer->start, context->start[expected->first]);
	assert_int_equal(answer->start + answer->length, context->end[expected->last]);
}

/* Asks with those options; the context is cut into windows of that size and step. */
static void
check_windows(Fixture *fixture, const char *question, size_t question_tokens, size_t tokens,
			  int32_t max_length, const RfAnswerOptions *options, size_t window, size_t step)
{
	static Context context;
	Expected expected;
	RfInput input = {question, strlen(question), context.text, 0};
	RfAnswer *answer;

	make_context(&context, tokens);
	input.length = strlen(question);
	input.pair_length = context.length;
	search_context(fixture, question, question_tokens, &context, window, step, options, &expected);
	fixture->run.options.max_length = max_length;
	memset(&fixture->run.stats, 0, sizeof(fixture->run.stats));
	assert_int_equal(
		rf_run_answer(fixture->session, &fixture->run, &input, 1, options, &answer, &fixture->err),
		RF_OK);
	expect_answer(&context, &expected, answer);
	assert_int_equal(fixture->run.stats.rows, 1);
	assert_int_equal(fixture->run.stats.truncated_rows, 0);
	assert_int_equal(fixture->run.stats.windowed_rows, tokens > window);
}

static void
test_windows(void **state)
{
	static const size_t tokens[] = {0, 1, 2, 17, 18, 19, 26, 27, 28, 36, 100, 399};
	RfConfig config = question_config();
	Fixture fixture;

	(void) state;
	set_up(&fixture, &config, never);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		RfAnswerOptions options = usual;

		/* 24 tokens: 18 of the context in a window; what they share is 12, half of 24, at most. */
		check_windows(&fixture, QUESTION, QUESTION_TOKENS, tokens[i], 24, &options, 18, 6);
		options.doc_stride = 9;
		check_windows(&fixture, QUESTION, QUESTION_TOKENS, tokens[i], 24, &options, 18, 9);
		options.doc_stride = 1;
		options.max_answer_len = 1;
		check_windows(&fixture, QUESTION, QUESTION_TOKENS, tokens[i], 24, &options, 18, 17);
		options.max_answer_len = 1000000;
		check_windows(&fixture, QUESTION, QUESTION_TOKENS, tokens[i], 24, &options, 18, 17);
	}
	/* By default rows have 384 tokens, though the model has 512; windows share 128. */
	check_windows(&fixture, QUESTION, QUESTION_TOKENS, 378, 0, &usual, 378, 250);
	check_windows(&fixture, QUESTION, QUESTION_TOKENS, 379, 0, &usual, 378, 250);
	check_windows(&fixture, QUESTION, QUESTION_TOKENS, 399, 0, &usual, 378, 250);
	check_windows(&fixture, QUESTION, QUESTION_TOKENS, 399, 405, &usual, 399, 271);
	check_windows(&fixture, "", 0, 50, 24, &usual, 21, 9);
	tear_down(&fixture);
}

/* A question that leaves less than windows share is cut, so that they get ahead, or refused. */
static void
test_long_questions(void **state)
{
	RfConfig config = question_config();
	RfInput input = {.text = "t5 t6 t7 t8 t9 t10 t11 t12 t13 t14", .length = 34};
	static Context context;
	Fixture fixture;
	Expected expected;
	RfAnswer *answer;

	(void) state;
	set_up(&fixture, &config, never);
	/* 24 tokens, of which 12 are shared: 13 for the context and 8 for the question */
	check_windows(&fixture, "t5 t6 t7 t8 t9 t10 t11 t12", 8, 50, 24, &usual, 13, 1);
	make_context(&context, 50);
	input.pair = context.text;
	input.pair_length = context.length;
	search_context(&fixture, "t5 t6 t7 t8 t9 t10 t11 t12", 8, &context, 13, 1, &usual, &expected);
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_OK);
	expect_answer(&context, &expected, answer);
	assert_int_equal(fixture.run.stats.truncated_rows, 1);
	fixture.run.options.overflow = RF_OVERFLOW_ERROR;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_TOO_LONG);
	assert_string_equal(fixture.err.message, "question has 10 tokens, more than the limit of 8");
	fixture.run.options.overflow = RF_OVERFLOW_TRUNCATE;
	/* The smallest row: one token of the question, one of the context. */
	search_context(&fixture, "t5", 1, &context, 1, 1, &usual, &expected);
	fixture.run.options.max_length = 5;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_OK);
	expect_answer(&context, &expected, answer);
	fixture.run.options.max_length = 4;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_INVALID);
	tear_down(&fixture);
}

/* Contexts of every length in batches of any size: each as if it were alone. */
static void
test_batches(void **state)
{
	static const size_t tokens[] = {30, 0, 5, 200, 0, 1, 64};
	static const int32_t sizes[] = {0, 1, 25, 100, 1000000};
	static Context contexts[7];
	RfConfig config = question_config();
	RfInput inputs[7];
	RfAnswer expected[7];
	Fixture fixture;
	RfAnswer *answers;

	(void) state;
	set_up(&fixture, &config, never);
	fixture.run.options.max_length = 24;
	for (size_t i = 0; i < 7; i++)
	{
		make_context(&contexts[i], tokens[i]);
		inputs[i] = (RfInput){QUESTION, i % 2 == 0 ? strlen(QUESTION) : 2, contexts[i].text,
							  contexts[i].length};
		assert_int_equal(rf_run_answer(fixture.session, &fixture.run, &inputs[i], 1, &usual,
									   &answers, &fixture.err),
						 RF_OK);
		assert_int_equal(answers->found, tokens[i] > 0);
		expected[i] = *answers;
	}
	for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++)
	{
		fixture.run.options.batch_tokens = sizes[size];
		assert_int_equal(
			rf_run_answer(fixture.session, &fixture.run, inputs, 7, &usual, &answers, &fixture.err),
			RF_OK);
		for (size_t i = 0; i < 7; i++)
		{
			assert_int_equal(answers[i].found, expected[i].found);
			assert_true(!answers[i].found || (answers[i].score == expected[i].score &&
											  answers[i].start == expected[i].start &&
											  answers[i].length == expected[i].length));
		}
	}
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, NULL, 0, &usual, &answers, &fixture.err),
		RF_OK);
	tear_down(&fixture);
}

/* Asks single words of contexts; counts[1] answers, counts[0] times none. */
static void
check_impossible(const RfConfig *config, size_t counts[2])
{
	RfAnswerOptions options = usual;
	static Context context;
	Fixture fixture;

	options.handle_impossible_answer = true;
	set_up(&fixture, config, never);
	fixture.run.options.max_length = 24;
	for (size_t question = 5; question < 40; question++)
		for (size_t tokens = 1; tokens < 40; tokens += 19)
		{
			char asked[8];
			RfInput input = {asked, 0, context.text, 0};
			Expected expected;
			RfAnswer *answer;

			input.length = (size_t) snprintf(asked, sizeof(asked), "t%zu", question);
			make_context(&context, tokens);
			input.pair_length = context.length;
			search_context(&fixture, asked, 1, &context, 20, 8, &options, &expected);
			assert_int_equal(rf_run_answer(fixture.session, &fixture.run, &input, 1, &options,
										   &answer, &fixture.err),
							 RF_OK);
			assert_int_equal(answer->found, expected.impossible <= expected.score);
			counts[answer->found]++;
		}
	tear_down(&fixture);
}

/* No answer just where [CLS] has, in each window, a larger share than any span. */
static void
test_impossible(void **state)
{
	size_t counts[2] = {0, 0};

	(void) state;
	for (int32_t hidden = 16; hidden <= 64; hidden += 8)
	{
		RfConfig config = random_model_config(RF_TASK_QUESTION_ANSWERING, hidden, 2, 1, 32);

		check_impossible(&config, counts);
	}
	print_message("# %zu answers, %zu times none\n", counts[1], counts[0]);
	assert_true(counts[0] > 20 && counts[1] > 20);
}

/* A hundred thousand tokens: memory for their ids and places, and one batch. */
static void
test_long_context(void **state)
{
	RfConfig config = random_model_config(RF_TASK_QUESTION_ANSWERING, 16, 2, 1, 16);
	size_t words = 100000;
	char *text = malloc(words * 3);
	RfInput input = {QUESTION, strlen(QUESTION), text, words * 3};
	Fixture fixture;
	RfAnswer *answer;
	size_t before;

	(void) state;
	for (size_t i = 0; i < words; i++)
		memcpy(text + i * 3, i % 1000 == 0 ? "t6 " : "t5 ", 3);
	set_up(&fixture, &config, never);
	before = fixture.counter.bytes;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_OK);
	assert_true(answer->found);
	assert_in_range(answer->start, 0, 3 * words);
	/* Each window but the last has 378 tokens and begins 250 after the one before. */
	assert_int_equal(fixture.run.stats.tokens, 399 * 384 + (100000 - 399 * 250) + 6);
	assert_int_equal(fixture.run.stats.rows, 1);
	assert_int_equal(fixture.run.stats.windowed_rows, 1);
	assert_int_equal(fixture.run.stats.windows, 400);
	assert_true(fixture.counter.peak - before < 8 * 1024 * 1024);
	free(text);
	tear_down(&fixture);
}

/* Stopped or without memory anywhere: an error, nothing lost, and the session works again. */
static void
test_failures(void **state)
{
	RfConfig config = question_config();
	static Context context;
	RfInput input = {QUESTION, strlen(QUESTION), context.text, 0};
	long left = 1000000;
	Fixture fixture;
	RfAnswer *answer;
	size_t calls;
	long polls;

	(void) state;
	set_up(&fixture, &config, (RfAbort){count_down, &left});
	make_context(&context, 60);
	input.pair_length = context.length;
	fixture.run.options.max_length = 24;
	fixture.run.options.batch_tokens = 50;
	calls = fixture.counter.calls;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_OK);
	calls = fixture.counter.calls - calls;
	polls = 1000000 - left;
	for (long stop = 0; stop < polls; stop++)
	{
		left = stop;
		assert_int_equal(
			rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
			RF_CANCELED);
	}
	left = 1000000000;
	for (size_t i = 1; i <= calls; i++)
	{
		fixture.counter.refuse_at = fixture.counter.calls + i;
		/* The workspace is there already: not every call is made again. */
		if (rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer,
						  &fixture.err) != RF_OK)
			assert_int_equal(fixture.err.code, RF_NO_MEMORY);
	}
	fixture.counter.refuse_at = 0;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_OK);
	tear_down(&fixture);
}

static void
test_bad_options(void **state)
{
	RfConfig config = question_config();
	RfConfig encoder = random_model_config(RF_TASK_ENCODER, 32, 2, 1, 64);
	RfInput input = {QUESTION, strlen(QUESTION), "t5", 2};
	RfAnswerOptions options = usual;
	Fixture fixture;
	RfAnswer *answer;

	(void) state;
	set_up(&fixture, &config, never);
	options.max_answer_len = 0;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &options, &answer, &fixture.err),
		RF_INVALID);
	options = usual;
	options.doc_stride = 0;
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &options, &answer, &fixture.err),
		RF_INVALID);
	tear_down(&fixture);
	set_up(&fixture, &encoder, never);
	assert_int_equal(
		rf_run_answer(fixture.session, &fixture.run, &input, 1, &usual, &answer, &fixture.err),
		RF_UNSUPPORTED);
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),      cmocka_unit_test(test_long_questions),
		cmocka_unit_test(test_batches),      cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_long_context), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
