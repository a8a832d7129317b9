/*
 * test_encoder.c - the encoder of every kernel set and precision against a double-precision one.
 *
 * The bound in fp32 is absolute: hidden states leave a norm, so they are of size 1 to 4, and fp32
 * with sums of up to 200 terms over 3 layers is off by some 1e-6. In lower precision each token's
 * hidden state must point where it should: cosine_bound. Rows in a batch must equal themselves
 * computed alone to the last bit, in all precisions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "double_encoder.h"
#include "tested_set.h"

#define BOUND 2e-5
#define MAX_ROWS 8

static bool
is_available(const char *kernels)
{
	RfKernelsStatus status;

	for (size_t i = 0; rf_kernels_status(i, &status); i++)
		if (strcmp(status.name, kernels) == 0)
			return status.available;
	return false;
}

typedef struct Fixture
{
	RfArena arena;
	RandomModel *random;
	RfModel model;
	RfEncoder encoder;
	RfError err;
} Fixture;

static void
set_up_in(Fixture *fixture, const RfConfig *config, const char *kernels, RfPrecision precision,
		  RfAbort abort_fn)
{
	size_t size = 0;
	void *image;

	memset(fixture, 0, sizeof(*fixture));
	rf_arena_init(&fixture->arena, rf_memory_malloc);
	fixture->random = random_model_new(config, 7, &fixture->arena);
	image = random_model_image_in(fixture->random, kernels, precision, &fixture->arena, &size,
								  &fixture->err);
	if (image == NULL)
		fail_msg("%s", fixture->err.message);
	assert_int_equal(rf_model_open(image, size, &fixture->arena, &fixture->model, &fixture->err),
					 RF_OK);
	assert_string_equal(rf_kernels_name(fixture->model.kernels), kernels);
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
	assert_int_equal(rf_encoder_held(&fixture->encoder), 0);
	rf_arena_free(&fixture->arena);
}

typedef struct Rows
{
	RfBatch batch;
	uint32_t row_start[MAX_ROWS + 1];
	int32_t *ids;
	int32_t *types;
} Rows;

static void
make_rows(Rows *rows, RfArena *arena, const RfConfig *config, const uint32_t *lengths, size_t count)
{
	uint64_t state = 99;
	uint32_t tokens = 0;

	for (size_t i = 0; i < count; i++)
	{
		rows->row_start[i] = tokens;
		tokens += lengths[i];
	}
	rows->row_start[count] = tokens;
	rows->ids = rf_arena_alloc(arena, tokens, sizeof(int32_t));
	rows->types = rf_arena_alloc(arena, tokens, sizeof(int32_t));
	for (uint32_t i = 0; i < tokens; i++)
	{
		float random = (random_model_next(&state) + 1) / 2;

		rows->ids[i] = (int32_t) (random * (float) config->vocab_size);
		rows->types[i] = i % 3 == 0 ? config->type_vocab_size - 1 : 0;
	}
	rows->batch = (RfBatch){
		.rows = count,
		.row_start = rows->row_start,
		.input_ids = rows->ids,
		.token_type_ids = rows->types,
	};
}

static uint32_t
row_seen(const RfBatch *batch, size_t row)
{
	return batch->row_seen == NULL ? batch->row_start[row + 1] - batch->row_start[row]
								   : batch->row_seen[row];
}

/* A batch of the one row with this index. */
static void
single_row(const Rows *rows, size_t row, RfBatch *batch, uint32_t row_start[2])
{
	row_start[0] = 0;
	row_start[1] = rows->row_start[row + 1] - rows->row_start[row];
	*batch =
		(RfBatch){.rows = 1,
				  .row_start = row_start,
				  .input_ids = rows->ids + rows->row_start[row],
				  .token_type_ids = rows->types + rows->row_start[row],
				  .row_seen = rows->batch.row_seen == NULL ? NULL : rows->batch.row_seen + row};
}

