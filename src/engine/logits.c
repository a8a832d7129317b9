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

/* Hidden states of one row of a batch [tokens,H]. */
static const float *
row_hidden(const RfSession *session, const RfRunBatch *batch, size_t row, size_t *tokens)
{
	size_t first = batch->batch.row_start[row];

	*tokens = batch->batch.row_start[row + 1] - first;
	return batch->hidden + first * (size_t) session->model.config->hidden_size;
}

static RfCode
put_token_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				 RfError *err)
{
	RfMatrix *logits = (RfMatrix *) context + batch->first;

	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		size_t tokens;
		const float *hidden = row_hidden(session, batch, row, &tokens);

		RF_TRY(new_matrix(run->arena, tokens, session->model.classifier.n, &logits[row], err));
		RF_TRY(rf_head_labels(&session->encoder, hidden, tokens, batch->scratch, logits[row].values,
							  err));
	}
	return RF_OK;
}

static RfCode
put_vocabulary_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
					  RfError *err)
{
	RfMatrix *logits = (RfMatrix *) context + batch->first;

	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		size_t tokens;
		const float *hidden = row_hidden(session, batch, row, &tokens);

		RF_TRY(new_matrix(run->arena, tokens, session->model.decoder.n, &logits[row], err));
		RF_TRY(rf_head_vocabulary(&session->encoder, hidden, tokens, batch->scratch,
								  logits[row].values, err));
	}
	return RF_OK;
}

/* [T,2] as computed to [2,T]: starts, then ends */
static RfCode
turn_matrix(RfArena *arena, RfMatrix *matrix, RfError *err)
{
	RfMatrix turned;

	RF_TRY(new_matrix(arena, matrix->columns, matrix->rows, &turned, err));
	for (size_t row = 0; row < matrix->rows; row++)
		for (size_t column = 0; column < matrix->columns; column++)
			turned.values[column * matrix->rows + row] =
				matrix->values[row * matrix->columns + column];
	*matrix = turned;
	return RF_OK;
}

static RfCode
put_span_logits(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				RfError *err)
{
	RfMatrix *logits = (RfMatrix *) context + batch->first;

	RF_TRY(put_token_logits(session, run, batch, context, err));
	for (size_t row = 0; row < batch->batch.rows; row++)
		RF_TRY(turn_matrix(run->arena, &logits[row], err));
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

/* Rows of one matrix [B,C] as matrices [1,C]. */
static RfCode
run_sequence_matrices(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
					  RfMatrix *logits, RfError *err)
{
	size_t labels = session->model.classifier.n;
	float *values;

	RF_TRY(rf_run_sequence_logits(session, run, inputs, count, &values, err));
	for (size_t i = 0; i < count; i++)
		logits[i] = (RfMatrix){1, labels, values + i * labels};
	return RF_OK;
}

RfCode
rf_run_logits(RfSession *session, RfRun *run, const RfInput *inputs, size_t count, RfMatrix *logits,
			  RfError *err)
{
	RfTask task = session->model.config->task;
	RfRunConsumer consumer = consumer_of(task);

	if (task == RF_TASK_SEQUENCE_CLASSIFICATION)
		return run_sequence_matrices(session, run, inputs, count, logits, err);
	if (consumer == NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "the model has no logits of a single text");
		rf_error_detail(err, "It is a model for %s.", rf_task_name(task));
		return RF_UNSUPPORTED;
	}
	return rf_run_batches(session, run, inputs, count, consumer, logits, err);
}

static RfCode
put_hidden_state(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				 RfError *err)
{
	RfMatrix *hidden = (RfMatrix *) context + batch->first;
	size_t width = (size_t) session->model.config->hidden_size;

	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		size_t tokens;
		const float *from = row_hidden(session, batch, row, &tokens);

		RF_TRY(new_matrix(run->arena, tokens, width, &hidden[row], err));
		memcpy(hidden[row].values, from, tokens * width * sizeof(float));
	}
	return RF_OK;
}

RfCode
rf_run_hidden_state(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
					RfMatrix *hidden, RfError *err)
{
	return rf_run_batches(session, run, inputs, count, put_hidden_state, hidden, err);
}
