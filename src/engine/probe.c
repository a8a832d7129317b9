/*
 * probe.c - how far a model in a lower precision is from the same model in fp32, on some texts.
 *
 * Compared are hidden states, and what is decided from them: labels of texts or tokens, begin and
 * end of answers, the likeliest token at each position of a language model. A model that decides
 * nothing (an encoder, multiple choice) agrees at a token whose hidden states point the same way.
 *
 * Without texts of a user the probe is made from the vocabulary: rows of tokens drawn at random by
 * a fixed generator. They make no sense, so a model is less sure of them than of what it was
 * trained on: decisions are closer, and the probe is the stricter.
 */
#include "session.h"

#include <math.h>
#include <string.h>

#define PROBE_ROWS 24
#define LONGEST_ROW 40
/* Rows of vocabulary logits in memory at once. */
#define LOGIT_ROWS ((size_t) 8)
#define SAME_DIRECTION 0.999

static uint32_t
draw(uint64_t *state, uint32_t limit)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) ((*state >> 33) % limit);
}

static RfCode
make_text(const RfTokenizer *tokenizer, int32_t vocab_size, uint64_t *state, RfArena *arena,
		  RfInput *input, RfError *err)
{
	int32_t ids[LONGEST_ROW];
	size_t wanted = 4 + draw(state, LONGEST_ROW - 4);
	size_t count = 0;
	char *text;

	while (count < wanted)
		ids[count++] = (int32_t) draw(state, (uint32_t) vocab_size);
	RF_TRY(rf_decode(tokenizer, ids, count, true, false, NULL, arena, &text, &input->length, err));
	input->text = text;
	return RF_OK;
}

RfCode
rf_probe_texts(const RfSession *session, RfArena *arena, RfInput **inputs, size_t *count,
			   RfError *err)
{
	uint64_t state = 1;

	*count = PROBE_ROWS;
	RF_NEW0(arena, *inputs, PROBE_ROWS, err);
	for (size_t i = 0; i < PROBE_ROWS; i++)
		RF_TRY(make_text(&session->tokenizer, session->model.config->vocab_size, &state, arena,
						 &(*inputs)[i], err));
	return RF_OK;
}

/* What grows while a probe runs. */
typedef struct Filling
{
	RfProbe *probe;
	size_t room_tokens;
	size_t room_decisions;
} Filling;

/* Room for more of an array that has count elements; the arena keeps the old one. */
static RfCode
grow(RfArena *arena, void **array, size_t element, size_t count, size_t more, size_t *room,
	 RfError *err)
{
	void *larger;

	if (count + more <= *room)
		return RF_OK;
	*room = 2 * (count + more);
	larger = rf_arena_alloc(arena, *room, element);
	if (larger == NULL)
		return rf_error_memory(err, *room * element);
	if (count > 0)
		memcpy(larger, *array, count * element);
	*array = larger;
	return RF_OK;
}

static int32_t
find_largest(const float *values, size_t count, size_t stride)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (values[i * stride] > values[best * stride])
			best = i;
	return (int32_t) best;
}

static RfCode
decide(RfRun *run, Filling *filling, int32_t decision, RfError *err)
{
	RfProbe *probe = filling->probe;
	void *decisions = probe->decisions;

	RF_TRY(grow(run->arena, &decisions, sizeof(int32_t), probe->decision_count, 1,
				&filling->room_decisions, err));
	probe->decisions = decisions;
	probe->decisions[probe->decision_count++] = decision;
	return RF_OK;
}

/* The label of each of m logits rows, or whether each label applies. */
static RfCode
decide_labels(RfSession *session, RfRun *run, Filling *filling, const float *logits, size_t m,
			  RfError *err)
{
	const RfConfig *config = session->model.config;
	size_t labels = session->model.classifier.n;

	for (size_t i = 0; i < m; i++)
	{
		const float *row = logits + i * labels;

		if (config->task != RF_TASK_SEQUENCE_CLASSIFICATION ||
			config->problem == RF_PROBLEM_SINGLE_LABEL)
			RF_TRY(decide(run, filling, find_largest(row, labels, 1), err));
		else if (config->problem == RF_PROBLEM_MULTI_LABEL)
			for (size_t j = 0; j < labels; j++)
				RF_TRY(decide(run, filling, row[j] > 0, err));
	}
	return RF_OK;
}

/* Begin and end of each row's answer. */
static RfCode
decide_spans(RfRun *run, Filling *filling, const float *logits, const RfBatch *batch, RfError *err)
{
	for (size_t row = 0; row < batch->rows; row++)
	{
		size_t first = batch->row_start[row];
		size_t tokens = batch->row_start[row + 1] - first;

		RF_TRY(decide(run, filling, find_largest(logits + 2 * first, tokens, 2), err));
		RF_TRY(decide(run, filling, find_largest(logits + 2 * first + 1, tokens, 2), err));
	}
	return RF_OK;
}

