/*
 * test_windows.c - texts longer than a row, in windows: against the same windows cut by hand, which
 * the texts of the random model allow: a word is a token.
 */
#include <limits.h>

#include "session_fixture.h"

#define LABELS 3
#define HIDDEN 32
#define MAX_WINDOWS 200
#define MAX_WORDS 400

/* A session for the task that reads long texts in windows. */
static void
set_up_windows(Fixture *fixture, RfTask task, RfAbort abort_fn)
{
	RfConfig config = random_model_config(task, HIDDEN, 2, 2, 64);

	config.num_labels = LABELS;
	set_up(fixture, &config, abort_fn);
	fixture->run.options.overflow = RF_OVERFLOW_WINDOW;
}

static void
expect_ok(Fixture *fixture, RfCode code)
{
	if (code != RF_OK)
		fail_msg("%s", fixture->err.message);
}

/* Words [first, first + count) of an endless text. */
static RfInput
words(Fixture *fixture, size_t first, size_t count)
{
	char *text = rf_arena_alloc(&fixture->arena, count * 5 + 1, 1);
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = first; i < first + count; i++)
		used += (size_t) sprintf(text + used, "t%zu ", 5 + i * i % 89);
	return (RfInput){text, used, NULL, 0};
}

/* ---- by hand --------------------------------------------------------------------------------- */

/* Windows of a part of n tokens, capacity of them in each. */
typedef struct Plan
{
	size_t count;
	size_t start[MAX_WINDOWS];
	size_t home[MAX_WORDS]; /* window in which the token is nearest to the middle */
} Plan;

static Plan
make_plan(size_t n, size_t capacity)
{
	Plan plan = {.count = 1};

	if (n > capacity)
	{
		plan.count = 2;
		/* the fewest that overlap by a quarter at least */
		while ((n - capacity + plan.count - 2) / (plan.count - 1) > capacity - capacity / 4)
			plan.count++;
	}
	for (size_t i = 1; i < plan.count; i++)
		plan.start[i] = i * (n - capacity) / (plan.count - 1);
	for (size_t token = 0; token < n; token++)
	{
		long nearest = LONG_MAX;

		for (size_t i = 0; i < plan.count; i++)
		{
			long distance = labs(2 * (long) token - 2 * (long) plan.start[i] - (long) capacity + 1);

			if (token < plan.start[i] || token >= plan.start[i] + capacity || distance > nearest)
				continue;
			plan.home[token] = i;
			nearest = distance;
		}
	}
	return plan;
}

/* Tokens that count in the window, special ones included, of n + 2. */
static double
share_of(const Plan *plan, size_t window, size_t n)
{
	size_t tokens = (window == 0) + (window == plan->count - 1);

	for (size_t token = 0; token < n; token++)
		tokens += plan->home[token] == window;
	return (double) tokens / (double) (n + 2);
}

static const float *
logits_of(Fixture *fixture, const RfInput *input)
{
	float *logits;

	expect_ok(fixture, rf_run_sequence_logits(fixture->session, &fixture->run, input, 1, &logits,
											  &fixture->err));
	return logits;
}

static const size_t lengths[] = {0, 1, 7, 8, 9, 10, 13, 14, 15, 20, 21, 63, 64, 65, 199};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))
static const int32_t limits[] = {3, 4, 5, 10, 16, 17};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

/* ---- tests ----------------------------------------------------------------------------------- */