/* Last hidden states of all rows, in double; caller frees */
static double *
expect_hidden(const RandomModel *random, const Rows *rows)
{
	size_t width = (size_t) random->spec.config.hidden_size;
	double *expected = malloc(rows->row_start[rows->batch.rows] * width * sizeof(double));

	for (size_t row = 0; row < rows->batch.rows; row++)
	{
		size_t first = rows->row_start[row];
		size_t tokens = rows->row_start[row + 1] - first;
		double *hidden = double_encoder(random, rows->ids + first, rows->types + first, tokens,
										row_seen(&rows->batch, row));

		memcpy(expected + first * width, hidden, tokens * width * sizeof(double));
		free(hidden);
	}
	return expected;
}

static void
compare_with_double(const Fixture *fixture, const Rows *rows, const double *expected,
					const float *hidden)
{
	size_t width = (size_t) fixture->model.config->hidden_size;
	size_t count = rows->row_start[rows->batch.rows] * width;

	for (size_t i = 0; i < count; i++)
		if (!(fabs(hidden[i] - expected[i]) <= BOUND))
			fail_msg("%s: token %zu, number %zu: %.9g, not %.9g",
					 rf_kernels_name(fixture->model.kernels), i / width, i % width,
					 (double) hidden[i], expected[i]);
}

/* Narrow models have fewer terms for rounding errors to average out over. */
static double
cosine_bound(const Fixture *fixture)
{
	double distance = fixture->model.precision == RF_PRECISION_BF16 ? 1e-4 : 1e-3;

	return 1 - distance * (fixture->model.config->hidden_size < 32 ? 8 : 1);
}

static void
compare_directions(const Fixture *fixture, const Rows *rows, const double *expected,
				   const float *hidden)
{
	size_t width = (size_t) fixture->model.config->hidden_size;

	for (size_t token = 0; token < rows->row_start[rows->batch.rows]; token++)
	{
		const double *a = expected + token * width;
		const float *b = hidden + token * width;
		double product = 0;
		double left = 0;
		double right = 0;

		for (size_t i = 0; i < width; i++)
		{
			product += a[i] * b[i];
			left += a[i] * a[i];
			right += (double) b[i] * b[i];
		}
		if (!(product >= cosine_bound(fixture) * sqrt(left * right)))
			fail_msg("%s in %s: token %zu: cosine %.7f", rf_kernels_name(fixture->model.kernels),
					 rf_precision_name(fixture->model.precision), token,
					 product / sqrt(left * right));
	}
}

static void
compare_with_single(Fixture *fixture, const Rows *rows, const float *hidden)
{
	size_t width = (size_t) fixture->model.config->hidden_size;
	size_t count = rows->row_start[rows->batch.rows] * width;
	float *kept = malloc(count * sizeof(float));

	memcpy(kept, hidden, count * sizeof(float));
	for (size_t row = 0; row < rows->batch.rows; row++)
	{
		const float *alone;
		RfBatch batch;
		uint32_t row_start[2];

		single_row(rows, row, &batch, row_start);
		assert_int_equal(rf_encoder_forward(&fixture->encoder, &batch, &alone, &fixture->err),
						 RF_OK);
		assert_memory_equal(alone, kept + rows->row_start[row] * width,
							row_start[1] * width * sizeof(float));
	}
	free(kept);
}

/*
 * seen [count]: tokens of the rows that are no padding; NULL: all. expected is computed at first
 * use.
 */
static void
check_encoder(const char *kernels, RfPrecision precision, const RfConfig *config,
			  const uint32_t *lengths, const uint32_t *seen, size_t count, double **expected)
{
	Fixture fixture;
	Rows rows;
	const float *hidden;

	set_up_in(&fixture, config, kernels, precision, (RfAbort){NULL, NULL});
	make_rows(&rows, &fixture.arena, config, lengths, count);
	rows.batch.row_seen = seen;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	if (*expected == NULL)
		*expected = expect_hidden(fixture.random, &rows);
	if (precision == RF_PRECISION_FP32)
		compare_with_double(&fixture, &rows, *expected, hidden);
	else
		compare_directions(&fixture, &rows, *expected, hidden);
	compare_with_single(&fixture, &rows, hidden);
	tear_down(&fixture);
}

