/*
 * scan_explain.c - what EXPLAIN says of the node, and how parallel workers tell what they did.
 *
 * Each worker has a place in shared memory, where it adds up what it has done after every batch;
 * the leader copies all places before the memory goes. The totals are those of leader and workers.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "pg/compat.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"

#include "scan_private.h"

/* ---- counting -------------------------------------------------------------------------------- */

static void
add_counts(RoformerScanCounts *sum, const RoformerScanCounts *counts)
{
	sum->rows += counts->rows;
	sum->disk = Max(sum->disk, counts->disk);
	sum->work.rows += counts->work.rows;
	sum->work.tokens += counts->work.tokens;
	sum->work.truncated_rows += counts->work.truncated_rows;
	sum->work.windowed_rows += counts->work.windowed_rows;
	sum->work.windows += counts->work.windows;
	sum->work.batches += counts->work.batches;
	sum->work.tokenize_ns += counts->work.tokenize_ns;
	sum->work.compute_ns += counts->work.compute_ns;
	if (counts->kernels[0] != '\0')
	{
		sum->precision = counts->precision;
		strlcpy(sum->kernels, counts->kernels, sizeof(sum->kernels));
	}
}

/* What this process has done. */
static RoformerScanCounts
own_counts(const RoformerScanState *state)
{
	RoformerScanCounts counts = {.rows = state->rows_read, .disk = state->disk};

	for (int i = 0; i < state->column_count; i++)
	{
		const RoformerColumn *column = &state->columns[i].column;
		RoformerScanCounts done = {.work = column->work, .precision = column->precision};

		if (column->kernels != NULL)
			strlcpy(done.kernels, rf_kernels_name(column->kernels), sizeof(done.kernels));
		add_counts(&counts, &done);
	}
	return counts;
}

/* ---- workers --------------------------------------------------------------------------------- */

void
roformer_scan_publish(RoformerScanState *state)
{
	RoformerScanCounts counts = own_counts(state);

	if (state->shared == NULL || !IsParallelWorker())
		return;
	add_counts(&counts, &state->before);
	state->shared[ParallelWorkerNumber] = counts;
}

Size
roformer_scan_estimate_shared(CustomScanState *node, ParallelContext *context)
{
	return mul_size(sizeof(RoformerScanCounts), context->nworkers);
}

void
roformer_scan_init_shared(CustomScanState *node, ParallelContext *context, void *shared)
{
	RoformerScanState *state = (RoformerScanState *) node;

	state->shared = shared;
	state->worker_count = context->nworkers;
	memset(shared, 0, sizeof(RoformerScanCounts) * context->nworkers);
}

/* A worker that is started for a rescan adds to what the one before it had. */
void
roformer_scan_attach_shared(CustomScanState *node, shm_toc *toc, void *shared)
{
	RoformerScanState *state = (RoformerScanState *) node;

	state->shared = shared;
	state->before = state->shared[ParallelWorkerNumber];
}

void
roformer_scan_shutdown(CustomScanState *node)
{
	RoformerScanState *state = (RoformerScanState *) node;
	MemoryContext caller;

	if (state->shared == NULL || IsParallelWorker())
		return;
	caller = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	if (state->workers == NULL)
		state->workers = palloc(sizeof(RoformerScanCounts) * state->worker_count);
	memcpy(state->workers, state->shared, sizeof(RoformerScanCounts) * state->worker_count);
	MemoryContextSwitchTo(caller);
}

/* ---- saying ---------------------------------------------------------------------------------- */

static List *
deparse_calls(CustomScanState *node, List *ancestors, ExplainState *es, bool models)
{
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	List *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) scan, ancestors);
	bool prefix = roformer_explained_tables(es) > 1 || es->verbose;
	List *texts = NIL;

	for (int i = 0; i < roformer_scan_field(scan, ROFORMER_SCAN_CALLS); i++)
	{
		FuncExpr *call = list_nth_node(FuncExpr, scan->custom_exprs, i);
		Node *model = linitial(call->args);
		char *said;

		if (models && IsA(model, Const) && !((Const *) model)->constisnull)
			said = text_to_cstring(DatumGetTextPP(((Const *) model)->constvalue));
		else
			said = deparse_expression(models ? model : (Node *) call, context, prefix, false);
		if (!list_member(texts, makeString(said)))
			texts = lappend(texts, makeString(said));
	}
	return texts;
}

static void
explain_list(const char *label, List *strings, ExplainState *es)
{
	List *texts = NIL;
	ListCell *lc;

	foreach (lc, strings)
		texts = lappend(texts, strVal(lfirst(lc)));
	ExplainPropertyList(label, texts, es);
}

