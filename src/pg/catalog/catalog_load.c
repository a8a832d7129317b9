/*
 * catalog_load.c - load_model and replace_model.
 *
 * A directory is read and checked completely before anything is written. All rows are written in
 * the caller's transaction: rollback undoes a load, a crash in the middle leaves dead rows for
 * vacuum.
 */
#include "catalog_private.h"

#include "access/table.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/support.h"

static bytea *
read_chunk(RoformerDirectory *directory, const RoformerPlace *place)
{
	bytea *data = palloc(VARHDRSZ + place->size);
	size_t source = directory->content.match.parameters[place->parameter].source;
	RfError err;

	SET_VARSIZE(data, VARHDRSZ + place->size);
	roformer_check(rf_checkpoint_read(directory->checkpoint, source, place->first_row, place->rows,
									  VARDATA(data), &err),
				   &err);
	return data;
}

/* Copies all there is to the tables. */
static void
store_directory(RoformerDirectory *directory, RoformerStored *stored)
{
	RoformerStore *store = roformer_store_begin(&directory->content, roformer_digest_begin());
	RoformerPlace place;

	while (roformer_store_next(store, &place))
	{
		bytea *data;

		CHECK_FOR_INTERRUPTS();
		data = read_chunk(directory, &place);
		roformer_store_put(store, data);
		pfree(data);
	}
	roformer_store_end(store, stored);
}

static void
load_model(const char *name, const char *argument)
{
	RoformerDirectory *directory;
	RoformerStored stored;
	Relation relation;
	char *path;

	roformer_model_check_name(name);
	path = roformer_directory_resolve(argument);
	roformer_tables_lock_name("roformer.load_model()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	roformer_model_check_free(relation, name);

	directory = roformer_directory_open(path);
	store_directory(directory, &stored);
	roformer_publish_new(relation, name, &directory->content, &stored);
	roformer_directory_close(directory);
	table_close(relation, NoLock);
}

static void
replace_model(const char *name, const char *argument)
{
	char *path = roformer_directory_resolve(argument);
	RoformerDirectory *directory;
	RoformerStored stored;
	Relation relation;
	HeapTuple tuple;

	roformer_tables_lock_name("roformer.replace_model()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	tuple = roformer_model_fetch_own(relation, name);

	directory = roformer_directory_open(path);
	roformer_publish_check_options(relation, tuple, name, &directory->content);
	store_directory(directory, &stored);
	roformer_publish_replacement(relation, tuple, &directory->content, &stored);
	roformer_directory_close(directory);
	table_close(relation, NoLock);
}

/* ---- SQL ------------------------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(roformer_load_model);
PG_FUNCTION_INFO_V1(roformer_replace_model);

Datum
roformer_load_model(PG_FUNCTION_ARGS)
{
	load_model(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

Datum
roformer_replace_model(PG_FUNCTION_ARGS)
{
	replace_model(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}
