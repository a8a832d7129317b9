/*
 * cache_directory.c - which model images are in shared memory, who uses them, who loads them.
 *
 * A fixed array of entries. Life of an entry:
 *
 *   FREE --claim--> LOADING --publish--> READY --evict, forget--> FREE
 *                      |                   |
 *                      +--abandon--> FREE  +--forget while pinned--> doomed --last unpin--> FREE
 *
 * LOADING belongs to one owner, the virtual transaction that claimed it. It works out the size,
 * takes room (evicting) and fills it without holding the lock; all others who want the image
 * sleep on the entry's condition variable, cancellably, and look again when it changes. An owner
 * that fails abandons the entry (error: PG_CATCH; exit: before_shmem_exit; both in cache_pin.c),
 * and the first who looks again claims it. Should an owner vanish without either, its virtual
 * transaction is no longer running: waiters look for that once a second and take the entry over. So
 * an image is never loaded twice at once, and never waited for in vain.
 *
 * A doomed entry's content was dropped, replaced or evicted while somebody computed with it.
 * Lookups don't see it; its memory goes with its last pin. A LOADING entry can be doomed too: its
 * loader still gets what it asked for. Whoever wants a dropped content nevertheless (he looked its
 * model up before) loads it anew.
 *
 * Locking: directory->lock, shared, to look up, pin and unpin; exclusive for everything else. It is
 * never held while loading, waiting or allocating, and nothing under it throws. Pins, hits and last
 * use are atomics because they change under the shared lock; as pinning needs the lock, whoever
 * holds it exclusively knows that an entry without pins stays so. An image's memory is written by
 * its owner while LOADING and never afterwards; publishing under the lock orders that before all
 * reading.
 *
 * A FREE entry remembers its last key, so that loads and hits of an image which goes and comes back
 * count on (they tell whether the cache is too small). Nothing survives a restart or a crash: both
 * begin with new shared memory.
 */
#include "cache_private.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

/* How often a waiter makes sure that the loader is still there; it is woken when a load ends. */
#define OWNER_CHECK_MS 1000

typedef enum EntryState
{
	ENTRY_FREE,
	ENTRY_LOADING,
	ENTRY_READY
} EntryState;

typedef struct CacheOwner
{
	int pid;
	VirtualTransactionId transaction;
} CacheOwner;

/* Guarded by directory->lock; atomics also change while it is held shared. */
typedef struct CacheEntry
{
	RoformerCacheKey key;
	char name[NAMEDATALEN]; /* of the model that was loaded; for people */
	EntryState state;
	bool doomed;
	bool placed;      /* offset and size are valid, the extent is taken */
	uint64 offset;    /* bytes from the region's start */
	uint64 size;      /* bytes of the image */
	CacheOwner owner; /* while LOADING */
	uint64 loads;
	pg_atomic_uint32 pins;
	pg_atomic_uint64 hits;
	pg_atomic_uint64 last_use; /* TimestampTz; the least recent one is evicted first */
	ConditionVariable changed; /* broadcast when LOADING ends */
} CacheEntry;

struct RoformerCacheDirectory
{
	RoformerRegion region;
	/* hash of the key of each entry that lookups may see, else 0: 1 KB to search instead of 30 */
	uint64 visible[ROFORMER_CACHE_ENTRIES];
	CacheEntry entries[ROFORMER_CACHE_ENTRIES];
};

static RoformerCacheDirectory *directory = NULL; /* NULL: no shared cache */
static LWLock *directory_lock;
static char *region_start;

/* ---- creation -------------------------------------------------------------------------------- */

Size
roformer_entries_size(void)
{
	return sizeof(RoformerCacheDirectory);
}

void
roformer_entries_create(RoformerCacheDirectory *created, uint64 region_size)
{
	memset(created, 0, sizeof(RoformerCacheDirectory));
	roformer_region_init(&created->region, region_size);
	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &created->entries[i];

		pg_atomic_init_u32(&entry->pins, 0);
		pg_atomic_init_u64(&entry->hits, 0);
		pg_atomic_init_u64(&entry->last_use, 0);
		ConditionVariableInit(&entry->changed);
	}
}

void
roformer_entries_attach(RoformerCacheDirectory *attached, char *region, LWLock *lock)
{
	directory = attached;
	region_start = region;
	directory_lock = lock;
}

bool
roformer_cache_is_shared(void)
{
	return directory != NULL;
}

/* ---- under the lock -------------------------------------------------------------------------- */