static RfCode
decide_tokens(RfSession *session, RfRun *run, Filling *filling, const RfRunBatch *batch,
			  size_t tokens, RfError *err)
{
	size_t width = (size_t) session->model.config->hidden_size;
	size_t vocabulary = session->model.decoder.n;
	float *logits;

	RF_NEW(batch->scratch, logits, LOGIT_ROWS * vocabulary, err);
	for (size_t first = 0; first < tokens; first += LOGIT_ROWS)
	{
		size_t rows = tokens - first < LOGIT_ROWS ? tokens - first : LOGIT_ROWS;

		RF_TRY(rf_head_vocabulary(&session->encoder, batch->hidden + first * width, rows,
								  batch->scratch, logits, err));
		for (size_t i = 0; i < rows; i++)
			RF_TRY(decide(run, filling, find_largest(logits + i * vocabulary, vocabulary, 1), err));
	}
	return RF_OK;
}

static RfCode
decide_batch(RfSession *session, RfRun *run, const RfRunBatch *batch, Filling *filling,
			 RfError *err)
{
	const RfModel *model = &session->model;
	bool whole = model->config->task == RF_TASK_SEQUENCE_CLASSIFICATION;
	size_t rows = whole ? batch->batch.rows : batch->batch.row_start[batch->batch.rows];
	const float *hidden = batch->hidden;
	float *first;
	float *logits;

	switch (model->config->task)
	{
		case RF_TASK_MASKED_LM:
		case RF_TASK_CAUSAL_LM:
			return decide_tokens(session, run, filling, batch, rows, err);
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			RF_TRY(rf_run_first_tokens(session, batch, &first, err));
			hidden = first;
			break;
		case RF_TASK_TOKEN_CLASSIFICATION:
		case RF_TASK_QUESTION_ANSWERING:
			break;
		default:
			return RF_OK;
	}
	RF_NEW(batch->scratch, logits, rows * model->classifier.n, err);
	RF_TRY(rf_head_labels(&session->encoder, hidden, rows, batch->scratch, logits, err));
	if (model->config->task == RF_TASK_QUESTION_ANSWERING)
		return decide_spans(run, filling, logits, &batch->batch, err);
	return decide_labels(session, run, filling, logits, rows, err);
}

static RfCode
take_batch(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	Filling *filling = context;
	RfProbe *probe = filling->probe;
	size_t tokens = batch->batch.row_start[batch->batch.rows];
	void *hidden = probe->hidden;

	RF_TRY(grow(run->arena, &hidden, probe->width * sizeof(float), probe->tokens, tokens,
				&filling->room_tokens, err));
	probe->hidden = hidden;
	memcpy(probe->hidden + probe->tokens * probe->width, batch->hidden,
		   tokens * probe->width * sizeof(float));
	probe->tokens += tokens;
	return decide_batch(session, run, batch, filling, err);
}

RfCode
rf_run_probe(RfSession *session, RfRun *run, const RfInput *inputs, size_t count, RfProbe *probe,
			 RfError *err)
{
	Filling filling = {.probe = probe};

	memset(probe, 0, sizeof(*probe));
	probe->width = (size_t) session->model.config->hidden_size;
	return rf_run_batches(session, run, inputs, count, take_batch, &filling, err);
}

static double
compare_tokens(const float *exact, const float *rounded, size_t width, RfDeviation *deviation)
{
	double product = 0;
	double left = 0;
	double right = 0;

	for (size_t i = 0; i < width; i++)
	{
		double difference = (double) rounded[i] - exact[i];

		deviation->max = fmax(deviation->max, fabs(difference));
		deviation->rms += difference * difference;
		product += (double) exact[i] * rounded[i];
		left += (double) exact[i] * exact[i];
		right += (double) rounded[i] * rounded[i];
	}
	return left > 0 && right > 0 ? product / sqrt(left * right) : left == right;
}

void
rf_probe_compare(const RfProbe *exact, const RfProbe *rounded, RfDeviation *deviation)
{
	size_t width = exact->width;
	size_t agreed = 0;
	size_t decided = exact->decision_count;

	*deviation = (RfDeviation){.cosine = 1};
	for (size_t i = 0; i < exact->tokens; i++)
	{
		double cosine = compare_tokens(exact->hidden + i * width, rounded->hidden + i * width,
									   width, deviation);

		/* also when it is no number */
		if (!(cosine >= deviation->cosine))
			deviation->cosine = cosine;
		agreed += exact->decision_count == 0 && cosine >= SAME_DIRECTION;
	}
	if (decided == 0)
		decided = exact->tokens;
	for (size_t i = 0; i < exact->decision_count; i++)
		agreed += exact->decisions[i] == rounded->decisions[i];
	deviation->rms = sqrt(deviation->rms / (double) (exact->tokens * width));
	deviation->agreement = (double) agreed / (double) decided;
}
