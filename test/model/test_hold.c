/*
 * test_hold.c - rows held ahead of being asked for: the same bits as rows computed when asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "random_model.h"

#define ROWS 30

typedef struct Memory
{
	size_t blocks;
	size_t calls;
	size_t refuse_at; /* the call that is refused; 0: none */
} Memory;

static void *
counted_alloc(void *context, size_t size)
{
	Memory *memory = context;

	if (++memory->calls == memory->refuse_at)
		return NULL;
	memory->blocks++;
	return malloc(size);
}

static void
counted_release(void *context, void *block)
{
	Memory *memory = context;

	memory->blocks--;
	free(block);
}

typedef struct Fixture
{
	RfArena arena;
	RandomModel *random;
	void *image;
	size_t size;
	RfSession *session;
	Memory held_memory;
	RfHeld *held;
	RfRun run;
	RfRun ahead;
	RfError err;
	char texts[ROWS][128];
	RfInput inputs[ROWS];
} Fixture;

/* Every fifth text is empty, some are pairs. */
static void
make_inputs(Fixture *fixture)
{
	for (size_t i = 0; i < ROWS; i++)
	{
		size_t row = i % 5 == 0 ? 0 : i;
		size_t used = 0;

		fixture->texts[i][0] = '\0';
		for (size_t word = 0; word < row % 9; word++)
			used += (size_t) snprintf(fixture->texts[i] + used, sizeof(fixture->texts[i]) - used,
									  "t%zu ", 5 + (row + word) % 90);
		fixture->inputs[i] = (RfInput){fixture->texts[i], used, NULL, 0};
		if (row % 7 == 3)
		{
			fixture->inputs[i].pair = "t6 t7";
			fixture->inputs[i].pair_length = 5;
		}
	}
}

static void
set_up(Fixture *fixture)
{
	RfConfig config = random_model_config(RF_TASK_SEQUENCE_CLASSIFICATION, 32, 2, 2, 64);

	config.num_labels = 3;
	memset(fixture, 0, sizeof(*fixture));
	rf_arena_init(&fixture->arena, rf_memory_malloc);
	fixture->random = random_model_new(&config, 3, &fixture->arena);
	fixture->image =
		random_model_image(fixture->random, "auto", &fixture->arena, &fixture->size, &fixture->err);
	if (fixture->image == NULL)
		fail_msg("%s", fixture->err.message);
	assert_int_equal(rf_session_open(fixture->image, fixture->size, rf_memory_malloc,
									 (RfAbort){NULL, NULL}, &fixture->session, &fixture->err),
					 RF_OK);
	fixture->run.arena = &fixture->arena;
	make_inputs(fixture);
}

static const RfHoldOptions states = {.kind = RF_HOLD_STATES};

static RfCode
hold(Fixture *fixture, size_t count)
{
	return rf_session_hold(fixture->session, &fixture->ahead, &states, fixture->inputs, NULL, count,
						   (RfMemory){counted_alloc, counted_release, &fixture->held_memory},
						   &fixture->held, &fixture->err);
}

static void
tear_down(Fixture *fixture)
{
	rf_held_free(fixture->held);
	assert_int_equal(fixture->held_memory.blocks, 0);
	rf_session_close(fixture->session);
	rf_arena_free(&fixture->arena);
}

static float *
logits_of(Fixture *fixture, const RfInput *input)
{
	float *logits;

	assert_int_equal(
		rf_run_sequence_logits(fixture->session, &fixture->run, input, 1, &logits, &fixture->err),
		RF_OK);
	return logits;
}

static void
check_rows(Fixture *fixture)
{
	for (size_t i = 0; i < ROWS; i++)
	{
		RfInput copy = fixture->inputs[i];
		char text[128];
		float *alone;

		memcpy(text, copy.text, copy.length);
		copy.text = text; /* rows are found by their bytes */
		fixture->run.held = NULL;
		alone = logits_of(fixture, &copy);
		fixture->run.held = fixture->held;
		assert_memory_equal(logits_of(fixture, &copy), alone, 3 * sizeof(float));
	}
}

/* In one batch and in many; equal rows once; no pass through the encoder when they are asked for.
 */
static void
test_same_bits(void **state)
{
	static const int32_t sizes[] = {0, 1, 20};
	Fixture fixture;

	(void) state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		uint64_t batches;

		set_up(&fixture);
		fixture.ahead.options.batch_tokens = sizes[i];
		assert_int_equal(hold(&fixture, ROWS), RF_OK);
		assert_int_equal(rf_held_rows(fixture.held), fixture.ahead.stats.rows);
		assert_true(rf_held_rows(fixture.held) <= ROWS - 5);
		check_rows(&fixture);
		batches = fixture.run.stats.batches;
		for (size_t row = 0; row < ROWS; row++)
			logits_of(&fixture, &fixture.inputs[row]);
		assert_int_equal(fixture.run.stats.batches, batches);
		assert_int_equal(fixture.run.stats.rows, 3 * ROWS);
		tear_down(&fixture);
	}
}