static uint64
hash_key(const RoformerCacheKey *key)
{
	uint64 hash = hash_bytes_extended((const unsigned char *) key, sizeof(*key), 0);

	return hash == 0 ? 1 : hash;
}

/* Index of the visible entry of key, or -1. */
static int
find_entry(const RoformerCacheKey *key, uint64 hash)
{
	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		if (directory->visible[i] == hash &&
			memcmp(&directory->entries[i].key, key, sizeof(*key)) == 0)
			return i;
	}
	return -1;
}

/* Needs the lock, shared or exclusive. */
static void
pin_entry(CacheEntry *entry, TimestampTz now)
{
	pg_atomic_fetch_add_u32(&entry->pins, 1);
	pg_atomic_fetch_add_u64(&entry->hits, 1);
	pg_atomic_write_u64(&entry->last_use, (uint64) now);
}

/* From here on the entry needs the exclusive lock. */

static void
release_extent(CacheEntry *entry)
{
	if (entry->placed)
		roformer_region_free(&directory->region, entry->offset);
	entry->placed = false;
	entry->size = 0;
}

static void
hide_entry(CacheEntry *entry)
{
	directory->visible[entry - directory->entries] = 0;
}

static void
free_entry(CacheEntry *entry)
{
	hide_entry(entry);
	release_extent(entry);
	entry->doomed = false;
	entry->state = ENTRY_FREE;
	pg_atomic_write_u32(&entry->pins, 0);
}

static bool
can_evict(CacheEntry *entry)
{
	return entry->state == ENTRY_READY && pg_atomic_read_u32(&entry->pins) == 0;
}

static CacheEntry *
find_least_recently_used(void)
{
	CacheEntry *victim = NULL;

	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &directory->entries[i];

		if (can_evict(entry) && (victim == NULL || pg_atomic_read_u64(&entry->last_use) <
													   pg_atomic_read_u64(&victim->last_use)))
			victim = entry;
	}
	return victim;
}

/*
 * The FREE entry that remembers this key, else the one whose memory is oldest, else one got by
 * evicting the least recently used image; NULL when all images are in use.
 */
static CacheEntry *
choose_free_entry(const RoformerCacheKey *key)
{
	CacheEntry *chosen = NULL;

	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &directory->entries[i];

		if (entry->state != ENTRY_FREE)
			continue;
		if (memcmp(&entry->key, key, sizeof(*key)) == 0)
			return entry;
		if (chosen == NULL ||
			pg_atomic_read_u64(&entry->last_use) < pg_atomic_read_u64(&chosen->last_use))
			chosen = entry;
	}
	if (chosen == NULL && (chosen = find_least_recently_used()) != NULL)
		free_entry(chosen);
	return chosen;
}

static void
set_owner(CacheEntry *entry)
{
	entry->owner.pid = MyProcPid;
	GET_VXID_FROM_PGPROC(entry->owner.transaction, *MyProc);
}

static bool
is_owner(const CacheEntry *entry, const CacheOwner *owner)
{
	return entry->owner.pid == owner->pid &&
		   VirtualTransactionIdEquals(entry->owner.transaction, owner->transaction);
}

/* Makes this backend the loader of key; -1 when every entry is in use. */
static int
claim_entry(const RoformerCacheKey *key, uint64 hash, const char *name, TimestampTz now)
{
	CacheEntry *entry = choose_free_entry(key);
	int index;

	if (entry == NULL)
		return -1;
	index = entry - directory->entries;
	if (memcmp(&entry->key, key, sizeof(*key)) != 0)
	{
		entry->key = *key;
		entry->loads = 0;
		pg_atomic_write_u64(&entry->hits, 0);
	}
	strlcpy(entry->name, name, sizeof(entry->name));
	entry->state = ENTRY_LOADING;
	set_owner(entry);
	pg_atomic_write_u32(&entry->pins, 1);
	pg_atomic_write_u64(&entry->last_use, (uint64) now);
	directory->visible[index] = hash;
	return index;
}

/*
 * Takes size bytes of the region, evicting least recently used images until they fit side by side.
 * Evicts nothing when even evicting all of them would not do.
 */
static bool
make_room(uint64 size, uint64 *offset)
{
	RoformerRegion trial = directory->region;

	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		if (can_evict(&directory->entries[i]))
			roformer_region_free(&trial, directory->entries[i].offset);
	}
	if (!roformer_region_alloc(&trial, size, offset))
		return false;

	while (!roformer_region_alloc(&directory->region, size, offset))
	{
		CacheEntry *victim = find_least_recently_used();

		if (victim == NULL)
			return false;
		free_entry(victim);
	}
	return true;
}

