/*
 * embed.c - one vector for a text: pooled hidden states.
 *
 * Sums and norms run in double, so that a mean over thousands of tokens is as exact as over ten.
 */
#include "windows.h"

#include <math.h>
#include <string.h>

typedef struct EmbedContext
{
	RfPooling pooling;
	bool normalize;
	float *vectors; /* [B,H] of the whole run */
	double *sums;   /* [H] of the text whose tokens or windows come */
} EmbedContext;

static void
add_tokens(const float *tokens, size_t count, size_t width, double *sums)
{
	for (size_t t = 0; t < count; t++)
		for (size_t i = 0; i < width; i++)
			sums[i] += tokens[t * width + i];
}

static void
divide_sums(const double *sums, size_t count, size_t width, float *vector)
{
	for (size_t i = 0; i < width; i++)
		vector[i] = (float) (sums[i] / (double) count);
}

void
rf_pool_mean(const float *hidden, size_t tokens, size_t width, double *sums, float *vector)
{
	memset(sums, 0, width * sizeof(double));
	add_tokens(hidden, tokens, width, sums);
	divide_sums(sums, tokens, width, vector);
}

/* The mean over the text, of which tokens [.,H] are those that count in a window. */
static void
pool_mean(const RfWindow *window, const float *tokens, size_t width, double *sums, float *vector)
{
	if (window->at == 0)
		memset(sums, 0, width * sizeof(double));
	add_tokens(tokens, window->end - window->first, width, sums);
	if (window->last)
		divide_sums(sums, window->text->count, width, vector);
}

static void
pool_max(const RfWindow *window, const float *tokens, size_t width, float *vector)
{
	size_t count = window->end - window->first;

	if (window->at == 0)
		memcpy(vector, tokens, width * sizeof(float));
	for (size_t t = 0; t < count; t++)
		for (size_t i = 0; i < width; i++)
			if (tokens[t * width + i] > vector[i])
				vector[i] = tokens[t * width + i];
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

/* A vector for each row, from its first token: *summaries [rows,H] in scratch. */
static RfCode
summarize_rows(RfSession *session, const RfRunBatch *batch, RfPooling pooling, float **summaries,
			   RfError *err)
{
	size_t width = (size_t) session->model.config->hidden_size;
	float *first;

	RF_TRY(rf_run_first_tokens(session, batch, &first, err));
	*summaries = first;
	if (pooling == RF_POOL_CLS)
		return RF_OK;
	RF_NEW(batch->scratch, *summaries, batch->batch.rows * width, err);
	return rf_head_pooler(&session->encoder, first, batch->batch.rows, *summaries, err);
}

static RfCode
put_vectors(RfSession *session, RfRun *run, const RfRunBatch *batch, const RfWindow *windows,
			void *context, RfError *err)
{
	EmbedContext *embed = context;
	RfPooling pooling = embed->pooling;
	size_t width = (size_t) session->model.config->hidden_size;
	float *summaries = NULL;

	(void) run;
	if (pooling == RF_POOL_CLS || pooling == RF_POOL_POOLER)
		RF_TRY(summarize_rows(session, batch, pooling, &summaries, err));
	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		const RfWindow *window = &windows[row];
		const float *tokens = batch->hidden + (batch->batch.row_start[row] + window->first) * width;
		float *vector = embed->vectors + window->row * width;

		if (pooling == RF_POOL_MEAN)
			pool_mean(window, tokens, width, embed->sums, vector);
		else if (pooling == RF_POOL_MAX)
			pool_max(window, tokens, width, vector);
		else
			rf_window_add(window, summaries + row * width, width, embed->sums, vector);
		if (window->last && embed->normalize)
			normalize_vector(vector, width);
	}
	return RF_OK;
}

RfCode
rf_run_embed(RfSession *session, RfRun *run, const RfInput *inputs, size_t count, RfPooling pooling,
			 bool normalize, float **vectors, RfError *err)
{
	EmbedContext context = {pooling, normalize, NULL, NULL};
	size_t width = (size_t) session->model.config->hidden_size;
	size_t size;

	if (pooling == RF_POOL_POOLER && session->model.pooler.weight == NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "the model has no pooler");
		rf_error_hint(err, "Use pooling \"cls\", \"mean\" or \"max\".");
		return RF_UNSUPPORTED;
	}
	RF_FAIL_IF(!rf_size_mul(count, width, &size), err, RF_LIMIT, "%zu rows are too many", count);
	RF_NEW(run->arena, *vectors, size, err);
	RF_NEW(run->arena, context.sums, width, err);
	context.vectors = *vectors;
	return rf_run_windows(session, run, inputs, count, put_vectors, &context, err);
}
