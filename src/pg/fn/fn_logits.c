/*
 * fn_logits.c - logits, hidden_state: the model's numbers as they are, for those who build on them.
 *
 * The results are as large as the text is long. So of an array the engine computes a part at a
 * time: enough for full batches, and only a part's results are there twice, as numbers and as
 * arrays.
 */
#include "postgres.h"

#include "utils/array.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_logits);
PG_FUNCTION_INFO_V1(roformer_logits_set);
PG_FUNCTION_INFO_V1(roformer_hidden_state);
PG_FUNCTION_INFO_V1(roformer_hidden_state_set);

#define PART_TEXTS 64

typedef RfCode (*MatrixRun)(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							RfMatrix *matrices, RfError *err);

/*
 * flat: of matrices with one row an array of one dimension. numbers: those a token has in the
 * result, so that a text with too many of them is refused before it is computed.
 */
static void
compute_matrices(RoformerCall *call, MatrixRun run, bool flat, int32 numbers, Datum *results)
{
	RfMatrix matrices[PART_TEXTS];
	RfError err;

	call->run.most_tokens = numbers > 0 ? MaxArraySize / numbers : 0;
	for (size_t first = 0; first < call->count; first += PART_TEXTS)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);
		size_t count = Min(PART_TEXTS, call->count - first);

		roformer_check(
			run(call->session->engine, &call->run, call->inputs + first, count, matrices, &err),
			&err);
		for (size_t i = 0; i < count; i++)
		{
			const RfMatrix *matrix = &matrices[i];

			results[first + i] =
				flat ? roformer_array_of_reals(matrix->values, matrix->columns)
					 : roformer_array_of_matrix(matrix->values, matrix->rows, matrix->columns);
		}
		rf_arena_rewind(&call->arena, mark);
	}
}

static int32
numbers_of_token(const RfConfig *config)
{
	switch (config->task)
	{
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			return 0;
		case RF_TASK_MASKED_LM:
		case RF_TASK_CAUSAL_LM:
			return config->vocab_size;
		default:
			return config->num_labels;
	}
}

/* [C] for sequence classification, else two dimensions as the task has them */
static void
compute_logits(RoformerCall *call, Datum *results)
{
	const RfConfig *config = rf_session_config(call->session->engine);

	if (config->task == RF_TASK_ENCODER || config->task == RF_TASK_MULTIPLE_CHOICE)
		roformer_task_refuse(call, "has no logits of a single text");
	compute_matrices(call, rf_run_logits, config->task == RF_TASK_SEQUENCE_CLASSIFICATION,
					 numbers_of_token(config), results);
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
	compute_matrices(call, rf_run_hidden_state, false,
					 rf_session_config(call->session->engine)->hidden_size, results);
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
