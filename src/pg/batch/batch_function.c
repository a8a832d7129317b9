/*
 * batch_function.c - which SQL functions find what was computed ahead.
 *
 * They are known by the symbol of their C function: names, schemas and overloads are SQL's. A
 * function elsewhere that bears such a name costs a look, nothing else.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "pg/batch.h"

static const RoformerBatchFunction functions[] = {
	{"roformer_classify", 0, ROFORMER_BATCH_TEXTS},
	{"roformer_classify_score", 1, ROFORMER_BATCH_TEXTS},
	{"roformer_classify_all", 0, ROFORMER_BATCH_TEXTS},
	{"roformer_regress", 0, ROFORMER_BATCH_TEXTS},
	{"roformer_tag", 1, ROFORMER_BATCH_TEXTS},
	{"roformer_embed", 1, ROFORMER_BATCH_TEXTS},
	{"roformer_similarity", 0, ROFORMER_BATCH_SEPARATE},
	{"roformer_fill_mask", 1, ROFORMER_BATCH_TEXTS},
	{"roformer_logits", 0, ROFORMER_BATCH_TEXTS},
	{"roformer_hidden_state", 0, ROFORMER_BATCH_TEXTS},
	{"roformer_answer", 3, ROFORMER_BATCH_ANSWERS},
	{"roformer_choose", 0, ROFORMER_BATCH_CHOICES},
	{"roformer_choose_scores", 0, ROFORMER_BATCH_CHOICES},
};

static const RoformerBatchFunction *
find_symbol(const char *symbol)
{
	for (size_t i = 0; i < lengthof(functions); i++)
	{
		if (strcmp(functions[i].symbol, symbol) == 0)
			return &functions[i];
	}
	return NULL;
}

static const RoformerBatchFunction *
find_tuple(HeapTuple tuple)
{
	Form_pg_proc function = (Form_pg_proc) GETSTRUCT(tuple);
	const RoformerBatchFunction *found;
	bool isnull;
	Datum source;

	if (function->prolang != ClanguageId || function->proretset || function->pronargs < 2)
		return NULL;
	for (int i = 0; i < Min(function->pronargs, 2); i++)
	{
		if (function->proargtypes.values[i] != TEXTOID)
			return NULL;
	}
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	found = isnull ? NULL : find_symbol(TextDatumGetCString(source));
	return found != NULL && function->pronargs - found->options >= 2 ? found : NULL;
}

const RoformerBatchFunction *
roformer_batch_function(Oid function)
{
	const RoformerBatchFunction *found = NULL;
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (HeapTupleIsValid(tuple))
	{
		found = find_tuple(tuple);
		ReleaseSysCache(tuple);
	}
	return found;
}