/* Sequence logits are the mean of the windows', each with the share of its tokens. */
static void
test_sequence_logits(void **state)
{
	Fixture fixture;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, never);
	for (size_t i = 0; i < LENGTHS * LIMITS; i++)
	{
		size_t n = lengths[i / LIMITS];
		size_t capacity = (size_t) limits[i % LIMITS] - 2;
		Plan plan = make_plan(n, capacity);
		double expected[LABELS] = {0};
		RfInput input = words(&fixture, 3, n);
		const float *logits;

		for (size_t window = 0; window < plan.count; window++)
		{
			RfInput part = words(&fixture, 3 + plan.start[window], n < capacity ? n : capacity);

			fixture.run.options.max_length = 0;
			logits = logits_of(&fixture, &part);
			for (size_t label = 0; label < LABELS; label++)
				expected[label] += share_of(&plan, window, n) * logits[label];
		}
		memset(&fixture.run.stats, 0, sizeof(fixture.run.stats));
		fixture.run.options.max_length = limits[i % LIMITS];
		logits = logits_of(&fixture, &input);
		for (size_t label = 0; label < LABELS; label++)
			assert_true(logits[label] == (float) expected[label]);
		assert_int_equal(fixture.run.stats.rows, 1);
		assert_int_equal(fixture.run.stats.windowed_rows, n > capacity);
		assert_int_equal(fixture.run.stats.windows, n > capacity ? plan.count : 0);
		assert_int_equal(fixture.run.stats.tokens,
						 n > capacity ? plan.count * (capacity + 2) : n + 2);
		assert_int_equal(fixture.run.stats.truncated_rows, 0);
	}
	tear_down(&fixture);
}

/* A text that fits, alone or among texts that don't, in batches of any size: the same bits. */
static void
test_neighbours(void **state)
{
	static const int32_t sizes[] = {0, 1, 9, 10, 11, 25, 10000};
	RfInput inputs[LENGTHS];
	float expected[LENGTHS][LABELS];
	Fixture fixture;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, never);
	fixture.run.options.max_length = 10;
	for (size_t i = 0; i < LENGTHS; i++)
	{
		inputs[i] = words(&fixture, 7 * i, lengths[i]);
		memcpy(expected[i], logits_of(&fixture, &inputs[i]), sizeof(expected[i]));
		fixture.run.options.overflow = RF_OVERFLOW_TRUNCATE;
		if (lengths[i] <= 8)
			assert_memory_equal(logits_of(&fixture, &inputs[i]), expected[i], sizeof(expected[i]));
		else
			assert_memory_not_equal(logits_of(&fixture, &inputs[i]), expected[i],
									sizeof(expected[i]));
		fixture.run.options.overflow = RF_OVERFLOW_WINDOW;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		float *logits;

		fixture.run.options.batch_tokens = sizes[i];
		expect_ok(&fixture, rf_run_sequence_logits(fixture.session, &fixture.run, inputs, LENGTHS,
												   &logits, &fixture.err));
		assert_memory_equal(logits, expected, sizeof(expected));
	}
	tear_down(&fixture);
}

/* Hidden states [n+2,H] of the text, each token's from the window that is its home. */
static void
join_hidden(Fixture *fixture, const Plan *plan, size_t n, size_t capacity, float *joined)
{
	fixture->run.options.max_length = 0;
	for (size_t window = 0; window < plan->count; window++)
	{
		RfInput part = words(fixture, plan->start[window], n < capacity ? n : capacity);
		RfMatrix hidden;

		expect_ok(fixture, rf_run_hidden_state(fixture->session, &fixture->run, &part, 1, &hidden,
											   &fixture->err));
		if (window == 0)
			memcpy(joined, hidden.values, HIDDEN * sizeof(float));
		for (size_t token = 0; token < n; token++)
			if (plan->home[token] == window)
				memcpy(joined + (1 + token) * HIDDEN,
					   hidden.values + (1 + token - plan->start[window]) * HIDDEN,
					   HIDDEN * sizeof(float));
		if (window == plan->count - 1)
			memcpy(joined + (n + 1) * HIDDEN, hidden.values + (hidden.rows - 1) * HIDDEN,
				   HIDDEN * sizeof(float));
	}
}

static void
pool_joined(const float *joined, size_t tokens, RfPooling pooling, float *vector)
{
	for (size_t i = 0; i < HIDDEN; i++)
	{
		double sum = 0;
		float most = joined[i];

		for (size_t token = 0; token < tokens; token++)
		{
			sum += joined[token * HIDDEN + i];
			if (joined[token * HIDDEN + i] > most)
				most = joined[token * HIDDEN + i];
		}
		vector[i] = pooling == RF_POOL_MEAN ? (float) (sum / (double) tokens) : most;
	}
}

