/*
 * fn_call.c - one call of an inference function: session, texts in, results out, memory.
 *
 * Everything a call needs only while it runs (detoasted and converted arguments, the engine's
 * arena) lives in one memory context below the caller's; it is deleted at the end, or with its
 * parent after an error. What the call returns is allocated in the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/batch.h"
#include "pg/fn.h"
#include "pg/stats.h"

/* Other sessions see how far a call over many texts has come. */
static void
report_batch(RfRun *run)
{
	RoformerCall *call = (RoformerCall *) ((char *) run - offsetof(RoformerCall, run));

	roformer_stats_add(&call->session->stats_model, 0, &run->stats);
	memset(&run->stats, 0, sizeof(run->stats));
	call->computed = true;
}

void
roformer_call_begin(RoformerCall *call, FunctionCallInfo fcinfo, int options)
{
	memset(call, 0, sizeof(*call));
	call->fcinfo = fcinfo;
	call->session = roformer_session_of_call(fcinfo);
	call->scratch =
		AllocSetContextCreate(CurrentMemoryContext, "roformer call", ALLOCSET_DEFAULT_SIZES);
	rf_arena_init(&call->arena, roformer_memory(call->scratch));
	call->run.options = call->session->options;
	call->run.arena = &call->arena;
	call->run.batch_done = report_batch;
	call->first_option = PG_NARGS() - options;
	roformer_stats_begin(&call->session->stats_model);
}

void
roformer_call_end(RoformerCall *call)
{
	if (call->computed || call->run.stats.rows > 0)
		roformer_stats_add(&call->session->stats_model, 1, &call->run.stats);
	rf_arena_free(&call->arena);
	MemoryContextDelete(call->scratch);
}

/* previous: what was read before, or NULL; a text that is given again isn't converted again. */
static void
read_text(text *value, const RoformerText *previous, RoformerText *result)
{
	if (previous != NULL && previous->source == VARDATA_ANY(value))
	{
		*result = *previous;
		return;
	}
	result->source = VARDATA_ANY(value);
	result->source_length = VARSIZE_ANY_EXHDR(value);
	result->utf8 =
		roformer_text_to_utf8(result->source, result->source_length, &result->utf8_length);
}

/* Makes room for count texts, and as many second texts when the call has them. */
static void
begin_inputs(RoformerCall *call, size_t count)
{
	call->inputs = palloc0(sizeof(RfInput) * count);
	call->texts = palloc(sizeof(RoformerText) * count);
	if (call->first_option > 2)
		call->pairs = palloc(sizeof(RoformerText) * count);
	call->missing = palloc0(sizeof(bool) * count);
}

static void
add_input(RoformerCall *call, text *first, text *second)
{
	size_t at = call->count++;
	RfInput *input = &call->inputs[at];

	read_text(first, at == 0 ? NULL : &call->texts[at - 1], &call->texts[at]);
	input->text = call->texts[at].utf8;
	input->length = call->texts[at].utf8_length;
	if (second != NULL)
	{
		read_text(second, at == 0 ? NULL : &call->pairs[at - 1], &call->pairs[at]);
		input->pair = call->pairs[at].utf8;
		input->pair_length = call->pairs[at].utf8_length;
	}
}

static void
read_texts(RoformerCall *call)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	MemoryContext caller = MemoryContextSwitchTo(call->scratch);

	begin_inputs(call, 1);
	add_input(call, PG_GETARG_TEXT_PP(1), call->first_option > 2 ? PG_GETARG_TEXT_PP(2) : NULL);
	MemoryContextSwitchTo(caller);
}

/* An argument as a column of texts; a single one stands in every row. */
typedef struct Column
{
	Datum *values;
	bool *nulls;
	int count;
	int lower_bound;
	bool single;
} Column;

static void
read_column(const RoformerCall *call, int argument, Column *column)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	ArrayType *array;

	column->single = argument == call->single;
	if (column->single)
	{
		column->values = palloc(sizeof(Datum));
		column->values[0] = PointerGetDatum(PG_GETARG_TEXT_PP(argument));
		column->nulls = palloc0(sizeof(bool));
		return;
	}
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("texts must be given as a one-dimensional array"),
						errdetail("The array has %d dimensions.", ARR_NDIM(array))));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &column->values, &column->nulls,
					  &column->count);
	column->lower_bound = ARR_NDIM(array) == 0 ? 1 : ARR_LBOUND(array)[0];
}

static bool
is_null_row(const Column *column, int row)
{
	return column->nulls[column->single ? 0 : row];
}

static text *
text_of_row(const Column *column, int row)
{
	return DatumGetTextPP(column->values[column->single ? 0 : row]);
}

