/*
 * stats_pending.c - what this session computed and has not yet added to the table.
 *
 * A call over one short text takes some hundred microseconds; it must not pay for a lock that all
 * sessions share. So numbers gather here, in plain variables, and are added when the transaction
 * ends (also by an error: what was computed was computed), and whenever a second's worth of work
 * has come together, for long statements. Parallel workers end transactions of their own.
 *
 * What runs now is told at once (stats_progress.c).
 */
#include "stats_private.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pg/support.h"

/* Models of which a session keeps numbers apart before it adds them. */
#define PENDING_MODELS 16
#define NS_PER_SECOND UINT64CONST(1000000000)

typedef struct PendingModel
{
	RoformerStatsKey key;
	int hint;
	bool dirty;
	uint64 counts[ROFORMER_COUNTERS];
} PendingModel;

static PendingModel pending[PENDING_MODELS];
static int pending_used = 0;
static bool pending_dirty = false;
static PendingModel *open_call = NULL; /* of the call that computes now */

static void
clear_model(PendingModel *model)
{
	memset(model->counts, 0, sizeof(model->counts));
	model->dirty = false;
}

void
roformer_pending_flush(void)
{
	if (!pending_dirty)
		return;
	for (int i = 0; i < pending_used; i++)
	{
		if (!pending[i].dirty)
			continue;
		roformer_table_add(&pending[i].key, pending[i].counts, &pending[i].hint);
		clear_model(&pending[i]);
	}
	pending_dirty = false;
}

void
roformer_pending_discard(void)
{
	for (int i = 0; i < pending_used; i++)
		clear_model(&pending[i]);
	pending_dirty = false;
}

static bool
is_of_model(const PendingModel *entry, const RoformerStatsModel *model)
{
	return entry->key.id == model->id &&
		   memcmp(entry->key.digest, model->digest, sizeof(entry->key.digest)) == 0;
}

static PendingModel *
create_pending(const RoformerStatsModel *model)
{
	PendingModel *created;

	if (pending_used == PENDING_MODELS)
	{
		roformer_pending_flush();
		pending_used = 0;
		open_call = NULL;
	}
	created = &pending[pending_used++];
	memset(created, 0, sizeof(*created));
	created->key.id = model->id;
	created->key.database = MyDatabaseId;
	memcpy(created->key.digest, model->digest, sizeof(created->key.digest));
	return created;
}

static PendingModel *
find_pending(const RoformerStatsModel *model)
{
	for (int i = 0; i < pending_used; i++)
	{
		if (is_of_model(&pending[i], model))
			return &pending[i];
	}
	return create_pending(model);
}

void
roformer_stats_begin(const RoformerStatsModel *model)
{
	roformer_table_ensure();
	open_call = find_pending(model);
	roformer_progress_begin(model);
}

void
roformer_stats_add(const RoformerStatsModel *model, uint64 calls, const RfRunStats *work)
{
	PendingModel *entry = find_pending(model);
	uint64 *counts = entry->counts;

	counts[ROFORMER_CALLS] += calls;
	counts[ROFORMER_ROWS] += work->rows;
	counts[ROFORMER_TOKENS] += work->tokens;
	counts[ROFORMER_TRUNCATED_ROWS] += work->truncated_rows;
	counts[ROFORMER_WINDOWED_ROWS] += work->windowed_rows;
	counts[ROFORMER_WINDOWS] += work->windows;
	counts[ROFORMER_BATCHES] += work->batches;
	counts[ROFORMER_TOKENIZE_NS] += work->tokenize_ns;
	counts[ROFORMER_COMPUTE_NS] += work->compute_ns;
	entry->dirty = pending_dirty = true;
	if (calls > 0)
		open_call = NULL;
	roformer_progress_add(model->id, work->rows, work->tokens);
	if (counts[ROFORMER_TOKENIZE_NS] + counts[ROFORMER_COMPUTE_NS] >= NS_PER_SECOND)
		roformer_pending_flush();
}

static void
count_cancelled(void)
{
	if (open_call == NULL)
		return;
	open_call->counts[ROFORMER_CANCELLED]++;
	open_call->dirty = pending_dirty = true;
	open_call = NULL;
}

/* Prepared transactions end here, too. */
static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			open_call = NULL;
			roformer_pending_flush();
			break;
		default:
			break;
	}
}

/* A call that failed is none that a later cancellation could be about. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		open_call = NULL;
}

void
roformer_stats_init(void)
{
	roformer_canceled_hook = count_cancelled;
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	roformer_stats_request();
}
