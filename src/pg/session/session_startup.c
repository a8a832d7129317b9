/*
 * session_startup.c - roformer.prewarm: models are loaded when the server starts, in the
 * background.
 *
 * A process can look into one database only; so there is a background worker for each database the
 * list names. It starts when the server accepts connections (on a standby: read-only ones), loads
 * its models one after the other and ends. A model that can't be loaded is a message in the log:
 * whoever uses it first loads it, or learns why not.
 */
#include "session_private.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pg/support.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

pg_noreturn PGDLLEXPORT void roformer_prewarm_main(Datum argument);

/* ---- in the worker --------------------------------------------------------------------------- */

static void
load_model(const char *name)
{
	RoformerModel *model = roformer_catalog_lookup(name);
	RoformerPin *pin = roformer_engine_pin(model, CurrentMemoryContext);
	size_t size;

	roformer_pin_image(pin, &size);
	roformer_cache_release(pin);
	ereport(LOG, (errmsg("roformer loaded model \"%s\" into the cache, %zu bytes", name, size)));
}

/* Logs what went wrong instead of throwing it; an end of the process is none of that. */
static void
log_failure(const char *name, MemoryContext context)
{
	ErrorData *failure;

	MemoryContextSwitchTo(context);
	failure = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	ereport(LOG, (errmsg("roformer could not load model \"%s\" into the cache", name),
				  errdetail("%s", failure->message)));
	FreeErrorData(failure);
}

static void
try_model(const char *name)
{
	MemoryContext context = CurrentMemoryContext;

	pgstat_report_activity(STATE_RUNNING, psprintf("roformer.prewarm: model \"%s\"", name));
	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		load_model(name);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		log_failure(name, context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CHECK_FOR_INTERRUPTS();
}

/* The list, and the number of its element whose database is this worker's. */
void
roformer_prewarm_main(Datum argument)
{
	const char *complaint;
	List *names;
	const RoformerPrewarmName *first;
	ListCell *cell;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	names = roformer_prewarm_parse(roformer_prewarm_models, &complaint);
	first = list_nth(names, DatumGetInt32(argument));
	BackgroundWorkerInitializeConnection(first->database, NULL, 0);
	foreach (cell, names)
	{
		const RoformerPrewarmName *name = lfirst(cell);

		if (strcmp(name->database, first->database) == 0)
			try_model(name->model);
	}
	proc_exit(0);
}

/* ---- in the postmaster ----------------------------------------------------------------------- */

static bool
is_named_before(List *names, int index)
{
	const RoformerPrewarmName *name = list_nth(names, index);

	for (int i = 0; i < index; i++)
	{
		if (strcmp(((RoformerPrewarmName *) list_nth(names, i))->database, name->database) == 0)
			return true;
	}
	return false;
}

static void
register_worker(const RoformerPrewarmName *name, int index)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_ConsistentState,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = Int32GetDatum(index),
	};

	snprintf(worker.bgw_name, BGW_MAXLEN, "roformer prewarm of %s", name->database);
	strlcpy(worker.bgw_type, "roformer prewarm", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "roformer", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "roformer_prewarm_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
roformer_startup_init(void)
{
	const char *complaint;
	List *names;

	if (!process_shared_preload_libraries_in_progress || roformer_cache_size == 0)
		return;
	names = roformer_prewarm_parse(roformer_prewarm_models, &complaint);
	for (int i = 0; i < list_length(names); i++)
	{
		if (!is_named_before(names, i))
			register_worker(list_nth(names, i), i);
	}
	list_free_deep(names);
}
