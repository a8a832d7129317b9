/*
 * failing_memory.c - an allocator that fails from a chosen call on and counts what is held.
 */
#include "failing_memory.h"

#include <stdlib.h>

static void *
failing_alloc(void *context, size_t size)
{
	FailingMemory *failing = context;

	if (failing->left == 0)
		return NULL;
	failing->left--;
	failing->held++;
	return malloc(size);
}

static void
failing_release(void *context, void *block)
{
	((FailingMemory *) context)->held--;
	free(block);
}

RfMemory
failing_memory(FailingMemory *failing)
{
	return (RfMemory){failing_alloc, failing_release, failing};
}
