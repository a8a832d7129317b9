/*
 * test_base_memory.c - arenas: alignment, growth, rewinding, overflow, an allocator that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/memory.h"

/* Counts blocks held and fails from a chosen call on. */
typedef struct Counter
{
	size_t held;
	size_t calls;
	size_t fail_from; /* call number, from 1; 0: never */
} Counter;

static void *
counting_alloc(void *context, size_t size)
{
	Counter *counter = context;

	counter->calls++;
	if (counter->fail_from != 0 && counter->calls >= counter->fail_from)
		return NULL;
	counter->held++;
	return malloc(size);
}

static void
counting_release(void *context, void *block)
{
	Counter *counter = context;

	counter->held--;
	free(block);
}

static RfArena
make_arena(Counter *counter)
{
	RfMemory memory = {counting_alloc, counting_release, counter};
	RfArena arena;

	rf_arena_init(&arena, memory);
	return arena;
}

static void
blocks_are_aligned_and_apart(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);
	char *previous = NULL;

	(void) state;
	for (size_t size = 0; size < 3000; size += 7)
	{
		char *block = rf_arena_alloc(&arena, size, 1);

		assert_non_null(block);
		assert_int_equal((uintptr_t) block % RF_ALIGNMENT, 0);
		assert_ptr_not_equal(block, previous);
		memset(block, 0xA5, size);
		previous = block;
	}
	rf_arena_free(&arena);
	assert_int_equal(counter.held, 0);
	assert_int_equal(arena.total, 0);
}

static void
growth_takes_few_calls(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);

	(void) state;
	for (int i = 0; i < 16 * 1024; i++)
		assert_non_null(rf_arena_alloc(&arena, 64, 1));
	assert_in_range(counter.calls, 1, 10);
	rf_arena_free(&arena);
}

static void
zalloc_clears_used_memory(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);
	RfArenaMark mark = rf_arena_mark(&arena);
	char *block = rf_arena_alloc(&arena, 100, 1);

	(void) state;
	memset(block, 0xFF, 100);
	rf_arena_rewind(&arena, mark);
	block = rf_arena_zalloc(&arena, 25, 4);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], 0);
	rf_arena_free(&arena);
}

static void
copy_terminates(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);
	char *copy = rf_arena_copy(&arena, "a\0b", 3);

	(void) state;
	assert_memory_equal(copy, "a\0b", 4);
	copy = rf_arena_copy(&arena, NULL, 0);
	assert_string_equal(copy, "");
	assert_null(rf_arena_copy(&arena, "x", SIZE_MAX));
	rf_arena_free(&arena);
}

static void
rewinding_returns_blocks_and_keeps_older_data(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);
	char *kept = rf_arena_copy(&arena, "kept", 4);
	RfArenaMark mark = rf_arena_mark(&arena);
	size_t held = counter.held;
	void *first = rf_arena_alloc(&arena, 10, 1);

	(void) state;
	for (int i = 0; i < 10; i++)
		assert_non_null(rf_arena_alloc(&arena, 300000, 1));
	assert_true(counter.held > held);
	rf_arena_rewind(&arena, mark);
	assert_int_equal(counter.held, held);
	assert_string_equal(kept, "kept");
	assert_ptr_equal(rf_arena_alloc(&arena, 10, 1), first);
	rf_arena_free(&arena);
	assert_int_equal(counter.held, 0);
	rf_arena_free(&arena);
}

static void
absurd_sizes_give_null(void **state)
{
	Counter counter = {0};
	RfArena arena = make_arena(&counter);

	(void) state;
	assert_null(rf_arena_alloc(&arena, SIZE_MAX, 2));
	assert_null(rf_arena_alloc(&arena, SIZE_MAX, 1));
	assert_null(rf_arena_zalloc(&arena, SIZE_MAX / 8 + 1, 8));
	assert_null(rf_arena_alloc(&arena, SIZE_MAX - RF_ALIGNMENT, 1));
	assert_null(rf_arena_alloc(&arena, SIZE_MAX - RF_ALIGNMENT + 1, 1));
	assert_int_equal(counter.calls, 0);
	assert_non_null(rf_arena_alloc(&arena, 1, 1));
	rf_arena_free(&arena);
}

static void
failing_allocator_leaves_a_usable_arena(void **state)
{
	Counter counter = {.fail_from = 2};
	RfArena arena = make_arena(&counter);

	(void) state;
	assert_non_null(rf_arena_alloc(&arena, 10, 1));
	assert_null(rf_arena_alloc(&arena, 1000000, 1));
	assert_null(rf_arena_zalloc(&arena, 1000000, 1));
	assert_null(rf_arena_copy(&arena, "x", 0x100000));
	assert_non_null(rf_arena_alloc(&arena, 10, 1));
	rf_arena_free(&arena);
	assert_int_equal(counter.held, 0);
}

static RfCode
allocate_through_macros(RfArena *arena, size_t count, RfError *err)
{
	int *plain;
	int *cleared;

	RF_NEW(arena, plain, 1, err);
	RF_NEW0(arena, cleared, count, err);
	return plain == cleared ? RF_INVALID : RF_OK;
}

static void
macros_report_the_failure(void **state)
{
	Counter counter = {.fail_from = 2};
	RfArena arena = make_arena(&counter);
	RfError err;

	(void) state;
	assert_int_equal(allocate_through_macros(&arena, 4, &err), RF_OK);
	assert_int_equal(allocate_through_macros(&arena, 10000000, &err), RF_NO_MEMORY);
	assert_string_equal(err.message, "out of memory");
	rf_arena_free(&arena);
}

static void
checked_arithmetic(void **state)
{
	size_t result;

	(void) state;
	assert_true(rf_size_mul(SIZE_MAX / 2, 2, &result));
	assert_false(rf_size_mul(SIZE_MAX / 2 + 1, 2, &result));
	assert_true(rf_size_add(SIZE_MAX - 1, 1, &result));
	assert_true(result == SIZE_MAX);
	assert_false(rf_size_add(SIZE_MAX, 1, &result));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_and_apart),
		cmocka_unit_test(growth_takes_few_calls),
		cmocka_unit_test(zalloc_clears_used_memory),
		cmocka_unit_test(copy_terminates),
		cmocka_unit_test(rewinding_returns_blocks_and_keeps_older_data),
		cmocka_unit_test(absurd_sizes_give_null),
		cmocka_unit_test(failing_allocator_leaves_a_usable_arena),
		cmocka_unit_test(macros_report_the_failure),
		cmocka_unit_test(checked_arithmetic),
	};

	return cmocka_run_group_tests_name("base_memory", tests, NULL, NULL);
}
