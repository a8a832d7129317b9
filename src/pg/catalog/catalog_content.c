/*
 * catalog_content.c - reading the content of a model: files, tensors, chunks.
 *
 * Rows of one id are inserted together, deleted together and never changed, so every snapshot that
 * sees any of them sees all. A load must not lose its rows to a replace_model or drop_model that
 * commits meanwhile: it reads with the statement's snapshot where that sees the model, which also
 * keeps vacuum away. A model that is newer than the statement (in REPEATABLE READ, or loaded by the
 * same statement) is read with a fresh snapshot.
 *
 * Nothing stored is trusted: rows may be missing or altered. Sizes and order of chunks are checked
 * before anybody computes with them, and what an image is made of has its digest checked by the
 * caller.
 */
#include "catalog_private.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/support.h"

/* ---- scans ----------------------------------------------------------------------------------- */

typedef struct ContentScan
{
	Relation relation;
	Relation index;
	Snapshot snapshot;
	SysScanDesc scan;
} ContentScan;

static bool
is_model_visible(int64 model_id, Snapshot snapshot)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool visible;

	ScanKeyInit(&key, MODEL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	scan =
		systable_beginscan(relation, roformer_tables_key(ROFORMER_MODEL), true, snapshot, 1, &key);
	visible = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return visible;
}

/*
 * Rows of a model in the order of the table's primary key: all, or those whose second column is
 * name.
 */
static void
begin_scan(ContentScan *scan, RoformerTable table, int64 model_id, const char *name)
{
	ScanKeyData keys[2];
	Snapshot snapshot;

	scan->relation = roformer_tables_open(table, AccessShareLock);
	scan->index = index_open(roformer_tables_key(table), AccessShareLock);
	if (ActiveSnapshotSet() && is_model_visible(model_id, GetActiveSnapshot()))
		snapshot = GetActiveSnapshot();
	else
		snapshot = GetCatalogSnapshot(RelationGetRelid(scan->relation));
	scan->snapshot = RegisterSnapshot(snapshot);

	/* the id is the first column of every one of these tables, a name the second */
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	if (name != NULL)
		ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan->scan = systable_beginscan_ordered(scan->relation, scan->index, scan->snapshot,
											name != NULL ? 2 : 1, keys);
}

static HeapTuple
get_next(ContentScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	return systable_getnext_ordered(scan->scan, ForwardScanDirection);
}

static Datum
get_value(const ContentScan *scan, HeapTuple tuple, int column)
{
	return roformer_tables_value(tuple, column, RelationGetDescr(scan->relation));
}

static void
end_scan(ContentScan *scan)
{
	systable_endscan_ordered(scan->scan);
	UnregisterSnapshot(scan->snapshot);
	index_close(scan->index, AccessShareLock);
	table_close(scan->relation, AccessShareLock);
}

/* ---- files ----------------------------------------------------------------------------------- */

static RfFile
read_file(const ContentScan *scan, HeapTuple tuple)
{
	bytea *data = DatumGetByteaPP(get_value(scan, tuple, FILE_DATA));
	RfFile file;

	file.name = TextDatumGetCString(get_value(scan, tuple, FILE_NAME));
	file.size = VARSIZE_ANY_EXHDR(data);
	/* a copy with a terminator; the value itself may lie in a buffer */
	file.data = pnstrdup(VARDATA_ANY(data), file.size);
	return file;
}

RfFile *
roformer_catalog_read_files(int64 model_id, size_t *count)
{
	size_t space = 8;
	RfFile *files = palloc(space * sizeof(RfFile));
	ContentScan scan;
	HeapTuple tuple;

	*count = 0;
	begin_scan(&scan, ROFORMER_MODEL_FILE, model_id, NULL);
	while (HeapTupleIsValid(tuple = get_next(&scan)))
	{
		if (*count == space)
		{
			space *= 2;
			files = repalloc(files, space * sizeof(RfFile));
		}
		files[(*count)++] = read_file(&scan, tuple);
	}
	end_scan(&scan);
	return files;
}

bool
roformer_catalog_read_file(int64 model_id, const char *name, RfFile *file)
{
	ContentScan scan;
	HeapTuple tuple;
	bool found;

	begin_scan(&scan, ROFORMER_MODEL_FILE, model_id, name);
	tuple = get_next(&scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		*file = read_file(&scan, tuple);
	end_scan(&scan);
	return found;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static void
report_damaged(const char *tensor, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored tensor \"%s\" is damaged", tensor),
			 errdetail("%s", detail),
			 errhint("Load the model again from its directory with roformer.replace_model.")));
}

static void
read_shape(Datum value, RfTensorDesc *tensor)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const int64 *shape = (const int64 *) ARR_DATA_PTR(array);

	if (ARR_NDIM(array) > 1 || ARR_HASNULL(array) || count > RF_MAX_RANK)
		report_damaged(tensor->name, "Its shape is no list of sizes.");
	tensor->rank = count;
	for (int i = 0; i < count; i++)
	{
		if (shape[i] < 0)
			report_damaged(tensor->name, "It has a negative size.");
		tensor->shape[i] = (uint64) shape[i];
	}
}

static void
read_tensor(const ContentScan *scan, HeapTuple tuple, RfTensorDesc *tensor)
{
	text *dtype = DatumGetTextPP(get_value(scan, tuple, TENSOR_DTYPE));

	tensor->name = TextDatumGetCString(get_value(scan, tuple, TENSOR_NAME));
	if (!rf_dtype_parse(VARDATA_ANY(dtype), VARSIZE_ANY_EXHDR(dtype), &tensor->dtype))
		report_damaged(tensor->name, "Its type is unknown.");
	read_shape(get_value(scan, tuple, TENSOR_SHAPE), tensor);
}

