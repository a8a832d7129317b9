/*
 * scan_column.c - the texts of the rows that the node has read.
 *
 * They are evaluated when a call asks for the first time in a batch, for the row that asks and
 * those behind it. Until then a row's tokens are guessed from the bytes of its columns as they are
 * stored, without reading a TOAST table; how many bytes of text a byte of column makes is learnt
 * from the texts that were read, and how many tokens that makes from what was computed.
 *
 * A guess can be wrong by much: nobody knows what an expression makes of a number before it was
 * evaluated once. So texts that turn out to be far more than a batch should have are read in
 * portions, which are computed one by one.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"

#include "pg/support.h"
#include "scan_private.h"

/* English; learnt better once something was computed. */
#define TOKENS_OF_BYTE 0.25
/* What is computed of a batch may be so much more than was guessed. */
#define LEAST_TOKENS_OF_BYTE 0.1
/* [CLS] and [SEP] */
#define TOKENS_OF_TEXT 2
/* The tokens of a portion: guesses that are a little too low must not leave a small rest. */
#define BATCHES_OF_PORTION 2

/* ---- guesses --------------------------------------------------------------------------------- */

double
roformer_scan_batch_tokens(void)
{
	return roformer_batch_tokens > 0 ? roformer_batch_tokens : RF_BATCH_TOKENS;
}

double
roformer_scan_batch_bytes(void)
{
	return work_mem * 1024.0;
}

static double
count_stored_bytes(const RoformerScanColumn *column, TupleTableSlot *slot)
{
	double bytes = 0;
	int attribute = -1;

	while ((attribute = bms_next_member(column->attributes, attribute)) >= 0)
	{
		int length = TupleDescAttr(slot->tts_tupleDescriptor, attribute - 1)->attlen;

		if (slot->tts_isnull[attribute - 1])
			continue;
		bytes += length == -1 ? toast_raw_datum_size(slot->tts_values[attribute - 1]) - VARHDRSZ
							  : (Size) Max(length, 0);
	}
	return bytes;
}

static double
guess_tokens(const RoformerScanColumn *column, double bytes)
{
	double tokens = TOKENS_OF_TEXT + bytes * column->scan->tokens_of_byte;

	return column->column.limit > 0 ? Min(tokens, column->column.limit) : tokens;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The text as the engine reads it; false where a call would complain about it. */
static bool
read_text(const text *value, const char **utf8, size_t *length)
{
	if (!roformer_text_has_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)))
		return false;
	*utf8 = roformer_text_to_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), length);
	return true;
}

/* A prompt with each of its choices; none of them where one can't be read. */
static int
read_choices(RfInput prompt, ArrayType *choices, RfInput **inputs)
{
	Datum *values;
	bool *nulls;
	int elements;
	int count = 0;

	if (ARR_NDIM(choices) != 1)
		return 0;
	deconstruct_array(choices, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &elements);
	*inputs = palloc(sizeof(RfInput) * elements);
	for (int i = 0; i < elements; i++)
	{
		RfInput *input = &(*inputs)[count];

		if (nulls[i])
			continue;
		*input = prompt;
		if (!read_text(DatumGetTextPP(values[i]), &input->pair, &input->pair_length))
			return 0;
		count++;
	}
	return count;
}

static int
read_second(RoformerScanColumn *self, Datum value, bool keep, RfInput **inputs)
{
	RfInput *first = *inputs;
	const text *second;

	if (self->column.form == ROFORMER_BATCH_CHOICES)
		return read_choices(
			*first, keep ? DatumGetArrayTypePCopy(value) : DatumGetArrayTypeP(value), inputs);
	second = keep ? DatumGetTextPCopy(value) : DatumGetTextPP(value);
	if (self->column.form == ROFORMER_BATCH_SEPARATE)
		return read_text(second, &first[1].text, &first[1].length) ? 2 : 0;
	return read_text(second, &first->pair, &first->pair_length) ? 1 : 0;
}

/* The next row of those ahead. */
static void
fetch_row(RoformerScanState *scan)
{
	TupleTableSlot *row = roformer_scan_fetch(scan, ROFORMER_SCAN_AHEAD, scan->ahead_row);

	scan->ahead_context->ecxt_scantuple = roformer_scan_show(row, scan->ahead_slot);
	ResetExprContext(scan->ahead_context);
}

