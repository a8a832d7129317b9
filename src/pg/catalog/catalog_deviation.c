/*
 * catalog_deviation.c - how far lower precisions of a model are from fp32, kept with the model.
 *
 * Measured when a content is stored, with texts made from its vocabulary, and again by check_model
 * with texts that are like those the model will see. "auto" reads it: a precision that decides
 * otherwise than fp32 too often is not taken (session_options.c).
 */
#include "catalog_private.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/support.h"

/* Numbers of a precision in the column; fp32 has none. */
#define NUMBERS 4
#define LENGTH ((RF_PRECISIONS - 1) * NUMBERS)

RoformerProbeHook roformer_catalog_probe_hook = NULL;

void
roformer_deviation_read(HeapTuple tuple, TupleDesc descriptor, RoformerModel *result)
{
	bool null;
	Datum stored = heap_getattr(tuple, MODEL_DEVIATIONS, descriptor, &null);
	ArrayType *array = null ? NULL : DatumGetArrayTypeP(stored);
	bool valid = array != NULL && ARR_NDIM(array) == 1 && ARR_DIMS(array)[0] == LENGTH &&
				 ARR_ELEMTYPE(array) == FLOAT4OID && !array_contains_nulls(array);

	result->agreement[RF_PRECISION_FP32] = 1;
	for (int i = 1; i < RF_PRECISIONS; i++)
		result->agreement[i] =
			valid ? ((const float4 *) ARR_DATA_PTR(array))[i * NUMBERS - 1] : NAN;
}

static Datum
make_deviations(const RfDeviation *deviations)
{
	Datum numbers[LENGTH];
	int count = 0;

	for (int i = 1; i < RF_PRECISIONS; i++)
	{
		numbers[count++] = Float4GetDatum((float4) deviations[i].max);
		numbers[count++] = Float4GetDatum((float4) deviations[i].rms);
		numbers[count++] = Float4GetDatum((float4) deviations[i].cosine);
		numbers[count++] = Float4GetDatum((float4) deviations[i].agreement);
	}
	return PointerGetDatum(
		construct_array(numbers, LENGTH, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
}

void
roformer_deviation_measure(Relation relation, const char *name, const RfInput *inputs, size_t count)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};
	bool replaced[MODEL_COLUMNS] = {false};
	RfDeviation deviations[RF_PRECISIONS];
	HeapTuple tuple;

	CommandCounterIncrement();
	if (!roformer_catalog_probe_hook(roformer_catalog_lookup(name), inputs, count, deviations))
		return;
	tuple = roformer_model_fetch(relation, name);
	values[MODEL_DEVIATIONS - 1] = make_deviations(deviations);
	replaced[MODEL_DEVIATIONS - 1] = true;
	CatalogTupleUpdate(
		relation, &tuple->t_self,
		heap_modify_tuple(tuple, RelationGetDescr(relation), values, nulls, replaced));
}

/* The array's texts in UTF-8; NULLs are left out. */
static RfInput *
read_texts(ArrayType *array, size_t *count)
{
	Datum *elements;
	bool *nulls;
	int length;
	RfInput *inputs;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &length);
	inputs = palloc0(length * sizeof(RfInput));
	*count = 0;
	for (int i = 0; i < length; i++)
	{
		text *element;
		RfInput *input = &inputs[*count];

		if (nulls[i])
			continue;
		element = DatumGetTextPP(elements[i]);
		input->text =
			roformer_text_to_utf8(VARDATA_ANY(element), VARSIZE_ANY_EXHDR(element), &input->length);
		++*count;
	}
	return inputs;
}

PG_FUNCTION_INFO_V1(roformer_check_model);

Datum
roformer_check_model(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	size_t count;
	RfInput *inputs = read_texts(PG_GETARG_ARRAYTYPE_P(1), &count);
	Relation relation;

	if (count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a model can't be checked without texts")));
	roformer_tables_lock_name("roformer.check_model()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	roformer_model_fetch_own(relation, name);
	roformer_deviation_measure(relation, name, inputs, count);
	table_close(relation, NoLock);
	roformer_tables_invalidate();
	PG_RETURN_VOID();
}
