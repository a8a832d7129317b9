/*
 * logits.c - raw outputs: hidden states and each head's logits.
 */
#include "windows.h"

#include <string.h>

typedef struct SequenceContext
{
	float *logits; /* [B,C] of the whole run */
	double *sums;  /* [C] of a text in windows */
} SequenceContext;

static RfCode
put_sequence_logits(RfSession *session, RfRun *run, const RfRunBatch *batch,
					const RfWindow *windows, void *context, RfError *err)
{
	SequenceContext *sequence = context;
	size_t labels = session->model.classifier.n;
	float *first;
	float *logits;

	(void) run;
	RF_TRY(rf_run_first_tokens(session, batch, &first, err));
	RF_NEW(batch->scratch, logits, batch->batch.rows * labels, err);
	RF_TRY(
		rf_head_labels(&session->encoder, first, batch->batch.rows, batch->scratch, logits, err));
	for (size_t row = 0; row < batch->batch.rows; row++)
		rf_window_add(&windows[row], logits + row * labels, labels, sequence->sums,
					  sequence->logits + windows[row].row * labels);
	return RF_OK;
}

RfCode
rf_run_sequence_logits(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
					   float **logits, RfError *err)
{
	size_t labels = session->model.classifier.n;
	SequenceContext context;
	size_t size;

	RF_TRY(rf_session_require(session, RF_TASK_SEQUENCE_CLASSIFICATION, err));
	RF_FAIL_IF(!rf_size_mul(count, labels, &size), err, RF_LIMIT, "%zu rows are too many", count);
	RF_NEW(run->arena, *logits, size, err);
	RF_NEW(run->arena, context.sums, labels, err);
	context.logits = *logits;
	return rf_run_windows(session, run, inputs, count, put_sequence_logits, &context, err);
}

static RfCode
new_matrix(RfArena *arena, size_t rows, size_t columns, RfMatrix *matrix, RfError *err)
{
	size_t size;

	RF_FAIL_IF(!rf_size_mul(rows, columns, &size), err, RF_LIMIT,
			   "%zu times %zu numbers are too many", rows, columns);
	RF_NEW(arena, matrix->values, size, err);
	matrix->rows = rows;
	matrix->columns = columns;
	return RF_OK;
}

static RfCode
put_token_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				 RfError *err)
{
	RfMatrix *logits = context;
	size_t tokens = batch->batch.row_start[1];

	RF_TRY(new_matrix(run->arena, tokens, session->model.classifier.n, logits, err));
	return rf_head_labels(&session->encoder, batch->hidden, tokens, batch->scratch, logits->values,
						  err);
}

static RfCode
put_vocabulary_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
					  RfError *err)
{
	RfMatrix *logits = context;
	size_t tokens = batch->batch.row_start[1];

	RF_TRY(new_matrix(run->arena, tokens, session->model.decoder.n, logits, err));
	return rf_head_vocabulary(&session->encoder, batch->hidden, tokens, batch->scratch,
							  logits->values, err);
}

/* [T,2] as computed to [2,T]: starts, then ends */
static RfCode
put_span_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				RfError *err)
{
	RfMatrix *logits = context;
	RfMatrix columns = {0, 0, NULL};

	RF_TRY(put_token_logits(session, run, batch, &columns, err));
	RF_TRY(new_matrix(run->arena, columns.columns, columns.rows, logits, err));
	for (size_t token = 0; token < columns.rows; token++)
		for (size_t i = 0; i < columns.columns; i++)
			logits->values[i * columns.rows + token] = columns.values[token * columns.columns + i];
	return RF_OK;
}

static RfRunConsumer
consumer_of(RfTask task)
{
	switch (task)
	{
		case RF_TASK_TOKEN_CLASSIFICATION:
			return put_token_logits;
		case RF_TASK_MASKED_LM:
		case RF_TASK_CAUSAL_LM:
			return put_vocabulary_logits;
		case RF_TASK_QUESTION_ANSWERING:
			return put_span_logits;
		default:
			return NULL;
	}
}

RfCode
rf_run_logits(RfSession *session, RfRun *run, const RfInput *input, RfMatrix *logits, RfError *err)
{
	RfTask task = session->model.config->task;
	RfRunConsumer consumer = consumer_of(task);

	if (task == RF_TASK_SEQUENCE_CLASSIFICATION)
	{
		logits->rows = 1;
		logits->columns = session->model.classifier.n;
		return rf_run_sequence_logits(session, run, input, 1, &logits->values, err);
	}
	if (consumer == NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "the model has no logits of a single text");
		rf_error_detail(err, "It is a model for %s.", rf_task_name(task));
		return RF_UNSUPPORTED;
	}
	return rf_run_batches(session, run, input, 1, consumer, logits, err);
}

static RfCode
put_hidden_state(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				 RfError *err)
{
	RfMatrix *hidden = context;
	size_t width = (size_t) session->model.config->hidden_size;
	size_t tokens = batch->batch.row_start[1];

	RF_TRY(new_matrix(run->arena, tokens, width, hidden, err));
	memcpy(hidden->values, batch->hidden, tokens * width * sizeof(float));
	return RF_OK;
}

RfCode
rf_run_hidden_state(RfSession *session, RfRun *run, const RfInput *input, RfMatrix *hidden,
					RfError *err)
{
	return rf_run_batches(session, run, input, 1, put_hidden_state, hidden, err);
}
