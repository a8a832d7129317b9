/*
 * catalog_store.c - writing and deleting the content of a model.
 *
 * Rows go directly to heap and indexes, like those of system catalogs: no triggers, no rules, no
 * right of the user on the tables. Values move to TOAST tables and changes to WAL as for any table.
 *
 * A tensor is written in chunks of whole rows of at most ROFORMER_CHUNK_BYTES (one row where that
 * is larger), so that memory is bounded by a chunk whatever the model's size. They come in one
 * order, that of the digest, and always with the same borders, whoever has read them where.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "pg/support.h"

struct RoformerStore
{
	const RfContent *content;
	RoformerDigest *digest; /* of all that was written */
	int64 id;
	uint64 bytes;
	RoformerPlace place; /* of the next chunk: parameter and first_row */
	size_t row_bytes;    /* of that parameter */
	uint64 tensor_rows;  /* of that parameter */
};

typedef struct Writer
{
	Relation relation;
	CatalogIndexState indexes;
	MemoryContext context; /* of one row */
} Writer;

static void
begin_rows(Writer *writer, RoformerTable table)
{
	writer->relation = roformer_tables_open(table, RowExclusiveLock);
	writer->indexes = CatalogOpenIndexes(writer->relation);
	writer->context =
		AllocSetContextCreate(CurrentMemoryContext, "roformer row", ALLOCSET_DEFAULT_SIZES);
}

/* The values may lie in writer->context: it is reset afterwards. */
static void
insert_row(Writer *writer, Datum *values)
{
	bool nulls[Max((int) CHUNK_COLUMNS, (int) TENSOR_COLUMNS)] = {false};
	MemoryContext caller = MemoryContextSwitchTo(writer->context);

	CatalogTupleInsertWithInfo(writer->relation,
							   heap_form_tuple(RelationGetDescr(writer->relation), values, nulls),
							   writer->indexes);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->context);
}

static void
end_rows(Writer *writer)
{
	CatalogCloseIndexes(writer->indexes);
	table_close(writer->relation, NoLock);
	MemoryContextDelete(writer->context);
}

static Datum
make_text(Writer *writer, const char *string)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->context);
	Datum value = CStringGetTextDatum(string);

	MemoryContextSwitchTo(caller);
	return value;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bytea *
make_bytea(MemoryContext context, size_t size)
{
	bytea *result = MemoryContextAlloc(context, VARHDRSZ + size);

	SET_VARSIZE(result, VARHDRSZ + size);
	return result;
}

static void
store_file(Writer *writer, RoformerStore *store, const RfFile *file)
{
	bytea *data = make_bytea(writer->context, file->size);
	Datum values[FILE_COLUMNS];

	memcpy(VARDATA(data), file->data, file->size);
	values[FILE_MODEL_ID - 1] = Int64GetDatum(store->id);
	values[FILE_NAME - 1] = make_text(writer, file->name);
	values[FILE_DATA - 1] = PointerGetDatum(data);
	insert_row(writer, values);
	roformer_digest_file(store->digest, file);
	store->bytes += file->size;
}

static void
store_files(RoformerStore *store)
{
	Writer writer;

	begin_rows(&writer, ROFORMER_MODEL_FILE);
	for (size_t i = 0; i < store->content->file_count; i++)
		store_file(&writer, store, &store->content->files[i]);
	end_rows(&writer);
}

/* ---- tensors --------------------------------------------------------------------------------- */

static Datum
make_shape(Writer *writer, const RfTensorDesc *tensor)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->context);
	Datum sizes[RF_MAX_RANK];
	ArrayType *shape;

	for (int i = 0; i < tensor->rank; i++)
		sizes[i] = Int64GetDatum((int64) tensor->shape[i]);
	shape = construct_array(sizes, tensor->rank, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
							TYPALIGN_DOUBLE);
	MemoryContextSwitchTo(caller);
	return PointerGetDatum(shape);
}

