/*
 * catalog_import.c - a model that a client sends: import_begin, import_file, import_tensor,
 * import_check, import_chunk, import_finish (docs/import.md).
 *
 * A transaction has at most one import at a time. It gathers files and names of tensors in memory,
 * checks them as load_model checks a directory, and from then on writes each chunk to the tables as
 * it comes. Nothing the client says is believed: what it sends is what is checked, counted and
 * hashed, and chunks are taken in one order only.
 *
 * The tables' rows belong to the transaction, and so must what is known about them here. So all
 * calls must be made in the subtransaction in which the import was begun, or in the one that took
 * that over when it was released: an error in any of them ends it, and with it the import. A
 * transaction can't commit, nor be prepared, with an import unfinished, because that would leave
 * rows no name leads to.
 *
 * The hash belongs to the transaction's resource owner, since a statement's would take it away at
 * the statement's end.
 */
#include "catalog_private.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "pg/support.h"

typedef struct Import
{
	MemoryContext context; /* of all this, below the transaction's */
	SubTransactionId subtransaction;
	Oid user; /* who began it, and will own the model */
	char *name;
	bool or_replace;
	RfContent content;
	RfTensorDesc *tensors; /* [tensor_count], room for tensor_space */
	size_t tensor_count;
	size_t tensor_space;
	RoformerStore *store; /* NULL until checked */
} Import;

static Import *current = NULL;

/* ---- lifetime -------------------------------------------------------------------------------- */

static void
end_import(void)
{
	Import *import = current;

	current = NULL;
	if (import->store != NULL)
		roformer_store_cancel(import->store);
	MemoryContextDelete(import->context);
}

static void
refuse_unfinished(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
					errmsg("import of model \"%s\" is not finished", current->name),
					errdetail("A transaction that has begun an import must finish it with "
							  "roformer.import_finish, or roll back.")));
}

/* At abort the context and the hash go with the transaction. */
static void
end_at_transaction_end(XactEvent event, void *arg)
{
	if (current == NULL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		refuse_unfinished();
	if (event == XACT_EVENT_ABORT)
		current = NULL;
}

static void
end_at_subtransaction_end(SubXactEvent event, SubTransactionId subtransaction,
						  SubTransactionId parent, void *arg)
{
	if (current == NULL || current->subtransaction != subtransaction)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		current->subtransaction = parent;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		end_import();
}

void
roformer_import_init(void)
{
	RegisterXactCallback(end_at_transaction_end, NULL);
	RegisterSubXactCallback(end_at_subtransaction_end, NULL);
}

/* ---- order of calls -------------------------------------------------------------------------- */

static void
check_same_place(const Import *import)
{
	if (import->subtransaction != GetCurrentSubTransactionId())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("import of model \"%s\" was begun in another subtransaction", import->name),
				 errdetail("All calls of an import must be made outside of savepoints and "
						   "exception blocks that were entered after it was begun.")));
	if (import->user != GetUserId())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("import of model \"%s\" was begun by another user", import->name)));
}

/* The transaction's import: still gathering, or checked and taking chunks. */
static Import *
require_import(const char *function, bool checked)
{
	PreventCommandIfReadOnly(function);
	if (current == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no import in this transaction"),
						errhint("Begin one with roformer.import_begin, in a transaction block.")));
	check_same_place(current);
	if (checked && current->store == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("import of model \"%s\" has not been checked", current->name),
						errhint("Call roformer.import_check first.")));
	if (!checked && current->store != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("import of model \"%s\" has been checked", current->name),
						errdetail("Files and tensors can't be added any more.")));
	return current;
}

/* The argument in UTF-8, in the current memory context. */
static char *
get_utf8(const text *argument)
{
	size_t length;
	const char *utf8 =
		roformer_text_to_utf8(VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument), &length);

	return pnstrdup(utf8, length);
}

/* ---- begin ----------------------------------------------------------------------------------- */

/* The row of the model to be replaced; NULL where a new one will be made. */
static HeapTuple
fetch_before(const Import *import, Relation relation)
{
	if (import->or_replace && HeapTupleIsValid(roformer_model_fetch(relation, import->name)))
		return roformer_model_fetch_own(relation, import->name);
	roformer_model_check_free(relation, import->name);
	return NULL;
}

static Import *
create_import(const char *name, bool or_replace)
{
	MemoryContext context =
		AllocSetContextCreate(TopTransactionContext, "roformer import", ALLOCSET_DEFAULT_SIZES);
	Import *import = MemoryContextAllocZero(context, sizeof(Import));

	import->context = context;
	import->subtransaction = GetCurrentSubTransactionId();
	import->user = GetUserId();
	import->name = MemoryContextStrdup(context, name);
	import->or_replace = or_replace;
	rf_content_init(&import->content, roformer_memory(context));
	return import;
}

