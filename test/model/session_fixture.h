/*
 * session_fixture.h - a session over a random model whose memory is counted.
 */
#ifndef RF_TEST_SESSION_FIXTURE_H
#define RF_TEST_SESSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>

#include "random_model.h"

/* An allocator that counts what is out and refuses when told to. */
typedef struct Counter
{
	size_t blocks;
	size_t bytes; /* of these */
	size_t peak;  /* the most bytes there were */
	size_t calls;
	size_t refuse_at; /* the call that is refused; 0: none */
} Counter;

static inline void *
counted_alloc(void *context, size_t size)
{
	Counter *counter = context;
	void *block;

	if (++counter->calls == counter->refuse_at)
		return NULL;
	block = malloc(size);
	counter->blocks++;
	counter->bytes += malloc_usable_size(block);
	if (counter->bytes > counter->peak)
		counter->peak = counter->bytes;
	return block;
}

static inline void
counted_release(void *context, void *block)
{
	Counter *counter = context;

	counter->blocks--;
	counter->bytes -= malloc_usable_size(block);
	free(block);
}

typedef struct Fixture
{
	RfArena arena; /* model and image */
	RfArena results;
	Counter counter;
	RandomModel *random;
	void *image;
	size_t size;
	RfSession *session;
	RfRun run;
	RfError err;
} Fixture;

static inline void
set_up(Fixture *fixture, const RfConfig *config, RfAbort abort_fn)
{
	memset(fixture, 0, sizeof(*fixture));
	rf_arena_init(&fixture->arena, rf_memory_malloc);
	rf_arena_init(&fixture->results, rf_memory_malloc);
	fixture->random = random_model_new(config, 3, &fixture->arena);
	fixture->image =
		random_model_image(fixture->random, "auto", &fixture->arena, &fixture->size, &fixture->err);
	if (fixture->image == NULL)
		fail_msg("%s", fixture->err.message);
	if (rf_session_open(fixture->image, fixture->size,
						(RfMemory){counted_alloc, counted_release, &fixture->counter}, abort_fn,
						&fixture->session, &fixture->err) != RF_OK)
		fail_msg("%s", fixture->err.message);
	fixture->run.arena = &fixture->results;
}

static inline void
tear_down(Fixture *fixture)
{
	rf_session_close(fixture->session);
	assert_int_equal(fixture->counter.blocks, 0);
	rf_arena_free(&fixture->results);
	rf_arena_free(&fixture->arena);
}

static const RfAbort never = {NULL, NULL};

/* An abort function: context is a long, the polls until it says stop. */
static inline bool
count_down(void *context)
{
	long *left = context;

	return (*left)-- <= 0;
}

#endif