static void
check_padded(const RfConfig *config, const uint32_t *lengths, const uint32_t *seen, size_t count)
{
	double *expected = NULL;
	RfKernelsStatus status;

	for (size_t set = 0; tested_set(set, &status); set++)
		for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
			if (status.precision[precision])
				check_encoder(status.name, precision, config, lengths, seen, count, &expected);
	free(expected);
}

static void
check_config(const RfConfig *config, const uint32_t *lengths, size_t count)
{
	check_padded(config, lengths, NULL, count);
}

static void
test_usual_shape(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 256, 4, 2, 256);
	static const uint32_t lengths[] = {2, 3, 16, 17, 48, 65, 130};

	(void) state;
	check_config(&config, lengths, 7);
}

/* Head size 10, E and H differ, K and N with every kind of tail, values turned. */
static void
test_odd_shape(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 40, 4, 3, 96);
	static const uint32_t lengths[] = {2, 5, 9, 33, 300};

	(void) state;
	config.embedding_size = 24;
	config.rotary_value = true;
	config.hidden_act = RF_ACT_RELU;
	check_config(&config, lengths, 5);
}

static void
test_smallest_heads(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 6, 3, 1, 7);
	static const uint32_t lengths[] = {2, 1, 40};

	(void) state;
	config.embedding_size = 5;
	config.hidden_act = RF_ACT_TANH;
	check_config(&config, lengths, 3);
}

/* Heads wider than a panel of any set. */
static void
test_wide_heads(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 200, 2, 1, 130);
	static const uint32_t lengths[] = {7, 70};

	(void) state;
	config.hidden_act = RF_ACT_GELU_TANH;
	check_config(&config, lengths, 2);
}

static void
test_rms_norm_without_biases(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 48, 4, 2, 96);
	static const uint32_t lengths[] = {12, 90};

	(void) state;
	config.rms_norm = true;
	config.use_bias = false;
	config.hidden_act = RF_ACT_RELU;
	check_config(&config, lengths, 2);
}

static void
test_causal(void **state)
{
	RfConfig config = random_model_config(RF_TASK_CAUSAL_LM, 256, 4, 1, 128);
	static const uint32_t lengths[] = {1, 24, 25, 100};

	(void) state;
	config.is_decoder = true;
	check_config(&config, lengths, 4);
	config.has_pooler = true; /* RoFormer-Sim: by types */
	check_config(&config, lengths, 2);
}

/* Padding sees, and is not seen; of decoders as well. */
static void
test_padding(void **state)
{
	RfConfig config = random_model_config(RF_TASK_MULTIPLE_CHOICE, 64, 4, 2, 128);
	static const uint32_t lengths[] = {70, 70, 70, 3, 24};
	static const uint32_t seen[] = {69, 70, 17, 1, 23};

	(void) state;
	check_padded(&config, lengths, seen, 5);
	config.is_decoder = true;
	check_padded(&config, lengths, seen, 5);
	config.rotary_value = true;
	check_padded(&config, lengths, seen, 5);
}

