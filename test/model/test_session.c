/*
 * test_session.c - runs of texts: batching, truncation, statistics, failures, and images that are
 * none.
 */
#include "session_fixture.h"

#define ROWS 40
#define WORKSPACE_KEPT ((size_t) 8 * 1024 * 1024)

static RfConfig
labels_config(RfTask task)
{
	RfConfig config = random_model_config(task, 32, 2, 2, 64);

	config.num_labels = 3;
	return config;
}

/* Row i has i * 7 % 23 words. */
static void
make_texts(char texts[ROWS][256], RfInput *inputs)
{
	for (size_t i = 0; i < ROWS; i++)
	{
		size_t used = 0;

		texts[i][0] = '\0';
		for (size_t word = 0; word < i * 7 % 23; word++)
			used += (size_t) snprintf(texts[i] + used, sizeof(texts[i]) - used, "t%zu ",
									  5 + (i + word) % 90);
		inputs[i] = (RfInput){texts[i], used, NULL, 0};
	}
}

/* Whatever the size of batches: results in the order of inputs, with the same bits. */
static void
test_batch_sizes(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	static const int32_t sizes[] = {0, 1, 2, 3, 24, 25, 100, 1000000};
	static char texts[ROWS][256];
	RfInput inputs[ROWS];
	float expected[ROWS][3];
	Fixture fixture;

	(void) state;
	set_up(&fixture, &config, never);
	make_texts(texts, inputs);
	for (size_t i = 0; i < ROWS; i++)
	{
		float *logits;

		assert_int_equal(rf_run_sequence_logits(fixture.session, &fixture.run, &inputs[i], 1,
												&logits, &fixture.err),
						 RF_OK);
		memcpy(expected[i], logits, sizeof(expected[i]));
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		float *logits;

		memset(&fixture.run.stats, 0, sizeof(fixture.run.stats));
		fixture.run.options.batch_tokens = sizes[i];
		assert_int_equal(rf_run_sequence_logits(fixture.session, &fixture.run, inputs, ROWS,
												&logits, &fixture.err),
						 RF_OK);
		assert_memory_equal(logits, expected, sizeof(expected));
		assert_int_equal(fixture.run.stats.rows, ROWS);
		assert_int_equal(fixture.run.stats.tokens, 446 + 2 * ROWS);
		assert_int_equal(fixture.run.stats.truncated_rows, 0);
		if (sizes[i] == 1)
			assert_int_equal(fixture.run.stats.batches, ROWS);
		else if (sizes[i] == 100)
			assert_in_range(fixture.run.stats.batches, 6, 8);
		else if (sizes[i] == 0) /* 256 tokens for a model of hidden size 32 */
			assert_in_range(fixture.run.stats.batches, 2, 3);
		else if (sizes[i] == 1000000)
			assert_int_equal(fixture.run.stats.batches, 1);
	}
	tear_down(&fixture);
}

static void
test_no_rows(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	Fixture fixture;
	float *logits;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, NULL, 0, &logits, &fixture.err),
		RF_OK);
	assert_int_equal(fixture.run.stats.batches, 0);
	tear_down(&fixture);
}

static void
test_long_texts(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	RfInput long_text = {"t5 t6 t7 t8 t9 t10", 18, NULL, 0};
	RfInput short_text = {"t5 t6 t7", 8, NULL, 0};
	Fixture fixture;
	float *cut;
	float *whole;

	(void) state;
	set_up(&fixture, &config, never);
	fixture.run.options.max_length = 5;
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &long_text, 1, &cut, &fixture.err),
		RF_OK);
	assert_int_equal(fixture.run.stats.truncated_rows, 1);
	assert_int_equal(fixture.run.stats.tokens, 5);
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &short_text, 1, &whole, &fixture.err),
		RF_OK);
	assert_int_equal(fixture.run.stats.truncated_rows, 1);
	assert_memory_equal(cut, whole, 3 * sizeof(float));
	fixture.run.options.overflow = RF_OVERFLOW_ERROR;
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &long_text, 1, &cut, &fixture.err),
		RF_TOO_LONG);
	assert_string_equal(fixture.err.message, "text has 8 tokens, more than the limit of 5");
	fixture.run.options.max_length = -1;
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &long_text, 1, &cut, &fixture.err),
		RF_INVALID);
	tear_down(&fixture);
}