static int
read_inputs(RoformerScanColumn *self, RfInput **inputs)
{
	RoformerScanState *scan = self->scan;
	int count = 0;

	memset(self->inputs, 0, sizeof(self->inputs));
	*inputs = self->inputs;
	for (int i = 0; i < list_length(self->texts_state); i++)
	{
		ExprState *state = list_nth(self->texts_state, i);
		bool isnull;
		Datum value = ExecEvalExprSwitchContext(state, scan->ahead_context, &isnull);
		/* A column's value lies in the row, any other goes with the context of the evaluation. */
		bool keep = !IsA(list_nth(self->texts, i), Var) || !tuplestore_in_memory(scan->rows);

		if (isnull)
			return 0;
		if (i > 0)
			return read_second(self, value, keep, inputs);
		if (!read_text(keep ? DatumGetTextPCopy(value) : DatumGetTextPP(value),
					   &self->inputs[0].text, &self->inputs[0].length))
			return 0;
		count = 1;
	}
	return count;
}

static void
count_inputs(RoformerScanColumn *self, const RfInput *inputs, int count)
{
	for (int i = 0; i < count; i++)
	{
		size_t bytes = inputs[i].length + inputs[i].pair_length;

		self->text_bytes += bytes;
		self->portion_bytes += bytes;
		self->portion_tokens += guess_tokens(self, bytes);
	}
	self->stored_bytes += count_stored_bytes(self, self->scan->ahead_slot);
}

static bool
is_enough(const RoformerScanColumn *self)
{
	return self->portion_tokens >= BATCHES_OF_PORTION * roformer_scan_batch_tokens() ||
		   self->portion_bytes >= roformer_scan_batch_bytes();
}

static int
read_row(RoformerColumn *column, int row, RfInput **inputs)
{
	RoformerScanColumn *self = (RoformerScanColumn *) column;
	RoformerScanState *scan = self->scan;
	int count;

	if (row == column->row)
	{
		tuplestore_copy_read_pointer(scan->rows, ROFORMER_SCAN_CURRENT, ROFORMER_SCAN_AHEAD);
		self->portion_tokens = self->portion_bytes = 0;
	}
	else if (is_enough(self))
		return ROFORMER_BATCH_ENOUGH;
	fetch_row(scan);
	count = read_inputs(self, inputs);
	count_inputs(self, *inputs, count);
	return count;
}

/* ---- columns --------------------------------------------------------------------------------- */

static RoformerScanColumn *
find_column(RoformerScanState *state, List *texts, RoformerBatchForm form)
{
	for (int i = 0; i < state->column_count; i++)
	{
		if (state->columns[i].column.form == form && equal(state->columns[i].texts, texts))
			return &state->columns[i];
	}
	return NULL;
}

static RoformerScanColumn *
add_column(RoformerScanState *state, List *texts, RoformerBatchForm form)
{
	RoformerScanColumn *column = &state->columns[state->column_count++];
	List *vars = pull_var_clause((Node *) texts, 0);
	ListCell *lc;

	column->scan = state;
	column->texts = texts;
	column->texts_state = ExecInitExprList(texts, &state->css.ss.ps);
	column->column.form = form;
	column->column.read = read_row;
	column->column.context = state->batch_context;
	foreach (lc, vars)
	{
		column->attributes = bms_add_member(column->attributes, lfirst_node(Var, lc)->varattno);
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
		RoformerBatchForm form = ROFORMER_BATCH_TEXTS;
		List *texts = roformer_scan_texts(call, &form);
		RoformerScanColumn *column;

		if (texts == NIL) /* the function is another one than when the plan was made */
			continue;
		column = find_column(state, texts, form);
		if (column == NULL)
			column = add_column(state, texts, form);
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

static double
guess_bytes(const RoformerScanColumn *column, TupleTableSlot *slot)
{
	double bytes = count_stored_bytes(column, slot);

	return column->stored_bytes > 0 ? bytes * column->text_bytes / column->stored_bytes : bytes;
}

void
roformer_scan_measure(const RoformerScanState *state, TupleTableSlot *slot, double *tokens,
					  double *bytes)
{
	double most = 0;

	for (int i = 0; i < state->column_count; i++)
	{
		double size = guess_bytes(&state->columns[i], slot);

		most = Max(most, guess_tokens(&state->columns[i], size));
		*bytes += size;
	}
	*tokens += most;
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
