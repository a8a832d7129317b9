/*
 * stats_private.h - what the files of the statistics share.
 */
#ifndef ROFORMER_STATS_PRIVATE_H
#define ROFORMER_STATS_PRIVATE_H

#include "pg/stats.h"

#include "storage/lwlock.h"
#include "utils/timestamp.h"

/* ---- stats_table.c: numbers by model --------------------------------------------------------- */

/*
 * A content's id is used once in the life of the extension in a database; the digest tells apart
 * what was loaded before DROP EXTENSION.
 */
typedef struct RoformerStatsKey
{
	int64 id;
	uint8 digest[32];
	Oid database;
	uint32 unused;
} RoformerStatsKey; /* no padding: compared with memcmp after being zeroed */

typedef enum RoformerCounter
{
	ROFORMER_CALLS,
	ROFORMER_CANCELLED,
	ROFORMER_ROWS,
	ROFORMER_TOKENS,
	ROFORMER_TRUNCATED_ROWS,
	ROFORMER_WINDOWED_ROWS,
	ROFORMER_WINDOWS,
	ROFORMER_BATCHES,
	ROFORMER_TOKENIZE_NS,
	ROFORMER_COMPUTE_NS
} RoformerCounter;
#define ROFORMER_COUNTERS (ROFORMER_COMPUTE_NS + 1)

typedef struct RoformerStatsRow
{
	RoformerStatsKey key;
	TimestampTz since;
	uint64 counts[ROFORMER_COUNTERS];
} RoformerStatsRow;

typedef struct RoformerStatsTable RoformerStatsTable;

extern Size roformer_table_size(void);
extern void roformer_table_create(RoformerStatsTable *table);
/* From now on the numbers are in shared memory. */
extern void roformer_table_attach(RoformerStatsTable *table, LWLock *lock);
/* Makes a table of this session where there is no shared one; may throw, the others never do. */
extern void roformer_table_ensure(void);
/* Adds counts [ROFORMER_COUNTERS]; *hint is where the key was found, any value at first. */
extern void roformer_table_add(const RoformerStatsKey *key, const uint64 *counts, int *hint);
extern void roformer_table_forget(Oid database);
/* The rows of a database, palloc'd. */
extern RoformerStatsRow *roformer_table_list(Oid database, int *count);

/* ---- stats_pending.c: what this session has not added yet ------------------------------------ */

extern void roformer_pending_flush(void);
extern void roformer_pending_discard(void);

/* ---- stats_progress.c: statements that run --------------------------------------------------- */

/* Models that are shown of one statement. */
#define ROFORMER_PROGRESS_MODELS 4

typedef struct RoformerProgressModel
{
	int64 id;
	char name[NAMEDATALEN];
	TimestampTz started; /* first call of the statement */
	uint64 rows;
	uint64 tokens;
} RoformerProgressModel;

typedef struct RoformerProgress
{
	int pid; /* 0: nothing runs */
	Oid database;
	Oid role; /* of the session */
	int used; /* of models; may count on beyond their number, round and round */
	RoformerProgressModel models[ROFORMER_PROGRESS_MODELS];
} RoformerProgress;

typedef struct RoformerProgressSlot RoformerProgressSlot;

extern Size roformer_progress_size(void);
extern void roformer_progress_create(RoformerProgressSlot *slots);
extern void roformer_progress_attach(RoformerProgressSlot *slots);
extern void roformer_progress_begin(const RoformerStatsModel *model);
extern void roformer_progress_add(int64 model_id, uint64 rows, uint64 tokens);
/* Statements of all sessions that compute, palloc'd. */
extern RoformerProgress *roformer_progress_list(int *count);

/* ---- stats_shmem.c --------------------------------------------------------------------------- */

extern void roformer_stats_request(void); /* hooks, while shared_preload_libraries are loaded */

#endif
