/*
 * test_growing_rows.c - rows that grow token by token against the same rows as a whole, for every
 * kernel set and precision: hidden states must be equal to the last bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "random_model.h"
#include "tested_set.h"

#define MOST_ROWS 3

typedef struct Fixture
{
	RfArena arena;
	RfModel model;
	RfEncoder encoder;
	RfError err;
} Fixture;

static void
set_up_in(Fixture *fixture, const RfConfig *config, const char *kernels, RfPrecision precision,
		  RfAbort abort_fn)
{
	RandomModel *random;
	size_t size = 0;
	void *image;

	memset(fixture, 0, sizeof(*fixture));
	rf_arena_init(&fixture->arena, rf_memory_malloc);
	random = random_model_new(config, 11, &fixture->arena);
	image =
		random_model_image_in(random, kernels, precision, &fixture->arena, &size, &fixture->err);
	if (image == NULL ||
		rf_model_open(image, size, &fixture->arena, &fixture->model, &fixture->err) != RF_OK)
		fail_msg("%s", fixture->err.message);
	rf_encoder_init(&fixture->encoder, &fixture->model, rf_memory_malloc, abort_fn);
}

static void
set_up(Fixture *fixture, const RfConfig *config, const char *kernels, RfAbort abort_fn)
{
	set_up_in(fixture, config, kernels, RF_PRECISION_FP32, abort_fn);
}

static void
tear_down(Fixture *fixture)
{
	rf_encoder_trim(&fixture->encoder, 0);
	rf_arena_free(&fixture->arena);
}

/* Rows that grow from a prompt to their whole length, each with its hidden states as a whole. */
typedef struct Row
{
	size_t prompt;
	size_t tokens;
	int32_t *ids;
	int32_t *types;
	float *whole; /* [tokens,H] */
} Row;

static void
forward(Fixture *fixture, const RfBatch *batch, const float **hidden)
{
	if (rf_encoder_forward(&fixture->encoder, batch, hidden, &fixture->err) != RF_OK)
		fail_msg("%s: %s", rf_kernels_name(fixture->model.kernels), fixture->err.message);
}

static void
make_row(Fixture *fixture, Row *row, size_t prompt, size_t tokens, uint64_t seed)
{
	const RfConfig *config = fixture->model.config;
	size_t floats = tokens * (size_t) config->hidden_size;
	uint32_t row_start[2] = {0, (uint32_t) tokens};
	RfBatch batch = {.rows = 1, .row_start = row_start};
	const float *hidden;

	row->prompt = prompt;
	row->tokens = tokens;
	row->ids = rf_arena_alloc(&fixture->arena, tokens, sizeof(int32_t));
	row->types = rf_arena_alloc(&fixture->arena, tokens, sizeof(int32_t));
	row->whole = rf_arena_alloc(&fixture->arena, floats, sizeof(float));
	for (size_t i = 0; i < tokens; i++)
	{
		row->ids[i] = (int32_t) ((random_model_next(&seed) + 1) / 2 * (float) config->vocab_size);
		row->types[i] = rf_model_is_seq2seq(&fixture->model) && i >= prompt ? 1 : 0;
	}
	batch.input_ids = row->ids;
	batch.token_type_ids = row->types;
	forward(fixture, &batch, &hidden);
	memcpy(row->whole, hidden, floats * sizeof(float));
}

/* One pass over what comes next of each row: its prompt, then step tokens. */
static void
grow_rows(Fixture *fixture, const Row *rows, RfRowCache *caches, size_t count, size_t step)
{
	size_t width = (size_t) fixture->model.config->hidden_size;
	uint32_t row_start[MOST_ROWS + 1] = {0};
	int32_t ids[2048];
	int32_t types[2048];
	RfBatch batch = {.rows = count,
					 .row_start = row_start,
					 .input_ids = ids,
					 .token_type_ids = types,
					 .caches = caches};
	size_t past[MOST_ROWS];
	const float *hidden;

	for (size_t i = 0; i < count; i++)
	{
		size_t left = rows[i].tokens - caches[i].tokens;
		size_t next = caches[i].tokens == 0 ? rows[i].prompt : left < step ? left : step;

		past[i] = caches[i].tokens;
		assert_true(row_start[i] + next <= 2048);
		memcpy(ids + row_start[i], rows[i].ids + past[i], next * sizeof(int32_t));
		memcpy(types + row_start[i], rows[i].types + past[i], next * sizeof(int32_t));
		row_start[i + 1] = row_start[i] + (uint32_t) next;
	}
	forward(fixture, &batch, &hidden);
	for (size_t i = 0; i < count; i++)
	{
		size_t next = row_start[i + 1] - row_start[i];

		assert_int_equal(caches[i].tokens, past[i] + next);
		assert_memory_equal(hidden + row_start[i] * width, rows[i].whole + past[i] * width,
							next * width * sizeof(float));
	}
}

