/*
 * catalog_store.c - writing and deleting the content of a model.
 *
 * Rows go directly to heap and indexes, like those of system catalogs: no triggers, no rules, no
 * right of the user on the tables. Values move to TOAST tables and changes to WAL as for any table.
 *
 * A tensor is copied in chunks of whole rows of at most ROFORMER_CHUNK_BYTES (one row where that is
 * larger), so that memory is bounded by a chunk whatever the model's size, and interrupts are
 * checked between chunks.
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
store_files(const RoformerDirectory *directory, RoformerDigest *digest, RoformerStored *stored)
{
	Writer writer;

	begin_rows(&writer, ROFORMER_MODEL_FILE);
	for (size_t i = 0; i < directory->file_count; i++)
	{
		const RfFile *file = &directory->files[i];
		bytea *data = make_bytea(writer.context, file->size);
		Datum values[FILE_COLUMNS];

		memcpy(VARDATA(data), file->data, file->size);
		values[FILE_MODEL_ID - 1] = Int64GetDatum(stored->id);
		values[FILE_NAME - 1] = make_text(&writer, file->name);
		values[FILE_DATA - 1] = PointerGetDatum(data);
		insert_row(&writer, values);
		roformer_digest_file(digest, file);
		stored->bytes += file->size;
	}
	end_rows(&writer);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* A parameter as it is stored: its canonical name, the type it has in the checkpoint. */
static RfTensorDesc
describe_parameter(const RoformerDirectory *directory, const RfParameter *parameter)
{
	RfTensorDesc tensor = *rf_checkpoint_tensor(directory->checkpoint, parameter->source);

	tensor.name = parameter->name;
	return tensor;
}

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
store_tensors(const RoformerDirectory *directory, const RoformerStored *stored)
{
	Writer writer;

	begin_rows(&writer, ROFORMER_MODEL_TENSOR);
	for (size_t i = 0; i < directory->match.count; i++)
	{
		RfTensorDesc tensor = describe_parameter(directory, &directory->match.parameters[i]);
		Datum values[TENSOR_COLUMNS];

		values[TENSOR_MODEL_ID - 1] = Int64GetDatum(stored->id);
		values[TENSOR_NAME - 1] = make_text(&writer, tensor.name);
		values[TENSOR_DTYPE - 1] = make_text(&writer, rf_dtype_name(tensor.dtype));
		values[TENSOR_SHAPE - 1] = make_shape(&writer, &tensor);
		insert_row(&writer, values);
	}
	end_rows(&writer);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static void
store_chunk(Writer *writer, RoformerDirectory *directory, const RfParameter *parameter,
			uint64 first_row, uint64 rows, size_t size, RoformerDigest *digest,
			const RoformerStored *stored)
{
	bytea *data = make_bytea(writer->context, size);
	Datum values[CHUNK_COLUMNS];
	RfError err;

	roformer_check(rf_checkpoint_read(directory->checkpoint, parameter->source, first_row, rows,
									  VARDATA(data), &err),
				   &err);
	roformer_digest_bytes(digest, VARDATA(data), size);
	values[CHUNK_MODEL_ID - 1] = Int64GetDatum(stored->id);
	values[CHUNK_TENSOR - 1] = make_text(writer, parameter->name);
	values[CHUNK_FIRST_ROW - 1] = Int64GetDatum((int64) first_row);
	values[CHUNK_DATA - 1] = PointerGetDatum(data);
	insert_row(writer, values);
}

static void
store_tensor_chunks(Writer *writer, RoformerDirectory *directory, const RfParameter *parameter,
					RoformerDigest *digest, RoformerStored *stored)
{
	RfTensorDesc tensor = describe_parameter(directory, parameter);
	uint64 rows = rf_tensor_rows(&tensor);
	size_t row_bytes = roformer_content_row_bytes(&tensor);
	uint64 step;

	roformer_digest_tensor(digest, &tensor);
	if (row_bytes == 0)
		return;
	step = Max(ROFORMER_CHUNK_BYTES / row_bytes, 1);
	for (uint64 first = 0; first < rows; first += step)
	{
		uint64 count = Min(step, rows - first);

		CHECK_FOR_INTERRUPTS();
		store_chunk(writer, directory, parameter, first, count, count * row_bytes, digest, stored);
		stored->bytes += count * row_bytes;
	}
}

void
roformer_store_content(RoformerDirectory *directory, RoformerStored *stored)
{
	RoformerDigest *digest = roformer_digest_begin();
	Writer writer;

	stored->id = roformer_tables_next_id();
	stored->bytes = 0;
	store_files(directory, digest, stored);
	store_tensors(directory, stored);
	begin_rows(&writer, ROFORMER_MODEL_CHUNK);
	for (size_t i = 0; i < directory->match.count; i++)
		store_tensor_chunks(&writer, directory, &directory->match.parameters[i], digest, stored);
	end_rows(&writer);
	roformer_digest_end(digest, stored->digest);
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
