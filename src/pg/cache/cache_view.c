/*
 * cache_view.c - cache_entries(), the rows behind the view roformer.cache.
 *
 * Everybody may see what the cache holds: sizes and uses of all databases, as databases' sizes are
 * public too. Names of other databases' models are for members of pg_read_all_stats.
 */
#include "cache_private.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "rf/engine.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define COLUMNS 12

PG_FUNCTION_INFO_V1(roformer_cache_entries);

static Datum
bytes_datum(const uint8 *bytes, size_t length)
{
	bytea *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), bytes, length);
	return PointerGetDatum(result);
}

static void
put_row(ReturnSetInfo *result, const RoformerCacheRow *row, bool sees_all)
{
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};
	int i = 0;

	values[i++] = ObjectIdGetDatum(row->key.database);
	values[i++] = bytes_datum(row->key.digest, sizeof(row->key.digest));
	nulls[i] = !sees_all && OidIsValid(row->key.database) && row->key.database != MyDatabaseId;
	values[i++] = CStringGetTextDatum(row->name);
	values[i++] = Int64GetDatum((int64) row->bytes);
	if (row->key.precision == ROFORMER_CACHE_NO_PRECISION)
		nulls[i++] = true;
	else
		values[i++] = CStringGetTextDatum(rf_precision_name((RfPrecision) row->key.precision));
	values[i++] = CStringGetTextDatum(row->key.kernels);
	values[i++] = Int32GetDatum((int32) row->pins);
	values[i++] = CStringGetTextDatum(row->state);
	values[i++] = Int64GetDatum((int64) row->loads);
	values[i++] = Int64GetDatum((int64) row->hits);
	values[i++] = TimestampTzGetDatum(row->last_use);
	values[i++] = BoolGetDatum(row->shared);
	Assert(i == COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
roformer_cache_entries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	int count = roformer_local_count();
	RoformerCacheRow *rows = palloc((count + ROFORMER_CACHE_ENTRIES) * sizeof(RoformerCacheRow));

	InitMaterializedSRF(fcinfo, 0);
	count = roformer_local_list(rows, count);
	if (roformer_cache_is_shared())
		count += roformer_entries_list(rows + count);
	for (int i = 0; i < count; i++)
		put_row(result, &rows[i], sees_all);
	return (Datum) 0;
}