static double
tokens_per_second(const RoformerScanCounts *counts)
{
	uint64 ns = counts->work.tokenize_ns + counts->work.compute_ns;

	return ns == 0 ? 0 : counts->work.tokens / (ns / 1e9);
}

static uint64
kilobytes(uint64 bytes)
{
	return (bytes + 1023) / 1024;
}

static void
say_counts_in_text(const char *who, const RoformerScanCounts *counts, ExplainState *es)
{
	const RfRunStats *work = &counts->work;

	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(
		es->str,
		"%sRows Read: " UINT64_FORMAT "  Distinct Texts: " UINT64_FORMAT "  Batches: " UINT64_FORMAT
		"  Tokens: " UINT64_FORMAT "  Truncated: " UINT64_FORMAT "  Windowed: " UINT64_FORMAT
		"  Windows: " UINT64_FORMAT "\n",
		who, counts->rows, (uint64) work->rows, (uint64) work->batches, (uint64) work->tokens,
		(uint64) work->truncated_rows, (uint64) work->windowed_rows, (uint64) work->windows);
	if (counts->disk > 0)
	{
		appendStringInfoSpaces(es->str, es->indent * 2);
		appendStringInfo(es->str, "%sDisk Usage: " UINT64_FORMAT "kB\n", who,
						 kilobytes(counts->disk));
	}
	if (!es->timing)
		return;
	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(es->str,
					 "%sTokenizing: %.3f ms  Computing: %.3f ms  Tokens per Second: %.0f\n", who,
					 work->tokenize_ns / 1e6, work->compute_ns / 1e6, tokens_per_second(counts));
}

static void
say_counts(const RoformerScanCounts *counts, ExplainState *es)
{
	const RfRunStats *work = &counts->work;

	ExplainPropertyUInteger("Rows Read", NULL, counts->rows, es);
	ExplainPropertyUInteger("Distinct Texts", NULL, work->rows, es);
	ExplainPropertyUInteger("Batches", NULL, work->batches, es);
	ExplainPropertyUInteger("Tokens", NULL, work->tokens, es);
	ExplainPropertyUInteger("Truncated", NULL, work->truncated_rows, es);
	ExplainPropertyUInteger("Windowed", NULL, work->windowed_rows, es);
	ExplainPropertyUInteger("Windows", NULL, work->windows, es);
	ExplainPropertyUInteger("Disk Usage", "kB", kilobytes(counts->disk), es);
	if (!es->timing)
		return;
	ExplainPropertyFloat("Tokenizing", "ms", work->tokenize_ns / 1e6, 3, es);
	ExplainPropertyFloat("Computing", "ms", work->compute_ns / 1e6, 3, es);
	ExplainPropertyFloat("Tokens per Second", NULL, tokens_per_second(counts), 0, es);
}

static void
say_workers(const RoformerScanState *state, ExplainState *es)
{
	bool text = es->format == EXPLAIN_FORMAT_TEXT;

	if (!text)
		ExplainOpenGroup("Batch Workers", "Batch Workers", false, es);
	for (int i = 0; i < state->worker_count; i++)
	{
		char who[32];

		if (state->workers[i].rows == 0)
			continue;
		snprintf(who, sizeof(who), "Worker %d:  ", i);
		if (text)
		{
			say_counts_in_text(who, &state->workers[i], es);
			continue;
		}
		ExplainOpenGroup("Worker", NULL, true, es);
		ExplainPropertyInteger("Worker Number", NULL, i, es);
		say_counts(&state->workers[i], es);
		ExplainCloseGroup("Worker", NULL, true, es);
	}
	if (!text)
		ExplainCloseGroup("Batch Workers", "Batch Workers", false, es);
}

static void
say_work(const RoformerScanState *state, ExplainState *es)
{
	RoformerScanCounts counts = own_counts(state);

	for (int i = 0; state->workers != NULL && i < state->worker_count; i++)
		add_counts(&counts, &state->workers[i]);
	if (counts.kernels[0] != '\0')
	{
		ExplainPropertyText("Precision", rf_precision_name(counts.precision), es);
		ExplainPropertyText("Kernels", counts.kernels, es);
	}
	if (es->format == EXPLAIN_FORMAT_TEXT)
		say_counts_in_text("", &counts, es);
	else
		say_counts(&counts, es);
	if (es->verbose && state->workers != NULL)
		say_workers(state, es);
}

void
roformer_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	explain_list("Calls", deparse_calls(node, ancestors, es, false), es);
	if (es->verbose)
		explain_list("Model", deparse_calls(node, ancestors, es, true), es);
	if (es->analyze && node->ss.ps.instrument != NULL)
		say_work((RoformerScanState *) node, es);
}
