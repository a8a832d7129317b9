/*
 * session_open.c - the session of a call: resolved once, then found again in a few comparisons.
 *
 * A call site (an expression in a plan, a trigger) keeps what it resolved in flinfo->fn_extra, for
 * a handful of models, as the name may come from a column. What was resolved stays as long as name,
 * user and settings are the same, and
 *   - the call is evaluated under the snapshot it was resolved under: a statement finishes on the
 *     content it began with, also a cursor that is fetched from later; or
 *   - no model has changed since.
 * Expressions that PL/pgSQL keeps for the length of a transaction are evaluated under a new
 * snapshot with each statement. (Command ids would not tell: they don't advance while nothing is
 * written.)
 *
 * A resolved session lives in its own memory context below the call site's; whichever way that
 * goes, a callback closes the engine session.
 */
#include "session_private.h"

#include "miscadmin.h"
#include "pg/support.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Models one call site keeps open; of more, the one it used least recently is given up. */
#define CALL_SITE_MODELS 8

/* Tells snapshots apart: within a transaction the same numbers mean the same set of transactions.
 */
typedef struct SnapshotMark
{
	LocalTransactionId transaction;
	CommandId command;
	TransactionId xmin;
	TransactionId xmax;
	uint32 running; /* transactions in between that the snapshot doesn't see */
	int32 running_subtransactions;
} SnapshotMark; /* no padding: compared with memcmp */

typedef struct ResolvedSession
{
	RoformerSession session; /* first: this is what callers hold */
	MemoryContext context;   /* holds this struct and all it points to */
	MemoryContextCallback callback;
	RoformerEngine *engine;
	const char **labels; /* [num_labels] in the server's encoding, each NULL until asked for */
	/* what it was resolved from, and when */
	size_t name_length;
	Oid user;
	RoformerSettings settings;
	uint64 generation;
	SnapshotMark snapshot;
} ResolvedSession;

typedef struct CallSite
{
	int count;
	ResolvedSession *resolved[CALL_SITE_MODELS]; /* [count] most recently used first */
} CallSite;

static SnapshotMark
mark_snapshot(void)
{
	SnapshotMark mark = {0};
	VirtualTransactionId transaction;

	GET_VXID_FROM_PGPROC(transaction, *MyProc);
	mark.transaction = transaction.localTransactionId;
	if (ActiveSnapshotSet())
	{
		Snapshot snapshot = GetActiveSnapshot();

		mark.command = snapshot->curcid;
		mark.xmin = snapshot->xmin;
		mark.xmax = snapshot->xmax;
		mark.running = snapshot->xcnt;
		mark.running_subtransactions = snapshot->subxcnt;
	}
	return mark;
}

static void
close_with_context(void *arg)
{
	ResolvedSession *resolved = arg;

	if (resolved->engine != NULL)
		roformer_engine_close(resolved->engine);
	resolved->engine = NULL;
}

static ResolvedSession *
create_resolved(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "roformer session", ALLOCSET_SMALL_SIZES);
	ResolvedSession *resolved = MemoryContextAllocZero(context, sizeof(ResolvedSession));

	resolved->context = context;
	resolved->callback.func = close_with_context;
	resolved->callback.arg = resolved;
	MemoryContextRegisterResetCallback(context, &resolved->callback);
	return resolved;
}

/* Everything that may fail happens in the order of its cost: name, right, settings, image. */
static void
fill_resolved(ResolvedSession *resolved, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(resolved->context);
	RoformerModel *model;

	resolved->generation = roformer_catalog_generation();
	resolved->snapshot = mark_snapshot();
	resolved->user = GetUserId();
	resolved->name_length = strlen(name);
	roformer_settings_read(&resolved->settings);

	model = roformer_catalog_lookup(name);
	roformer_catalog_check_use(model);
	resolved->engine = roformer_engine_open(model);
	resolved->session.model = model;
	resolved->session.engine = resolved->engine->session;
	resolved->session.options = roformer_options_run(model);
	resolved->session.stats_model.id = model->id;
	resolved->session.stats_model.name = model->name;
	memcpy(resolved->session.stats_model.digest, model->digest, sizeof(model->digest));
	MemoryContextSwitchTo(caller);
}

