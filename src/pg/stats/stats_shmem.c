/*
 * stats_shmem.c - the statistics' place in main shared memory: numbers by model, slots of
 * statements. The hooks chain to what was there before; without shared_preload_libraries they are
 * never set.
 */
#include "stats_private.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#define TRANCHE "roformer_stats"

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request_shmem(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(roformer_table_size()));
	RequestAddinShmemSpace(MAXALIGN(roformer_progress_size()));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup_shmem(void)
{
	RoformerStatsTable *table;
	RoformerProgressSlot *slots;
	bool found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	table = ShmemInitStruct("roformer statistics", roformer_table_size(), &found);
	if (!found)
		roformer_table_create(table);
	roformer_table_attach(table, &GetNamedLWLockTranche(TRANCHE)->lock);
	slots = ShmemInitStruct("roformer progress", roformer_progress_size(), &found);
	if (!found)
		roformer_progress_create(slots);
	roformer_progress_attach(slots);
	LWLockRelease(AddinShmemInitLock);
}

void
roformer_stats_request(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}