static void
read_rows(RoformerCall *call, const Column *first, const Column *second, RoformerElements *elements)
{
	const Column *rows = first->single ? second : first;

	elements->count = rows->count;
	elements->lower_bound = rows->lower_bound;
	elements->nulls = palloc0(sizeof(bool) * (elements->count + 1));
	begin_inputs(call, elements->count);
	for (int i = 0; i < elements->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		elements->nulls[i] = is_null_row(first, i) || (second != NULL && is_null_row(second, i));
		if (!elements->nulls[i])
			add_input(call, text_of_row(first, i), second == NULL ? NULL : text_of_row(second, i));
	}
}

/* Reads the elements that are not NULL (in a pair: both) into the call's inputs. */
void
roformer_call_read_array(RoformerCall *call, RoformerElements *elements)
{
	MemoryContext caller = MemoryContextSwitchTo(call->scratch);
	bool paired = call->first_option > 2;
	Column first;
	Column second;

	read_column(call, 1, &first);
	if (paired)
	{
		read_column(call, 2, &second);
		if (call->single == 0 && first.count != second.count)
			ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
							errmsg("arrays of first and second texts must have the same length"),
							errdetail("There are %d first and %d second texts.", first.count,
									  second.count)));
	}
	read_rows(call, &first, paired ? &second : NULL, elements);
	MemoryContextSwitchTo(caller);
}

/* Runs the function over the elements: a result, in scratch memory, for each, NULL included. */
static Datum *
run_elements(RoformerCall *call, const RoformerFunction *function, RoformerElements *elements)
{
	MemoryContext caller = MemoryContextSwitchTo(call->scratch);
	Datum *results;
	Datum *spread;
	size_t next = 0;

	call->single = function->single;
	roformer_call_read_array(call, elements);
	results = palloc(sizeof(Datum) * (call->count + 1));
	if (call->count > 0)
		function->run(call, results);
	spread = palloc0(sizeof(Datum) * (elements->count + 1));
	for (int i = 0; i < elements->count; i++)
	{
		if (elements->nulls[i])
			continue;
		spread[i] = results[next];
		elements->nulls[i] = call->missing[next++];
	}
	MemoryContextSwitchTo(caller);
	return spread;
}

void
roformer_call_find(RoformerCall *call, const RfHoldOptions *options, const RfInput *inputs,
				   size_t count)
{
	RoformerAsk ask = {.engine = call->session->engine,
					   .run = &call->run,
					   .options = *options,
					   .inputs = inputs,
					   .count = count};

	if (call->fcinfo->flinfo == NULL || count == 0)
		return;
	ask.function = call->fcinfo->flinfo->fn_oid;
	call->run.held = roformer_batch_find(&ask);
}

static void
find_states(RoformerCall *call, const RoformerFunction *function)
{
	static const RfHoldOptions states = {.kind = RF_HOLD_STATES};
	RfInput inputs[2] = {call->inputs[0]};

	if (function->finds)
		return;
	if (function->separate)
	{
		inputs[0] = (RfInput){.text = inputs[0].text, .length = inputs[0].length};
		inputs[1] = (RfInput){.text = call->inputs[0].pair, .length = call->inputs[0].pair_length};
	}
	roformer_call_find(call, &states, inputs, function->separate ? 2 : 1);
}

Datum
roformer_call_text(FunctionCallInfo fcinfo, const RoformerFunction *function)
{
	RoformerCall call;
	Datum result;

	roformer_call_begin(&call, fcinfo, function->options);
	read_texts(&call);
	find_states(&call, function);
	function->run(&call, &result);
	fcinfo->isnull = call.missing[0];
	roformer_call_end(&call);
	return result;
}

Datum
roformer_call_array(FunctionCallInfo fcinfo, const RoformerFunction *function)
{
	Oid element_type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	RoformerCall call;
	RoformerElements elements;
	Datum *values;
	Datum result;

	roformer_call_begin(&call, fcinfo, function->options);
	values = run_elements(&call, function, &elements);
	result = roformer_array_of_datums(values, elements.nulls, elements.count, elements.lower_bound,
									  element_type);
	roformer_call_end(&call);
	return result;
}

Datum
roformer_call_set(FunctionCallInfo fcinfo, const RoformerFunction *function)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	RoformerCall call;
	RoformerElements elements;
	Datum *values;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	roformer_call_begin(&call, fcinfo, function->options);
	values = run_elements(&call, function, &elements);
	for (int i = 0; i < elements.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(set->setResult, set->setDesc, &values[i], &elements.nulls[i]);
	}
	roformer_call_end(&call);
	return (Datum) 0;
}

void
roformer_call_positions(const RoformerText *text, RoformerPositions *positions)
{
	roformer_positions_init(positions, text->source, text->source_length, text->utf8,
							text->utf8_length);
}