static void
store_tensors(const RoformerStore *store)
{
	Writer writer;

	begin_rows(&writer, ROFORMER_MODEL_TENSOR);
	for (size_t i = 0; i < store->content->match.count; i++)
	{
		RfTensorDesc tensor = rf_content_parameter(store->content, i);
		Datum values[TENSOR_COLUMNS];

		values[TENSOR_MODEL_ID - 1] = Int64GetDatum(store->id);
		values[TENSOR_NAME - 1] = make_text(&writer, tensor.name);
		values[TENSOR_DTYPE - 1] = make_text(&writer, rf_dtype_name(tensor.dtype));
		values[TENSOR_SHAPE - 1] = make_shape(&writer, &tensor);
		insert_row(&writer, values);
	}
	end_rows(&writer);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static uint64
count_chunk_rows(size_t row_bytes)
{
	return Max(ROFORMER_CHUNK_BYTES / row_bytes, 1);
}

uint64
roformer_store_chunk_rows(const RfContent *content, size_t parameter)
{
	RfTensorDesc tensor = rf_content_parameter(content, parameter);
	size_t row_bytes = roformer_content_row_bytes(&tensor);

	return row_bytes == 0 ? 0 : count_chunk_rows(row_bytes);
}

/* Describes the parameter at hand to the digest, and those behind it that have no bytes. */
static void
start_parameter(RoformerStore *store)
{
	store->place.first_row = 0;
	for (; store->place.parameter < store->content->match.count; store->place.parameter++)
	{
		RfTensorDesc tensor = rf_content_parameter(store->content, store->place.parameter);

		roformer_digest_tensor(store->digest, &tensor);
		store->row_bytes = roformer_content_row_bytes(&tensor);
		store->tensor_rows = rf_tensor_rows(&tensor);
		if (store->row_bytes > 0)
			return;
	}
}

RoformerStore *
roformer_store_begin(const RfContent *content, RoformerDigest *digest)
{
	RoformerStore *store = palloc0(sizeof(RoformerStore));

	store->content = content;
	store->digest = digest;
	store->id = roformer_tables_next_id();
	store_files(store);
	store_tensors(store);
	start_parameter(store);
	return store;
}

bool
roformer_store_next(const RoformerStore *store, RoformerPlace *place)
{
	if (store->place.parameter == store->content->match.count)
		return false;
	*place = store->place;
	place->rows = Min(count_chunk_rows(store->row_bytes), store->tensor_rows - place->first_row);
	place->size = place->rows * store->row_bytes;
	return true;
}

static void
insert_chunk(const RoformerStore *store, const RoformerPlace *place, bytea *data)
{
	Writer writer;
	Datum values[CHUNK_COLUMNS];

	begin_rows(&writer, ROFORMER_MODEL_CHUNK);
	values[CHUNK_MODEL_ID - 1] = Int64GetDatum(store->id);
	values[CHUNK_TENSOR - 1] =
		make_text(&writer, store->content->match.parameters[place->parameter].name);
	values[CHUNK_FIRST_ROW - 1] = Int64GetDatum((int64) place->first_row);
	values[CHUNK_DATA - 1] = PointerGetDatum(data);
	insert_row(&writer, values);
	end_rows(&writer);
}

void
roformer_store_put(RoformerStore *store, bytea *data)
{
	RoformerPlace place;

	if (!roformer_store_next(store, &place) || VARSIZE(data) - VARHDRSZ != place.size)
		elog(ERROR, "a chunk that is not the next one");
	roformer_digest_bytes(store->digest, VARDATA(data), place.size);
	insert_chunk(store, &place, data);
	store->bytes += place.size;
	store->place.first_row += place.rows;
	if (store->place.first_row == store->tensor_rows)
	{
		store->place.parameter++;
		start_parameter(store);
	}
}

void
roformer_store_end(RoformerStore *store, RoformerStored *stored)
{
	const RfFile *dictionary = rf_content_dictionary(store->content);

	memset(stored, 0, sizeof(*stored));
	stored->id = store->id;
	stored->bytes = store->bytes;
	roformer_digest_end(store->digest, stored->digest);
	stored->has_dictionary = dictionary != NULL;
	if (dictionary != NULL)
		roformer_dictionary_digest(dictionary, stored->dictionary);
	pfree(store);
}

void
roformer_store_cancel(RoformerStore *store)
{
	roformer_digest_free(store->digest);
	pfree(store);
}

/* ---- deleting -------------------------------------------------------------------------------- */

void
roformer_store_delete_rows(RoformerTable table, int64 model_id)
{
	Relation relation = roformer_tables_open(table, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	scan = systable_beginscan(relation, roformer_tables_key(table), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		CatalogTupleDelete(relation, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(relation, NoLock);
}

void
roformer_store_delete(int64 model_id)
{
	roformer_store_delete_rows(ROFORMER_MODEL_FILE, model_id);
	roformer_store_delete_rows(ROFORMER_MODEL_TENSOR, model_id);
	roformer_store_delete_rows(ROFORMER_MODEL_CHUNK, model_id);
}