static void
test_default_max_length(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	Fixture fixture;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_session_default_max_length(fixture.session), 512);
	tear_down(&fixture);
}

static void
test_wrong_task(void **state)
{
	RfConfig config = labels_config(RF_TASK_TOKEN_CLASSIFICATION);
	RfInput input = {"t5", 2, NULL, 0};
	Fixture fixture;
	float *logits;
	RfFills *fills;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &input, 1, &logits, &fixture.err),
		RF_UNSUPPORTED);
	assert_non_null(strstr(fixture.err.detail, rf_task_name(RF_TASK_TOKEN_CLASSIFICATION)));
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 5, &fills, &fixture.err),
		RF_UNSUPPORTED);
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_POOLER, false,
								  &logits, &fixture.err),
					 RF_UNSUPPORTED);
	assert_int_equal(rf_session_require(fixture.session, RF_TASK_ENCODER, &fixture.err), RF_OK);
	tear_down(&fixture);
}

static void
test_problems(void **state)
{
	static const float logits[] = {0, 1, -1};
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	Fixture fixture;
	float scores[3];

	(void) state;
	set_up(&fixture, &config, never);
	rf_session_scores(fixture.session, logits, scores);
	assert_true(fabsf(scores[1] - 0.66524096f) < 1e-7f);
	assert_true(fabsf(scores[0] + scores[1] + scores[2] - 1) < 1e-6f);
	tear_down(&fixture);
	config.problem = RF_PROBLEM_MULTI_LABEL;
	set_up(&fixture, &config, never);
	rf_session_scores(fixture.session, logits, scores);
	assert_true(scores[0] == 0.5f);
	assert_true(fabsf(scores[1] - 0.73105858f) < 1e-7f);
	tear_down(&fixture);
	config.problem = RF_PROBLEM_REGRESSION;
	set_up(&fixture, &config, never);
	rf_session_scores(fixture.session, logits, scores);
	assert_memory_equal(scores, logits, sizeof(logits));
	tear_down(&fixture);
}

/* The vector of a text is what its hidden states say. */
static void
test_embed(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 32, 2, 2, 64);
	RfInput input = {"t5 t6 t7", 8, NULL, 0};
	Fixture fixture;
	RfMatrix hidden;
	float *vector;
	double norm = 0;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(
		rf_run_hidden_state(fixture.session, &fixture.run, &input, 1, &hidden, &fixture.err),
		RF_OK);
	assert_int_equal(hidden.rows, 5);
	assert_int_equal(hidden.columns, 32);
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_CLS, false,
								  &vector, &fixture.err),
					 RF_OK);
	assert_memory_equal(vector, hidden.values, 32 * sizeof(float));
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_MAX, false,
								  &vector, &fixture.err),
					 RF_OK);
	for (size_t i = 0; i < 32; i++)
		for (size_t t = 0; t < 5; t++)
			assert_true(vector[i] >= hidden.values[t * 32 + i]);
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_MEAN, true,
								  &vector, &fixture.err),
					 RF_OK);
	for (size_t i = 0; i < 32; i++)
		norm += (double) vector[i] * (double) vector[i];
	assert_true(fabs(norm - 1) < 1e-6);
	tear_down(&fixture);
}

static void
expect_matrix(const RfMatrix *found, const RfMatrix *expected)
{
	assert_int_equal(found->rows, expected->rows);
	assert_int_equal(found->columns, expected->columns);
	assert_memory_equal(found->values, expected->values,
						found->rows * found->columns * sizeof(float));
}

/* Logits and hidden states of many texts, in batches of any size: those of each, to the last bit.
 */