/* Nothing stays behind of an attempt that fails: a call site may try again. */
static ResolvedSession *
resolve(const char *name, MemoryContext parent)
{
	ResolvedSession *resolved = create_resolved(CurrentMemoryContext);

	fill_resolved(resolved, name);
	MemoryContextSetParent(resolved->context, parent);
	return resolved;
}

static bool
has_name(const ResolvedSession *resolved, const char *name, size_t length)
{
	return resolved->name_length == length &&
		   memcmp(resolved->session.model->name, name, length) == 0;
}

/* A new snapshot may see changes that nobody has told this backend of, if it has locked nothing
 * since. */
static bool
is_current(ResolvedSession *resolved)
{
	SnapshotMark now = mark_snapshot();

	if (resolved->user != GetUserId() || !roformer_settings_unchanged(&resolved->settings))
		return false;
	if (memcmp(&resolved->snapshot, &now, sizeof(now)) == 0)
		return true;
	AcceptInvalidationMessages();
	if (resolved->generation != roformer_catalog_generation())
		return false;
	resolved->snapshot = now;
	return true;
}

/* ---- call sites ------------------------------------------------------------------------------ */

/* Position of the name, or count. */
static int
find_resolved(const CallSite *site, const char *name, size_t length)
{
	int i = 0;

	while (i < site->count && !has_name(site->resolved[i], name, length))
		i++;
	return i;
}

static void
move_to_front(CallSite *site, int position)
{
	ResolvedSession *resolved = site->resolved[position];

	memmove(&site->resolved[1], &site->resolved[0], position * sizeof(site->resolved[0]));
	site->resolved[0] = resolved;
}

static void
remove_last(CallSite *site)
{
	MemoryContextDelete(site->resolved[--site->count]->context);
}

/*
 * The outdated session goes only after its successor is there: they often share the engine session,
 * which then stays open.
 */
static void
resolve_at(CallSite *site, int position, const char *name, MemoryContext context)
{
	ResolvedSession *resolved;

	if (position == CALL_SITE_MODELS)
	{
		remove_last(site);
		position--;
	}
	resolved = resolve(name, context);
	if (position < site->count)
		MemoryContextDelete(site->resolved[position]->context);
	else
		site->count++;
	site->resolved[position] = resolved;
}

static RoformerSession *
session_of_site(CallSite *site, const char *name, size_t length, MemoryContext context)
{
	int position = find_resolved(site, name, length);

	if (position == site->count || !is_current(site->resolved[position]))
	{
		char *terminated = pnstrdup(name, length);

		resolve_at(site, position, terminated, context);
		pfree(terminated);
	}
	if (position > 0)
		move_to_front(site, Min(position, CALL_SITE_MODELS - 1));
	return &site->resolved[0]->session;
}

RoformerSession *
roformer_session_of_call(FunctionCallInfo fcinfo)
{
	text *name = PG_GETARG_TEXT_PP(0);
	FmgrInfo *flinfo = fcinfo->flinfo;

	if (flinfo == NULL)
		return roformer_session_open(text_to_cstring(name), CurrentMemoryContext);
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite));
	return session_of_site(flinfo->fn_extra, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
						   flinfo->fn_mcxt);
}

RoformerSession *
roformer_session_open(const char *name, MemoryContext context)
{
	return &resolve(name, context)->session;
}

/* ---- labels ---------------------------------------------------------------------------------- */

const char *
roformer_session_label(const RoformerSession *session, int32 label)
{
	ResolvedSession *resolved = (ResolvedSession *) session;
	const RoformerModelOptions *options = &session->model->options;
	MemoryContext caller;

	if (label < options->label_count)
		return options->labels[label];
	caller = MemoryContextSwitchTo(resolved->context);
	if (resolved->labels == NULL)
		resolved->labels =
			palloc0(rf_session_config(session->engine)->num_labels * sizeof(const char *));
	if (resolved->labels[label] == NULL)
	{
		const char *utf8 = rf_session_label(session->engine, label);

		resolved->labels[label] = roformer_utf8_to_cstring(utf8, strlen(utf8));
	}
	MemoryContextSwitchTo(caller);
	return resolved->labels[label];
}
