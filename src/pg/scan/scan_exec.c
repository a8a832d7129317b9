/*
 * scan_exec.c - the node at work: reads rows, offers their texts, returns one row after the other.
 *
 * A batch begins with one row and doubles, as long as the rows' tokens are estimated to fit
 * roformer.batch_tokens and their texts work_mem. Where it is known that all rows will be asked
 * for, or how many (LIMIT), it begins as large. The rows lie in a tuplestore, which goes to disk if
 * they are larger than work_mem; what is computed of them in a context that is reset with it. A row
 * that was returned stays valid until the next one is asked for.
 *
 * One row after the other, without reading ahead, is how the node works when
 *   - a row is fetched backwards (what was read ahead is given back to the child first, by moving
 *     it backwards to the row returned last);
 *   - the plan is evaluated again for a single row that was changed meanwhile (EvalPlanQual);
 *   - it is that of a function in SQL, of which perhaps not all rows will be asked for, and one of
 *     them may be an error;
 *   - roformer.enable_batch_scan was turned off after the statement was planned.
 */
#include "postgres.h"

#include "common/int.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/support.h"
#include "scan_private.h"

/* Of a batch, whatever else allows more. */
#define MOST_ROWS (1024 * 1024)

/* ---- places of rows -------------------------------------------------------------------------- */

/*
 * WHERE CURRENT OF finds the node by its relation, and where its row is by the slot of the row
 * that was returned last. The child's own slot has what was read ahead.
 */
static const ScanState *
child_scan(const RoformerScanState *state)
{
	return (const ScanState *) outerPlanState(&state->css.ss.ps);
}

static void
note_place(RoformerScanState *state)
{
	if (!state->places)
		return;
	if (state->row_count == state->tid_room)
	{
		state->tid_room = Max(64, 2 * state->tid_room);
		state->tids = state->tids == NULL
						  ? MemoryContextAlloc(state->batch_context,
											   sizeof(ItemPointerData) * state->tid_room)
						  : repalloc(state->tids, sizeof(ItemPointerData) * state->tid_room);
	}
	state->tids[state->row_count] = child_scan(state)->ss_ScanTupleSlot->tts_tid;
}

static void
show_place(const RoformerScanState *state, const ItemPointerData *tid)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(state->css.ss.ss_currentRelation);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void
withdraw(void *arg)
{
	RoformerScanState *state = arg;

	for (int i = 0; i < state->column_count; i++)
		roformer_batch_withdraw(&state->columns[i].column);
}

/* Resetting a context uses its callbacks up. */
static void
forget_batch(RoformerScanState *state)
{
	withdraw(state);
	ExecClearTuple(state->row);
	ExecClearTuple(state->ahead_row);
	MemoryContextReset(state->batch_context);
	MemoryContextRegisterResetCallback(state->batch_context, &state->callback);
	if (state->row_count > 0)
		tuplestore_clear(state->rows);
	state->tids = NULL;
	state->row_count = state->next = state->tid_room = 0;
}

