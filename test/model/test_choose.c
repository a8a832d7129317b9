/*
 * test_choose.c - multiple choice against the double-precision encoder, for every way to sum up a
 * pair; and what a logit may depend on.
 */
#include "session_fixture.h"

#include "double_encoder.h"

#define BOUND 2e-5
#define CHOICES 4
#define PROMPT "t5 t6 t7"
#define PROMPT_TOKENS 3

/* Of every length, the longest in the middle; the last is empty. */
static const char *const choices[CHOICES] = {"t8", "t9 t10 t11 t12 t13 t14 t15", "t16 t17", ""};
static const int32_t first_token[CHOICES] = {8, 9, 16, 0};
static const size_t tokens_of[CHOICES] = {1, 7, 2, 0};

static RfConfig
choice_config(RfSummary summary)
{
	RfConfig config = random_model_config(RF_TASK_MULTIPLE_CHOICE, 32, 2, 2, 64);

	config.summary = summary;
	return config;
}

static void
make_inputs(const char *prompt, RfInput *inputs)
{
	for (size_t i = 0; i < CHOICES; i++)
		inputs[i] = (RfInput){prompt, strlen(prompt), choices[i], strlen(choices[i])};
}

/* [CLS] prompt [SEP] choice [SEP] and padding; returns the tokens that are none. */
static size_t
encode_choice(size_t choice, size_t padded, int32_t *ids, int32_t *types)
{
	size_t count = 0;

	ids[count++] = 3;
	for (int32_t i = 0; i < PROMPT_TOKENS; i++)
		ids[count++] = 5 + i;
	ids[count++] = 1;
	for (size_t i = 0; i < count; i++)
		types[i] = 0;
	for (size_t i = 0; i <= tokens_of[choice]; i++)
	{
		types[count] = 1;
		ids[count++] = i < tokens_of[choice] ? first_token[choice] + (int32_t) i : 1;
	}
	for (size_t i = count; i < padded; i++)
	{
		types[i] = 0;
		ids[i] = 2;
	}
	return count;
}

/* summary [H] of hidden [padded,H]: the column the configuration names, projected, activated */
static double *
expect_summary(const RandomModel *random, const double *hidden, size_t padded)
{
	const RfConfig *config = &random->spec.config;
	size_t width = (size_t) config->hidden_size;
	double *summary = calloc(width, sizeof(double));

	for (size_t t = 0; t < padded; t++)
		for (size_t i = 0; i < width; i++)
			if (config->summary == RF_SUMMARY_MEAN)
				summary[i] += hidden[t * width + i] / (double) padded;
			else if (t == (config->summary == RF_SUMMARY_FIRST ? 0 : padded - 1))
				summary[i] = hidden[t * width + i];
	if (config->summary_use_proj)
	{
		double *projected =
			double_linear(random, "sequence_summary.summary", summary, 1, width, width);

		free(summary);
		summary = projected;
	}
	for (size_t i = 0; i < width && config->summary_activation >= 0; i++)
		summary[i] = double_activation((RfActivation) config->summary_activation, summary[i]);
	return summary;
}

static double
expect_logit(const RandomModel *random, size_t choice, size_t padded)
{
	int32_t ids[32];
	int32_t types[32];
	size_t seen = encode_choice(choice, padded, ids, types);
	double *hidden = double_encoder(random, ids, types, padded, seen);
	double *summary = expect_summary(random, hidden, padded);
	double *logit = double_linear(random, "classifier", summary, 1, 1,
								  (size_t) random->spec.config.hidden_size);
	double result = *logit;

	free(hidden);
	free(summary);
	free(logit);
	return result;
}

static void
check_summary(const RfConfig *config)
{
	static const size_t alone[CHOICES] = {1, 1, 1, 1};
	static const size_t count = CHOICES;
	RfInput inputs[CHOICES];
	Fixture fixture;
	float *together;
	float *single;

	set_up(&fixture, config, never);
	make_inputs(PROMPT, inputs);
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &together, &fixture.err),
		RF_OK);
	assert_int_equal(rf_run_choices(fixture.session, &fixture.run, inputs, alone, CHOICES, &single,
									&fixture.err),
					 RF_OK);
	for (size_t i = 0; i < CHOICES; i++)
	{
		size_t unpadded = PROMPT_TOKENS + tokens_of[i] + 3;
		double expected = expect_logit(fixture.random, i, PROMPT_TOKENS + tokens_of[1] + 3);

		if (!(fabs(together[i] - expected) <= BOUND))
			fail_msg("summary %d, choice %zu: %.9g, not %.9g", (int) config->summary, i,
					 (double) together[i], expected);
		expected = expect_logit(fixture.random, i, unpadded);
		if (!(fabs(single[i] - expected) <= BOUND))
			fail_msg("summary %d, choice %zu alone: %.9g, not %.9g", (int) config->summary, i,
					 (double) single[i], expected);
		/* Padding moves what it is said to move. */
		if (config->summary == RF_SUMMARY_FIRST || i == 1)
			assert_true(together[i] == single[i]);
		else
			assert_true(fabsf(together[i] - single[i]) > 1e-3f);
	}
	assert_int_equal(fixture.run.stats.rows, 2 * CHOICES);
	assert_int_equal(fixture.run.stats.tokens, 2 * (CHOICES * (PROMPT_TOKENS + 3) + 10));
	tear_down(&fixture);
}

