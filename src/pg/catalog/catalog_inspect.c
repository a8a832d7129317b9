/*
 * catalog_inspect.c - model_config, model_tensors, save_vocabulary: what a stored model consists
 * of.
 *
 * For those who may use the model; which models there are everybody sees in the view models.
 */
#include "catalog_private.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"

#include "pg/support.h"

static int64
find_usable(FunctionCallInfo fcinfo)
{
	RoformerModel *model = roformer_catalog_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	roformer_catalog_check_use(model);
	return model->id;
}

/* ---- model_config ---------------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(roformer_model_config);

Datum
roformer_model_config(PG_FUNCTION_ARGS)
{
	int64 id = find_usable(fcinfo);
	RfFile file;

	if (!roformer_catalog_read_file(id, "config.json", &file) &&
		!roformer_catalog_read_file(id, "bert_config.json", &file))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored model \"%s\" has no config.json",
														 text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(roformer_utf8_to_cstring(file.data, file.size)));
}

/* ---- model_tensors --------------------------------------------------------------------------- */

static Datum
make_shape(const RfTensorDesc *tensor)
{
	Datum sizes[RF_MAX_RANK];

	for (int i = 0; i < tensor->rank; i++)
		sizes[i] = Int64GetDatum((int64) tensor->shape[i]);
	return PointerGetDatum(construct_array(sizes, tensor->rank, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(roformer_model_tensors);

Datum
roformer_model_tensors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RfTensorDesc *tensors;
	size_t count;

	InitMaterializedSRF(fcinfo, 0);
	tensors = roformer_catalog_read_tensors(find_usable(fcinfo), &count);
	for (size_t i = 0; i < count; i++)
	{
		bool nulls[3] = {false};
		Datum values[3] = {
			CStringGetTextDatum(tensors[i].name),
			CStringGetTextDatum(rf_dtype_name(tensors[i].dtype)),
			make_shape(&tensors[i]),
		};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- save_vocabulary ------------------------------------------------------------------------- */

/* The tokenizer as it will be compiled into the model's image. */
static void
compile_tokenizer(int64 model_id, RfArena *arena, RfTokenizer *tokenizer)
{
	size_t count;
	RfFile *files = roformer_catalog_read_files(model_id, &count);
	RfSpec spec;
	void *block;
	size_t size;
	RfError err;

	roformer_check(rf_spec_parse(files, count, arena, &spec, &err), &err);
	roformer_check(rf_spec_compile_tokenizer(&spec, arena, &block, &size, &err), &err);
	roformer_check(rf_tokenizer_open(block, size, tokenizer, &err), &err);
}

PG_FUNCTION_INFO_V1(roformer_save_vocabulary);

Datum
roformer_save_vocabulary(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RfTokenizer tokenizer;
	RfArena arena;

	InitMaterializedSRF(fcinfo, 0);
	rf_arena_init(&arena, roformer_memory(CurrentMemoryContext));
	compile_tokenizer(find_usable(fcinfo), &arena, &tokenizer);
	for (int32 id = 0; id < tokenizer.vocab_size; id++)
	{
		bool nulls[2] = {false};
		Datum values[2];
		size_t length;
		const char *token = rf_tokenizer_token(&tokenizer, id, &length);
		text *converted = roformer_utf8_to_text(token, length);

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(id);
		values[1] = PointerGetDatum(converted);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(converted);
	}
	rf_arena_free(&arena);
	return (Datum) 0;
}