static void
expect_vector(Fixture *fixture, const RfInput *input, RfPooling pooling, const float *expected)
{
	float *vector;

	expect_ok(fixture, rf_run_embed(fixture->session, &fixture->run, input, 1, pooling, false,
									&vector, &fixture->err));
	assert_memory_equal(vector, expected, HIDDEN * sizeof(float));
}

/* mean and max go over all tokens of the text, each once; cls is a mean of the windows'. */
static void
test_embed(void **state)
{
	static float joined[(MAX_WORDS + 2) * HIDDEN];
	Fixture fixture;

	(void) state;
	set_up_windows(&fixture, RF_TASK_ENCODER, never);
	for (size_t i = 0; i < LENGTHS; i++)
	{
		size_t n = lengths[i];
		Plan plan = make_plan(n, 14);
		RfInput input = words(&fixture, 0, n);
		double cls[HIDDEN] = {0};
		float expected[HIDDEN];

		join_hidden(&fixture, &plan, n, 14, joined);
		for (size_t window = 0; window < plan.count; window++)
		{
			RfInput part = words(&fixture, plan.start[window], n < 14 ? n : 14);
			float *vector;

			expect_ok(&fixture, rf_run_embed(fixture.session, &fixture.run, &part, 1, RF_POOL_CLS,
											 false, &vector, &fixture.err));
			for (size_t j = 0; j < HIDDEN; j++)
				cls[j] += share_of(&plan, window, n) * vector[j];
		}
		fixture.run.options.max_length = 16;
		pool_joined(joined, n + 2, RF_POOL_MEAN, expected);
		expect_vector(&fixture, &input, RF_POOL_MEAN, expected);
		pool_joined(joined, n + 2, RF_POOL_MAX, expected);
		expect_vector(&fixture, &input, RF_POOL_MAX, expected);
		for (size_t j = 0; j < HIDDEN; j++)
			expected[j] = (float) cls[j];
		expect_vector(&fixture, &input, RF_POOL_CLS, expected);
	}
	tear_down(&fixture);
}

/* Every token is found once, with the label and score it has in its home. */
static void
test_tag(void **state)
{
	Fixture fixture;

	(void) state;
	set_up_windows(&fixture, RF_TASK_TOKEN_CLASSIFICATION, never);
	for (size_t i = 0; i < LENGTHS; i++)
	{
		size_t n = lengths[i];
		Plan plan = make_plan(n, 14);
		RfInput input = words(&fixture, 0, n);
		RfEntities *found;
		RfEntities *parts[MAX_WINDOWS];
		int32_t at = 0;

		fixture.run.options.max_length = 0;
		for (size_t window = 0; window < plan.count; window++)
		{
			RfInput part = words(&fixture, plan.start[window], n < 14 ? n : 14);

			expect_ok(&fixture, rf_run_tag(fixture.session, &fixture.run, &part, 1,
										   RF_AGGREGATE_NONE, &parts[window], &fixture.err));
		}
		fixture.run.options.max_length = 16;
		expect_ok(&fixture, rf_run_tag(fixture.session, &fixture.run, &input, 1, RF_AGGREGATE_NONE,
									   &found, &fixture.err));
		assert_int_equal(found->count, n);
		for (size_t token = 0; token < n; token++)
		{
			const RfEntity *entity = &found->entities[token];
			size_t home = plan.home[token];
			const RfEntity *expected = &parts[home]->entities[token - plan.start[home]];

			assert_string_equal(entity->label, expected->label);
			assert_true(entity->score == expected->score);
			assert_int_equal(entity->length, expected->length);
			assert_int_equal(entity->start, at);
			at += entity->length + 1;
		}
	}
	tear_down(&fixture);
}

