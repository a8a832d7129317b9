/*
 * fn_answer.c - answer: the part of a context that answers a question.
 *
 * Questions and contexts come in pairs, or one question is asked of many contexts, or many of one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_answer);
PG_FUNCTION_INFO_V1(roformer_answer_array);
PG_FUNCTION_INFO_V1(roformer_answer_contexts);
PG_FUNCTION_INFO_V1(roformer_answer_questions);

static Datum
form_answer(const RfAnswer *answer, const RoformerText *context, TupleDesc row_type)
{
	bool nulls[4] = {false};
	Datum values[4];
	RoformerSpans spans;
	int32 start;
	int32 length;

	roformer_spans_begin(&spans, context);
	values[0] =
		PointerGetDatum(roformer_spans_cut(&spans, answer->start, answer->length, &start, &length));
	values[1] = Float4GetDatum(answer->score);
	values[2] = Int32GetDatum(start);
	values[3] = Int32GetDatum(length);
	return HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
}

static void
read_options(const RoformerCall *call, RfAnswerOptions *options)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	int first = call->first_option;

	options->max_answer_len =
		roformer_option_integer(fcinfo, first, "max_answer_len", 1, ROFORMER_MAX_TOKENS);
	options->doc_stride =
		roformer_option_integer(fcinfo, first + 1, "doc_stride", 1, ROFORMER_MAX_TOKENS);
	options->handle_impossible_answer = PG_GETARG_BOOL(first + 2);
}

static void
answer_inputs(RoformerCall *call, Datum *results)
{
	RfHoldOptions options = {.kind = RF_HOLD_ANSWERS};
	TupleDesc row_type;
	RfAnswer *answers;
	RfError err;

	roformer_task_require(call, RF_TASK_QUESTION_ANSWERING);
	read_options(call, &options.answer);
	roformer_call_find(call, &options, call->inputs, call->count);
	roformer_check(rf_run_answer(call->session->engine, &call->run, call->inputs, call->count,
								 &options.answer, &answers, &err),
				   &err);
	row_type = roformer_array_row_type(call->fcinfo);
	for (size_t i = 0; i < call->count; i++)
	{
		call->missing[i] = !answers[i].found;
		results[i] =
			answers[i].found ? form_answer(&answers[i], &call->pairs[i], row_type) : (Datum) 0;
	}
	ReleaseTupleDesc(row_type);
}

static const RoformerFunction pairs = {.options = 3, .finds = true, .run = answer_inputs};
static const RoformerFunction contexts = {.options = 3, .single = 1, .run = answer_inputs};
static const RoformerFunction questions = {.options = 3, .single = 2, .run = answer_inputs};

Datum
roformer_answer(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &pairs);
}

Datum
roformer_answer_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &pairs);
}

Datum
roformer_answer_contexts(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &contexts);
}

Datum
roformer_answer_questions(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &questions);
}
