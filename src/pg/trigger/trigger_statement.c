/*
 * trigger_statement.c - AFTER INSERT or UPDATE FOR EACH STATEMENT: all rows a statement brought, in
 * full batches.
 *
 * The rows are read from the transition tables, some hundred at a time; keys, texts and results go
 * to a tuplestore, which spills to disk beyond work_mem. Then one UPDATE joins it with the table by
 * the primary key. It writes a row only where the text is still the one that was scored, so that a
 * trigger that changed it meanwhile is not overruled. The UPDATE fires this table's triggers, this
 * one too if it is for UPDATE: that finds no text changed, and ends there.
 *
 * Computing is the right of whoever runs the statement. The UPDATE is part of his INSERT, for which
 * he needs no further right on the table: it runs as the table's owner, and past row security, as
 * the actions of foreign keys do.
 */
#include "trigger_private.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/stratnum.h"
#include "access/tupdesc.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* Rows read, and bytes of texts computed, at once. */
#define FETCH_ROWS 256
#define CHUNK_BYTES (1024 * 1024)

typedef struct KeyColumn
{
	Form_pg_attribute column;
	Oid equal; /* operator */
} KeyColumn;

typedef struct BulkRun
{
	RoformerTriggerState *state;
	TriggerData *trigger;
	int key_count;
	KeyColumn keys[INDEX_MAX_KEYS];
	TupleDesc scored_type; /* keys, text, targets */
	Tuplestorestate *scored;
	uint64 scored_count;
	const char *scored_name;
	MemoryContext chunk; /* reset after each */
} BulkRun;

/* ---- the key --------------------------------------------------------------------------------- */

static void
report_no_key(const BulkRun *bulk)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("table \"%s\" has no primary key by which trigger \"%s\" could find its "
						   "rows",
						   RelationGetRelationName(bulk->trigger->tg_relation),
						   bulk->trigger->tg_trigger->tgname),
					errdetail("A trigger for each statement writes its results with an UPDATE by "
							  "the primary key, which must not be deferrable."),
					errhint("Add a primary key, or use a trigger BEFORE INSERT OR UPDATE for each "
							"row.")));
}

static void
check_key_column(const BulkRun *bulk, const KeyColumn *key)
{
	const RoformerTriggerState *state = bulk->state;

	if (!OidIsValid(key->equal))
		report_no_key(bulk);
	for (int i = 0; i < state->target_count; i++)
	{
		if (state->targets[i].number == key->column->attnum)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("column \"%s\" is part of the primary key, by which rows are "
								   "found",
								   state->targets[i].name)));
	}
}

/* A key that is no btree (18: WITHOUT OVERLAPS) has equal values where the types say so. */
static Oid
find_equal(Relation index, int key, Form_pg_attribute column)
{
	Oid type = index->rd_opcintype[key];

	if (index->rd_rel->relam == BTREE_AM_OID)
		return get_opfamily_member(index->rd_opfamily[key], type, type, BTEqualStrategyNumber);
	return lookup_type_cache(column->atttypid, TYPECACHE_EQ_OPR)->eq_opr;
}

static void
find_key(BulkRun *bulk)
{
	Relation relation = bulk->trigger->tg_relation;
	Oid index_oid = roformer_primary_key_index(relation);
	Relation index;

	if (!OidIsValid(index_oid))
		report_no_key(bulk);
	index = index_open(index_oid, AccessShareLock);
	bulk->key_count = IndexRelationGetNumberOfKeyAttributes(index);
	for (int i = 0; i < bulk->key_count; i++)
	{
		KeyColumn *key = &bulk->keys[i];
		AttrNumber number = index->rd_index->indkey.values[i];

		key->column = TupleDescAttr(RelationGetDescr(relation), number - 1);
		key->equal = find_equal(index, i, key->column);
		check_key_column(bulk, key);
	}
	index_close(index, AccessShareLock);
}

/* ---- SQL ------------------------------------------------------------------------------------- */

static const char *
column_of(const char *alias, const char *name)
{
	return psprintf("%s.%s", alias, quote_identifier(name));
}

static const char *
key_name(const BulkRun *bulk, int key)
{
	return NameStr(bulk->keys[key].column->attname);
}

/* The tuplestore's columns have names of their own: a key may be the source as well. */
static const char *
scored_column(int column)
{
	return psprintf("s.c%d", column + 1);
}

static void
append_key_equals(StringInfo sql, const BulkRun *bulk, int key, const char *left, const char *right)
{
	Oid type = bulk->keys[key].column->atttypid;

	appendStringInfoString(sql, key == 0 ? "" : " AND ");
	generate_operator_clause(sql, left, type, bulk->keys[key].equal, right, type);
}

/*
 * Whether texts differ, byte for byte. IS DISTINCT FROM would take an operator of the search path,
 * which is that of whoever runs the statement, and the UPDATE runs as the table's owner.
 */