static void
check_matrices(RfTask task)
{
	static const int32_t sizes[] = {0, 1, 24, 100};
	static char texts[ROWS][256];
	RfConfig config = labels_config(task);
	RfInput inputs[ROWS];
	RfMatrix logits[ROWS];
	RfMatrix hidden[ROWS];
	RfMatrix single;
	Fixture fixture;

	set_up(&fixture, &config, never);
	make_texts(texts, inputs);
	for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++)
	{
		fixture.run.options.batch_tokens = sizes[size];
		assert_int_equal(
			rf_run_logits(fixture.session, &fixture.run, inputs, ROWS, logits, &fixture.err),
			RF_OK);
		assert_int_equal(
			rf_run_hidden_state(fixture.session, &fixture.run, inputs, ROWS, hidden, &fixture.err),
			RF_OK);
		for (size_t i = 0; i < ROWS; i++)
		{
			assert_int_equal(
				rf_run_logits(fixture.session, &fixture.run, &inputs[i], 1, &single, &fixture.err),
				RF_OK);
			expect_matrix(&logits[i], &single);
			assert_int_equal(rf_run_hidden_state(fixture.session, &fixture.run, &inputs[i], 1,
												 &single, &fixture.err),
							 RF_OK);
			expect_matrix(&hidden[i], &single);
			assert_int_equal(single.columns, 32);
		}
	}
	tear_down(&fixture);
}

static void
test_matrices(void **state)
{
	(void) state;
	check_matrices(RF_TASK_SEQUENCE_CLASSIFICATION);
	check_matrices(RF_TASK_TOKEN_CLASSIFICATION);
	check_matrices(RF_TASK_MASKED_LM);
	check_matrices(RF_TASK_QUESTION_ANSWERING);
}

/* Fills are the largest logits at the masks, in order, with the probabilities of all. */
static void
test_fill_mask(void **state)
{
	RfConfig config = random_model_config(RF_TASK_MASKED_LM, 32, 2, 1, 64);
	RfInput input = {"t5 [MASK] t7 [MASK]", 19, NULL, 0};
	Fixture fixture;
	RfMatrix logits;
	RfFills *fills;

	(void) state;
	set_up(&fixture, &config, never);
	assert_int_equal(rf_run_logits(fixture.session, &fixture.run, &input, 1, &logits, &fixture.err),
					 RF_OK);
	assert_int_equal(logits.rows, 6);
	assert_int_equal(logits.columns, config.vocab_size);
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 1000000, &fills, &fixture.err),
		RF_OK);
	assert_int_equal(fills->count, 2 * config.vocab_size);
	for (int32_t mask = 0; mask < 2; mask++)
	{
		const float *row = logits.values + (mask == 0 ? 2 : 4) * config.vocab_size;
		double sum = 0;

		for (int32_t i = 0; i < config.vocab_size; i++)
		{
			const RfFill *fill = &fills->fills[mask * config.vocab_size + i];

			assert_int_equal(fill->mask, mask);
			assert_true(i == 0 || row[fill[-1].id] > row[fill->id] ||
						(row[fill[-1].id] == row[fill->id] && fill[-1].id < fill->id));
			sum += (double) fill->score;
		}
		assert_true(fabs(sum - 1) < 1e-5);
	}
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 0, &fills, &fixture.err),
		RF_INVALID);
	input = (RfInput){"t5", 2, NULL, 0};
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 5, &fills, &fixture.err), RF_OK);
	assert_int_equal(fills->count, 0);
	tear_down(&fixture);
}

/* Cancelled anywhere: says so, keeps nothing but the session, and works again. */
static void
test_cancel(void **state)
{
	RfConfig config = labels_config(RF_TASK_TOKEN_CLASSIFICATION);
	static char texts[ROWS][256];
	RfInput inputs[ROWS];
	long left = 1000000;
	Fixture fixture;
	RfEntities *entities;
	long polls;

	(void) state;
	set_up(&fixture, &config, (RfAbort){count_down, &left});
	make_texts(texts, inputs);
	fixture.run.options.batch_tokens = 100;
	assert_int_equal(rf_run_tag(fixture.session, &fixture.run, inputs, ROWS, RF_AGGREGATE_SIMPLE,
								&entities, &fixture.err),
					 RF_OK);
	polls = 1000000 - left;
	for (long stop = 0; stop < polls; stop += 1 + polls / 50)
	{
		left = stop;
		assert_int_equal(rf_run_tag(fixture.session, &fixture.run, inputs, ROWS,
									RF_AGGREGATE_SIMPLE, &entities, &fixture.err),
						 RF_CANCELED);
	}
	left = 1000000;
	assert_int_equal(rf_run_tag(fixture.session, &fixture.run, inputs, ROWS, RF_AGGREGATE_SIMPLE,
								&entities, &fixture.err),
					 RF_OK);
	tear_down(&fixture);
}