/* Of a pair the longer text goes through the windows, the other one stands in each. */
static void
test_pairs(void **state)
{
	static const size_t firsts[] = {5, 40, 9, 12, 30};
	static const size_t seconds[] = {40, 5, 9, 12, 30};
	Fixture fixture;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, never);
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
	{
		bool is_first = firsts[i] > seconds[i];
		size_t n = is_first ? firsts[i] : seconds[i];
		size_t shorter = is_first ? seconds[i] : firsts[i];
		size_t kept = shorter < 8 ? shorter : 8; /* half of 19 - 3 */
		Plan plan = make_plan(n, 16 - kept);
		RfInput first = words(&fixture, 0, firsts[i]);
		RfInput second = words(&fixture, 50, seconds[i]);
		RfInput pair = {first.text, first.length, second.text, second.length};
		double expected[LABELS] = {0};
		const float *logits;

		for (size_t window = 0; window < plan.count; window++)
		{
			size_t part = n < 16 - kept ? n : 16 - kept;
			RfInput a = words(&fixture, is_first ? plan.start[window] : 0, is_first ? part : kept);
			RfInput b =
				words(&fixture, is_first ? 50 : 50 + plan.start[window], is_first ? kept : part);
			RfInput parts = {a.text, a.length, b.text, b.length};
			double tokens = window == 0 ? (is_first ? 1 : 2 + (double) kept) : 0;

			if (window == plan.count - 1)
				tokens += is_first ? 2 + (double) kept : 1;
			for (size_t token = 0; token < n; token++)
				tokens += plan.home[token] == window;
			fixture.run.options.max_length = 0;
			logits = logits_of(&fixture, &parts);
			for (size_t label = 0; label < LABELS; label++)
				expected[label] += tokens / (double) (n + kept + 3) * logits[label];
		}
		memset(&fixture.run.stats, 0, sizeof(fixture.run.stats));
		fixture.run.options.max_length = 19;
		logits = logits_of(&fixture, &pair);
		for (size_t label = 0; label < LABELS; label++)
			assert_true(logits[label] == (float) expected[label]);
		assert_int_equal(fixture.run.stats.truncated_rows, shorter > kept);
		assert_int_equal(fixture.run.stats.windows, plan.count);
	}
	tear_down(&fixture);
}

static void
test_refusals(void **state)
{
	Fixture fixture;
	RfInput input;
	RfMatrix matrix;
	float *logits;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, never);
	input = words(&fixture, 0, 30);
	fixture.run.options.max_length = 2;
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &input, 1, &logits, &fixture.err),
		RF_INVALID);
	assert_non_null(strstr(fixture.err.message, "no room for windows"));
	fixture.run.options.max_length = 10;
	assert_int_equal(
		rf_run_hidden_state(fixture.session, &fixture.run, &input, 1, &matrix, &fixture.err),
		RF_TOO_LONG);
	assert_non_null(strstr(fixture.err.detail, "windows"));
	assert_non_null(logits_of(&fixture, &input));
	tear_down(&fixture);
}

/* Memory refused anywhere: an error, nothing lost, and the session works again. */
static void
test_out_of_memory(void **state)
{
	RfInput inputs[3];
	Fixture fixture;
	RfEntities *entities;
	size_t calls;

	(void) state;
	set_up_windows(&fixture, RF_TASK_TOKEN_CLASSIFICATION, never);
	for (size_t i = 0; i < 3; i++)
		inputs[i] = words(&fixture, i, 20 + 30 * i);
	fixture.run.options.max_length = 10;
	fixture.run.options.batch_tokens = 25;
	calls = fixture.counter.calls;
	expect_ok(&fixture, rf_run_tag(fixture.session, &fixture.run, inputs, 3, RF_AGGREGATE_SIMPLE,
								   &entities, &fixture.err));
	calls = fixture.counter.calls - calls;
	for (size_t i = 1; i <= calls; i++)
	{
		size_t held = fixture.counter.blocks;

		fixture.counter.refuse_at = fixture.counter.calls + i;
		if (rf_run_tag(fixture.session, &fixture.run, inputs, 3, RF_AGGREGATE_SIMPLE, &entities,
					   &fixture.err) != RF_OK)
			assert_int_equal(fixture.err.code, RF_NO_MEMORY);
		assert_true(fixture.counter.blocks <= held + 2);
	}
	fixture.counter.refuse_at = 0;
	expect_ok(&fixture, rf_run_tag(fixture.session, &fixture.run, inputs, 3, RF_AGGREGATE_SIMPLE,
								   &entities, &fixture.err));
	tear_down(&fixture);
}

