/*
 * fn_choose.c - choose, choose_scores: which of some texts goes best with a prompt.
 *
 * Several prompts share the choices of an array of one dimension, or each has its row of an array
 * of two. A NULL among the choices is none: it has no score, and the others are compared without
 * it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_choose);
PG_FUNCTION_INFO_V1(roformer_choose_array);
PG_FUNCTION_INFO_V1(roformer_choose_scores);
PG_FUNCTION_INFO_V1(roformer_choose_scores_array);

/* Texts of an array, NULLs included. */
typedef struct Texts
{
	int dimensions;
	int lengths[2];
	int lower_bounds[2];
	int count;
	RfInput *texts; /* [count] */
	bool *nulls;    /* [count] */
} Texts;

typedef struct Choosing
{
	RoformerCall call;
	Texts prompts;
	Texts choices;
	int columns;   /* choices of a prompt */
	float *scores; /* [prompts,columns] */
	bool *nulls;   /* [prompts,columns] where there is no score */
} Choosing;

static RfInput
read_text(Datum datum)
{
	text *value = DatumGetTextPP(datum);
	RfInput input = {0};

	input.text = roformer_text_to_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &input.length);
	return input;
}

static void
read_single(Datum prompt, Texts *texts)
{
	memset(texts, 0, sizeof(*texts));
	texts->count = texts->lengths[0] = texts->lower_bounds[0] = 1;
	texts->texts = palloc(sizeof(RfInput));
	texts->texts[0] = read_text(prompt);
	texts->nulls = palloc0(sizeof(bool));
}

static void
read_array(ArrayType *array, const char *what, int most_dimensions, Texts *texts)
{
	Datum *values;

	memset(texts, 0, sizeof(*texts));
	texts->dimensions = ARR_NDIM(array);
	if (texts->dimensions > most_dimensions)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						most_dimensions == 1
							? errmsg("%s must be given as a one-dimensional array", what)
							: errmsg("%s must be given as an array of one or two dimensions", what),
						errdetail("The array has %d dimensions.", texts->dimensions)));
	for (int i = 0; i < texts->dimensions; i++)
	{
		texts->lengths[i] = ARR_DIMS(array)[i];
		texts->lower_bounds[i] = ARR_LBOUND(array)[i];
	}
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &texts->nulls,
					  &texts->count);
	texts->texts = palloc0(sizeof(RfInput) * texts->count);
	for (int i = 0; i < texts->count; i++)
	{
		if (!texts->nulls[i])
			texts->texts[i] = read_text(values[i]);
	}
}

static void
read_arguments(Choosing *choosing, bool many)
{
	FunctionCallInfo fcinfo = choosing->call.fcinfo;
	MemoryContext caller = MemoryContextSwitchTo(choosing->call.scratch);
	Texts *prompts = &choosing->prompts;
	Texts *choices = &choosing->choices;

	if (many)
		read_array(PG_GETARG_ARRAYTYPE_P(1), "prompts", 1, prompts);
	else
		read_single(PG_GETARG_DATUM(1), prompts);
	read_array(PG_GETARG_ARRAYTYPE_P(2), "choices", many ? 2 : 1, choices);
	if (choices->dimensions == 2 && choices->lengths[0] != prompts->count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("there must be a row of choices for each prompt"),
						errdetail("The number of prompts is %d, that of rows %d.", prompts->count,
								  choices->lengths[0]),
						errhint("Choices that are the same for all prompts are given as an array "
								"of one dimension.")));
	choosing->columns = choices->dimensions == 0 ? 0 : choices->lengths[choices->dimensions - 1];
	MemoryContextSwitchTo(caller);
}

/* The choice in a column for a prompt, as an index into all choices. */
static int
choice_index(const Choosing *choosing, int prompt, int column)
{
	return choosing->choices.dimensions == 2 ? prompt * choosing->columns + column : column;
}

/* inputs: the pairs there are, prompt after prompt; counts [prompts]: how many each has */
static void
pair_texts(Choosing *choosing, RfInput *inputs, size_t *counts)
{
	const Texts *prompts = &choosing->prompts;
	const Texts *choices = &choosing->choices;
	size_t next = 0;

	for (int prompt = 0; prompt < prompts->count; prompt++)
	{
		counts[prompt] = 0;
		for (int column = 0; column < choosing->columns; column++)
		{
			int choice = choice_index(choosing, prompt, column);
			bool null = prompts->nulls[prompt] || choices->nulls[choice];

			choosing->nulls[prompt * choosing->columns + column] = null;
			if (null)
				continue;
			inputs[next] = prompts->texts[prompt];
			inputs[next].pair = choices->texts[choice].text;
			inputs[next].pair_length = choices->texts[choice].length;
			next++;
			counts[prompt]++;
		}
	}
}

/* Puts the probabilities of a prompt's choices, from their logits, into their columns. */
static void
spread_scores(Choosing *choosing, int prompt, float *logits, size_t count)
{
	float *scores = choosing->scores + prompt * choosing->columns;
	const bool *nulls = choosing->nulls + prompt * choosing->columns;
	size_t next = 0;

	rf_softmax(logits, count, logits);
	for (int column = 0; column < choosing->columns; column++)
	{
		if (!nulls[column])
			scores[column] = logits[next++];
	}
}

