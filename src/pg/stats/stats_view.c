/*
 * stats_view.c - the rows behind the views roformer.stats and roformer.progress, and reset_stats().
 *
 * Numbers by model are for everybody, as those of tables are in pg_stat_user_tables. What another
 * role's statement does is for that role's members and for pg_read_all_stats.
 */
#include "stats_private.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#define STATS_COLUMNS (3 + ROFORMER_COUNTERS)
#define PROGRESS_COLUMNS 8
#define NS_OF_MS 1e6
#define US_OF_SECOND 1e6

PG_FUNCTION_INFO_V1(roformer_stats_entries);
PG_FUNCTION_INFO_V1(roformer_progress_entries);
PG_FUNCTION_INFO_V1(roformer_reset_stats);

static Datum
digest_datum(const uint8 *digest)
{
	size_t length = sizeof(((RoformerStatsKey *) NULL)->digest);
	bytea *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), digest, length);
	return PointerGetDatum(result);
}

static Datum
count_datum(const RoformerStatsRow *row, int counter)
{
	if (counter == ROFORMER_TOKENIZE_NS || counter == ROFORMER_COMPUTE_NS)
		return Float8GetDatum((double) row->counts[counter] / NS_OF_MS);
	return Int64GetDatum((int64) row->counts[counter]);
}

/* A row for each model of the database that computed; this session's work is added first. */
Datum
roformer_stats_entries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RoformerStatsRow *rows;
	int count;

	InitMaterializedSRF(fcinfo, 0);
	roformer_pending_flush();
	rows = roformer_table_list(MyDatabaseId, &count);
	for (int i = 0; i < count; i++)
	{
		Datum values[STATS_COLUMNS];
		bool nulls[STATS_COLUMNS] = {false};

		values[0] = Int64GetDatum(rows[i].key.id);
		values[1] = digest_datum(rows[i].key.digest);
		values[2] = TimestampTzGetDatum(rows[i].since);
		for (int counter = 0; counter < ROFORMER_COUNTERS; counter++)
			values[3 + counter] = count_datum(&rows[i], counter);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
put_progress(ReturnSetInfo *result, const RoformerProgress *progress, TimestampTz now)
{
	for (int i = 0; i < Min(progress->used, ROFORMER_PROGRESS_MODELS); i++)
	{
		const RoformerProgressModel *model = &progress->models[i];
		double seconds = (double) (now - model->started) / US_OF_SECOND;
		Datum values[PROGRESS_COLUMNS];
		bool nulls[PROGRESS_COLUMNS] = {false};
		int column = 0;

		values[column++] = Int32GetDatum(progress->pid);
		values[column++] = ObjectIdGetDatum(progress->database);
		values[column++] = ObjectIdGetDatum(progress->role);
		values[column++] = CStringGetTextDatum(model->name);
		values[column++] = Int64GetDatum((int64) model->rows);
		values[column++] = Int64GetDatum((int64) model->tokens);
		nulls[column] = seconds <= 0;
		values[column++] = Float8GetDatum(seconds > 0 ? (double) model->tokens / seconds : 0);
		values[column++] = TimestampTzGetDatum(model->started);
		Assert(column == PROGRESS_COLUMNS);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

Datum
roformer_progress_entries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	TimestampTz now = GetCurrentTimestamp();
	RoformerProgress *rows;
	int count;

	InitMaterializedSRF(fcinfo, 0);
	rows = roformer_progress_list(&count);
	for (int i = 0; i < count; i++)
	{
		if (sees_all || has_privs_of_role(GetUserId(), rows[i].role))
			put_progress(result, &rows[i], now);
	}
	return (Datum) 0;
}

/* reset_stats() returns void: the numbers of this database's models begin anew. */
Datum
roformer_reset_stats(PG_FUNCTION_ARGS)
{
	roformer_pending_discard();
	roformer_table_forget(MyDatabaseId);
	PG_RETURN_VOID();
}
