/*
 * embed.c - one vector for a text: pooled hidden states.
 *
 * Sums and norms run in double, so that a mean over thousands of tokens is as exact as over ten.
 */
#include "session.h"

#include <math.h>
#include <string.h>

typedef struct EmbedContext
{
	RfPooling pooling;
	bool normalize;
	float *vectors; /* [B,H] of the whole run */
} EmbedContext;

void
rf_pool_mean(const float *hidden, size_t tokens, size_t width, double *sums, float *vector)
{
	memset(sums, 0, width * sizeof(double));
	for (size_t t = 0; t < tokens; t++)
		for (size_t i = 0; i < width; i++)
			sums[i] += hidden[t * width + i];
	for (size_t i = 0; i < width; i++)
		vector[i] = (float) (sums[i] / (double) tokens);
}

static void
pool_max(const float *hidden, size_t tokens, size_t width, float *vector)
{
	memcpy(vector, hidden, width * sizeof(float));
	for (size_t t = 1; t < tokens; t++)
		for (size_t i = 0; i < width; i++)
			if (hidden[t * width + i] > vector[i])
				vector[i] = hidden[t * width + i];
}

/* A vector without length stays as it is. */
static void
normalize_vector(float *vector, size_t width)
{
	double squares = 0;
	double norm;

	for (size_t i = 0; i < width; i++)
		squares += (double) vector[i] * vector[i];
	norm = sqrt(squares);
	if (norm > 0)
		for (size_t i = 0; i < width; i++)
			vector[i] = (float) (vector[i] / norm);
}

static RfCode
pool_rows(RfSession *session, const RfRunBatch *batch, RfPooling pooling, float *vectors,
		  RfError *err)
{
	size_t width = (size_t) session->model.config->hidden_size;
	double *sums;

	RF_NEW(batch->scratch, sums, width, err);
	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		size_t first = batch->batch.row_start[row];
		size_t tokens = batch->batch.row_start[row + 1] - first;
		const float *hidden = batch->hidden + first * width;
		float *vector = vectors + row * width;

		if (pooling == RF_POOL_MEAN)
			rf_pool_mean(hidden, tokens, width, sums, vector);
		else if (pooling == RF_POOL_MAX)
			pool_max(hidden, tokens, width, vector);
		else
			memcpy(vector, hidden, width * sizeof(float));
	}
	return RF_OK;
}

static RfCode
put_vectors(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	EmbedContext *embed = context;
	size_t width = (size_t) session->model.config->hidden_size;
	float *vectors = embed->vectors + batch->first * width;

	(void) run;
	if (embed->pooling == RF_POOL_POOLER)
	{
		float *first;

		RF_TRY(rf_run_first_tokens(session, batch, &first, err));
		RF_TRY(rf_head_pooler(&session->encoder, first, batch->batch.rows, vectors, err));
	}
	else
		RF_TRY(pool_rows(session, batch, embed->pooling, vectors, err));
	if (embed->normalize)
		for (size_t row = 0; row < batch->batch.rows; row++)
			normalize_vector(vectors + row * width, width);
	return RF_OK;
}

RfCode
rf_run_embed(RfSession *session, RfRun *run, const RfInput *inputs, size_t count, RfPooling pooling,
			 bool normalize, float **vectors, RfError *err)
{
	EmbedContext context = {pooling, normalize, NULL};
	size_t size;

	if (pooling == RF_POOL_POOLER && session->model.pooler.weight == NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "the model has no pooler");
		rf_error_hint(err, "Use pooling \"cls\", \"mean\" or \"max\".");
		return RF_UNSUPPORTED;
	}
	RF_FAIL_IF(!rf_size_mul(count, (size_t) session->model.config->hidden_size, &size), err,
			   RF_LIMIT, "%zu rows are too many", count);
	RF_NEW(run->arena, *vectors, size, err);
	context.vectors = *vectors;
	return rf_run_batches(session, run, inputs, count, put_vectors, &context, err);
}