/* The same bits without padding, and with one padding token at the last one's position. */
static void
check_thin_padding(const char *kernels, RfPrecision precision)
{
	RfConfig config = random_model_config(RF_TASK_MULTIPLE_CHOICE, 40, 4, 2, 96);
	static const uint32_t lengths[] = {700};
	static const uint32_t seen[] = {30};
	uint32_t row_start[] = {0, 31};
	uint32_t positions[31];
	size_t width = 40;
	float whole[700][40];
	Fixture fixture;
	Rows rows;
	RfBatch thin;
	const float *hidden;

	set_up_in(&fixture, &config, kernels, precision, (RfAbort){NULL, NULL});
	make_rows(&rows, &fixture.arena, &config, lengths, 1);
	rows.batch.row_seen = seen;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	memcpy(whole, hidden, sizeof(whole));
	for (uint32_t i = 0; i < 31; i++)
		positions[i] = i < 30 ? i : 699;
	rows.ids[30] = rows.ids[699];
	rows.types[30] = rows.types[699];
	thin = rows.batch;
	thin.row_start = row_start;
	thin.row_seen = seen;
	thin.positions = positions;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &thin, &hidden, &fixture.err), RF_OK);
	assert_memory_equal(hidden, whole, 30 * sizeof(whole[0]));
	assert_memory_equal(hidden + 30 * width, whole[699], sizeof(whole[0]));
	row_start[1] = 30;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &thin, &hidden, &fixture.err), RF_OK);
	assert_memory_equal(hidden, whole, 30 * sizeof(whole[0]));
	tear_down(&fixture);
}

static void
test_thin_padding(void **state)
{
	RfKernelsStatus status;

	(void) state;
	for (size_t set = 0; tested_set(set, &status); set++)
		for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
			if (status.precision[precision])
				check_thin_padding(status.name, precision);
}

/* Six times as long as max_position_embeddings. */
static void
test_long_row(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 32, 2, 1, 64);
	static const uint32_t lengths[] = {3, 3000, 20};

	(void) state;
	check_config(&config, lengths, 3);
}

static void
test_every_activation(void **state)
{
	static const uint32_t lengths[] = {9};

	(void) state;
	for (int activation = 0; activation <= RF_ACT_GELU_ACCURATE; activation++)
	{
		RfConfig config = random_model_config(RF_TASK_ENCODER, 32, 2, 1, 50);

		config.hidden_act = (RfActivation) activation;
		check_config(&config, lengths, 1);
	}
}

typedef struct Countdown
{
	long left; /* polls until it says stop */
	long polls;
} Countdown;

static bool
count_down(void *context)
{
	Countdown *countdown = context;

	countdown->polls++;
	return countdown->left-- <= 0;
}

/* Wherever it is stopped: the code says so, and the same encoder computes the same afterwards. */
static void
test_abort_anywhere(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 32, 2, 2, 64);
	static const uint32_t lengths[] = {30, 400, 10};
	Countdown countdown = {1000000, 0};
	Fixture fixture;
	Rows rows;
	const float *hidden;
	float first;
	long polls;

	(void) state;
	set_up(&fixture, &config, "ref", (RfAbort){count_down, &countdown});
	make_rows(&rows, &fixture.arena, &config, lengths, 3);
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	polls = countdown.polls;
	first = hidden[0];
	assert_true(polls > 20);
	for (long stop = 0; stop < polls; stop += 7)
	{
		countdown.left = stop;
		assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
						 RF_CANCELED);
		assert_null(hidden);
	}
	countdown.left = 1000000;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	assert_true(hidden[0] == first);
	tear_down(&fixture);
}

static void
test_bad_batches(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 16, 2, 1, 16);
	Fixture fixture;
	uint32_t row_start[] = {0, 2, 2};
	int32_t ids[] = {1, 2};
	int32_t types[] = {0, 1};
	uint32_t seen[] = {2};
	RfBatch batch = {
		.rows = 1,
		.row_start = row_start,
		.input_ids = ids,
		.token_type_ids = types,
		.row_seen = seen,
	};
	const float *hidden;

	(void) state;
	set_up(&fixture, &config, "ref", (RfAbort){NULL, NULL});
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err), RF_OK);
	ids[1] = config.vocab_size;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
					 RF_INVALID);
	assert_string_equal(fixture.err.message, "token id 96 is outside the vocabulary of 96");
	ids[1] = -1;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
					 RF_INVALID);
	ids[1] = 2;
	types[0] = 2;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
					 RF_INVALID);
	types[0] = 0;
	for (seen[0] = 0; seen[0] <= 3; seen[0] += 3)
	{
		assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
						 RF_INVALID);
		assert_non_null(strstr(fixture.err.message, "tokens to attend to among 2"));
	}
	batch.row_seen = NULL;
	batch.rows = 2; /* the second has no tokens */
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
					 RF_INVALID);
	batch.rows = 0;
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &batch, &hidden, &fixture.err),
					 RF_INVALID);
	tear_down(&fixture);
}