/* Rows come in one pass after the other and end at different times. */
static void
check_rows(Fixture *fixture, const size_t (*lengths)[2], size_t count, size_t step)
{
	RfRowCache caches[MOST_ROWS] = {0};
	Row rows[MOST_ROWS];
	size_t first = 0;
	size_t end = 1;

	for (size_t i = 0; i < count; i++)
		make_row(fixture, &rows[i], lengths[i][0], lengths[i][1], 5 + i);
	while (first < count)
	{
		grow_rows(fixture, rows + first, caches + first, end - first, step);
		end += end < count;
		while (first < end && caches[first].tokens == rows[first].tokens)
			rf_row_cache_release(&fixture->encoder, &caches[first++]);
		end = end < first ? first : end;
	}
}

static void
check_lengths(const RfConfig *config, const size_t (*lengths)[2], size_t count, size_t step)
{
	RfKernelsStatus status;

	for (size_t set = 0; tested_set(set, &status); set++)
		for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
		{
			Fixture fixture;

			if (!status.precision[precision])
				continue;
			set_up_in(&fixture, config, status.name, precision, (RfAbort){NULL, NULL});
			check_rows(&fixture, lengths, count, step);
			tear_down(&fixture);
		}
}

/* The first row that comes in is the first to end. */
static void
check_config(const RfConfig *config, size_t step)
{
	static const size_t lengths[][2] = {{3, 20}, {30, 90}, {1, 140}};

	check_lengths(config, lengths, 3, step);
}

static RfConfig
decoder_config(int32_t hidden, int32_t heads)
{
	RfConfig config = random_model_config(RF_TASK_CAUSAL_LM, hidden, heads, 2, 2 * hidden);

	config.is_decoder = true;
	return config;
}

static void
test_usual_shape(void **state)
{
	RfConfig config = decoder_config(256, 4);

	(void) state;
	check_config(&config, 1);
	check_config(&config, 7);
}

static void
test_odd_shape(void **state)
{
	RfConfig config = decoder_config(40, 4);

	(void) state;
	config.embedding_size = 24;
	config.rotary_value = true;
	check_config(&config, 1);
}

/* Heads wider than a panel of any set. */
static void
test_wide_heads(void **state)
{
	RfConfig config = decoder_config(200, 2);

	(void) state;
	check_config(&config, 1);
}

static void
test_rms_norm_without_biases(void **state)
{
	RfConfig config = decoder_config(48, 4);

	(void) state;
	config.rms_norm = true;
	config.use_bias = false;
	check_config(&config, 1);
}

static void
test_sim(void **state)
{
	RfConfig config = decoder_config(48, 4);

	(void) state;
	config.has_pooler = true;
	check_config(&config, 1);
	config.is_decoder = false; /* as published files have it */
	check_config(&config, 1);
}

/* Beyond blocks of 256 terms, the image's 512 positions and every first capacity. */
static void
test_long_row(void **state)
{
	static const size_t lengths[][2] = {{10, 500}, {600, 1100}};
	RfConfig config = decoder_config(32, 2);

	(void) state;
	check_lengths(&config, lengths, 2, 1);
}

static bool
count_down(void *context)
{
	long *left = context;

	return (*left)-- <= 0;
}

