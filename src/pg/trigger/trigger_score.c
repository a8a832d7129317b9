/*
 * trigger_score.c - what the triggers write: results of the SQL functions over arrays.
 *
 * For a row the array has one element, so that a row gets the same values whichever way it is
 * scored. A label with its score comes from classify_all(), the best of which is what classify()
 * gives: the text is computed once.
 */
#include "trigger_private.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

/* ---- calling --------------------------------------------------------------------------------- */

/* roformer.name(text, text[] [, text]) */
static void
find_function(RoformerTriggerState *state, const char *name, const char *option)
{
	Oid types[3] = {TEXTOID, TEXTARRAYOID, TEXTOID};
	List *qualified = list_make2(makeString("roformer"), makeString(pstrdup(name)));
	Oid function;

	state->has_option = option != NULL;
	if (state->has_option)
		state->option = CStringGetTextDatum(option);
	function = LookupFuncName(qualified, state->has_option ? 3 : 2, types, false);
	fmgr_info_cxt(function, &state->function, state->context);
	state->set_type = get_func_rettype(function);
}

static Datum
texts_array(Datum *texts, int count)
{
	return PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
call_function(RoformerTriggerState *state, Datum *texts, int count, fmNodePtr result_info)
{
	LOCAL_FCINFO(fcinfo, 3);
	Datum result;

	InitFunctionCallInfoData(*fcinfo, &state->function, state->has_option ? 3 : 2, InvalidOid, NULL,
							 result_info);
	fcinfo->args[0].value = state->model;
	fcinfo->args[1].value = texts_array(texts, count);
	fcinfo->args[2].value = state->option;
	for (int i = 0; i < 3; i++)
		fcinfo->args[i].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		elog(ERROR, "function %u returned NULL", state->function.fn_oid);
	return result;
}

/* A function that returns a row of one array for each text: rows [count] */
static void
call_set(RoformerTriggerState *state, Datum *texts, int count, Datum *rows)
{
	ReturnSetInfo result = {.type = T_ReturnSetInfo, .allowedModes = SFRM_Materialize};
	TupleTableSlot *slot;
	bool is_null;

	result.econtext = CreateStandaloneExprContext();
	result.econtext->ecxt_per_query_memory = CurrentMemoryContext;
	result.expectedDesc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(result.expectedDesc, 1, "result", state->set_type, -1, 0);
	call_function(state, texts, count, (fmNodePtr) &result);
	slot = MakeSingleTupleTableSlot(result.expectedDesc, &TTSOpsMinimalTuple);
	for (int i = 0; i < count; i++)
	{
		if (!tuplestore_gettupleslot(result.setResult, true, true, slot))
			elog(ERROR, "function %u returned %d rows for %d texts", state->function.fn_oid, i,
				 count);
		rows[i] = datumCopy(slot_getattr(slot, 1, &is_null), false, -1);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(result.setResult);
	FreeExprContext(result.econtext, true);
}

/* ---- classify -------------------------------------------------------------------------------- */

static void
prepare_classify(RoformerTriggerState *state, char **arguments, int count)
{
	state->targets[0].result_type = TEXTOID;
	if (count == 4)
	{
		state->target_count = 2;
		state->targets[1].name = pstrdup(arguments[3]);
		state->targets[1].result_type = FLOAT4OID;
	}
	find_function(state, count == 4 ? "classify_all" : "classify", NULL);
}

static void
classify(RoformerTriggerState *state, Datum *texts, int count, Datum *results)
{
	ArrayType *labels = DatumGetArrayTypeP(call_function(state, texts, count, NULL));
	Datum *values;
	int found;

	deconstruct_array(labels, TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &found);
	if (found != count)
		elog(ERROR, "%d labels for %d texts", found, count);
	memcpy(results, values, sizeof(Datum) * count);
}

/* The first of a row's label_score[] is the best. */
static void
take_best(Datum ranked, Oid element_type, Datum *result)
{
	int first = 1;
	bool is_null;
	Datum best = array_get_element(ranked, 1, &first, -1, -1, false, TYPALIGN_DOUBLE, &is_null);
	HeapTupleHeader row = DatumGetHeapTupleHeader(best);

	result[0] = GetAttributeByNum(row, 1, &is_null);
	result[1] = GetAttributeByNum(row, 2, &is_null);
}

static void
score_classify(RoformerTriggerState *state, Datum *texts, int count, Datum *results)
{
	Datum *rows;

	if (state->target_count == 1)
	{
		classify(state, texts, count, results);
		return;
	}
	rows = palloc(sizeof(Datum) * count);
	call_set(state, texts, count, rows);
	for (int i = 0; i < count; i++)
		take_best(rows[i], state->set_type, &results[2 * i]);
}

const RoformerTriggerKind roformer_classify_kind = {
	.name = "classify_trigger",
	.arguments = "model, source column, target column and, optionally, a column for the score",
	.verb = "classifying",
	.most_arguments = 4,
	.prepare = prepare_classify,
	.score = score_classify,
};

/* ---- tag ------------------------------------------------------------------------------------- */

static void
prepare_tag(RoformerTriggerState *state, char **arguments, int count)
{
	find_function(state, "tag", count == 4 ? arguments[3] : "simple");
	state->targets[0].result_type = state->set_type;
}

const RoformerTriggerKind roformer_tag_kind = {
	.name = "tag_trigger",
	.arguments = "model, source column, target column and, optionally, the aggregation",
	.verb = "tagging",
	.most_arguments = 4,
	.prepare = prepare_tag,
	.score = call_set,
};

/* ---- embed ----------------------------------------------------------------------------------- */

static void
prepare_embed(RoformerTriggerState *state, char **arguments, int count)
{
	find_function(state, "embed", count == 4 ? arguments[3] : "default");
	state->targets[0].result_type = FLOAT4ARRAYOID;
}

/* Rows of the matrix [count,H] become arrays of their own. */
static void
score_embed(RoformerTriggerState *state, Datum *texts, int count, Datum *results)
{
	ArrayType *matrix = DatumGetArrayTypeP(call_function(state, texts, count, NULL));
	const float4 *values = (const float4 *) ARR_DATA_PTR(matrix);
	int columns;

	if (ARR_NDIM(matrix) != 2 || ARR_DIMS(matrix)[0] != count || ARR_HASNULL(matrix))
		elog(ERROR, "%d texts gave no matrix of as many rows", count);
	columns = ARR_DIMS(matrix)[1];
	for (int i = 0; i < count; i++)
	{
		Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float4) * columns;
		ArrayType *vector = palloc0(size);

		SET_VARSIZE(vector, size);
		vector->ndim = 1;
		vector->elemtype = FLOAT4OID;
		ARR_DIMS(vector)[0] = columns;
		ARR_LBOUND(vector)[0] = 1;
		memcpy(ARR_DATA_PTR(vector), values + (Size) i * columns, sizeof(float4) * columns);
		results[i] = PointerGetDatum(vector);
	}
}

const RoformerTriggerKind roformer_embed_kind = {
	.name = "embed_trigger",
	.arguments = "model, source column, target column and, optionally, the pooling",
	.verb = "embedding",
	.most_arguments = 4,
	.prepare = prepare_embed,
	.score = score_embed,
};

/* ---- all ------------------------------------------------------------------------------------- */

Datum *
roformer_trigger_score(RoformerTriggerState *state, Datum *texts, int count)
{
	int targets = state->target_count;
	Datum *results = palloc(sizeof(Datum) * count * targets);

	state->kind->score(state, texts, count, results);
	for (int i = 0; i < count * targets; i++)
		results[i] = roformer_cast(&state->targets[i % targets].cast, results[i]);
	return results;
}