/* A short text on a 768-wide model holds less than 2 MB; after a long one everything can go. */
static void
test_memory_bound(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 768, 12, 1, 3072);
	static const uint32_t short_row[] = {32};
	static const uint32_t long_row[] = {600};
	Fixture fixture;
	Rows rows;
	const float *hidden;
	size_t held;

	(void) state;
	set_up(&fixture, &config, is_available("avx512") ? "avx512" : "ref", (RfAbort){NULL, NULL});
	make_rows(&rows, &fixture.arena, &config, short_row, 1);
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	assert_true(rf_encoder_held(&fixture.encoder) < 2 * 1024 * 1024);
	make_rows(&rows, &fixture.arena, &config, long_row, 1);
	assert_int_equal(rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
					 RF_OK);
	held = rf_encoder_held(&fixture.encoder);
	/* x and context of all tokens are 3.7 MB, q, k, v of two heads 0.9 MB; a T*T matrix of one head
	 * would be 1.4 MB more. */
	assert_true(held < 6 * 1024 * 1024);
	rf_encoder_trim(&fixture.encoder, held);
	assert_int_equal(rf_encoder_held(&fixture.encoder), held);
	rf_encoder_trim(&fixture.encoder, 1024 * 1024);
	assert_true(rf_encoder_held(&fixture.encoder) <= 1024 * 1024);
	tear_down(&fixture);
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Bytes of one row's workspace: nothing in it is T * T, or as wide as H and T for all heads. */
static size_t
expect_workspace(size_t t, size_t h, size_t d, RfPrecision precision)
{
	/* of 256 and of 512 numbers: fp32; 4 bytes each; 1 byte each behind 8 for every 256 of them,
	 * in odd numbers of cache lines */
	static const size_t converted[] = {0, 17 * 64, 5 * 64};
	static const size_t inner[] = {0, 33 * 64, 9 * 64};
	size_t number = precision == RF_PRECISION_FP32 ? 4 : 2;
	size_t qkv = 2 * 3 * d;

	return 4 * (t * h + t * qkv + 48 * (272 + 2 * d) + t) + 2 * t * d * number +
		   larger(4 * t * h, 256 * inner[precision]) + t * converted[precision] + 64;
}

/* The first poll comes when all is laid out. */
static void
test_workspace_of_long_rows(void **state)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, 256, 4, 1, 512);

	(void) state;
	for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
		for (uint32_t tokens = 512; tokens <= 8192; tokens *= 2)
		{
			Countdown none = {0, 0};
			const float *hidden;
			Fixture fixture;
			Rows rows;

			set_up_in(&fixture, &config, "ref", precision, (RfAbort){count_down, &none});
			make_rows(&rows, &fixture.arena, &config, &tokens, 1);
			assert_int_equal(
				rf_encoder_forward(&fixture.encoder, &rows.batch, &hidden, &fixture.err),
				RF_CANCELED);
			assert_int_equal(rf_encoder_held(&fixture.encoder),
							 expect_workspace(tokens, 256, 64, precision));
			tear_down(&fixture);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual_shape),
		cmocka_unit_test(test_odd_shape),
		cmocka_unit_test(test_smallest_heads),
		cmocka_unit_test(test_wide_heads),
		cmocka_unit_test(test_rms_norm_without_biases),
		cmocka_unit_test(test_causal),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_thin_padding),
		cmocka_unit_test(test_long_row),
		cmocka_unit_test(test_every_activation),
		cmocka_unit_test(test_abort_anywhere),
		cmocka_unit_test(test_bad_batches),
		cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_workspace_of_long_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