static void
begin_import(const char *name, bool or_replace)
{
	Relation relation;
	Import *import;

	if (current != NULL)
		refuse_unfinished();
	roformer_model_check_name(name);
	roformer_tables_lock_name("roformer.import_begin()", name);
	import = create_import(name, or_replace);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	(void) fetch_before(import, relation);
	table_close(relation, NoLock);
	current = import;
}

/* ---- files and tensors ----------------------------------------------------------------------- */

static void
add_file(Import *import, const char *name, bytea *data)
{
	size_t size = VARSIZE_ANY_EXHDR(data);
	char *copy;
	RfError err;

	roformer_check(rf_content_check_file(&import->content, name, size, &err), &err);
	copy = rf_arena_copy(&import->content.arena, VARDATA_ANY(data), size);
	if (copy == NULL)
		roformer_check(rf_error_memory(&err, size), &err);
	roformer_check(rf_content_add_file(&import->content, name, copy, size, &err), &err);
}

static void
check_tensor_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > RF_MAX_TENSOR_NAME)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of a tensor must have 1 to %d bytes, not %zu",
							   RF_MAX_TENSOR_NAME, length)));
}

static void
read_shape(ArrayType *array, RfTensorDesc *tensor)
{
	int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const int64 *shape = (const int64 *) ARR_DATA_PTR(array);

	if (ARR_NDIM(array) > 1 || ARR_HASNULL(array) || count > RF_MAX_RANK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("shape of tensor \"%s\" must be a list of at most %d sizes",
							   roformer_report_text(tensor->name), RF_MAX_RANK)));
	tensor->rank = count;
	for (int i = 0; i < count; i++)
	{
		if (shape[i] < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("size of tensor \"%s\" must not be negative",
								   roformer_report_text(tensor->name))));
		tensor->shape[i] = (uint64) shape[i];
	}
}

static RfTensorDesc *
make_room_for_tensor(Import *import)
{
	if (import->tensor_count == RF_MAX_TENSORS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a model can't have more than %zu tensors", RF_MAX_TENSORS)));
	if (import->tensor_count == import->tensor_space)
	{
		import->tensor_space = Max(64, 2 * import->tensor_space);
		import->tensors =
			import->tensors == NULL
				? MemoryContextAlloc(import->context, import->tensor_space * sizeof(RfTensorDesc))
				: repalloc(import->tensors, import->tensor_space * sizeof(RfTensorDesc));
	}
	return &import->tensors[import->tensor_count];
}

static void
add_tensor(Import *import, const char *name, const char *dtype, ArrayType *shape)
{
	RfTensorDesc *tensor = make_room_for_tensor(import);

	check_tensor_name(name);
	tensor->name = MemoryContextStrdup(import->context, name);
	if (!rf_dtype_parse(dtype, strlen(dtype), &tensor->dtype))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is no type of a tensor", roformer_report_text(dtype)),
						errhint("Types of weights are F32, F16 and BF16.")));
	read_shape(shape, tensor);
	import->tensor_count++;
}

/* ---- check ----------------------------------------------------------------------------------- */

/* The client's dictionary, else the server's. */
static void
settle_dictionary(RfContent *content)
{
	RfAbort abort_fn = roformer_abort();
	RfError err;

	if (rf_content_dictionary(content) == NULL)
	{
		if (rf_content_needs_dictionary(content))
			roformer_dictionary_read(content);
		return;
	}
	if (!rf_content_needs_dictionary(content))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the model has no use for a dictionary"),
						errdetail("Its tokenizer doesn't cut Chinese words.")));
	roformer_check(rf_content_check_dictionary(content, &abort_fn, &err), &err);
}

static void
check_content(Import *import)
{
	RfContent *content = &import->content;
	RfError err;

	roformer_check(rf_content_parse(content, &err), &err);
	roformer_check(rf_content_match(content, import->tensors, import->tensor_count, &err), &err);
	if (content->match.unexpected_count > 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the model has no use for tensor \"%s\"",
							   roformer_report_text(content->match.unexpected[0])),
						errhint("A client must send the tensors of the model only.")));
	settle_dictionary(content);
}

static void
check_replaced(const Import *import)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	HeapTuple before = fetch_before(import, relation);

	if (before != NULL)
		roformer_publish_check_options(relation, before, import->name, &import->content);
	table_close(relation, NoLock);
}

static RoformerDigest *
begin_transaction_digest(void)
{
	ResourceOwner caller = CurrentResourceOwner;
	RoformerDigest *digest;

	CurrentResourceOwner = TopTransactionResourceOwner;
	digest = roformer_digest_begin();
	CurrentResourceOwner = caller;
	return digest;
}

static void
check_import(Import *import)
{
	MemoryContext caller = MemoryContextSwitchTo(import->context);

	check_content(import);
	check_replaced(import);
	import->store = roformer_store_begin(&import->content, begin_transaction_digest());
	MemoryContextSwitchTo(caller);
}

