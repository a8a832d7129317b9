/*
 * catalog_publish.c - gives a name what was stored: the row of the model.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "pg/support.h"

/* The types of the stored tensors: "F32", "F16, F32", ... */
static Datum
list_dtypes(const RfContent *content)
{
	bool seen[RF_BOOL + 1] = {false};
	StringInfoData list;

	initStringInfo(&list);
	for (size_t i = 0; i < content->match.count; i++)
		seen[rf_content_parameter(content, i).dtype] = true;
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
fill_content_columns(const RfContent *content, const RoformerStored *stored, Datum *values,
					 bool *nulls)
{
	const RfConfig *config = &content->spec.config;

	values[MODEL_ID - 1] = Int64GetDatum(stored->id);
	values[MODEL_DIGEST - 1] = make_digest(stored->digest);
	values[MODEL_CREATED - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[MODEL_ARCHITECTURE - 1] =
		CStringGetTextDatum(roformer_report_text(content->spec.architecture));
	values[MODEL_TASK - 1] = CStringGetTextDatum(rf_task_name(config->task));
	values[MODEL_PARAMETERS - 1] = Int64GetDatum((int64) content->match.total);
	values[MODEL_LAYERS - 1] = Int32GetDatum(config->num_hidden_layers);
	values[MODEL_HIDDEN_SIZE - 1] = Int32GetDatum(config->hidden_size);
	values[MODEL_VOCABULARY - 1] = Int32GetDatum(config->vocab_size);
	nulls[MODEL_LABELS - 1] = config->num_labels == 0;
	if (config->num_labels > 0)
		values[MODEL_LABELS - 1] = make_labels(&content->spec);
	values[MODEL_PRECISION - 1] = list_dtypes(content);
	values[MODEL_BYTES - 1] = Int64GetDatum((int64) stored->bytes);
	nulls[MODEL_DICTIONARY - 1] = !stored->has_dictionary;
	if (stored->has_dictionary)
		values[MODEL_DICTIONARY - 1] = make_digest(stored->dictionary);
}

void
roformer_publish_new(Relation relation, const char *name, const RfContent *content,
					 const RoformerStored *stored)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};

	fill_content_columns(content, stored, values, nulls);
	values[MODEL_NAME - 1] = CStringGetTextDatum(name);
	values[MODEL_OWNER - 1] = ObjectIdGetDatum(GetUserId());
	nulls[MODEL_OPTIONS - 1] = true;
	nulls[MODEL_DEVIATIONS - 1] = true;
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	roformer_forget_at_abort(stored->digest);
	roformer_deviation_measure(relation, name, NULL, 0);
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
update_model(Relation relation, HeapTuple tuple, const RfContent *content,
			 const RoformerStored *stored)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};
	bool replaced[MODEL_COLUMNS];

	memset(replaced, true, sizeof(replaced));
	replaced[MODEL_NAME - 1] = false;
	replaced[MODEL_OWNER - 1] = false;
	replaced[MODEL_OPTIONS - 1] = false;
	fill_content_columns(content, stored, values, nulls);
	nulls[MODEL_DEVIATIONS - 1] = true;
	CatalogTupleUpdate(
		relation, &tuple->t_self,
		heap_modify_tuple(tuple, RelationGetDescr(relation), values, nulls, replaced));
}

void
roformer_publish_replacement(Relation relation, HeapTuple tuple, const RfContent *content,
							 const RoformerStored *stored)
{
	RoformerModel before;

	roformer_model_read(tuple, RelationGetDescr(relation), &before);
	update_model(relation, tuple, content, stored);
	move_grants(before.id, stored->id);
	roformer_store_delete(before.id);
	if (memcmp(before.digest, stored->digest, ROFORMER_DIGEST_LENGTH) != 0)
	{
		roformer_forget_at_commit(before.digest);
		roformer_forget_at_abort(stored->digest);
	}
	roformer_deviation_measure(relation, before.name, NULL, 0);
	roformer_tables_invalidate();
}

void
roformer_publish_check_options(Relation relation, HeapTuple tuple, const char *name,
							   const RfContent *content)
{
	RoformerModelOptions options;

	roformer_option_read(tuple, RelationGetDescr(relation), &options);
	roformer_option_check_labels(name, &options, content->spec.config.num_labels);
}
