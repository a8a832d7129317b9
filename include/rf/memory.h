/*
 * memory.h - the allocator an owner hands to the engine, and the arena built on it.
 *
 * The engine never calls malloc by itself: a backend hands it a memory context, a test hands it
 * rf_memory_malloc. An allocator returns NULL instead of throwing, so that no longjmp passes
 * through engine frames. An arena holds everything of one lifetime (a file being read, a batch);
 * it is rewound or freed at once.
 */
#ifndef RF_MEMORY_H
#define RF_MEMORY_H

#include "rf/status.h"

/* Every block an arena gives is aligned for the widest vector and for a cache line. */
#define RF_ALIGNMENT 64
#define RF_ALIGN(size) (((size_t) (size) + RF_ALIGNMENT - 1) & ~(size_t) (RF_ALIGNMENT - 1))

typedef struct RfMemory
{
	void *(*alloc)(void *context, size_t size); /* NULL when out of memory; any alignment */
	void (*release)(void *context, void *block);
	void *context;
} RfMemory;

/* malloc and free: for tests, tools and benchmarks. */
extern const RfMemory rf_memory_malloc;

typedef struct RfArenaBlock RfArenaBlock;

typedef struct RfArena
{
	RfMemory memory;
	RfArenaBlock *current; /* newest block; older ones are linked behind it */
	size_t used;		   /* bytes of the newest block given away */
	size_t total;		   /* bytes of all blocks together */
} RfArena;

typedef struct RfArenaMark
{
	RfArenaBlock *block;
	size_t used;
} RfArenaMark;

extern void rf_arena_init(RfArena *arena, RfMemory memory);

/* A block of count * size bytes, not cleared, or NULL (overflow or out of memory). 0 bytes is fine. */
extern void *rf_arena_alloc(RfArena *arena, size_t count, size_t size);
/* The same, cleared. */
extern void *rf_arena_zalloc(RfArena *arena, size_t count, size_t size);
/* A copy of length bytes with a terminating NUL, or NULL. */
extern char *rf_arena_copy(RfArena *arena, const char *bytes, size_t length);

extern RfArenaMark rf_arena_mark(const RfArena *arena);
/* Gives back everything allocated since the mark was taken. */
extern void rf_arena_rewind(RfArena *arena, RfArenaMark mark);
/* Gives back everything. */
extern void rf_arena_free(RfArena *arena);

/* false when the product or sum does not fit size_t */
static inline bool
rf_size_mul(size_t a, size_t b, size_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

static inline bool
rf_size_add(size_t a, size_t b, size_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

/*
 * Allocates count objects of the pointer's type from the arena into ptr, or returns RF_NO_MEMORY
 * from the calling function.
 */
#define RF_NEW(arena, ptr, count, err)                                                            \
	do                                                                                            \
	{                                                                                             \
		(ptr) = rf_arena_alloc((arena), (count), sizeof(*(ptr)));                                 \
		if ((ptr) == NULL)                                                                        \
			return rf_error_memory((err), (size_t) (count) * sizeof(*(ptr)));                     \
	} while (0)

#define RF_NEW0(arena, ptr, count, err)                                                           \
	do                                                                                            \
	{                                                                                             \
		(ptr) = rf_arena_zalloc((arena), (count), sizeof(*(ptr)));                                \
		if ((ptr) == NULL)                                                                        \
			return rf_error_memory((err), (size_t) (count) * sizeof(*(ptr)));                     \
	} while (0)

#endif
