/*
 * choose.c - multiple choice: the logit of each (prompt, choice) pair.
 *
 * A model says by its summary_type which column stands for a pair. By default it is the last one of
 * the pairs compared, padding or not; so the choices of a prompt are padded to one length, as the
 * reference pads a batch, and that length is found by encoding them once more than is needed.
 */
#include "session.h"

#include <string.h>

/* The rows of a run: all choices of the first prompt, of the second, ... */
typedef struct ChoiceRows
{
	const RfInput *inputs;
	const size_t *counts; /* [prompts] */
	size_t prompts;
	size_t prompt;  /* whose choices come next */
	size_t choice;  /* of those */
	size_t next;    /* input */
	size_t longest; /* tokens of the prompt's longest choice; 0: nothing is padded */
	RfArena measuring;
	float *logits; /* [inputs] */
} ChoiceRows;

static bool
sees_padding(const RfSession *session)
{
	return session->model.config->summary != RF_SUMMARY_FIRST;
}

/* The most tokens of a choice of the prompt that begins with the next input. */
static RfCode
measure_choices(RfSession *session, const RfRun *run, ChoiceRows *rows, RfError *err)
{
	RfRun uncounted = *run;

	rows->longest = 0;
	for (size_t i = 0; i < rows->counts[rows->prompt]; i++)
	{
		RfEncoding encoding;

		RF_FAIL_IF(rf_abort_requested(&session->abort_fn), err, RF_CANCELED,
				   "tokenizing was canceled");
		RF_TRY(rf_run_encode(session, &uncounted, &rows->inputs[rows->next + i], 0,
							 &rows->measuring, &encoding, err));
		if (encoding.count > rows->longest)
			rows->longest = encoding.count;
		rf_arena_free(&rows->measuring);
	}
	return RF_OK;
}

static RfCode
next_choice(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
			bool *more, RfError *err)
{
	ChoiceRows *rows = context;

	while (rows->prompt < rows->prompts && rows->choice == rows->counts[rows->prompt])
	{
		rows->prompt++;
		rows->choice = 0;
	}
	*more = rows->prompt < rows->prompts;
	if (!*more)
		return RF_OK;
	if (rows->choice == 0 && sees_padding(session))
		RF_TRY(measure_choices(session, run, rows, err));
	rows->choice++;
	return rf_run_encode(session, run, &rows->inputs[rows->next++], rows->longest, arena, encoding,
						 err);
}

/* *summaries [rows,H] */
static RfCode
summarize_rows(const RfSession *session, const RfRunBatch *batch, float **summaries, RfError *err)
{
	const RfConfig *config = session->model.config;
	size_t width = (size_t) config->hidden_size;
	double *sums;

	RF_NEW(batch->scratch, *summaries, batch->batch.rows * width, err);
	RF_NEW(batch->scratch, sums, width, err);
	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		size_t first = batch->batch.row_start[row];
		size_t end = batch->batch.row_start[row + 1];
		float *summary = *summaries + row * width;

		if (config->summary == RF_SUMMARY_MEAN)
			rf_pool_mean(batch->hidden + first * width, end - first, width, sums, summary);
		else
			memcpy(summary,
				   batch->hidden + (config->summary == RF_SUMMARY_FIRST ? first : end - 1) * width,
				   width * sizeof(float));
	}
	return RF_OK;
}

static RfCode
put_choices(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	ChoiceRows *rows = context;
	float *summaries;

	(void) run;
	RF_TRY(summarize_rows(session, batch, &summaries, err));
	return rf_head_choices(&session->encoder, summaries, batch->batch.rows, batch->scratch,
						   rows->logits + batch->first, err);
}

RfCode
rf_run_choices(RfSession *session, RfRun *run, const RfInput *inputs, const size_t *counts,
			   size_t prompts, float **logits, RfError *err)
{
	ChoiceRows rows = {.inputs = inputs, .counts = counts, .prompts = prompts};
	RfRunSource source = {next_choice, &rows, session->model.config->summary == RF_SUMMARY_LAST};
	size_t total = 0;
	RfCode code;

	RF_TRY(rf_session_require(session, RF_TASK_MULTIPLE_CHOICE, err));
	for (size_t i = 0; i < prompts; i++)
		total += counts[i];
	RF_NEW(run->arena, *logits, total, err);
	rows.logits = *logits;
	rf_arena_init(&rows.measuring, session->memory);
	code = rf_run_rows(session, run, &source, put_choices, &rows, err);
	rf_arena_free(&rows.measuring);
	return code;
}