static void
test_summaries(void **state)
{
	static const RfSummary summaries[] = {RF_SUMMARY_LAST, RF_SUMMARY_FIRST, RF_SUMMARY_MEAN};
	static const int32_t activations[] = {-1, RF_ACT_TANH, RF_ACT_GELU, RF_ACT_LINEAR};

	(void) state;
	for (size_t summary = 0; summary < 3; summary++)
		for (size_t activation = 0; activation < 4; activation++)
			for (int projects = 0; projects < 2; projects++)
			{
				RfConfig config = choice_config(summaries[summary]);

				config.summary_use_proj = projects == 1;
				config.summary_activation = activations[activation];
				check_summary(&config);
			}
}

/* Several prompts, some without choices, in batches of any size: each as if it were alone. */
static void
test_prompts(void **state)
{
	static const char *const prompts[] = {"t5 t6 t7", "", "t20", "t30 t31 t32 t33 t34 t35 t36"};
	static const size_t counts[] = {0, 2, 4, 0, 3, 4, 0};
	static const size_t prompt_of[] = {0, 0, 1, 1, 2, 3, 3};
	static const int32_t sizes[] = {0, 1, 20, 33, 1000000};
	RfConfig config = choice_config(RF_SUMMARY_LAST);
	RfInput inputs[7 * CHOICES];
	float expected[7 * CHOICES];
	size_t total = 0;
	Fixture fixture;
	float *logits;

	(void) state;
	for (size_t mean = 0; mean < 2; mean++)
	{
		config.summary = mean == 1 ? RF_SUMMARY_MEAN : RF_SUMMARY_LAST;
		set_up(&fixture, &config, never);
		total = 0;
		for (size_t i = 0; i < 7; i++)
		{
			make_inputs(prompts[prompt_of[i]], inputs + total);
			assert_int_equal(rf_run_choices(fixture.session, &fixture.run, inputs + total,
											&counts[i], 1, &logits, &fixture.err),
							 RF_OK);
			memcpy(expected + total, logits, counts[i] * sizeof(float));
			total += counts[i];
		}
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		{
			fixture.run.options.batch_tokens = sizes[i];
			assert_int_equal(rf_run_choices(fixture.session, &fixture.run, inputs, counts, 7,
											&logits, &fixture.err),
							 RF_OK);
			assert_memory_equal(logits, expected, total * sizeof(float));
		}
		assert_int_equal(
			rf_run_choices(fixture.session, &fixture.run, inputs, counts, 0, &logits, &fixture.err),
			RF_OK);
		tear_down(&fixture);
	}
}

/* Cut to max_length, all choices have the same length; or they are refused. */
static void
test_long_choices(void **state)
{
	RfConfig config = choice_config(RF_SUMMARY_LAST);
	static const size_t count = CHOICES;
	RfInput inputs[CHOICES];
	RfInput cut[CHOICES];
	Fixture fixture;
	float *logits;
	float *expected;

	(void) state;
	set_up(&fixture, &config, never);
	make_inputs(PROMPT, inputs);
	make_inputs(PROMPT, cut);
	cut[1].pair = "t9 t10 t11";
	cut[1].pair_length = 10;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, cut, &count, 1, &expected, &fixture.err),
		RF_OK);
	fixture.run.options.max_length = 9;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_OK);
	assert_memory_equal(logits, expected, CHOICES * sizeof(float));
	assert_int_equal(fixture.run.stats.truncated_rows, 1);
	fixture.run.options.overflow = RF_OVERFLOW_ERROR;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_TOO_LONG);
	assert_string_equal(fixture.err.message, "text has 13 tokens, more than the limit of 9");
	fixture.run.options.max_length = 13;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_OK);
	fixture.run.options.max_length = 2; /* less than the special tokens, which always stay */
	fixture.run.options.overflow = RF_OVERFLOW_TRUNCATE;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_OK);
	assert_true(logits[0] == logits[1] && logits[1] == logits[3]);
	tear_down(&fixture);
}

/* Stopped or without memory anywhere: an error, nothing lost, and the session works again. */
static void
test_failures(void **state)
{
	RfConfig config = choice_config(RF_SUMMARY_MEAN);
	static const size_t count = CHOICES;
	RfInput inputs[CHOICES];
	long left = 1000000;
	Fixture fixture;
	float *logits;
	size_t calls;
	long polls;

	(void) state;
	set_up(&fixture, &config, (RfAbort){count_down, &left});
	make_inputs(PROMPT, inputs);
	fixture.run.options.batch_tokens = 20;
	calls = fixture.counter.calls;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_OK);
	calls = fixture.counter.calls - calls;
	polls = 1000000 - left;
	assert_true(polls > CHOICES);
	for (long stop = 0; stop < polls; stop++)
	{
		left = stop;
		assert_int_equal(
			rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
			RF_CANCELED);
	}
	left = 1000000000;
	for (size_t i = 1; i <= calls; i++)
	{
		fixture.counter.refuse_at = fixture.counter.calls + i;
		/* The workspace is there already: not every call is made again. */
		if (rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits,
						   &fixture.err) != RF_OK)
			assert_int_equal(fixture.err.code, RF_NO_MEMORY);
	}
	fixture.counter.refuse_at = 0;
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_OK);
	tear_down(&fixture);
}

static void
test_other_models(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 32, 2, 1, 64);
	static const size_t count = CHOICES;
	RfInput inputs[CHOICES];
	Fixture fixture;
	float *logits;

	(void) state;
	set_up(&fixture, &config, never);
	make_inputs(PROMPT, inputs);
	assert_int_equal(
		rf_run_choices(fixture.session, &fixture.run, inputs, &count, 1, &logits, &fixture.err),
		RF_UNSUPPORTED);
	assert_string_equal(fixture.err.message, "the model can't do multiple choice");
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summaries),    cmocka_unit_test(test_prompts),
		cmocka_unit_test(test_long_choices), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_other_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