/* Stopped anywhere a row has the tokens it had, and goes on to the same bits. */
static void
test_abort_anywhere(void **state)
{
	RfConfig config = decoder_config(32, 2);
	RfRowCache cache = {0};
	long left = 1000000;
	Fixture fixture;
	Row row;
	uint32_t row_start[2] = {0, 1};
	RfBatch batch = {.rows = 1, .row_start = row_start, .caches = &cache};
	const float *hidden;

	(void) state;
	set_up(&fixture, &config, "ref", (RfAbort){count_down, &left});
	make_row(&fixture, &row, 40, 60, 1);
	grow_rows(&fixture, &row, &cache, 1, 1);
	batch.input_ids = row.ids + 40;
	batch.token_type_ids = row.types + 40;
	for (long stop = 0;; stop++)
	{
		RfCode code;

		left = stop;
		code = rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err);
		if (code == RF_OK)
			break;
		assert_int_equal(code, RF_CANCELED);
		assert_int_equal(cache.tokens, 40);
	}
	assert_memory_equal(hidden, row.whole + 40 * 32, 32 * sizeof(float));
	left = 1000000;
	while (cache.tokens < row.tokens)
		grow_rows(&fixture, &row, &cache, 1, 1);
	rf_row_cache_release(&fixture.encoder, &cache);
	tear_down(&fixture);
}

static void
expect_invalid(Fixture *fixture, const RfBatch *batch, const char *message)
{
	const float *hidden;

	assert_int_equal(rf_encoder_forward(&fixture->encoder, batch, &hidden, &fixture->err),
					 RF_INVALID);
	assert_string_equal(fixture->err.message, message);
}

static void
test_bad_batches(void **state)
{
	RfConfig config = decoder_config(16, 2);
	uint32_t row_start[2] = {0, 2};
	uint32_t seen[1] = {2};
	int32_t ids[2] = {5, 6};
	int32_t types[2] = {0, 0};
	RfRowCache cache = {0};
	RfStates states = {0};
	RfBatch batch = {.rows = 1,
					 .row_start = row_start,
					 .input_ids = ids,
					 .token_type_ids = types,
					 .row_seen = seen,
					 .caches = &cache};
	Fixture fixture;

	(void) state;
	set_up(&fixture, &config, "ref", (RfAbort){NULL, NULL});
	expect_invalid(&fixture, &batch, "rows of this batch can't grow");
	batch.row_seen = NULL;
	batch.states = &states;
	expect_invalid(&fixture, &batch, "the model has no cross-attention");
	tear_down(&fixture);
	config.is_decoder = false;
	set_up(&fixture, &config, "ref", (RfAbort){NULL, NULL});
	batch.states = NULL;
	expect_invalid(&fixture, &batch, "rows of this batch can't grow");
	tear_down(&fixture);
}

static void
test_cache_size(void **state)
{
	RfConfig config = decoder_config(64, 4);
	RfRowCache cache = {0};
	Fixture fixture;
	size_t bytes;

	(void) state;
	set_up(&fixture, &config, "ref", (RfAbort){NULL, NULL});
	/* Two layers of keys and values, one number each. */
	assert_true(rf_row_cache_size(&fixture.model, 1024, &bytes));
	assert_in_range(bytes, 2 * 2 * 1024 * 64 * sizeof(float),
					2 * 2 * 1024 * 64 * sizeof(float) + 64);
	assert_false(rf_row_cache_size(&fixture.model, SIZE_MAX - 1, &bytes));
	assert_false(rf_row_cache_size(&fixture.model, SIZE_MAX / 64, &bytes));
	assert_int_equal(rf_row_cache_reserve(&fixture.encoder, &cache, SIZE_MAX / 64, &fixture.err),
					 RF_LIMIT);
	assert_int_equal(rf_row_cache_reserve(&fixture.encoder, &cache, 10, &fixture.err), RF_OK);
	bytes = cache.size;
	assert_int_equal(rf_row_cache_reserve(&fixture.encoder, &cache, 5, &fixture.err), RF_OK);
	assert_int_equal(cache.size, bytes);
	rf_row_cache_release(&fixture.encoder, &cache);
	assert_null(cache.block);
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual_shape),
		cmocka_unit_test(test_odd_shape),
		cmocka_unit_test(test_wide_heads),
		cmocka_unit_test(test_rms_norm_without_biases),
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_long_row),
		cmocka_unit_test(test_abort_anywhere),
		cmocka_unit_test(test_bad_batches),
		cmocka_unit_test(test_cache_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
