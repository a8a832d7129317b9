/*
 * memory.c - memory contexts and pending interrupts in the engine's terms.
 *
 * Neither function may throw: both are called with engine frames on the stack.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/support.h"

static void *
alloc_in_context(void *context, size_t size)
{
	/* beyond this even the no-throw variant throws */
	if (!AllocHugeSizeIsValid(size))
		return NULL;
	return MemoryContextAllocExtended((MemoryContext) context, size,
									  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
release_in_context(void *context, void *block)
{
	(void) context;
	pfree(block);
}

RfMemory
roformer_memory(MemoryContext context)
{
	RfMemory memory = {alloc_in_context, release_in_context, context};

	return memory;
}

/*
 * Only what is sure to end the statement counts. InterruptPending alone may mean a barrier or a
 * request to log memory use; the engine would stop and CHECK_FOR_INTERRUPTS() have nothing to
 * throw.
 */
static bool
is_stop_pending(void *context)
{
	(void) context;
	if (!InterruptPending || InterruptHoldoffCount > 0 || CritSectionCount > 0)
		return false;
	if (ProcDiePending || ClientConnectionLost || roformer_transaction_timeout_pending())
		return true;
	return QueryCancelPending && QueryCancelHoldoffCount == 0;
}

RfAbort
roformer_abort(void)
{
	RfAbort abort_fn = {is_stop_pending, NULL};

	return abort_fn;
}
