/*
 * batch_memory.c - what malloc does with the memory of a batch.
 *
 * A batch takes blocks of some hundred kilobytes and gives them back. By default malloc returns
 * such to the kernel at once, which has to clear every page of the next ones: for a model of one
 * layer that took a third of a statement's time. So processes that compute batches keep up to
 * KEEP_BYTES of free memory, and larger blocks, which are little beside the work they are for, come
 * from the kernel and go back to it as before.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "pg/batch.h"

#define KEEP_BYTES (8 * 1024 * 1024)

void
roformer_batch_keep_memory(void)
{
#ifdef __GLIBC__
	static bool told = false;

	if (told)
		return;
	told = true;
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES / 2);
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
#endif
}
