/*
 * test_generate.c - texts from random language models: what they depend on, where they end, what
 * they leave behind.
 */
#include "session_fixture.h"

#include "../../src/engine/sample.h"

#define PROMPTS 40

static RfConfig
decoder_config(void)
{
	RfConfig config = random_model_config(RF_TASK_CAUSAL_LM, 32, 2, 2, 64);

	config.is_decoder = true;
	return config;
}

/* Prompts of 0 to 39 words. */
static void
make_inputs(RfInput *inputs, RfArena *arena)
{
	for (size_t i = 0; i < PROMPTS; i++)
	{
		char *text = rf_arena_zalloc(arena, PROMPTS + 1, 4);

		for (size_t word = 0; word < i; word++)
			snprintf(text + strlen(text), 5, "t%zu ", 5 + (i + word) % 90);
		inputs[i] = (RfInput){.text = text, .length = strlen(text)};
	}
}

static RfGenerated *
generate(Fixture *fixture, const RfInput *inputs, size_t count, const RfGenerateOptions *options,
		 const uint64_t *seeds)
{
	RfGenerated *generated;

	if (rf_run_generate(fixture->session, &fixture->run, inputs, count, options, seeds, &generated,
						&fixture->err) != RF_OK)
		fail_msg("%s", fixture->err.message);
	return generated;
}

static void
expect_same(const RfGenerated *a, const RfGenerated *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->ids, b->ids, a->count * sizeof(int32_t));
	assert_string_equal(a->text, b->text);
	assert_int_equal(a->length, strlen(a->text));
}

/* Each row alone, all together, in small batches. */
static void
check_neighbours(const RfConfig *config, const RfGenerateOptions *options)
{
	uint64_t seeds[PROMPTS];
	RfInput inputs[PROMPTS];
	RfGenerated *together;
	Fixture fixture;

	set_up(&fixture, config, never);
	make_inputs(inputs, &fixture.arena);
	for (size_t i = 0; i < PROMPTS; i++)
		seeds[i] = i / 2;
	together = generate(&fixture, inputs, PROMPTS, options, seeds);
	assert_int_equal(fixture.run.stats.rows, PROMPTS);
	assert_true(fixture.run.stats.batches < PROMPTS * (size_t) options->max_new_tokens / 8);
	for (size_t i = 0; i < PROMPTS; i++)
	{
		assert_in_range(together[i].count, 1, options->max_new_tokens);
		expect_same(&together[i], generate(&fixture, &inputs[i], 1, options, &seeds[i]));
	}
	fixture.run.options.batch_tokens = 1;
	for (size_t i = 0; i < PROMPTS; i++)
		expect_same(&together[i], &generate(&fixture, inputs, PROMPTS, options, seeds)[i]);
	tear_down(&fixture);
}

static void
test_neighbours(void **state)
{
	RfGenerateOptions greedy = {.max_new_tokens = 24, .top_p = 1};
	RfGenerateOptions drawn = {.max_new_tokens = 24, .temperature = 1, .top_p = 0.9, .top_k = 30};
	RfConfig config = decoder_config();

	(void) state;
	check_neighbours(&config, &greedy);
	check_neighbours(&config, &drawn);
	config.has_pooler = true;
	check_neighbours(&config, &drawn);
}

static void
test_seeds(void **state)
{
	RfGenerateOptions drawn = {.max_new_tokens = 16, .temperature = 2, .top_p = 1};
	uint64_t seeds[PROMPTS];
	RfInput inputs[PROMPTS];
	RfConfig config = decoder_config();
	RfGenerated *generated;
	Fixture fixture;
	size_t different = 0;

	(void) state;
	set_up(&fixture, &config, never);
	for (size_t i = 0; i < PROMPTS; i++)
	{
		inputs[i] = (RfInput){.text = "t9 t8", .length = 5};
		seeds[i] = i / 2;
	}
	generated = generate(&fixture, inputs, PROMPTS, &drawn, seeds);
	for (size_t i = 0; i < PROMPTS; i += 2)
	{
		expect_same(&generated[i], &generated[i + 1]);
		different += i > 0 && strcmp(generated[i].text, generated[i - 1].text) != 0;
	}
	assert_true(different > PROMPTS / 2 - 4);
	expect_same(&generated[0], generate(&fixture, inputs, 1, &drawn, NULL));
	tear_down(&fixture);
}

