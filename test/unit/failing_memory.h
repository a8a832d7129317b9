/*
 * failing_memory.h - an allocator that fails from a chosen call on and counts what is held.
 */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include "rf/memory.h"

typedef struct FailingMemory
{
	size_t left; /* calls that still succeed */
	size_t held; /* blocks not given back */
} FailingMemory;

extern RfMemory failing_memory(FailingMemory *failing);

#endif