static void
compute_scores(Choosing *choosing)
{
	RoformerCall *call = &choosing->call;
	MemoryContext caller = MemoryContextSwitchTo(call->scratch);
	int prompts = choosing->prompts.count;
	size_t cells = (size_t) prompts * choosing->columns;
	RfHoldOptions held = {.kind = RF_HOLD_CHOICES};
	RfInput *inputs;
	size_t *counts;
	float *logits;
	RfError err;

	if (cells > MaxAllocSize / sizeof(RfInput))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("%d prompts with %d choices each are too many", prompts,
							   choosing->columns)));
	inputs = palloc(sizeof(RfInput) * (cells + 1));
	counts = palloc(sizeof(size_t) * (prompts + 1));
	choosing->scores = palloc0(sizeof(float) * (cells + 1));
	choosing->nulls = palloc(sizeof(bool) * (cells + 1));
	pair_texts(choosing, inputs, counts);
	if (prompts == 1)
		roformer_call_find(call, &held, inputs, counts[0]);
	roformer_check(
		rf_run_choices(call->session->engine, &call->run, inputs, counts, prompts, &logits, &err),
		&err);
	for (int prompt = 0; prompt < prompts; prompt++)
	{
		spread_scores(choosing, prompt, logits, counts[prompt]);
		logits += counts[prompt];
	}
	MemoryContextSwitchTo(caller);
}

static void
begin_choosing(Choosing *choosing, FunctionCallInfo fcinfo, bool many)
{
	memset(choosing, 0, sizeof(*choosing));
	roformer_call_begin(&choosing->call, fcinfo, 0);
	roformer_task_require(&choosing->call, RF_TASK_MULTIPLE_CHOICE);
	read_arguments(choosing, many);
	compute_scores(choosing);
}

/* The subscript of the prompt's best choice, the first of equal ones; false when it has none. */
static bool
find_best(const Choosing *choosing, int prompt, int32 *subscript)
{
	const float *scores = choosing->scores + prompt * choosing->columns;
	const bool *nulls = choosing->nulls + prompt * choosing->columns;
	int best = -1;

	for (int column = 0; column < choosing->columns; column++)
	{
		if (!nulls[column] && (best < 0 || scores[column] > scores[best]))
			best = column;
	}
	if (best >= 0)
		*subscript = choosing->choices.lower_bounds[choosing->choices.dimensions - 1] + best;
	return best >= 0;
}

Datum
roformer_choose(PG_FUNCTION_ARGS)
{
	Choosing choosing;
	int32 subscript = 0;
	bool found;

	begin_choosing(&choosing, fcinfo, false);
	found = find_best(&choosing, 0, &subscript);
	roformer_call_end(&choosing.call);
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT32(subscript);
}

Datum
roformer_choose_array(PG_FUNCTION_ARGS)
{
	Choosing choosing;
	Datum *values;
	bool *nulls;
	Datum result;

	begin_choosing(&choosing, fcinfo, true);
	values =
		MemoryContextAlloc(choosing.call.scratch, sizeof(Datum) * (choosing.prompts.count + 1));
	nulls = MemoryContextAlloc(choosing.call.scratch, sizeof(bool) * (choosing.prompts.count + 1));
	for (int prompt = 0; prompt < choosing.prompts.count; prompt++)
	{
		int32 subscript = 0;

		nulls[prompt] = !find_best(&choosing, prompt, &subscript);
		values[prompt] = Int32GetDatum(subscript);
	}
	result = roformer_array_of_datums(values, nulls, choosing.prompts.count,
									  choosing.prompts.lower_bounds[0], INT4OID);
	roformer_call_end(&choosing.call);
	PG_RETURN_DATUM(result);
}

/* [columns], or [prompts][columns] */
static Datum
form_scores(const Choosing *choosing, bool many)
{
	int cells = choosing->prompts.count * choosing->columns;
	int last = Max(choosing->choices.dimensions, 1) - 1;
	int lengths[2] = {choosing->prompts.count, choosing->columns};
	int lower_bounds[2] = {choosing->prompts.lower_bounds[0], choosing->choices.lower_bounds[last]};
	Datum *values;

	if (cells == 0)
		return PointerGetDatum(construct_empty_array(FLOAT4OID));
	values = MemoryContextAlloc(choosing->call.scratch, sizeof(Datum) * cells);
	for (int cell = 0; cell < cells; cell++)
		values[cell] = Float4GetDatum(choosing->scores[cell]);
	return PointerGetDatum(construct_md_array(
		values, choosing->nulls, many ? 2 : 1, many ? lengths : lengths + 1,
		many ? lower_bounds : lower_bounds + 1, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
}

static Datum
score_choices(FunctionCallInfo fcinfo, bool many)
{
	Choosing choosing;
	Datum result;

	begin_choosing(&choosing, fcinfo, many);
	result = form_scores(&choosing, many);
	roformer_call_end(&choosing.call);
	return result;
}

Datum
roformer_choose_scores(PG_FUNCTION_ARGS)
{
	return score_choices(fcinfo, false);
}

Datum
roformer_choose_scores_array(PG_FUNCTION_ARGS)
{
	return score_choices(fcinfo, true);
}