/* Memory refused anywhere: an error, nothing lost, and the session works again. */
static void
test_out_of_memory(void **state)
{
	RfConfig config = random_model_config(RF_TASK_MASKED_LM, 32, 2, 1, 64);
	RfInput input = {"t5 [MASK] t7", 12, NULL, 0};
	Fixture fixture;
	RfFills *fills;
	size_t calls;

	(void) state;
	set_up(&fixture, &config, never);
	calls = fixture.counter.calls;
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 5, &fills, &fixture.err), RF_OK);
	calls = fixture.counter.calls - calls;
	assert_true(calls > 0);
	for (size_t i = 1; i <= calls; i++)
	{
		RfCode code;
		RfSession *session;

		fixture.counter.refuse_at = fixture.counter.calls + i;
		code = rf_session_open(fixture.image, fixture.size,
							   (RfMemory){counted_alloc, counted_release, &fixture.counter}, never,
							   &session, &fixture.err);
		if (code == RF_OK)
			code = rf_run_fill_mask(session, &fixture.run, &input, 1, 5, &fills, &fixture.err);
		assert_int_equal(code, RF_NO_MEMORY);
		rf_session_close(session);
	}
	fixture.counter.refuse_at = 0;
	assert_int_equal(
		rf_run_fill_mask(fixture.session, &fixture.run, &input, 1, 5, &fills, &fixture.err), RF_OK);
	tear_down(&fixture);
}

/* What an unusually large call needed is given back. */
static void
test_workspace_shrinks(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 256, 4, 1, 1024);
	size_t length = 3 * 6000;
	char *text = malloc(length + 1);
	RfInput input = {text, length, NULL, 0};
	Fixture fixture;
	float *vector;

	(void) state;
	set_up(&fixture, &config, never);
	for (size_t i = 0; i < length; i += 3)
		memcpy(text + i, "t5 ", 3);
	text[length] = '\0';
	fixture.run.options.max_length = 6002;
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_MEAN, false,
								  &vector, &fixture.err),
					 RF_OK);
	assert_int_equal(fixture.run.stats.tokens, 6002);
	assert_true(rf_session_workspace(fixture.session) <= WORKSPACE_KEPT);
	input.length = 30;
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, &input, 1, RF_POOL_MEAN, false,
								  &vector, &fixture.err),
					 RF_OK);
	assert_true(rf_session_workspace(fixture.session) <= WORKSPACE_KEPT);
	free(text);
	tear_down(&fixture);
}

static void
expect_refused(Fixture *fixture, const void *image, size_t size)
{
	RfSession *session;

	assert_int_equal(rf_session_open(image, size, rf_memory_malloc, never, &session, &fixture->err),
					 RF_CORRUPT);
	assert_null(session);
	assert_true(fixture->err.message[0] != '\0');
}

/* Every byte of the front of an image, inverted: refused, or opened without reading outside. */
static void
test_damaged_images(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	Fixture fixture;
	char *copy;

	(void) state;
	set_up(&fixture, &config, never);
	copy = aligned_alloc(64, fixture.size);
	memcpy(copy, fixture.image, fixture.size);
	expect_refused(&fixture, copy, 0);
	expect_refused(&fixture, copy, 64);
	expect_refused(&fixture, copy, fixture.size - 64);
	expect_refused(&fixture, copy + 1, fixture.size - 1);
	for (size_t i = 0; i < 8; i++)
	{
		copy[i] ^= 1;
		expect_refused(&fixture, copy, fixture.size);
		copy[i] ^= 1;
	}
	for (size_t i = 0; i < 2048 && i < fixture.size; i++)
	{
		RfSession *session;

		copy[i] = (char) ~copy[i];
		(void) rf_session_open(copy, fixture.size, rf_memory_malloc, never, &session, &fixture.err);
		rf_session_close(session);
		copy[i] = (char) ~copy[i];
	}
	free(copy);
	tear_down(&fixture);
}