/* Bytes of images that can't be evicted now. */
static uint64
sum_pinned(void)
{
	uint64 pinned = 0;

	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &directory->entries[i];

		if (entry->placed && !can_evict(entry))
			pinned += entry->size;
	}
	return pinned;
}

/* ---- looking up, waiting, claiming ----------------------------------------------------------- */

typedef enum Finding
{
	FOUND_READY,   /* pinned */
	FOUND_MISSING, /* claimed, or nothing done if the caller held the lock shared */
	FOUND_LOADING, /* *owner is loading it */
	FOUND_FULL     /* every entry is in use */
} Finding;

static Finding
look_up(const RoformerCacheKey *key, uint64 hash, int *index, CacheOwner *owner)
{
	*index = find_entry(key, hash);
	if (*index < 0)
		return FOUND_MISSING;
	if (directory->entries[*index].state == ENTRY_LOADING)
	{
		*owner = directory->entries[*index].owner;
		return FOUND_LOADING;
	}
	pin_entry(&directory->entries[*index], GetCurrentTimestamp());
	return FOUND_READY;
}

static Finding
look_up_or_claim(const RoformerCacheKey *key, uint64 hash, const char *name, int *index,
				 CacheOwner *owner)
{
	Finding finding;

	LWLockAcquire(directory_lock, LW_SHARED);
	finding = look_up(key, hash, index, owner);
	LWLockRelease(directory_lock);
	if (finding != FOUND_MISSING)
		return finding;

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	finding = look_up(key, hash, index, owner);
	if (finding == FOUND_MISSING)
	{
		*index = claim_entry(key, hash, name, GetCurrentTimestamp());
		if (*index < 0)
			finding = FOUND_FULL;
	}
	LWLockRelease(directory_lock);
	return finding;
}

/* Does the transaction that loads still run? Its process may end, its slot get another user. */
static bool
owner_is_alive(const CacheOwner *owner)
{
	PGPROC *proc = BackendPidGetProc(owner->pid);
	VirtualTransactionId transaction;

	if (proc == NULL)
		return false;
	GET_VXID_FROM_PGPROC(transaction, *proc);
	return VirtualTransactionIdEquals(transaction, owner->transaction);
}

/* Becomes the loader in place of one that vanished; false if somebody else was faster. */
static bool
take_over(int index, const CacheOwner *vanished)
{
	CacheEntry *entry = &directory->entries[index];
	bool taken = false;

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	if (entry->state == ENTRY_LOADING && !entry->doomed && is_owner(entry, vanished))
	{
		release_extent(entry);
		set_owner(entry);
		taken = true;
	}
	LWLockRelease(directory_lock);
	return taken;
}

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = roformer_wait_event("RoformerModelLoad");
	return event;
}

static void
report_full(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("no room for model \"%s\" in the model cache", name),
			 errdetail("All %d images the cache can hold are in use.", ROFORMER_CACHE_ENTRIES),
			 errhint("Try again when fewer different models are computing.")));
}

int
roformer_entry_pin(const RoformerCacheKey *key, const char *name, bool *load)
{
	uint64 hash = hash_key(key);
	CacheOwner owner;
	Finding finding;
	int index;

	/* The first sleep on a condition variable only registers: the next look can't miss a change. */
	while ((finding = look_up_or_claim(key, hash, name, &index, &owner)) == FOUND_LOADING)
	{
		if (!owner_is_alive(&owner) && take_over(index, &owner))
		{
			finding = FOUND_MISSING;
			break;
		}
		ConditionVariableTimedSleep(&directory->entries[index].changed, OWNER_CHECK_MS,
									wait_event());
	}
	ConditionVariableCancelSleep();

	if (finding == FOUND_FULL)
		report_full(name);
	*load = finding == FOUND_MISSING;
	return index;
}

/* ---- loading --------------------------------------------------------------------------------- */

static size_t
to_megabytes(uint64 bytes)
{
	return (size_t) ((bytes + 1024 * 1024 - 1) / (1024 * 1024));
}

