/*
 * fn_array.c - arrays as results: numbers without a detour over Datums, and composites.
 *
 * PostgreSQL's arrays have at most MaxArraySize elements; more (the vocabulary logits of a very
 * long text) are an error that names the number, before anything is allocated.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "pg/fn.h"

void
roformer_array_check(size_t numbers)
{
	if (numbers > MaxArraySize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("result of %zu numbers exceeds the maximum size of an array", numbers),
				 errhint("Use fewer texts at once, or shorter ones.")));
}

/* real and integer */
#define BYTES_OF_NUMBER 4

/* An array of numbers with room for its values, which follow the header and the null bitmap. */
static ArrayType *
allocate_numbers(Oid type, int dimensions, const int *lengths, const int *lower_bounds,
				 size_t values, size_t bitmap_bits)
{
	size_t header = bitmap_bits > 0 ? ARR_OVERHEAD_WITHNULLS(dimensions, bitmap_bits)
									: ARR_OVERHEAD_NONULLS(dimensions);
	size_t size = header + values * BYTES_OF_NUMBER;
	ArrayType *array;

	roformer_array_check(Max(values, bitmap_bits));
	array = palloc(size);
	memset(array, 0, header);
	SET_VARSIZE(array, size);
	array->ndim = dimensions;
	array->dataoffset = bitmap_bits > 0 ? header : 0;
	array->elemtype = type;
	memcpy(ARR_DIMS(array), lengths, sizeof(int) * dimensions);
	memcpy(ARR_LBOUND(array), lower_bounds, sizeof(int) * dimensions);
	return array;
}

Datum
roformer_array_of_reals(const float *values, size_t count)
{
	int length = (int) count;
	int lower_bound = 1;
	ArrayType *array;

	if (count == 0)
		return PointerGetDatum(construct_empty_array(FLOAT4OID));
	array = allocate_numbers(FLOAT4OID, 1, &length, &lower_bound, count, 0);
	memcpy(ARR_DATA_PTR(array), values, count * sizeof(float4));
	return PointerGetDatum(array);
}

Datum
roformer_array_of_matrix(const float *values, size_t rows, size_t columns)
{
	int lengths[2] = {(int) rows, (int) columns};
	int lower_bounds[2] = {1, 1};
	ArrayType *array;

	if (rows == 0 || columns == 0)
		return PointerGetDatum(construct_empty_array(FLOAT4OID));
	array = allocate_numbers(FLOAT4OID, 2, lengths, lower_bounds, rows * columns, 0);
	memcpy(ARR_DATA_PTR(array), values, rows * columns * sizeof(float4));
	return PointerGetDatum(array);
}

Datum
roformer_array_of_rows(const float *values, size_t columns, const RoformerElements *elements)
{
	int lengths[2] = {elements->count, (int) columns};
	int lower_bounds[2] = {elements->lower_bound, 1};
	size_t present = 0;
	size_t cells = (size_t) elements->count * columns;
	ArrayType *array;
	bits8 *bitmap;

	for (int i = 0; i < elements->count; i++)
		present += !elements->nulls[i];
	if (elements->count == 0)
		return PointerGetDatum(construct_empty_array(FLOAT4OID));
	array = allocate_numbers(FLOAT4OID, 2, lengths, lower_bounds, present * columns,
							 present == (size_t) elements->count ? 0 : cells);
	memcpy(ARR_DATA_PTR(array), values, present * columns * sizeof(float4));
	bitmap = ARR_NULLBITMAP(array);
	for (size_t cell = 0; bitmap != NULL && cell < cells; cell++)
	{
		if (!elements->nulls[cell / columns])
			bitmap[cell / 8] |= 1 << (cell % 8);
	}
	return PointerGetDatum(array);
}

Datum
roformer_array_of_ints(const int32 *values, const bool *nulls, size_t count)
{
	int length = (int) count;
	int lower_bound = 1;
	size_t present = count;
	ArrayType *array;
	bits8 *bitmap;
	int32 *next;

	for (size_t i = 0; nulls != NULL && i < count; i++)
		present -= nulls[i];
	if (count == 0)
		return PointerGetDatum(construct_empty_array(INT4OID));
	array =
		allocate_numbers(INT4OID, 1, &length, &lower_bound, present, present == count ? 0 : count);
	bitmap = ARR_NULLBITMAP(array);
	next = (int32 *) ARR_DATA_PTR(array);
	for (size_t i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls != NULL && nulls[i])
			continue;
		*next++ = values[i];
		if (bitmap != NULL)
			bitmap[i / 8] |= 1 << (i % 8);
	}
	return PointerGetDatum(array);
}

Datum
roformer_array_of_datums(Datum *values, bool *nulls, int count, int lower_bound, Oid element_type)
{
	int16 length;
	bool by_value;
	char alignment;

	if (count == 0)
		return PointerGetDatum(construct_empty_array(element_type));
	get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound, element_type,
											  length, by_value, alignment));
}

TupleDesc
roformer_array_row_type(FunctionCallInfo fcinfo)
{
	Oid type = get_func_rettype(fcinfo->flinfo->fn_oid);
	Oid element_type = get_element_type(type);

	return lookup_rowtype_tupdesc(OidIsValid(element_type) ? element_type : type, -1);
}
