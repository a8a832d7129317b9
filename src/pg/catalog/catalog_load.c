/*
 * catalog_load.c - load_model and replace_model.
 *
 * A directory is read and checked completely before anything is written. All rows are written in
 * the caller's transaction: rollback undoes a load, a crash in the middle leaves dead rows for
 * vacuum.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "pg/support.h"

/* The types of the stored tensors: "F32", "F16, F32", ... */
static Datum
list_dtypes(const RoformerDirectory *directory)
{
	bool seen[RF_BOOL + 1] = {false};
	StringInfoData list;

	initStringInfo(&list);
	for (size_t i = 0; i < directory->match.count; i++)
	{
		size_t source = directory->match.parameters[i].source;

		seen[rf_checkpoint_tensor(directory->checkpoint, source)->dtype] = true;
	}
	for (int dtype = 0; dtype < lengthof(seen); dtype++)
	{
		if (seen[dtype])
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", rf_dtype_name(dtype));
	}
	return CStringGetTextDatum(list.data);
}

static Datum
make_labels(const RfSpec *spec)
{
	int count = spec->config.num_labels;
	Datum *labels = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		labels[i] =
			PointerGetDatum(roformer_utf8_to_text(spec->labels[i], strlen(spec->labels[i])));
	return PointerGetDatum(construct_array(labels, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
make_digest(const uint8 *digest)
{
	bytea *result = palloc(VARHDRSZ + ROFORMER_DIGEST_LENGTH);

	SET_VARSIZE(result, VARHDRSZ + ROFORMER_DIGEST_LENGTH);
	memcpy(VARDATA(result), digest, ROFORMER_DIGEST_LENGTH);
	return PointerGetDatum(result);
}

/* The columns that describe a content: all but name, owner and options. */
static void
fill_content_columns(const RoformerDirectory *directory, const RoformerStored *stored,
					 Datum *values, bool *nulls)
{
	const RfConfig *config = &directory->spec.config;

	values[MODEL_ID - 1] = Int64GetDatum(stored->id);
	values[MODEL_DIGEST - 1] = make_digest(stored->digest);
	values[MODEL_CREATED - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[MODEL_ARCHITECTURE - 1] =
		CStringGetTextDatum(roformer_report_text(directory->spec.architecture));
	values[MODEL_TASK - 1] = CStringGetTextDatum(rf_task_name(config->task));
	values[MODEL_PARAMETERS - 1] = Int64GetDatum((int64) directory->match.total);
	values[MODEL_LAYERS - 1] = Int32GetDatum(config->num_hidden_layers);
	values[MODEL_HIDDEN_SIZE - 1] = Int32GetDatum(config->hidden_size);
	values[MODEL_VOCABULARY - 1] = Int32GetDatum(config->vocab_size);
	nulls[MODEL_LABELS - 1] = config->num_labels == 0;
	if (config->num_labels > 0)
		values[MODEL_LABELS - 1] = make_labels(&directory->spec);
	values[MODEL_PRECISION - 1] = list_dtypes(directory);
	values[MODEL_BYTES - 1] = Int64GetDatum((int64) stored->bytes);
	nulls[MODEL_DICTIONARY - 1] = !directory->has_dictionary;
	if (directory->has_dictionary)
		values[MODEL_DICTIONARY - 1] = make_digest(directory->dictionary);
}

static void
insert_model(Relation relation, const char *name, const RoformerDirectory *directory,
			 const RoformerStored *stored)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};

	fill_content_columns(directory, stored, values, nulls);
	values[MODEL_NAME - 1] = CStringGetTextDatum(name);
	values[MODEL_OWNER - 1] = ObjectIdGetDatum(GetUserId());
	nulls[MODEL_OPTIONS - 1] = true;
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
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
	roformer_store_content(directory, &stored);
	insert_model(relation, name, directory, &stored);
	roformer_directory_close(directory);
	table_close(relation, NoLock);
	roformer_forget_at_abort(stored.digest);
	roformer_tables_invalidate();
}

/* ---- replacing ------------------------------------------------------------------------------- */

/* Grants are kept by content: they move to the new one. */
static void
move_grants(int64 from, int64 to)
{
	Relation grants = roformer_tables_open(ROFORMER_MODEL_GRANT, RowExclusiveLock);
	Datum values[GRANT_COLUMNS] = {Int64GetDatum(to)};
	bool nulls[GRANT_COLUMNS] = {false};
	bool replaced[GRANT_COLUMNS] = {true};
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, GRANT_MODEL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(from));
	scan =
		systable_beginscan(grants, roformer_tables_key(ROFORMER_MODEL_GRANT), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleUpdate(
			grants, &tuple->t_self,
			heap_modify_tuple(tuple, RelationGetDescr(grants), values, nulls, replaced));
	systable_endscan(scan);
	table_close(grants, NoLock);
}

static void
update_model(Relation relation, HeapTuple tuple, const RoformerDirectory *directory,
			 const RoformerStored *stored)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};
	bool replaced[MODEL_COLUMNS];

	memset(replaced, true, sizeof(replaced));
	replaced[MODEL_NAME - 1] = false;
	replaced[MODEL_OWNER - 1] = false;
	replaced[MODEL_OPTIONS - 1] = false;
	fill_content_columns(directory, stored, values, nulls);
	CatalogTupleUpdate(
		relation, &tuple->t_self,
		heap_modify_tuple(tuple, RelationGetDescr(relation), values, nulls, replaced));
}

static void
replace_content(Relation relation, HeapTuple tuple, RoformerDirectory *directory)
{
	RoformerModel before;
	RoformerStored stored;

	roformer_model_read(tuple, RelationGetDescr(relation), &before);
	roformer_store_content(directory, &stored);
	update_model(relation, tuple, directory, &stored);
	move_grants(before.id, stored.id);
	roformer_store_delete(before.id);
	if (memcmp(before.digest, stored.digest, ROFORMER_DIGEST_LENGTH) != 0)
	{
		roformer_forget_at_commit(before.digest);
		roformer_forget_at_abort(stored.digest);
	}
}

static void
replace_model(const char *name, const char *argument)
{
	char *path = roformer_directory_resolve(argument);
	RoformerDirectory *directory;
	RoformerModelOptions options;
	Relation relation;
	HeapTuple tuple;

	roformer_tables_lock_name("roformer.replace_model()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	tuple = roformer_model_fetch_own(relation, name);
	roformer_option_read(tuple, RelationGetDescr(relation), &options);

	directory = roformer_directory_open(path);
	roformer_option_check_labels(name, &options, directory->spec.config.num_labels);
	replace_content(relation, tuple, directory);
	roformer_directory_close(directory);
	table_close(relation, NoLock);
	roformer_tables_invalidate();
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
