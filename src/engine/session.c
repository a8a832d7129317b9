/*
 * session.c - opening an image for one user.
 */
#include "session.h"

#include <string.h>

static RfCode
open_parts(RfSession *session, const void *image, size_t size, RfError *err)
{
	RfModel *model = &session->model;

	RF_TRY(rf_model_open(image, size, &session->arena, model, err));
	RF_FAIL_IF(model->tokenizer == NULL, err, RF_CORRUPT, "model image has no tokenizer");
	RF_TRY(rf_tokenizer_open(model->tokenizer, model->tokenizer_size, &session->tokenizer, err));
	rf_encoder_init(&session->encoder, model, session->memory, session->abort_fn);
	return RF_OK;
}

RfCode
rf_session_open(const void *image, size_t size, RfMemory memory, RfAbort abort_fn,
				RfSession **result, RfError *err)
{
	static uint64_t opened = 0;
	RfSession *session = memory.alloc(memory.context, sizeof(*session));
	RfCode code;

	*result = NULL;
	if (session == NULL)
		return rf_error_memory(err, sizeof(*session));
	memset(session, 0, sizeof(*session));
	session->id = __atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
	session->memory = memory;
	session->abort_fn = abort_fn;
	rf_arena_init(&session->arena, memory);
	rf_arena_init(&session->batches[0], memory);
	rf_arena_init(&session->batches[1], memory);
	code = open_parts(session, image, size, err);
	if (code != RF_OK)
	{
		rf_session_close(session);
		return code;
	}
	*result = session;
	return RF_OK;
}

void
rf_session_close(RfSession *session)
{
	RfMemory memory;

	if (session == NULL)
		return;
	memory = session->memory;
	if (session->encoder.model != NULL)
		rf_encoder_trim(&session->encoder, 0);
	rf_arena_free(&session->batches[0]);
	rf_arena_free(&session->batches[1]);
	rf_arena_free(&session->arena);
	memory.release(memory.context, session);
}

RfCode
rf_session_set_dictionary(RfSession *session, const void *block, size_t size, RfError *err)
{
	RF_TRY(rf_jieba_open(block, size, &session->jieba, err));
	session->tokenizer.jieba = &session->jieba;
	return RF_OK;
}

void
rf_session_choose_tokenizer(RfSession *session, RfTokenizerChoice choice)
{
	rf_tokenizer_choose(&session->tokenizer, choice);
}

const RfConfig *
rf_session_config(const RfSession *session)
{
	return session->model.config;
}

const RfTokenizer *
rf_session_tokenizer(const RfSession *session)
{
	return &session->tokenizer;
}

RfPrecision
rf_session_precision(const RfSession *session)
{
	return session->model.precision;
}

const RfKernels *
rf_session_kernels(const RfSession *session)
{
	return session->model.kernels;
}

const char *
rf_session_label(const RfSession *session, int32_t label)
{
	return session->model.labels[label];
}

int32_t
rf_session_default_max_length(const RfSession *session)
{
	return session->model.default_max_length;
}

size_t
rf_session_workspace(const RfSession *session)
{
	return rf_encoder_held(&session->encoder) + session->batches[0].total +
		   session->batches[1].total;
}

RfCode
rf_session_require(const RfSession *session, RfTask task, RfError *err)
{
	RfTask has = session->model.config->task;

	if (task == RF_TASK_ENCODER || task == has)
		return RF_OK;
	rf_error_set(err, RF_UNSUPPORTED, "the model can't do %s", rf_task_name(task));
	if (has == RF_TASK_ENCODER)
		rf_error_detail(err, "It is an encoder without a head; hidden states and embeddings can be "
							 "computed with it.");
	else
		rf_error_detail(err,
						"It is a model for %s; hidden states and embeddings can be computed with "
						"it as well.",
						rf_task_name(has));
	return RF_UNSUPPORTED;
}

RfCode
rf_session_forward(RfSession *session, const RfBatch *batch, const float **hidden, RfError *err)
{
	return rf_encoder_forward(&session->encoder, batch, hidden, err);
}
