/*
 * scan_column.c - the texts of the rows that the node has read.
 *
 * They are evaluated when a call asks for the first time in a batch, for the row that asks and
 * those behind it. Until then a row's tokens are guessed from the bytes of its columns as they are
 * stored, without reading a TOAST table; how many tokens a byte makes is learnt from what was
 * computed.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "pg/support.h"
#include "scan_private.h"

/* English; learnt better once something was computed. */
#define TOKENS_OF_BYTE 0.25
/* What is computed of a batch may be so much more than was guessed. */
#define LEAST_TOKENS_OF_BYTE 0.1
/* [CLS] and [SEP] */
#define TOKENS_OF_ROW 2

/* ---- reading --------------------------------------------------------------------------------- */

/* The text as the engine reads it; false where a call would complain about it. */
static bool
read_text(Datum value, bool keep, const char **utf8, size_t *length)
{
	text *packed = keep ? DatumGetTextPCopy(value) : DatumGetTextPP(value);

	if (!roformer_text_has_utf8(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)))
		return false;
	*utf8 = roformer_text_to_utf8(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), length);
	return true;
}

static int
read_row(RoformerColumn *column, int row, RfInput *inputs)
{
	RoformerScanColumn *self = (RoformerScanColumn *) column;
	RoformerScanState *scan = self->scan;
	ExprContext *econtext = scan->ahead_context;
	int count = list_length(self->texts_state);
	const char *texts[ROFORMER_INPUTS_OF_ROW] = {NULL};
	size_t lengths[ROFORMER_INPUTS_OF_ROW] = {0};

	ExecForceStoreMinimalTuple(scan->rows[row], scan->ahead_slot, false);
	econtext->ecxt_scantuple = scan->ahead_slot;
	ResetExprContext(econtext);
	for (int i = 0; i < count; i++)
	{
		bool isnull;
		Datum value = ExecEvalExprSwitchContext(list_nth(self->texts_state, i), econtext, &isnull);

		/* a column's value lies in the row, any other goes with the context of the evaluation */
		if (isnull ||
			!read_text(value, !IsA(list_nth(self->texts, i), Var), &texts[i], &lengths[i]))
			return 0;
	}
	inputs[0] = (RfInput){.text = texts[0], .length = lengths[0]};
	if (count == 1)
		return 1;
	if (self->separate)
	{
		inputs[1] = (RfInput){.text = texts[1], .length = lengths[1]};
		return 2;
	}
	inputs[0].pair = texts[1];
	inputs[0].pair_length = lengths[1];
	return 1;
}

/* ---- columns --------------------------------------------------------------------------------- */

static RoformerScanColumn *
find_column(RoformerScanState *state, List *texts, bool separate)
{
	for (int i = 0; i < state->column_count; i++)
	{
		if (state->columns[i].separate == separate && equal(state->columns[i].texts, texts))
			return &state->columns[i];
	}
	return NULL;
}

static RoformerScanColumn *
add_column(RoformerScanState *state, List *texts, bool separate)
{
	RoformerScanColumn *column = &state->columns[state->column_count++];
	List *vars = pull_var_clause((Node *) texts, 0);
	ListCell *lc;

	column->scan = state;
	column->texts = texts;
	column->texts_state = ExecInitExprList(texts, &state->css.ss.ps);
	column->separate = separate;
	column->column.read = read_row;
	column->column.context = state->batch_context;
	foreach (lc, vars)
	{
		Var *var = lfirst(lc);

		if (get_typlen(var->vartype) == -1)
			column->attributes = bms_add_member(column->attributes, var->varattno);
	}
	return column;
}

/* One for each text, or pair, that calls have. */
void
roformer_scan_open_columns(RoformerScanState *state)
{
	CustomScan *scan = (CustomScan *) state->css.ss.ps.plan;
	int calls = roformer_scan_field(scan, ROFORMER_SCAN_CALLS);

	state->columns = palloc0(sizeof(RoformerScanColumn) * calls);
	state->tokens_of_byte = TOKENS_OF_BYTE;
	for (int i = 0; i < calls; i++)
	{
		FuncExpr *call = list_nth_node(FuncExpr, scan->custom_exprs, i);
		bool separate = false;
		List *texts = roformer_scan_texts(call, &separate);
		RoformerScanColumn *column;

		if (texts == NIL) /* the function is another one than when the plan was made */
			continue;
		column = find_column(state, texts, separate);
		if (column == NULL)
			column = add_column(state, texts, separate);
		column->functions = list_append_unique_oid(column->functions, call->funcid);
	}
	for (int i = 0; i < state->column_count; i++)
	{
		RoformerScanColumn *column = &state->columns[i];
		Oid *functions = palloc(sizeof(Oid) * list_length(column->functions));

		for (int j = 0; j < list_length(column->functions); j++)
			functions[j] = list_nth_oid(column->functions, j);
		column->column.functions = functions;
		column->column.function_count = list_length(column->functions);
	}
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static size_t
count_bytes(const RoformerScanColumn *column, TupleTableSlot *slot)
{
	size_t bytes = 0;
	int attribute = -1;

	while ((attribute = bms_next_member(column->attributes, attribute)) >= 0)
	{
		if (!slot->tts_isnull[attribute - 1])
			bytes += toast_raw_datum_size(slot->tts_values[attribute - 1]) - VARHDRSZ;
	}
	return bytes;
}

double
roformer_scan_estimate_tokens(const RoformerScanState *state, TupleTableSlot *slot)
{
	size_t bytes = 0;

	for (int i = 0; i < state->column_count; i++)
		bytes = Max(bytes, count_bytes(&state->columns[i], slot));
	return TOKENS_OF_ROW + bytes * state->tokens_of_byte;
}

/* Equal texts are computed once, so a column that has many makes few tokens of a byte. */
void
roformer_scan_learn_tokens(RoformerScanState *state)
{
	double tokens = 0;
	double bytes = 0;

	for (int i = 0; i < state->column_count; i++)
	{
		tokens += state->columns[i].column.work.tokens;
		bytes += state->columns[i].column.work_bytes;
	}
	if (tokens > 0 && bytes > 0)
		state->tokens_of_byte = Max(LEAST_TOKENS_OF_BYTE, Min(1, tokens / bytes));
}
