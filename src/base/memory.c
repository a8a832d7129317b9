/*
 * memory.c - arena of growing blocks over a caller's allocator.
 */
#include "rf/memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK_SIZE ((size_t) 8 * 1024)
#define LARGEST_BLOCK_SIZE ((size_t) 1024 * 1024)

struct RfArenaBlock
{
	RfArenaBlock *older;
	size_t size; /* usable bytes behind data */
	char *data;	 /* aligned to RF_ALIGNMENT */
};

static void *
malloc_alloc(void *context, size_t size)
{
	(void) context;
	return malloc(size);
}

static void
malloc_release(void *context, void *block)
{
	(void) context;
	free(block);
}

const RfMemory rf_memory_malloc = {malloc_alloc, malloc_release, NULL};

void
rf_arena_init(RfArena *arena, RfMemory memory)
{
	arena->memory = memory;
	arena->current = NULL;
	arena->used = 0;
	arena->total = 0;
}

/* Blocks double, so that an arena of n bytes costs O(log n) calls of the allocator. */
static bool
add_block(RfArena *arena, size_t needed)
{
	size_t size = arena->current == NULL ? FIRST_BLOCK_SIZE : arena->current->size * 2;
	size_t gross;
	RfArenaBlock *block;

	if (size > LARGEST_BLOCK_SIZE)
		size = LARGEST_BLOCK_SIZE;
	if (size < needed)
		size = needed;
	if (!rf_size_add(size, sizeof(RfArenaBlock) + RF_ALIGNMENT, &gross))
		return false;
	block = arena->memory.alloc(arena->memory.context, gross);
	if (block == NULL)
		return false;
	block->older = arena->current;
	block->size = size;
	block->data = (char *) RF_ALIGN((uintptr_t) (block + 1));
	arena->current = block;
	arena->used = 0;
	arena->total += size;
	return true;
}

void *
rf_arena_alloc(RfArena *arena, size_t count, size_t size)
{
	size_t bytes;
	void *result;

	if (!rf_size_mul(count, size, &bytes) || bytes > SIZE_MAX - RF_ALIGNMENT)
		return NULL;
	bytes = RF_ALIGN(bytes == 0 ? 1 : bytes);
	if ((arena->current == NULL || arena->current->size - arena->used < bytes) &&
		!add_block(arena, bytes))
		return NULL;
	result = arena->current->data + arena->used;
	arena->used += bytes;
	return result;
}

void *
rf_arena_zalloc(RfArena *arena, size_t count, size_t size)
{
	void *result = rf_arena_alloc(arena, count, size);

	if (result != NULL)
		memset(result, 0, count * size);
	return result;
}

char *
rf_arena_copy(RfArena *arena, const char *bytes, size_t length)
{
	char *result;

	if (length == SIZE_MAX)
		return NULL;
	result = rf_arena_alloc(arena, length + 1, 1);
	if (result == NULL)
		return NULL;
	if (length > 0)
		memcpy(result, bytes, length);
	result[length] = '\0';
	return result;
}

RfArenaMark
rf_arena_mark(const RfArena *arena)
{
	RfArenaMark mark = {arena->current, arena->used};

	return mark;
}

void
rf_arena_rewind(RfArena *arena, RfArenaMark mark)
{
	while (arena->current != mark.block)
	{
		RfArenaBlock *block = arena->current;

		arena->current = block->older;
		arena->total -= block->size;
		arena->memory.release(arena->memory.context, block);
	}
	arena->used = mark.used;
}

void
rf_arena_free(RfArena *arena)
{
	RfArenaMark empty = {NULL, 0};

	rf_arena_rewind(arena, empty);
}