/* A model whose end token is the nth of a greedy text ends with it. */
static void
test_end_token(void **state)
{
	RfGenerateOptions greedy = {.max_new_tokens = 64, .top_p = 1};
	RfInput input = {.text = "t50 t60 t70", .length = 11};
	RfConfig config = decoder_config();
	int32_t ids[64];
	Fixture fixture;
	size_t count;
	size_t end;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_session_end_token(fixture.session), 1); /* [SEP] */
	count = generate(&fixture, &input, 1, &greedy, NULL)->count;
	memcpy(ids, generate(&fixture, &input, 1, &greedy, NULL)->ids, count * sizeof(int32_t));
	tear_down(&fixture);
	assert_true(count > 3);
	config.eos_token_id = ids[3];
	for (end = 0; ids[end] != ids[3];)
		end++;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_session_end_token(fixture.session), ids[3]);
	assert_int_equal(generate(&fixture, &input, 1, &greedy, NULL)->count, end + 1);
	assert_memory_equal(generate(&fixture, &input, 1, &greedy, NULL)->ids, ids,
						(end + 1) * sizeof(int32_t));
	tear_down(&fixture);
}

/* More tokens than the model has positions and a cache has room for at first. */
static void
test_long_text(void **state)
{
	RfGenerateOptions drawn = {.max_new_tokens = 700, .temperature = 1, .top_p = 1, .top_k = 90};
	RfInput input = {.text = "t50", .length = 3};
	RfConfig config = decoder_config();
	Fixture fixture;
	RfGenerated *generated;

	(void) state;
	config.eos_token_id = 0;
	set_up(&fixture, &config, never);
	for (uint64_t seed = 0;; seed++)
	{
		generated = generate(&fixture, &input, 1, &drawn, &seed);
		if (generated->count == 700)
			break;
		assert_int_equal(generated->ids[generated->count - 1], 0);
		assert_true(seed < 1000000);
	}
	tear_down(&fixture);
}

static void
test_refusals(void **state)
{
	static const RfGenerateOptions bad[] = {
		{.max_new_tokens = 0, .top_p = 1},
		{.max_new_tokens = 1, .temperature = -1, .top_p = 1},
		{.max_new_tokens = 1, .temperature = (double) NAN, .top_p = 1},
		{.max_new_tokens = 1, .temperature = (double) INFINITY, .top_p = 1},
		{.max_new_tokens = 1, .top_k = -1, .top_p = 1},
		{.max_new_tokens = 1, .top_p = 1.5},
		{.max_new_tokens = 1, .top_p = (double) NAN},
	};
	RfGenerateOptions good = {.max_new_tokens = 1, .top_p = 1};
	RfInput input = {.text = "t50", .length = 3};
	RfConfig config = decoder_config();
	RfGenerated *generated;
	Fixture fixture;

	(void) state;
	set_up(&fixture, &config, never);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(rf_run_generate(fixture.session, &fixture.run, &input, 1, &bad[i], NULL,
										 &generated, &fixture.err),
						 RF_INVALID);
	tear_down(&fixture);
	config.is_decoder = false;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_run_generate(fixture.session, &fixture.run, &input, 1, &good, NULL,
									 &generated, &fixture.err),
					 RF_UNSUPPORTED);
	tear_down(&fixture);
	config.task = RF_TASK_MASKED_LM;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_run_generate(fixture.session, &fixture.run, &input, 1, &good, NULL,
									 &generated, &fixture.err),
					 RF_UNSUPPORTED);
	tear_down(&fixture);
}

/* Every allocation refused, every poll answered with stop: nothing stays, and it works again. */
static void
test_failures(void **state)
{
	RfGenerateOptions drawn = {.max_new_tokens = 6, .temperature = 1, .top_p = 0.9};
	RfConfig config = decoder_config();
	RfInput inputs[PROMPTS];
	long left = 1000000;
	size_t blocks;
	Fixture fixture;
	RfGenerated *generated;

	(void) state;
	set_up(&fixture, &config, (RfAbort){count_down, &left});
	make_inputs(inputs, &fixture.arena);
	blocks = fixture.counter.blocks;
	for (size_t refused = 1;; refused += 3)
	{
		RfCode code;

		fixture.counter.calls = 0;
		fixture.counter.refuse_at = refused;
		code = rf_run_generate(fixture.session, &fixture.run, inputs + PROMPTS - 3, 3, &drawn, NULL,
							   &generated, &fixture.err);
		if (code == RF_OK)
			break;
		assert_int_equal(code, RF_NO_MEMORY);
		assert_true(fixture.counter.blocks <= blocks + 2); /* the encoder's workspace and table */
	}
	fixture.counter.refuse_at = 0;
	for (long stop = 0;; stop += 11)
	{
		RfCode code;

		left = stop;
		code = rf_run_generate(fixture.session, &fixture.run, inputs + PROMPTS - 3, 3, &drawn, NULL,
							   &generated, &fixture.err);
		if (code == RF_OK)
			break;
		assert_int_equal(code, RF_CANCELED);
		assert_true(fixture.counter.blocks <= blocks + 2);
	}
	tear_down(&fixture);
}

