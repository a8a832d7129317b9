/*
 * catalog_option.c - a model's own defaults: set_model_option.
 *
 * They are stored as "option=value" in the form set_model_option was given, as options of foreign
 * servers are, and parsed by the same rules when they are set and when they are read.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "pg/support.h"

#define MIN_LENGTH 2 /* [CLS] and [SEP] */

typedef struct OptionRule
{
	const char *name;
	void (*parse)(const char *value, RoformerModelOptions *options);
} OptionRule;

static void
report_value(const char *option, const char *value, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for option \"%s\": \"%s\"", option, value),
					errhint("%s", hint)));
}

static void
parse_max_length(const char *value, RoformerModelOptions *options)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || number < MIN_LENGTH ||
		number > ROFORMER_MAX_TOKENS)
		report_value("max_length", value,
					 psprintf("It must be a number of tokens from %d to %d.", MIN_LENGTH,
							  ROFORMER_MAX_TOKENS));
	options->max_length = (int) number;
}

static void
parse_overflow(const char *value, RoformerModelOptions *options)
{
	options->overflow = roformer_settings_find_overflow(value);
	if (options->overflow < 0)
		report_value("overflow", value, "It must be truncate, error or window.");
}

static void
parse_precision(const char *value, RoformerModelOptions *options)
{
	options->precision = roformer_settings_find_precision(value);
	if (options->precision < 0)
		report_value("precision", value, "It must be auto, fp32, bf16 or int8.");
}

static void
parse_pooling(const char *value, RoformerModelOptions *options)
{
	static const char *const words[] = {
		[RF_POOL_CLS] = "cls",
		[RF_POOL_MEAN] = "mean",
		[RF_POOL_MAX] = "max",
		[RF_POOL_POOLER] = "pooler",
	};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (strcmp(value, words[i]) == 0)
		{
			options->pooling = i;
			return;
		}
	}
	report_value("pooling", value, "It must be cls, mean, max or pooler.");
}

static void
parse_tokenizer(const char *value, RoformerModelOptions *options)
{
	if (strcmp(value, "slow") == 0)
		options->tokenizer = RF_TOKENIZER_SLOW;
	else if (strcmp(value, "fast") == 0)
		options->tokenizer = RF_TOKENIZER_FAST;
	else
		report_value("tokenizer", value, "It must be slow or fast.");
}

static void
check_distinct(const RoformerModelOptions *options, const char *value)
{
	for (int i = 0; i < options->label_count; i++)
	{
		for (int j = 0; j < i; j++)
		{
			if (strcmp(options->labels[i], options->labels[j]) == 0)
				report_value("labels", value,
							 psprintf("The label \"%s\" occurs twice.", options->labels[i]));
		}
	}
}

static void
parse_labels(const char *value, RoformerModelOptions *options)
{
	Datum array = OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(value), ObjectIdGetDatum(TEXTOID),
								   Int32GetDatum(-1));
	ArrayType *labels = DatumGetArrayTypeP(array);
	Datum *elements;
	int count;

	if (ARR_NDIM(labels) != 1 || ARR_HASNULL(labels))
		report_value("labels", value, "It must be an array of labels such as '{ham,spam}'.");
	deconstruct_array(labels, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	options->labels = palloc(count * sizeof(char *));
	options->label_count = count;
	for (int i = 0; i < count; i++)
		options->labels[i] = TextDatumGetCString(elements[i]);
	check_distinct(options, value);
}

static const OptionRule rules[] = {
	{"labels", parse_labels},   {"max_length", parse_max_length}, {"overflow", parse_overflow},
	{"pooling", parse_pooling}, {"precision", parse_precision},   {"tokenizer", parse_tokenizer},
};

static const OptionRule *
find_rule(const char *name)
{
	for (int i = 0; i < lengthof(rules); i++)
	{
		if (strcmp(name, rules[i].name) == 0)
			return &rules[i];
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unrecognized option \"%s\" of a model", name),
					errhint("Options are labels, max_length, overflow, pooling, precision and "
							"tokenizer.")));
}

void
roformer_option_clear(RoformerModelOptions *options)
{
	options->max_length = 0;
	options->overflow = -1;
	options->pooling = -1;
	options->precision = -1;
	options->tokenizer = RF_TOKENIZER_AS_NAMED;
	options->label_count = 0;
	options->labels = NULL;
}

void
roformer_option_read(HeapTuple tuple, TupleDesc descriptor, RoformerModelOptions *options)
{
	bool null;
	Datum stored = heap_getattr(tuple, MODEL_OPTIONS, descriptor, &null);
	ListCell *cell;

	roformer_option_clear(options);
	if (null)
		return;
	foreach (cell, untransformRelOptions(stored))
	{
		DefElem *option = lfirst(cell);

		find_rule(option->defname)->parse(defGetString(option), options);
	}
}

void
roformer_option_check_labels(const char *model, const RoformerModelOptions *options,
							 int label_count)
{
	if (options->label_count == 0 || options->label_count == label_count)
		return;
	if (label_count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("model \"%s\" has no labels that could be named", model)));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("wrong number of labels for model \"%s\"", model),
					errdetail("The option \"labels\" names %d; the model has %d.",
							  options->label_count, label_count)));
}

static int
count_labels(HeapTuple tuple, TupleDesc descriptor)
{
	bool null;
	Datum labels = heap_getattr(tuple, MODEL_LABELS, descriptor, &null);
	ArrayType *array;

	if (null)
		return 0;
	array = DatumGetArrayTypeP(labels);
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

static void
update_option(Relation relation, HeapTuple tuple, const char *option, char *value)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};
	bool replaced[MODEL_COLUMNS] = {false};
	TupleDesc descriptor = RelationGetDescr(relation);
	Node *argument = value != NULL ? (Node *) makeString(value) : NULL;
	DefElem *change = makeDefElem(pstrdup(option), argument, -1);
	bool null;
	Datum before = heap_getattr(tuple, MODEL_OPTIONS, descriptor, &null);
	Datum after = transformRelOptions(null ? (Datum) 0 : before, list_make1(change), NULL, NULL,
									  false, value == NULL);

	values[MODEL_OPTIONS - 1] = after;
	nulls[MODEL_OPTIONS - 1] = after == (Datum) 0;
	replaced[MODEL_OPTIONS - 1] = true;
	CatalogTupleUpdate(relation, &tuple->t_self,
					   heap_modify_tuple(tuple, descriptor, values, nulls, replaced));
}

static void
set_option(const char *name, const char *option, char *value)
{
	const OptionRule *rule = find_rule(option);
	RoformerModelOptions parsed;
	Relation relation;
	HeapTuple tuple;

	roformer_option_clear(&parsed);
	if (value != NULL)
		rule->parse(value, &parsed);
	roformer_tables_lock_name("roformer.set_model_option()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	tuple = roformer_model_fetch_own(relation, name);
	roformer_option_check_labels(name, &parsed, count_labels(tuple, RelationGetDescr(relation)));
	update_option(relation, tuple, option, value);
	table_close(relation, NoLock);
	roformer_tables_invalidate();
}

PG_FUNCTION_INFO_V1(roformer_set_model_option);

Datum
roformer_set_model_option(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("name of a model and of an option must not be null")));
	set_option(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)),
			   PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}