static void
append_text_differs(StringInfo sql, const char *left, const char *right, bool differs)
{
	appendStringInfo(sql,
					 "((%s::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) %s"
					 "::pg_catalog.text COLLATE pg_catalog.\"C\") IS %sTRUE",
					 left, right, differs ? "NOT " : "");
	if (differs)
		appendStringInfo(sql, " AND (%s IS NOT NULL OR %s IS NOT NULL))", left, right);
	else
		appendStringInfo(sql, " OR (%s IS NULL AND %s IS NULL))", left, right);
}

/* keys, source, whether all targets are null: of rows that are new, or whose source has changed */
static char *
build_select(const BulkRun *bulk)
{
	const RoformerTriggerState *state = bulk->state;
	const Trigger *trigger = bulk->trigger->tg_trigger;
	const char *source = column_of("n", state->source_name);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < bulk->key_count; i++)
		appendStringInfo(&sql, "%s, ", column_of("n", key_name(bulk, i)));
	appendStringInfo(&sql, "%s", source);
	for (int i = 0; i < state->target_count; i++)
		appendStringInfo(&sql, "%s (%s) IS NULL", i == 0 ? "," : " AND",
						 column_of("n", state->targets[i].name));
	appendStringInfo(&sql, " FROM %s AS n", quote_identifier(trigger->tgnewtable));
	if (!TRIGGER_FIRED_BY_UPDATE(bulk->trigger->tg_event))
		return sql.data;
	appendStringInfo(&sql, " LEFT JOIN %s AS o ON ", quote_identifier(trigger->tgoldtable));
	for (int i = 0; i < bulk->key_count; i++)
		append_key_equals(&sql, bulk, i, column_of("n", key_name(bulk, i)),
						  column_of("o", key_name(bulk, i)));
	appendStringInfo(&sql, " WHERE %s IS NULL OR ", column_of("o", key_name(bulk, 0)));
	append_text_differs(&sql, source, column_of("o", state->source_name), true);
	return sql.data;
}

/* Rows of tables that inherit from this one are not in its transition table. */
static char *
build_update(const BulkRun *bulk)
{
	const RoformerTriggerState *state = bulk->state;
	Relation relation = bulk->trigger->tg_relation;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s%s AS t SET ",
					 relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)));
	for (int i = 0; i < state->target_count; i++)
		appendStringInfo(&sql, "%s%s = %s", i == 0 ? "" : ", ",
						 quote_identifier(state->targets[i].name),
						 scored_column(bulk->key_count + 1 + i));
	appendStringInfo(&sql, " FROM %s AS s WHERE ", quote_identifier(bulk->scored_name));
	for (int i = 0; i < bulk->key_count; i++)
		append_key_equals(&sql, bulk, i, column_of("t", key_name(bulk, i)), scored_column(i));
	appendStringInfoString(&sql, " AND ");
	append_text_differs(&sql, column_of("t", state->source_name), scored_column(bulk->key_count),
						false);
	return sql.data;
}

/* ---- scoring --------------------------------------------------------------------------------- */

static void
begin_scored(BulkRun *bulk)
{
	const RoformerTriggerState *state = bulk->state;
	TupleDesc row_type = RelationGetDescr(bulk->trigger->tg_relation);
	int columns = 0;
	AttrNumber numbers[INDEX_MAX_KEYS + 1 + ROFORMER_TARGETS];

	for (int i = 0; i < bulk->key_count; i++)
		numbers[columns++] = bulk->keys[i].column->attnum;
	numbers[columns++] = state->source;
	for (int i = 0; i < state->target_count; i++)
		numbers[columns++] = state->targets[i].number;
	bulk->scored_type = CreateTemplateTupleDesc(columns);
	for (int i = 0; i < columns; i++)
	{
		TupleDescCopyEntry(bulk->scored_type, i + 1, row_type, numbers[i]);
		snprintf(NameStr(TupleDescAttr(bulk->scored_type, i)->attname), NAMEDATALEN, "c%d", i + 1);
	}
	bulk->scored = tuplestore_begin_heap(false, false, work_mem);
	bulk->chunk = AllocSetContextCreate(CurrentMemoryContext, "roformer trigger rows",
										ALLOCSET_DEFAULT_SIZES);
}

/* keys and text of the fetched row, results [targets] or NULL for a row without text */
static void
put_scored(BulkRun *bulk, HeapTuple fetched, TupleDesc fetched_type, const Datum *results)
{
	int copied = bulk->key_count + 1;
	Datum values[INDEX_MAX_KEYS + 1 + ROFORMER_TARGETS];
	bool nulls[INDEX_MAX_KEYS + 1 + ROFORMER_TARGETS];

	for (int i = 0; i < copied; i++)
		values[i] = heap_getattr(fetched, i + 1, fetched_type, &nulls[i]);
	for (int i = 0; i < bulk->state->target_count; i++)
	{
		values[copied + i] = results == NULL ? (Datum) 0 : results[i];
		nulls[copied + i] = results == NULL;
	}
	tuplestore_putvalues(bulk->scored, bulk->scored_type, values, nulls);
	bulk->scored_count++;
}

