/*
 * cache_private.h - what the files of src/pg/cache share among themselves.
 */
#ifndef ROFORMER_CACHE_PRIVATE_H
#define ROFORMER_CACHE_PRIVATE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"
#include "pg/cache.h"
#include "storage/lwlock.h"

/* Images the directory can hold; a load beyond that evicts, whatever room is left. */
#define ROFORMER_CACHE_ENTRIES 128

/* ---- cache_region.c: which parts of a region are taken --------------------------------------- */

typedef struct RoformerExtent
{
	uint64 offset;
	uint64 size; /* multiple of ROFORMER_REGION_UNIT, as is offset */
} RoformerExtent;

typedef struct RoformerRegion
{
	uint64 size;
	int count;
	RoformerExtent extents[ROFORMER_CACHE_ENTRIES]; /* [count] by offset, disjoint */
} RoformerRegion;

#define ROFORMER_REGION_UNIT ((uint64) 64 * 1024)

extern void roformer_region_init(RoformerRegion *region, uint64 size);
extern bool roformer_region_alloc(RoformerRegion *region, uint64 size, uint64 *offset);
extern bool roformer_region_free(RoformerRegion *region, uint64 offset);
extern uint64 roformer_region_used(const RoformerRegion *region);

/* ---- cache_directory.c: which images are there, and for whom --------------------------------- */

typedef struct RoformerCacheDirectory RoformerCacheDirectory;

/* One image as the cache view shows it. */
typedef struct RoformerCacheRow
{
	RoformerCacheKey key;
	char name[NAMEDATALEN];
	const char *state; /* "loading", "ready", "dropped" */
	uint64 bytes;      /* 0 while the size is not known yet */
	uint32 pins;
	uint64 loads;
	uint64 hits;
	TimestampTz last_use;
	bool shared;
} RoformerCacheRow;

extern Size roformer_entries_size(void);
extern void roformer_entries_create(RoformerCacheDirectory *directory, uint64 region_size);
extern void roformer_entries_attach(RoformerCacheDirectory *directory, char *region, LWLock *lock);

/*
 * Pins the entry of key and returns its index. *load: the caller has claimed it and must place and
 * fill the image, then publish or abandon it.
 */
extern int roformer_entry_pin(const RoformerCacheKey *key, const char *name, bool *load);
extern void *roformer_entry_place(int entry, const char *name, size_t size);
extern void roformer_entry_publish(int entry);
extern void roformer_entry_abandon(int entry);
extern void roformer_entry_unpin(int entry);
extern const void *roformer_entry_image(int entry, size_t *size);
extern int roformer_entries_forget(Oid database, const uint8 *digest, bool loading_too);
/* At most ROFORMER_CACHE_ENTRIES rows. */
extern int roformer_entries_list(RoformerCacheRow *rows);

/* ---- cache_local.c: copies of this backend alone --------------------------------------------- */

typedef struct RoformerLocalImage RoformerLocalImage;

extern RoformerLocalImage *roformer_local_pin(const RoformerCacheKey *key, const char *name,
											  const RoformerLoader *loader);
extern void roformer_local_unpin(RoformerLocalImage *local);
extern const void *roformer_local_image(const RoformerLocalImage *local, size_t *size);
extern int roformer_local_forget(Oid database, const uint8 *digest);
extern int roformer_local_count(void);
extern int roformer_local_list(RoformerCacheRow *rows, int limit);

/* ---- cache_shmem.c --------------------------------------------------------------------------- */

/* Was the library in shared_preload_libraries? */
extern bool roformer_shmem_is_preloaded(void);

#endif
