/*
 * fn_logits.c - logits, hidden_state: the model's numbers as they are, for those who build on them.
 *
 * The results are as large as the text is long, so the array forms compute one element after the
 * other instead of holding all of them at once twice.
 */
#include "postgres.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_logits);
PG_FUNCTION_INFO_V1(roformer_logits_set);
PG_FUNCTION_INFO_V1(roformer_hidden_state);
PG_FUNCTION_INFO_V1(roformer_hidden_state_set);

/* [C] for sequence classification, else two dimensions as the task has them */
static void
compute_logits(RoformerCall *call, Datum *results)
{
	RfSession *engine = call->session->engine;
	RfTask task = rf_session_config(engine)->task;
	bool flat = task == RF_TASK_SEQUENCE_CLASSIFICATION;

	if (task == RF_TASK_ENCODER || task == RF_TASK_MULTIPLE_CHOICE)
		roformer_task_refuse(call, "has no logits of a single text");
	for (size_t i = 0; i < call->count; i++)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);
		RfMatrix logits;
		RfError err;

		roformer_check(rf_run_logits(engine, &call->run, &call->inputs[i], &logits, &err), &err);
		results[i] = flat ? roformer_array_of_reals(logits.values, logits.columns)
						  : roformer_array_of_matrix(logits.values, logits.rows, logits.columns);
		rf_arena_rewind(&call->arena, mark);
	}
}

static const RoformerFunction logits = {.options = 0, .run = compute_logits};

Datum
roformer_logits(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &logits);
}

Datum
roformer_logits_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &logits);
}

/* [T,H] */
static void
compute_hidden_state(RoformerCall *call, Datum *results)
{
	for (size_t i = 0; i < call->count; i++)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);
		RfMatrix hidden;
		RfError err;

		roformer_check(
			rf_run_hidden_state(call->session->engine, &call->run, &call->inputs[i], &hidden, &err),
			&err);
		results[i] = roformer_array_of_matrix(hidden.values, hidden.rows, hidden.columns);
		rf_arena_rewind(&call->arena, mark);
	}
}

static const RoformerFunction hidden_state = {.options = 0, .run = compute_hidden_state};

Datum
roformer_hidden_state(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &hidden_state);
}

Datum
roformer_hidden_state_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &hidden_state);
}