/* Several runs take from the same rows, and runs of many inputs do. */
static void
test_other_runs(void **state)
{
	Fixture fixture;
	float *alone;
	float *vectors;

	(void) state;
	set_up(&fixture);
	assert_int_equal(hold(&fixture, ROWS), RF_OK);
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, fixture.inputs, ROWS, RF_POOL_MEAN,
								  true, &alone, &fixture.err),
					 RF_OK);
	fixture.run.held = fixture.held;
	fixture.run.stats.batches = 0;
	assert_int_equal(rf_run_embed(fixture.session, &fixture.run, fixture.inputs, ROWS, RF_POOL_MEAN,
								  true, &vectors, &fixture.err),
					 RF_OK);
	assert_int_equal(fixture.run.stats.batches, 0);
	assert_memory_equal(alone, vectors, ROWS * 32 * sizeof(float));
	tear_down(&fixture);
}

/* What isn't held, or was held for other options or another session, is computed. */
static void
test_not_served(void **state)
{
	RfInput other = {"t50 t51 t52 t53 t54 t55", 23, NULL, 0};
	Fixture fixture;
	RfSession *session;
	RfRunOptions shorter = {.max_length = 4};
	float *cut;

	(void) state;
	set_up(&fixture);
	assert_int_equal(hold(&fixture, ROWS), RF_OK);
	assert_true(rf_held_has(fixture.held, &fixture.inputs[0], 1));
	assert_false(rf_held_has(fixture.held, &other, 1));
	assert_true(rf_held_serves(fixture.held, fixture.session, &fixture.run.options, &states));
	assert_false(rf_held_serves(fixture.held, fixture.session, &shorter, &states));
	fixture.run.held = fixture.held;
	logits_of(&fixture, &other);
	assert_int_equal(fixture.run.stats.batches, 1);
	fixture.run.options = shorter;
	cut = logits_of(&fixture, &fixture.inputs[8]);
	fixture.run.held = NULL;
	assert_memory_equal(cut, logits_of(&fixture, &fixture.inputs[8]), 3 * sizeof(float));
	assert_int_equal(fixture.run.stats.batches, 3);
	assert_int_equal(rf_session_open(fixture.image, fixture.size, rf_memory_malloc,
									 (RfAbort){NULL, NULL}, &session, &fixture.err),
					 RF_OK);
	assert_false(rf_held_serves(fixture.held, session, &fixture.ahead.options, &states));
	rf_session_close(session);
	tear_down(&fixture);
}

/* A text that is too long for a row is left out, or held in its windows; the others are there. */
static void
test_long_rows(void **state)
{
	static const RfOverflow overflows[] = {RF_OVERFLOW_ERROR, RF_OVERFLOW_WINDOW};
	Fixture fixture;

	(void) state;
	for (size_t i = 0; i < sizeof(overflows) / sizeof(overflows[0]); i++)
	{
		bool windows = overflows[i] == RF_OVERFLOW_WINDOW;

		set_up(&fixture);
		fixture.ahead.options = (RfRunOptions){7, overflows[i], 0};
		fixture.run.options = fixture.ahead.options;
		assert_int_equal(hold(&fixture, ROWS), RF_OK);
		assert_true(rf_held_has(fixture.held, &fixture.inputs[4], 1));
		assert_int_equal(rf_held_has(fixture.held, &fixture.inputs[8], 1), windows);
		assert_true(rf_held_has(fixture.held, &fixture.inputs[11], 1));
		assert_int_equal(rf_held_rows(fixture.held), fixture.ahead.stats.rows);
		assert_int_equal(fixture.ahead.stats.batches, 1);
		if (windows)
			check_rows(&fixture);
		fixture.run.held = fixture.held;
		fixture.run.stats.batches = 0;
		logits_of(&fixture, &fixture.inputs[11]);
		assert_int_equal(fixture.run.stats.batches, 0);
		tear_down(&fixture);
	}
}

static void
test_out_of_memory(void **state)
{
	Fixture fixture;
	size_t calls;

	(void) state;
	set_up(&fixture);
	assert_int_equal(hold(&fixture, ROWS), RF_OK);
	calls = fixture.held_memory.calls;
	assert_in_range(calls, 2, 100);
	for (size_t call = 1; call <= calls; call++)
	{
		rf_held_free(fixture.held);
		fixture.held_memory.calls = 0;
		fixture.held_memory.refuse_at = call;
		assert_int_equal(hold(&fixture, ROWS), RF_NO_MEMORY);
		assert_true((fixture.held == NULL) == (call == 1));
		assert_true(fixture.held == NULL || !rf_held_has(fixture.held, &fixture.inputs[8], 1) ||
					rf_held_rows(fixture.held) > 8);
	}
	tear_down(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bits),     cmocka_unit_test(test_other_runs),
		cmocka_unit_test(test_not_served),    cmocka_unit_test(test_long_rows),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
