/*
 * stats_table.c - numbers by model: a table of fixed size, in shared memory or of this session.
 *
 * Entries are found by database and content, so that a renamed model keeps its numbers and a
 * replaced one begins anew. When all are taken, the one that was added to least recently makes
 * room: numbers of models that are gone go that way. The view looks at those that exist.
 *
 * Locking: table_lock, shared, to find an entry and to add to it (the numbers are atomics), also to
 * read; exclusive to claim an entry or to clear some. Nothing under it throws or waits. A session
 * adds once a transaction, or once for a second of work (stats_pending.c), so that sessions seldom
 * meet. A table of one session has no lock.
 *
 * Numbers are read one after the other while others may add: a row can be a batch ahead in one
 * column. Nothing survives a restart or a crash.
 */
#include "stats_private.h"

#include "port/atomics.h"
#include "utils/memutils.h"

/* Models, of all databases, with numbers; 60 KB. */
#define STATS_MODELS 512

typedef struct StatsEntry
{
	RoformerStatsKey key;
	bool used;
	TimestampTz since;
	pg_atomic_uint64 last_add; /* TimestampTz */
	pg_atomic_uint64 counts[ROFORMER_COUNTERS];
} StatsEntry;

struct RoformerStatsTable
{
	StatsEntry entries[STATS_MODELS]; /* key, used, since: guarded by table_lock */
};

static RoformerStatsTable *table = NULL;
static LWLock *table_lock = NULL; /* NULL: the table is this session's own */

static void
lock_table(LWLockMode mode)
{
	if (table_lock != NULL)
		LWLockAcquire(table_lock, mode);
}

static void
unlock_table(void)
{
	if (table_lock != NULL)
		LWLockRelease(table_lock);
}

/* ---- creation -------------------------------------------------------------------------------- */

Size
roformer_table_size(void)
{
	return sizeof(RoformerStatsTable);
}

static void
clear_counts(StatsEntry *entry)
{
	for (int i = 0; i < ROFORMER_COUNTERS; i++)
		pg_atomic_write_u64(&entry->counts[i], 0);
}

void
roformer_table_create(RoformerStatsTable *created)
{
	memset(created, 0, sizeof(*created));
	for (int i = 0; i < STATS_MODELS; i++)
	{
		pg_atomic_init_u64(&created->entries[i].last_add, 0);
		for (int j = 0; j < ROFORMER_COUNTERS; j++)
			pg_atomic_init_u64(&created->entries[i].counts[j], 0);
	}
}

void
roformer_table_attach(RoformerStatsTable *attached, LWLock *lock)
{
	table = attached;
	table_lock = lock;
}

void
roformer_table_ensure(void)
{
	RoformerStatsTable *own;

	if (table != NULL)
		return;
	own = MemoryContextAlloc(TopMemoryContext, sizeof(*own));
	roformer_table_create(own);
	table = own;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static bool
has_key(const StatsEntry *entry, const RoformerStatsKey *key)
{
	return entry->used && memcmp(&entry->key, key, sizeof(*key)) == 0;
}

/* Where the key is, or -1. */
static int
find_entry(const RoformerStatsKey *key, int hint)
{
	if (hint >= 0 && hint < STATS_MODELS && has_key(&table->entries[hint], key))
		return hint;
	for (int i = 0; i < STATS_MODELS; i++)
	{
		if (has_key(&table->entries[i], key))
			return i;
	}
	return -1;
}

/* Needs the exclusive lock. */
static int
claim_entry(const RoformerStatsKey *key, TimestampTz now)
{
	StatsEntry *chosen = &table->entries[0];

	for (int i = 0; i < STATS_MODELS && chosen->used; i++)
	{
		StatsEntry *entry = &table->entries[i];

		if (!entry->used ||
			pg_atomic_read_u64(&entry->last_add) < pg_atomic_read_u64(&chosen->last_add))
			chosen = entry;
	}
	clear_counts(chosen);
	chosen->key = *key;
	chosen->used = true;
	chosen->since = now;
	return chosen - table->entries;
}

/* Needs the lock, shared or exclusive. */
static void
add_counts(StatsEntry *entry, const uint64 *counts, TimestampTz now)
{
	pg_atomic_write_u64(&entry->last_add, (uint64) now);
	for (int i = 0; i < ROFORMER_COUNTERS; i++)
	{
		if (counts[i] > 0)
			pg_atomic_fetch_add_u64(&entry->counts[i], counts[i]);
	}
}

void
roformer_table_add(const RoformerStatsKey *key, const uint64 *counts, int *hint)
{
	TimestampTz now = GetCurrentTimestamp();
	int index;

	lock_table(LW_SHARED);
	index = find_entry(key, *hint);
	if (index < 0)
	{
		unlock_table();
		lock_table(LW_EXCLUSIVE);
		index = find_entry(key, -1);
		if (index < 0)
			index = claim_entry(key, now);
	}
	add_counts(&table->entries[index], counts, now);
	unlock_table();
	*hint = index;
}

/* ---- looking, clearing ----------------------------------------------------------------------- */

void
roformer_table_forget(Oid database)
{
	if (table == NULL)
		return;
	lock_table(LW_EXCLUSIVE);
	for (int i = 0; i < STATS_MODELS; i++)
	{
		if (table->entries[i].key.database == database)
			table->entries[i].used = false;
	}
	unlock_table();
}

RoformerStatsRow *
roformer_table_list(Oid database, int *count)
{
	RoformerStatsRow *rows = palloc(sizeof(RoformerStatsRow) * STATS_MODELS);

	*count = 0;
	if (table == NULL)
		return rows;
	lock_table(LW_SHARED);
	for (int i = 0; i < STATS_MODELS; i++)
	{
		StatsEntry *entry = &table->entries[i];
		RoformerStatsRow *row = &rows[*count];

		if (!entry->used || entry->key.database != database)
			continue;
		row->key = entry->key;
		row->since = entry->since;
		for (int j = 0; j < ROFORMER_COUNTERS; j++)
			row->counts[j] = pg_atomic_read_u64(&entry->counts[j]);
		(*count)++;
	}
	unlock_table();
	return rows;
}