/* Candidates of five logits, whose probabilities at temperature 1 are about .64 .24 .09 .02 .02. */
static void
check_candidates(double temperature, int32_t top_k, double top_p, size_t count,
				 const int32_t *expected)
{
	static const float logits[] = {2, -1, 3, -1, 1};
	RfGenerateOptions options = {1, temperature, top_k, top_p};
	RfCandidates candidates;
	RfArena arena;
	double sum = 0;
	RfError err;

	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_sample_allocate(5, &arena, &candidates, &err), RF_OK);
	rf_sample_candidates(logits, 5, &options, &candidates);
	assert_int_equal(candidates.count, count);
	assert_memory_equal(candidates.ids, expected, count * sizeof(int32_t));
	for (size_t i = 0; i < count; i++)
	{
		double ratio = exp((double) (logits[expected[i]] - logits[expected[0]]) / temperature);

		assert_true(fabs(candidates.probabilities[i] / candidates.probabilities[0] - ratio) <
					1e-12);
		sum += candidates.probabilities[i];
	}
	assert_true(fabs(sum - 1) < 1e-12);
	rf_arena_free(&arena);
}

static void
test_candidates(void **state)
{
	static const int32_t order[] = {2, 0, 4, 1, 3};

	(void) state;
	check_candidates(1, 0, 1, 5, order);
	check_candidates(1, 1, 1, 1, order);
	check_candidates(1, 3, 1, 3, order);
	check_candidates(1, 4, 1, 5, order); /* a tie */
	check_candidates(1, 9, 1, 5, order);
	check_candidates(1, 0, 0.6, 1, order);
	check_candidates(1, 0, 0.65, 2, order);
	check_candidates(1, 0, 0, 1, order);
	check_candidates(1, 2, 0.7, 1, order);  /* of two, the first has 0.73 */
	check_candidates(10, 2, 0.7, 2, order); /* and here 0.52 */
	check_candidates(0.01, 0, 0.999, 1, order);
	check_candidates(1e-300, 0, 1, 1, order);
}

/* SplitMix64 from seed 1234567, as its authors' code gives it. */
static void
test_generator(void **state)
{
	static const uint64_t expected[] = {
		UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
		UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
	uint64_t seed = 1234567;

	(void) state;
	for (size_t i = 0; i < 5; i++)
		assert_true(rf_sample_uniform(&seed) == (double) (expected[i] >> 11) / 9007199254740992.0);
}

/* Frequencies of 20000 draws are within five standard deviations. */
static void
check_frequencies(int32_t top_k, double top_p, const double *expected)
{
	static const float logits[] = {0, 1, 0.5f, -1};
	RfGenerateOptions options = {1, 1, top_k, top_p};
	size_t counts[4] = {0};
	uint64_t seed = 7;
	RfCandidates candidates;
	RfArena arena;
	RfError err;

	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_sample_allocate(4, &arena, &candidates, &err), RF_OK);
	for (size_t i = 0; i < 20000; i++)
		counts[rf_sample_choose(logits, 4, &options, &seed, &candidates)]++;
	for (size_t i = 0; i < 4; i++)
		assert_true(fabs((double) counts[i] / 20000 - expected[i]) <=
					5 * sqrt(expected[i] * (1 - expected[i]) / 20000));
	rf_arena_free(&arena);
}

static void
test_frequencies(void **state)
{
	double weights[] = {1, exp(1), exp(0.5), exp(-1)};
	double all[4];
	double three[4] = {0};

	(void) state;
	for (size_t i = 0; i < 4; i++)
		all[i] = weights[i] / (weights[0] + weights[1] + weights[2] + weights[3]);
	for (size_t i = 0; i < 3; i++)
		three[i] = weights[i] / (weights[0] + weights[1] + weights[2]);
	check_frequencies(0, 1, all);
	check_frequencies(4, 1, all);
	check_frequencies(3, 1, three);
	check_frequencies(0, 0.9, three);
}

/* Numbers that are none end in a token all the same. */
static void
test_broken_logits(void **state)
{
	float logits[] = {NAN, NAN, INFINITY, -INFINITY};
	RfGenerateOptions options[] = {{1, 0, 0, 1}, {1, 1, 0, 1}, {1, 1, 2, 1}, {1, 1, 0, 0.5}};
	uint64_t seed = 7;
	RfCandidates candidates;
	RfArena arena;
	RfError err;

	(void) state;
	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_sample_allocate(4, &arena, &candidates, &err), RF_OK);
	for (size_t from = 0; from < 4; from++)
		for (size_t i = 0; i < 4; i++)
			assert_in_range(
				rf_sample_choose(logits + from, 4 - from, &options[i], &seed, &candidates), 0,
				3 - from);
	rf_arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),  cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_end_token),   cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_failures),
		cmocka_unit_test(test_candidates),  cmocka_unit_test(test_generator),
		cmocka_unit_test(test_frequencies), cmocka_unit_test(test_broken_logits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