static void
report_too_small(const char *name, uint64 size, uint64 pinned)
{
	uint64 cache = directory->region.size;
	uint64 needed = Max(TYPEALIGN64(ROFORMER_REGION_UNIT, size) + pinned, cache);

	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("the model cache is too small for model \"%s\": its image needs %zu MB", name,
					to_megabytes(size)),
			 errdetail("The cache has %zu MB, of which images in use hold %zu MB.",
					   to_megabytes(cache), to_megabytes(pinned)),
			 size > cache
				 ? errhint("Increase roformer.cache_size to at least %zu MB.", to_megabytes(needed))
				 : errhint("Increase roformer.cache_size to more than %zu MB, or try "
						   "again when fewer models are in use.",
						   to_megabytes(needed))));
}

/* Memory for a claimed entry's image, or ERROR 53200. */
void *
roformer_entry_place(int index, const char *name, size_t size)
{
	CacheEntry *entry = &directory->entries[index];
	uint64 pinned = 0;
	bool placed;

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	placed = make_room(size, &entry->offset);
	if (placed)
	{
		entry->placed = true;
		entry->size = size;
	}
	else
		pinned = sum_pinned();
	LWLockRelease(directory_lock);

	if (!placed)
		report_too_small(name, size, pinned);
	return region_start + entry->offset;
}

/* The image is complete: others may use it. The loader keeps the pin it claimed the entry with. */
void
roformer_entry_publish(int index)
{
	CacheEntry *entry = &directory->entries[index];

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	entry->state = ENTRY_READY;
	entry->loads++;
	LWLockRelease(directory_lock);
	ConditionVariableBroadcast(&entry->changed);
}

/* The load failed: nothing is left of it, and one of those who wait may try. */
void
roformer_entry_abandon(int index)
{
	CacheEntry *entry = &directory->entries[index];

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	free_entry(entry);
	LWLockRelease(directory_lock);
	ConditionVariableBroadcast(&entry->changed);
}

const void *
roformer_entry_image(int index, size_t *size)
{
	*size = directory->entries[index].size;
	return region_start + directory->entries[index].offset;
}

/* ---- letting go ------------------------------------------------------------------------------ */

void
roformer_entry_unpin(int index)
{
	CacheEntry *entry = &directory->entries[index];
	bool last_of_doomed;

	LWLockAcquire(directory_lock, LW_SHARED);
	pg_atomic_write_u64(&entry->last_use, (uint64) GetCurrentTimestamp());
	last_of_doomed = pg_atomic_sub_fetch_u32(&entry->pins, 1) == 0 && entry->doomed;
	LWLockRelease(directory_lock);
	if (!last_of_doomed)
		return;

	/* Whatever the entry has become meanwhile: doomed and without pins, it is to be freed. */
	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	if (entry->doomed && can_evict(entry))
		free_entry(entry);
	LWLockRelease(directory_lock);
}

static void
forget_entry(CacheEntry *entry)
{
	hide_entry(entry);
	entry->doomed = true;
	if (can_evict(entry))
		free_entry(entry);
}

int
roformer_entries_forget(Oid database, const uint8 *digest, bool loading_too)
{
	int forgotten = 0;

	LWLockAcquire(directory_lock, LW_EXCLUSIVE);
	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &directory->entries[i];

		if (directory->visible[i] == 0 || entry->key.database != database ||
			memcmp(entry->key.digest, digest, sizeof(entry->key.digest)) != 0 ||
			(entry->state == ENTRY_LOADING && !loading_too))
			continue;
		forget_entry(entry);
		forgotten++;
	}
	LWLockRelease(directory_lock);
	return forgotten;
}

/* ---- the cache view -------------------------------------------------------------------------- */

int
roformer_entries_list(RoformerCacheRow *rows)
{
	int count = 0;

	LWLockAcquire(directory_lock, LW_SHARED);
	for (int i = 0; i < ROFORMER_CACHE_ENTRIES; i++)
	{
		CacheEntry *entry = &directory->entries[i];
		RoformerCacheRow *row = &rows[count];

		if (entry->state == ENTRY_FREE)
			continue;
		row->key = entry->key;
		strlcpy(row->name, entry->name, sizeof(row->name));
		row->state = entry->doomed ? "dropped" : entry->state == ENTRY_READY ? "ready" : "loading";
		row->bytes = entry->size;
		row->pins = pg_atomic_read_u32(&entry->pins);
		row->loads = entry->loads;
		row->hits = pg_atomic_read_u64(&entry->hits);
		row->last_use = (TimestampTz) pg_atomic_read_u64(&entry->last_use);
		row->shared = true;
		count++;
	}
	LWLockRelease(directory_lock);
	return count;
}