/* Rows [first, last) of what was fetched, all of which have a text. */
static void
score_chunk(BulkRun *bulk, SPITupleTable *fetched, const int *rows, Datum *texts, int count)
{
	Datum *results;

	if (count == 0)
		return;
	results = roformer_trigger_score(bulk->state, texts, count);
	for (int i = 0; i < count; i++)
		put_scored(bulk, fetched->vals[rows[i]], fetched->tupdesc,
				   results + i * bulk->state->target_count);
}

/* A row without text gets no results; where it has none already it is left alone. */
static void
put_without_text(BulkRun *bulk, SPITupleTable *fetched, int row)
{
	bool is_null;
	Datum empty = heap_getattr(fetched->vals[row], bulk->key_count + 2, fetched->tupdesc, &is_null);

	if (DatumGetBool(empty))
		return;
	roformer_trigger_check_null(bulk->state);
	put_scored(bulk, fetched->vals[row], fetched->tupdesc, NULL);
}

static void
score_fetched(BulkRun *bulk, SPITupleTable *fetched, uint64 count)
{
	MemoryContext caller = MemoryContextSwitchTo(bulk->chunk);
	Datum texts[FETCH_ROWS];
	int rows[FETCH_ROWS];
	int collected = 0;
	Size bytes = 0;

	for (uint64 row = 0; row < count; row++)
	{
		bool is_null;
		Datum source =
			heap_getattr(fetched->vals[row], bulk->key_count + 1, fetched->tupdesc, &is_null);

		if (is_null)
		{
			put_without_text(bulk, fetched, (int) row);
			continue;
		}
		rows[collected] = (int) row;
		texts[collected] = roformer_cast(&bulk->state->to_text, source);
		bytes += toast_raw_datum_size(texts[collected++]);
		if (bytes >= CHUNK_BYTES)
		{
			score_chunk(bulk, fetched, rows, texts, collected);
			MemoryContextReset(bulk->chunk);
			collected = 0;
			bytes = 0;
		}
	}
	score_chunk(bulk, fetched, rows, texts, collected);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(bulk->chunk);
}

static void
score_rows(BulkRun *bulk)
{
	SPIPlanPtr plan = SPI_prepare(build_select(bulk), 0, NULL);
	Portal portal;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		score_fetched(bulk, SPI_tuptable, SPI_processed);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(portal);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool
is_taken(const Trigger *trigger, const char *name)
{
	return strcmp(name, trigger->tgnewtable) == 0 ||
		   (trigger->tgoldtable != NULL && strcmp(name, trigger->tgoldtable) == 0);
}

/* Makes the tuplestore a table for the SQL of this SPI connection. */
static void
register_scored(BulkRun *bulk)
{
	EphemeralNamedRelation scored = palloc0(sizeof(EphemeralNamedRelationData));
	char *name = "scored";
	int result;

	while (is_taken(bulk->trigger->tg_trigger, name))
		name = psprintf("%s_", name);
	bulk->scored_name = name;
	scored->md.name = name;
	scored->md.reliddesc = InvalidOid;
	scored->md.tupdesc = bulk->scored_type;
	scored->md.enrtype = ENR_NAMED_TUPLESTORE;
	scored->md.enrtuples = (double) bulk->scored_count;
	scored->reldata = bulk->scored;
	result = SPI_register_relation(scored);
	if (result != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed: %s", SPI_result_code_string(result));
}

static void
write_scored(BulkRun *bulk)
{
	char *sql;
	Oid user;
	int security;
	int result;

	register_scored(bulk);
	sql = build_update(bulk);
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(bulk->trigger->tg_relation->rd_rel->relowner,
						   security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	result = SPI_execute(sql, false, 0);
	SetUserIdAndSecContext(user, security);
	if (result != SPI_OK_UPDATE)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
}

void
roformer_trigger_statement(RoformerTriggerState *state, TriggerData *trigger)
{
	BulkRun bulk = {.state = state, .trigger = trigger};
	int result;

	find_key(&bulk);
	SPI_connect();
	result = SPI_register_trigger_data(trigger);
	if (result != SPI_OK_TD_REGISTER)
		elog(ERROR, "SPI_register_trigger_data failed: %s", SPI_result_code_string(result));
	begin_scored(&bulk);
	score_rows(&bulk);
	if (bulk.scored_count > 0)
		write_scored(&bulk);
	tuplestore_end(bulk.scored);
	SPI_finish();
}