static void
test_cancel(void **state)
{
	long polls = 1000000;
	RfInput input;
	Fixture fixture;
	float *logits;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, (RfAbort){count_down, &polls});
	input = words(&fixture, 0, 2000);
	fixture.run.options.max_length = 10;
	for (long i = 0; i < 40; i++)
	{
		polls = i;
		assert_int_equal(
			rf_run_sequence_logits(fixture.session, &fixture.run, &input, 1, &logits, &fixture.err),
			RF_CANCELED);
	}
	polls = 1000000;
	assert_non_null(logits_of(&fixture, &input));
	tear_down(&fixture);
}

/* Texts are held in their windows, unless these fill a batch; runs come to the same. */
static void
test_held(void **state)
{
	static const RfHoldOptions states = {.kind = RF_HOLD_STATES};
	RfInput inputs[LENGTHS];
	float expected[LENGTHS][LABELS];
	Fixture fixture;
	RfRun ahead;
	RfHeld *held;

	(void) state;
	set_up_windows(&fixture, RF_TASK_SEQUENCE_CLASSIFICATION, never);
	fixture.run.options.max_length = 16;
	ahead = (RfRun){.options = fixture.run.options};
	ahead.options.batch_tokens = 2 * 16;
	for (size_t i = 0; i < LENGTHS; i++)
	{
		inputs[i] = words(&fixture, i, lengths[LENGTHS - 1 - i]);
		memcpy(expected[i], logits_of(&fixture, &inputs[i]), sizeof(expected[i]));
	}
	expect_ok(&fixture, rf_session_hold(fixture.session, &ahead, &states, inputs, NULL, LENGTHS,
										rf_memory_malloc, &held, &fixture.err));
	fixture.run.held = held;
	for (size_t i = 0; i < LENGTHS; i++)
	{
		size_t length = lengths[LENGTHS - 1 - i];
		bool fits = length <= 14;
		bool is_held = length <= 14 + 11; /* in two windows */

		memset(&fixture.run.stats, 0, sizeof(fixture.run.stats));
		assert_int_equal(rf_held_has(held, &inputs[i], 1), is_held);
		assert_memory_equal(logits_of(&fixture, &inputs[i]), expected[i], sizeof(expected[i]));
		assert_int_equal(fixture.run.stats.batches == 0, is_held);
		assert_int_equal(fixture.run.stats.rows, 1);
		assert_int_equal(fixture.run.stats.windowed_rows, !fits);
	}
	fixture.run.held = NULL;
	rf_held_free(held);
	tear_down(&fixture);
}

/* A text of 100,000 tokens takes memory for its ids, not for its hidden states. */
static void
test_memory(void **state)
{
	RfInput input;
	Fixture fixture;
	float *vector;
	size_t before;

	(void) state;
	set_up_windows(&fixture, RF_TASK_ENCODER, never);
	input = words(&fixture, 0, 100000);
	fixture.run.options.max_length = 64;
	before = fixture.counter.bytes;
	fixture.counter.peak = before;
	expect_ok(&fixture, rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_MEAN, true,
									 &vector, &fixture.err));
	assert_true(fixture.run.stats.windows > 2000);
	/* 100,000 times HIDDEN floats would be 12.8 MB more */
	assert_true(fixture.counter.peak - before < 12 * 1024 * 1024);
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequence_logits),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_embed),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