RfTensorDesc *
roformer_catalog_read_tensors(int64 model_id, size_t *count)
{
	size_t space = 64;
	RfTensorDesc *tensors = palloc(space * sizeof(RfTensorDesc));
	ContentScan scan;
	HeapTuple tuple;

	*count = 0;
	begin_scan(&scan, ROFORMER_MODEL_TENSOR, model_id, NULL);
	while (HeapTupleIsValid(tuple = get_next(&scan)))
	{
		if (*count == space)
		{
			space *= 2;
			tensors = repalloc_huge(tensors, space * sizeof(RfTensorDesc));
		}
		read_tensor(&scan, tuple, &tensors[*count]);
		(*count)++;
	}
	end_scan(&scan);
	return tensors;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

struct RoformerChunkScan
{
	ContentScan content;
	RfTensorDesc *tensors;
	size_t count;
	size_t tensor;   /* the one being read */
	uint64 next_row; /* of it */
	size_t row_bytes;
	bytea *data; /* of the chunk given last */
};

size_t
roformer_content_row_bytes(const RfTensorDesc *tensor)
{
	uint64 rows = rf_tensor_rows(tensor);
	size_t bytes;
	RfError err;

	roformer_check(rf_tensor_bytes(tensor, &bytes, &err), &err);
	if (rows == 0 || bytes == 0)
		return 0;
	if (bytes / rows > ROFORMER_ROW_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("rows of tensor \"%s\" are too large", tensor->name),
						errdetail("A row has %zu bytes; at most %zu can be stored.",
								  (size_t) (bytes / rows), ROFORMER_ROW_BYTES)));
	return bytes / rows;
}

static bool
is_complete(const RoformerChunkScan *scan)
{
	return scan->row_bytes == 0 || scan->next_row == rf_tensor_rows(&scan->tensors[scan->tensor]);
}

/* Moves on to the first tensor from number tensor on that has bytes. */
static void
start_tensor(RoformerChunkScan *scan, size_t tensor)
{
	scan->tensor = tensor;
	scan->next_row = 0;
	while (scan->tensor < scan->count)
	{
		scan->row_bytes = roformer_content_row_bytes(&scan->tensors[scan->tensor]);
		if (scan->row_bytes > 0)
			break;
		scan->tensor++;
	}
}

RoformerChunkScan *
roformer_catalog_begin_chunks(int64 model_id)
{
	RoformerChunkScan *scan = palloc0(sizeof(RoformerChunkScan));

	scan->tensors = roformer_catalog_read_tensors(model_id, &scan->count);
	start_tensor(scan, 0);
	begin_scan(&scan->content, ROFORMER_MODEL_CHUNK, model_id, NULL);
	return scan;
}

/* Chunks must follow each other without gap or overlap, in whole rows, to the end of each tensor.
 */
static void
check_chunk(const RoformerChunkScan *scan, const char *tensor, int64 first_row, size_t size)
{
	const RfTensorDesc *expected;
	uint64 rows;

	if (scan->tensor == scan->count)
		report_damaged(tensor, "There are more rows than its shape has.");
	expected = &scan->tensors[scan->tensor];
	rows = rf_tensor_rows(expected);
	if (strcmp(tensor, expected->name) != 0 || first_row < 0 ||
		(uint64) first_row != scan->next_row)
		report_damaged(expected->name,
					   psprintf("The chunk at row " UINT64_FORMAT " is missing.", scan->next_row));
	if (size == 0 || size % scan->row_bytes != 0 || size / scan->row_bytes > rows - scan->next_row)
		report_damaged(expected->name,
					   psprintf("The chunk at row " UINT64_FORMAT
								" has %zu bytes, where " UINT64_FORMAT
								" rows of %zu bytes are left.",
								scan->next_row, size, rows - scan->next_row, scan->row_bytes));
}

static void
fill_chunk(RoformerChunkScan *scan, HeapTuple tuple, RoformerChunk *chunk)
{
	char *tensor = TextDatumGetCString(get_value(&scan->content, tuple, CHUNK_TENSOR));
	int64 first_row = DatumGetInt64(get_value(&scan->content, tuple, CHUNK_FIRST_ROW));

	scan->data = DatumGetByteaPCopy(get_value(&scan->content, tuple, CHUNK_DATA));
	chunk->data = VARDATA(scan->data);
	chunk->size = VARSIZE(scan->data) - VARHDRSZ;
	check_chunk(scan, tensor, first_row, chunk->size);
	chunk->tensor = (int) scan->tensor;
	chunk->first_row = scan->next_row;
	chunk->rows = chunk->size / scan->row_bytes;
	pfree(tensor);
}

bool
roformer_catalog_next_chunk(RoformerChunkScan *scan, RoformerChunk *chunk)
{
	HeapTuple tuple = get_next(&scan->content);

	if (scan->data != NULL)
		pfree(scan->data);
	scan->data = NULL;
	if (!HeapTupleIsValid(tuple))
	{
		if (scan->tensor < scan->count)
			report_damaged(
				scan->tensors[scan->tensor].name,
				psprintf("The chunk at row " UINT64_FORMAT " is missing.", scan->next_row));
		return false;
	}
	fill_chunk(scan, tuple, chunk);
	scan->next_row += chunk->rows;
	if (is_complete(scan))
		start_tensor(scan, scan->tensor + 1);
	return true;
}

void
roformer_catalog_end_chunks(RoformerChunkScan *scan)
{
	end_scan(&scan->content);
	if (scan->data != NULL)
		pfree(scan->data);
	pfree(scan->tensors);
	pfree(scan);
}