/* A row for each tensor that has bytes, in the order in which chunks must come. */
static void
list_wanted(const Import *import, ReturnSetInfo *result)
{
	for (size_t i = 0; i < import->content.match.count; i++)
	{
		uint64 chunk_rows = roformer_store_chunk_rows(&import->content, i);
		bool nulls[2] = {false};
		Datum values[2] = {
			CStringGetTextDatum(import->content.match.parameters[i].name),
			Int64GetDatum((int64) chunk_rows),
		};

		if (chunk_rows > 0)
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static void
check_chunk(const Import *import, const char *tensor, int64 first_row, size_t size)
{
	RoformerPlace place;
	const char *wanted;

	if (!roformer_store_next(import->store, &place))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("model \"%s\" is complete", import->name),
						errdetail("There is nothing behind its last chunk.")));
	wanted = import->content.match.parameters[place.parameter].name;
	if (strcmp(tensor, wanted) != 0 || first_row < 0 || (uint64) first_row != place.first_row)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("row " INT64_FORMAT " of tensor \"%s\" is not what comes next", first_row,
						roformer_report_text(tensor)),
				 errdetail("The next chunk is that of row " UINT64_FORMAT " of tensor \"%s\".",
						   place.first_row, wanted)));
	if (size != place.size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("chunk of tensor \"%s\" has %zu bytes, not %zu", wanted, size, place.size),
				 errdetail("It must have " UINT64_FORMAT " rows from row " UINT64_FORMAT " on.",
						   place.rows, place.first_row)));
}

/* ---- finish ---------------------------------------------------------------------------------- */

static void
check_complete(const Import *import)
{
	RoformerPlace place;

	if (roformer_store_next(import->store, &place))
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("import of model \"%s\" is not complete", import->name),
			 errdetail("The next chunk is that of row " UINT64_FORMAT " of tensor \"%s\".",
					   place.first_row, import->content.match.parameters[place.parameter].name)));
}

/* Everything is asked again: the same transaction may have done anything in between. */
static void
publish(const Import *import, const RoformerStored *stored)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	HeapTuple before = fetch_before(import, relation);

	if (before == NULL)
		roformer_publish_new(relation, import->name, &import->content, stored);
	else
	{
		roformer_publish_check_options(relation, before, import->name, &import->content);
		roformer_publish_replacement(relation, before, &import->content, stored);
	}
	table_close(relation, NoLock);
}

static text *
write_hexadecimal(const uint8 *digest)
{
	char result[2 * ROFORMER_DIGEST_LENGTH];

	hex_encode((const char *) digest, ROFORMER_DIGEST_LENGTH, result);
	return cstring_to_text_with_len(result, sizeof(result));
}

static text *
finish_import(Import *import)
{
	RoformerStored stored;

	check_complete(import);
	roformer_store_end(import->store, &stored);
	import->store = NULL;
	publish(import, &stored);
	end_import();
	return write_hexadecimal(stored.digest);
}

/* ---- SQL ------------------------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(roformer_import_begin);
PG_FUNCTION_INFO_V1(roformer_import_file);
PG_FUNCTION_INFO_V1(roformer_import_tensor);
PG_FUNCTION_INFO_V1(roformer_import_check);
PG_FUNCTION_INFO_V1(roformer_import_chunk);
PG_FUNCTION_INFO_V1(roformer_import_finish);

Datum
roformer_import_begin(PG_FUNCTION_ARGS)
{
	begin_import(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}

Datum
roformer_import_file(PG_FUNCTION_ARGS)
{
	Import *import = require_import("roformer.import_file()", false);

	add_file(import, get_utf8(PG_GETARG_TEXT_PP(0)), PG_GETARG_BYTEA_PP(1));
	PG_RETURN_VOID();
}

Datum
roformer_import_tensor(PG_FUNCTION_ARGS)
{
	Import *import = require_import("roformer.import_tensor()", false);

	add_tensor(import, get_utf8(PG_GETARG_TEXT_PP(0)), get_utf8(PG_GETARG_TEXT_PP(1)),
			   PG_GETARG_ARRAYTYPE_P(2));
	PG_RETURN_VOID();
}

Datum
roformer_import_check(PG_FUNCTION_ARGS)
{
	Import *import = require_import("roformer.import_check()", false);

	InitMaterializedSRF(fcinfo, 0);
	check_import(import);
	list_wanted(import, (ReturnSetInfo *) fcinfo->resultinfo);
	PG_RETURN_VOID();
}

Datum
roformer_import_chunk(PG_FUNCTION_ARGS)
{
	Import *import = require_import("roformer.import_chunk()", true);
	bytea *data = PG_GETARG_BYTEA_P(2);

	check_chunk(import, get_utf8(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT64(1),
				VARSIZE(data) - VARHDRSZ);
	roformer_store_put(import->store, data);
	PG_RETURN_VOID();
}

Datum
roformer_import_finish(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(finish_import(require_import("roformer.import_finish()", true)));
}
