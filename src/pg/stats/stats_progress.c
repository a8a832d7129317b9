/*
 * stats_progress.c - statements that compute now: a slot for each backend.
 *
 * Only its backend writes a slot, without a lock, in the manner of PostgreSQL's own backend status:
 * a counter is odd while the slot changes, and a reader copies again until the counter was even and
 * the same before and after. Without a shared slot the session has one for itself.
 *
 * A statement is what the client sent as one message, as in pg_stat_activity. When the next message
 * is awaited PostgreSQL resets MessageContext, after errors as well: a callback there empties the
 * slot. Background workers (parallel query) have no messages; their statement is the transaction.
 * The end of a process empties its slot, a crash all of them, with the shared memory.
 */
#include "stats_private.h"

#include "miscadmin.h"
#include "pg/compat.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

struct RoformerProgressSlot
{
	uint32 changes; /* odd: being written */
	RoformerProgress progress;
};

static RoformerProgressSlot *slots = NULL; /* [MaxBackends]; NULL: not preloaded */
static RoformerProgressSlot own_slot;
static RoformerProgressSlot *slot = NULL; /* this backend's */
static bool running = false;
static MemoryContextCallback at_end;

Size
roformer_progress_size(void)
{
	return mul_size(MaxBackends, sizeof(RoformerProgressSlot));
}

void
roformer_progress_create(RoformerProgressSlot *created)
{
	memset(created, 0, roformer_progress_size());
}

void
roformer_progress_attach(RoformerProgressSlot *attached)
{
	slots = attached;
}

/* ---- writing --------------------------------------------------------------------------------- */

static RoformerProgress *
begin_change(void)
{
	slot->changes++;
	pg_write_barrier();
	return &slot->progress;
}

static void
end_change(void)
{
	pg_write_barrier();
	slot->changes++;
}

static void
clear_slot(void *arg)
{
	if (!running)
		return;
	running = false;
	begin_change()->pid = 0;
	end_change();
}

static void
clear_at_exit(int code, Datum arg)
{
	clear_slot(NULL);
}

static void
find_slot(void)
{
	int number = roformer_backend_number();

	if (slots != NULL && number >= 0 && number < MaxBackends)
	{
		before_shmem_exit(clear_at_exit, 0);
		slot = &slots[number];
	}
	else
		slot = &own_slot;
}

static void
begin_statement(void)
{
	MemoryContext statement = MessageContext != NULL ? MessageContext : TopTransactionContext;
	RoformerProgress *progress;

	if (slot == NULL)
		find_slot();
	at_end.func = clear_slot;
	MemoryContextRegisterResetCallback(statement, &at_end);
	running = true;
	progress = begin_change();
	progress->pid = MyProcPid;
	progress->database = MyDatabaseId;
	progress->role = GetSessionUserId();
	progress->used = 0;
	end_change();
}

static RoformerProgressModel *
find_model(int64 id)
{
	RoformerProgress *progress = &slot->progress;

	for (int i = 0; i < Min(progress->used, ROFORMER_PROGRESS_MODELS); i++)
	{
		if (progress->models[i].id == id)
			return &progress->models[i];
	}
	return NULL;
}

/* Of more models than are shown the latest ones are. */
void
roformer_progress_begin(const RoformerStatsModel *model)
{
	RoformerProgressModel *shown;

	if (!running)
		begin_statement();
	if (find_model(model->id) != NULL)
		return;
	shown = &slot->progress.models[slot->progress.used % ROFORMER_PROGRESS_MODELS];
	begin_change();
	shown->id = model->id;
	strlcpy(shown->name, model->name, sizeof(shown->name));
	shown->started = GetCurrentTimestamp();
	shown->rows = shown->tokens = 0;
	if (++slot->progress.used == 2 * ROFORMER_PROGRESS_MODELS)
		slot->progress.used = ROFORMER_PROGRESS_MODELS;
	end_change();
}

void
roformer_progress_add(int64 model_id, uint64 rows, uint64 tokens)
{
	RoformerProgressModel *shown = running ? find_model(model_id) : NULL;

	if (shown == NULL)
		return;
	begin_change();
	shown->rows += rows;
	shown->tokens += tokens;
	end_change();
}

/* ---- reading --------------------------------------------------------------------------------- */

static void
copy_slot(const volatile RoformerProgressSlot *from, RoformerProgress *to)
{
	uint32 before;
	uint32 after;

	do
	{
		before = from->changes;
		pg_read_barrier();
		*to = *(const RoformerProgress *) &from->progress;
		pg_read_barrier();
		after = from->changes;
	} while (before != after || before % 2 != 0);
}

RoformerProgress *
roformer_progress_list(int *count)
{
	RoformerProgress *rows = palloc(sizeof(RoformerProgress) * (MaxBackends + 1));

	*count = 0;
	for (int i = 0; slots != NULL && i < MaxBackends; i++)
	{
		CHECK_FOR_INTERRUPTS();
		copy_slot(&slots[i], &rows[*count]);
		*count += rows[*count].pid != 0;
	}
	if (slots == NULL && running)
		rows[(*count)++] = own_slot.progress;
	return rows;
}