/* Rows are checked one by one; a plan can be filled only with what it was made for. */
static void
test_filling_images(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	const RfKernels *kernels;
	RfImagePlan *plan;
	Fixture fixture;
	RandomModel *random;
	void *image;
	float row[32] = {0};

	(void) state;
	set_up(&fixture, &config, never);
	random = fixture.random;
	assert_int_equal(rf_kernels_choose("ref", &kernels, NULL), RF_OK);
	assert_int_equal(rf_image_plan(&random->spec, &random->match, random->stored,
								   (RfPrecision) RF_PRECISIONS, kernels, &fixture.arena, &plan,
								   &fixture.err),
					 RF_UNSUPPORTED);
	assert_string_equal(fixture.err.message, "kernel set \"ref\" has no precision \"unknown\"");
	assert_int_equal(rf_image_plan(&random->spec, &random->match, random->stored, RF_PRECISION_FP32,
								   kernels, &fixture.arena, &plan, &fixture.err),
					 RF_OK);
	image = rf_arena_alloc(&fixture.arena, rf_image_size(plan), 1);
	assert_int_equal(rf_image_begin(plan, image, &fixture.err), RF_OK);
	assert_int_equal(rf_image_put(plan, image, 0, 0, 1, row, sizeof(row) - 4, &fixture.err),
					 RF_INVALID);
	assert_int_equal(rf_image_put(plan, image, 0, 96, 1, row, sizeof(row), &fixture.err),
					 RF_INVALID);
	assert_int_equal(rf_image_put(plan, image, 10000, 0, 1, row, sizeof(row), &fixture.err),
					 RF_INVALID);
	assert_int_equal(rf_image_put(plan, image, 0, 95, 1, row, sizeof(row), &fixture.err), RF_OK);
	for (size_t i = 0; i < random->match.count; i++)
	{
		const RfParameter *parameter = &random->parameters[i];
		size_t width = parameter->rank == 2 ? (size_t) parameter->shape[1] : 1;
		uint64_t rows = parameter->shape[0] - (i == 0 ? 2 : 0);

		assert_int_equal(rf_image_put(plan, image, i, 0, rows, random->values[i],
									  (size_t) rows * width * sizeof(float), &fixture.err),
						 RF_OK);
	}
	assert_int_equal(rf_image_finish(plan, image, &fixture.err), RF_CORRUPT);
	assert_string_equal(fixture.err.message,
						"row 94 of parameter \"embeddings.word_embeddings.weight\" is missing");
	expect_refused(&fixture, image, rf_image_size(plan));
	assert_int_equal(rf_image_put(plan, image, 0, 94, 1, row, sizeof(row), &fixture.err), RF_OK);
	assert_int_equal(rf_image_finish(plan, image, &fixture.err), RF_OK);
	tear_down(&fixture);
}

/* The same weights in an image made twice are the same bytes, and the image may lie anywhere. */
static void
test_images_are_position_independent(void **state)
{
	RfConfig config = labels_config(RF_TASK_SEQUENCE_CLASSIFICATION);
	RfInput input = {"t5 t6", 5, NULL, 0};
	Fixture fixture;
	RfSession *moved;
	char *copy;
	float *here;
	float *there;

	(void) state;
	set_up(&fixture, &config, never);
	copy = aligned_alloc(64, fixture.size + 64);
	memcpy(copy + 64, fixture.image, fixture.size);
	assert_int_equal(
		rf_session_open(copy + 64, fixture.size, rf_memory_malloc, never, &moved, &fixture.err),
		RF_OK);
	assert_int_equal(
		rf_run_sequence_logits(fixture.session, &fixture.run, &input, 1, &here, &fixture.err),
		RF_OK);
	memset(fixture.image, 0, fixture.size);
	assert_int_equal(rf_run_sequence_logits(moved, &fixture.run, &input, 1, &there, &fixture.err),
					 RF_OK);
	assert_memory_equal(here, there, 3 * sizeof(float));
	rf_session_close(moved);
	free(copy);
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_sizes),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_default_max_length),
		cmocka_unit_test(test_wrong_task),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_embed),
		cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_fill_mask),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_workspace_shrinks),
		cmocka_unit_test(test_damaged_images),
		cmocka_unit_test(test_filling_images),
		cmocka_unit_test(test_images_are_position_independent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