static Size
size_of_row(TupleTableSlot *slot)
{
	return SizeofMinimalTupleHeader +
		   heap_compute_data_size(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
}

/* How many rows may be read now. */
static int
rows_of_batch(RoformerScanState *state)
{
	if (state->bound >= 0)
		return (int) Min(Max(state->bound - state->taken, 1), state->batch_limit);
	return state->batch_limit;
}

/* False at the end. */
static bool
read_batch(RoformerScanState *state)
{
	PlanState *child = outerPlanState(&state->css.ss.ps);
	int limit = rows_of_batch(state);
	double tokens = 0;
	double text_bytes = 0;
	Size bytes = 0;

	roformer_scan_learn_tokens(state);
	roformer_scan_publish(state);
	forget_batch(state);
	while (!state->ended && state->row_count < limit && tokens < roformer_scan_batch_tokens() &&
		   text_bytes < roformer_scan_batch_bytes())
	{
		TupleTableSlot *slot = ExecProcNode(child);

		state->ended = TupIsNull(slot);
		if (state->ended)
			break;
		slot_getallattrs(slot);
		roformer_scan_measure(state, slot, &tokens, &text_bytes);
		bytes += size_of_row(slot);
		tuplestore_puttupleslot(state->rows, slot);
		note_place(state);
		state->row_count++;
	}
	if (!tuplestore_in_memory(state->rows))
		state->disk = Max(state->disk, bytes);
	state->rows_read += state->row_count;
	if (state->row_count == limit)
		state->batch_limit = Min(limit * 2, MOST_ROWS);
	for (int i = 0; i < state->column_count && state->row_count > 0; i++)
		roformer_batch_offer(&state->columns[i].column, state->row_count);
	return state->row_count > 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

TupleTableSlot *
roformer_scan_show(TupleTableSlot *row, TupleTableSlot *slot)
{
	int columns = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	if (TupIsNull(row))
		return slot;
	slot_getallattrs(row);
	memcpy(slot->tts_values, row->tts_values, sizeof(Datum) * columns);
	memcpy(slot->tts_isnull, row->tts_isnull, sizeof(bool) * columns);
	return ExecStoreVirtualTuple(slot);
}

/* What comes from disk lies in the slot's context until the next row is fetched. */
TupleTableSlot *
roformer_scan_fetch(RoformerScanState *state, RoformerScanPointer pointer, TupleTableSlot *row)
{
	MemoryContext caller = MemoryContextSwitchTo(row->tts_mcxt);

	tuplestore_select_read_pointer(state->rows, pointer);
	if (!tuplestore_gettupleslot(state->rows, true, false, row))
		elog(ERROR, "roformer: a batch has fewer rows than were read");
	MemoryContextSwitchTo(caller);
	return row;
}

/* The child's row as it is. */
static TupleTableSlot *
pass_row(RoformerScanState *state)
{
	TupleTableSlot *slot = roformer_scan_show(ExecProcNode(outerPlanState(&state->css.ss.ps)),
											  state->css.ss.ss_ScanTupleSlot);

	if (state->places && !TupIsNull(slot))
		show_place(state, &child_scan(state)->ss_ScanTupleSlot->tts_tid);
	return slot;
}

static TupleTableSlot *
next_of_batch(RoformerScanState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	int row = state->next;

	if (row == state->row_count)
	{
		if (state->ended || !read_batch(state))
			return ExecClearTuple(slot);
		row = 0;
	}
	state->next = row + 1;
	state->taken++;
	for (int i = 0; i < state->column_count; i++)
	{
		state->columns[i].column.row = row;
		state->columns[i].column.number++;
	}
	tuplestore_copy_read_pointer(state->rows, ROFORMER_SCAN_NEXT, ROFORMER_SCAN_CURRENT);
	roformer_scan_show(roformer_scan_fetch(state, ROFORMER_SCAN_NEXT, state->row), slot);
	if (state->places)
		show_place(state, &state->tids[row]);
	return slot;
}

/*
 * Moves the child back to the row that was returned last. Where it came to its end ahead of the
 * node that takes a step more: stepping back from there gives the last row again.
 */
static void
give_back(RoformerScanState *state)
{
	int steps = state->row_count - state->next;

	if (state->ended && !state->at_end)
		steps++;
	for (; steps > 0; steps--)
		ExecProcNode(outerPlanState(&state->css.ss.ps));
	forget_batch(state);
	state->ended = state->at_end = false;
}

static TupleTableSlot *
next_row(RoformerScanState *state)
{
	TupleTableSlot *slot;

	if (!ScanDirectionIsForward(state->css.ss.ps.state->es_direction))
	{
		give_back(state);
		return pass_row(state);
	}
	if (state->next == state->row_count && !state->ended &&
		(state->single || !roformer_enable_batch_scan))
	{
		forget_batch(state);
		return pass_row(state);
	}
	slot = next_of_batch(state);
	state->at_end = TupIsNull(slot);
	return slot;
}

/* ---- LIMIT ----------------------------------------------------------------------------------- */

/* False when it is NULL. */
static bool
evaluate_number(RoformerScanState *state, int index, int64 *number)
{
	bool isnull;
	Datum value = ExecEvalExprSwitchContext(list_nth(state->limit, index),
											state->css.ss.ps.ps_ExprContext, &isnull);

	*number = isnull ? 0 : DatumGetInt64(value);
	return !isnull;
}

/* The LIMIT has evaluated the same expressions before it asked for the first row. */
static void
find_bound(RoformerScanState *state)
{
	int64 offset;
	int64 count;

	state->bound = -1;
	if (state->limit == NIL)
		return;
	evaluate_number(state, 0, &offset);
	if (evaluate_number(state, 1, &count) && pg_add_s64_overflow(offset, count, &state->bound))
		state->bound = -1;
	ExecSetTupleBound(state->bound, outerPlanState(&state->css.ss.ps));
}

static void
start(RoformerScanState *state)
{
	const CustomScan *scan = (const CustomScan *) state->css.ss.ps.plan;

	find_bound(state);
	state->batch_limit = roformer_scan_field(scan, ROFORMER_SCAN_EAGER) ? MOST_ROWS : 1;
	state->taken = 0;
	state->started = true;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

/* One pointer of a store is there from the beginning. */
static void
open_rows(RoformerScanState *state, EState *estate)
{
	TupleDesc columns = state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;

	state->rows = tuplestore_begin_heap(false, false, work_mem);
	for (int i = ROFORMER_SCAN_NEXT + 1; i <= ROFORMER_SCAN_AHEAD; i++)
		tuplestore_alloc_read_pointer(state->rows, EXEC_FLAG_REWIND);
	state->row = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	state->ahead_row = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	state->ahead_slot = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
	state->ahead_context = CreateExprContext(estate);
}

/* A function in SQL goes on, without triggers, when its next row is asked for. */
static bool
may_end_early(CustomScan *scan, const EState *estate)
{
	return (estate->es_top_eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0 &&
		   (!roformer_scan_field(scan, ROFORMER_SCAN_EAGER) ||
			roformer_scan_field(scan, ROFORMER_SCAN_LIMITED)) &&
		   !roformer_scan_is_safe(outerPlan(scan), estate->es_plannedstmt);
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	RoformerScanState *state = (RoformerScanState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	int calls = roformer_scan_field(scan, ROFORMER_SCAN_CALLS);

	roformer_batch_keep_memory();
	outerPlanState(node) = ExecInitNode(outerPlan(scan), estate, eflags);
	state->single = estate->es_epq_active != NULL || may_end_early(scan, estate);
	state->places = roformer_scan_field(scan, ROFORMER_SCAN_PLACES);
	if (state->places)
		node->ss.ss_currentRelation = child_scan(state)->ss_currentRelation;
	state->batch_context =
		AllocSetContextCreate(estate->es_query_cxt, "roformer batch", ALLOCSET_DEFAULT_SIZES);
	open_rows(state, estate);
	state->limit = ExecInitExprList(list_copy_tail(scan->custom_exprs, calls), &node->ss.ps);
	roformer_scan_open_columns(state);
	state->callback.func = withdraw;
	state->callback.arg = state;
	forget_batch(state);
}

static TupleTableSlot *
execute_scan(CustomScanState *node)
{
	RoformerScanState *state = (RoformerScanState *) node;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	if (!state->started)
		start(state);
	for (;;)
	{
		TupleTableSlot *slot;

		CHECK_FOR_INTERRUPTS();
		slot = next_row(state);
		if (TupIsNull(slot))
			return projection != NULL ? ExecClearTuple(projection->pi_state.resultslot) : slot;
		ResetExprContext(econtext);
		econtext->ecxt_scantuple = slot;
		if (ExecQual(node->ss.ps.qual, econtext))
			return projection != NULL ? ExecProject(projection) : slot;
		InstrCountFiltered1(node, 1);
	}
}

static void
rescan(CustomScanState *node)
{
	RoformerScanState *state = (RoformerScanState *) node;
	PlanState *child = outerPlanState(node);

	forget_batch(state);
	state->ended = state->at_end = state->started = false;
	if (child->chgParam == NULL)
		ExecReScan(child);
}

static void
shut_down(CustomScanState *node)
{
	roformer_scan_publish((RoformerScanState *) node);
	roformer_scan_shutdown(node);
}

static void
end_scan(CustomScanState *node)
{
	RoformerScanState *state = (RoformerScanState *) node;

	forget_batch(state);
	ExecDropSingleTupleTableSlot(state->row);
	ExecDropSingleTupleTableSlot(state->ahead_row);
	ExecDropSingleTupleTableSlot(state->ahead_slot);
	tuplestore_end(state->rows);
	ExecEndNode(outerPlanState(node));
}

static const CustomExecMethods methods = {
	.CustomName = ROFORMER_SCAN_NAME,
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = execute_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = roformer_scan_estimate_shared,
	.InitializeDSMCustomScan = roformer_scan_init_shared,
	.InitializeWorkerCustomScan = roformer_scan_attach_shared,
	.ShutdownCustomScan = shut_down,
	.ExplainCustomScan = roformer_scan_explain,
};

Node *
roformer_scan_create_state(CustomScan *scan)
{
	RoformerScanState *state =
		(RoformerScanState *) newNode(sizeof(RoformerScanState), T_CustomScanState);

	state->css.methods = &methods;
	return (Node *) state;
}
