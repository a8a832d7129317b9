/*
 * fn_task.c - what a model is for: refusing what it can't do, and saying what it can.
 */
#include "postgres.h"

#include "pg/fn.h"

/* The function that uses the head of such a model; NULL where there is none. */
static const char *
function_of_task(const RfConfig *config)
{
	switch (config->task)
	{
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			return config->problem == RF_PROBLEM_REGRESSION ? "roformer.regress()"
															: "roformer.classify()";
		case RF_TASK_TOKEN_CLASSIFICATION:
			return "roformer.tag()";
		case RF_TASK_MASKED_LM:
			return "roformer.fill_mask()";
		case RF_TASK_MULTIPLE_CHOICE:
			return "roformer.choose()";
		case RF_TASK_QUESTION_ANSWERING:
			return "roformer.answer()";
		case RF_TASK_CAUSAL_LM:
			return "roformer.generate()";
		case RF_TASK_ENCODER:
			break;
	}
	return NULL;
}

void
roformer_task_refuse(const RoformerCall *call, const char *refusal)
{
	const RfConfig *config = rf_session_config(call->session->engine);
	const char *function = function_of_task(config);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("model \"%s\" %s", call->session->model->name, refusal),
			 config->task == RF_TASK_ENCODER
				 ? errdetail("It is an encoder without a head.")
				 : errdetail("It is a model for %s.", rf_task_name(config->task)),
			 function == NULL
				 ? errhint("Use roformer.embed() or roformer.hidden_state().")
				 : errhint("Use %s, roformer.embed() or roformer.hidden_state().", function)));
}

void
roformer_task_require(const RoformerCall *call, RfTask task)
{
	if (rf_session_config(call->session->engine)->task != task)
		roformer_task_refuse(call, psprintf("can't do %s", rf_task_name(task)));
}
