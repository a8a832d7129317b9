/*
 * cache_shmem.c - the cache's place in main shared memory.
 *
 * Two allocations, made by the postmaster before any backend exists: the directory (about 50 KB)
 * and the region that holds the images (roformer.cache_size). The region is not touched here, so
 * that the kernel gives it pages only as images fill it; it starts at a multiple of 2 MB, so that
 * huge pages (huge_pages = try) begin where the region does.
 *
 * Both hooks chain to what was there before. Without shared_preload_libraries they are never set,
 * and roformer_cache_is_shared() stays false.
 */
#include "cache_private.h"

#include "miscadmin.h"
#include "pg/support.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#define TRANCHE "roformer"
#define REGION_ALIGNMENT ((Size) 2 * 1024 * 1024)

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;
static bool preloaded = false;

static Size
region_size(void)
{
	return mul_size((Size) roformer_cache_size, 1024 * 1024);
}

static void
request_shmem(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	if (roformer_cache_size == 0)
		return;
	RequestAddinShmemSpace(MAXALIGN(roformer_entries_size()));
	RequestAddinShmemSpace(add_size(region_size(), REGION_ALIGNMENT));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup_shmem(void)
{
	RoformerCacheDirectory *directory;
	char *region;
	bool found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	if (roformer_cache_size == 0)
		return;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	directory = ShmemInitStruct("roformer cache directory", roformer_entries_size(), &found);
	if (!found)
		roformer_entries_create(directory, region_size());
	region =
		ShmemInitStruct("roformer cache region", add_size(region_size(), REGION_ALIGNMENT), &found);
	roformer_entries_attach(directory, (char *) TYPEALIGN(REGION_ALIGNMENT, region),
							&GetNamedLWLockTranche(TRANCHE)->lock);
	LWLockRelease(AddinShmemInitLock);
}

bool
roformer_shmem_is_preloaded(void)
{
	return preloaded;
}

void
roformer_cache_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	preloaded = true;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}
