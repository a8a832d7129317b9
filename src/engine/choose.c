/*
 * choose.c - multiple choice: the logit of each (prompt, choice) pair.
 *
 * A model says by its summary_type which column stands for a pair. By default it is the last one of
 * the pairs compared, padding or not; so the choices of a prompt are padded to one length, as the
 * reference pads a batch, and that length is found by encoding them once more than is needed.
 */
#include "hold.h"

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
	float *logits;       /* [inputs] */
	size_t *places;      /* [inputs] which input a row of the run is */
	size_t rows;         /* of the run, so far */
	RfHeldGroup *groups; /* [prompts] computed ahead; NULL: a choice that is an error is one */
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
encode_choice(RfSession *session, RfRun *run, ChoiceRows *rows, RfArena *arena,
			  RfEncoding *encoding, RfError *err)
{
	if (rows->choice == 0 && sees_padding(session))
		RF_TRY(measure_choices(session, run, rows, err));
	RF_TRY(rf_run_encode(session, run, &rows->inputs[rows->next], rows->longest, arena, encoding,
						 err));
	rows->places[rows->rows++] = rows->next++;
	rows->choice++;
	return RF_OK;
}

/* The same, but what is computed ahead does without a prompt with a choice that is an error. */
static RfCode
encode_ahead(RfSession *session, RfRun *run, ChoiceRows *rows, RfArena *arena, RfEncoding *encoding,
			 bool *skipped, RfError *err)
{
	RfHeldGroup *group = &rows->groups[rows->prompt];
	RfRunStats before = run->stats;
	RfCode code = encode_choice(session, run, rows, arena, encoding, err);

	group->computed = code == RF_OK;
	rf_held_count(&group->counts, &before, &run->stats);
	*skipped = rf_held_can_skip(code);
	if (!*skipped)
		return code;
	rows->next += rows->counts[rows->prompt] - rows->choice;
	rows->choice = rows->counts[rows->prompt];
	return RF_OK;
}

static RfCode
next_choice(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
			bool *more, RfError *err)
{
	ChoiceRows *rows = context;
	bool skipped = true;

	while (skipped)
	{
		while (rows->prompt < rows->prompts && rows->choice == rows->counts[rows->prompt])
		{
			rows->prompt++;
			rows->choice = 0;
		}
		*more = rows->prompt < rows->prompts;
		if (!*more)
			return RF_OK;
		if (rows->groups == NULL)
			return encode_choice(session, run, rows, arena, encoding, err);
		RF_TRY(encode_ahead(session, run, rows, arena, encoding, &skipped, err));
	}
	return RF_OK;
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
	float *logits;

	(void) run;
	RF_TRY(summarize_rows(session, batch, &summaries, err));
	RF_NEW(batch->scratch, logits, batch->batch.rows, err);
	RF_TRY(rf_head_choices(&session->encoder, summaries, batch->batch.rows, batch->scratch, logits,
						   err));
	for (size_t i = 0; i < batch->batch.rows; i++)
		rows->logits[rows->places[batch->first + i]] = logits[i];
	return RF_OK;
}

static size_t
count_inputs(const size_t *counts, size_t prompts)
{
	size_t total = 0;

	for (size_t i = 0; i < prompts; i++)
		total += counts[i];
	return total;
}

/* rows->logits get a place for each input, in the arena. */
static RfCode
compute_choices(RfSession *session, RfRun *run, ChoiceRows *rows, RfArena *arena, RfError *err)
{
	RfRunSource source = {next_choice, rows, session->model.config->summary == RF_SUMMARY_LAST};
	size_t total = count_inputs(rows->counts, rows->prompts);
	RfCode code;

	RF_TRY(rf_session_require(session, RF_TASK_MULTIPLE_CHOICE, err));
	RF_NEW0(arena, rows->logits, total, err);
	RF_NEW(arena, rows->places, total, err);
	rf_arena_init(&rows->measuring, session->memory);
	code = rf_run_rows(session, run, &source, put_choices, rows, err);
	rf_arena_free(&rows->measuring);
	return code;
}

static bool
holds_prompts(const RfSession *session, const RfRun *run, const RfInput *inputs,
			  const size_t *counts, size_t prompts)
{
	static const RfHoldOptions choices = {.kind = RF_HOLD_CHOICES};

	if (run->held == NULL || !rf_held_serves(run->held, session, &run->options, &choices))
		return false;
	for (size_t i = 0; i < prompts; i++)
	{
		if (rf_held_find(run->held, inputs, counts[i]) == NULL)
			return false;
		inputs += counts[i];
	}
	return true;
}

static RfCode
take_held(RfRun *run, const RfInput *inputs, const size_t *counts, size_t prompts, float **logits,
		  RfError *err)
{
	static const RfRunStats nothing;
	float *next;

	RF_NEW(run->arena, *logits, count_inputs(counts, prompts), err);
	next = *logits;
	for (size_t i = 0; i < prompts; i++)
	{
		const RfHeldGroup *group = rf_held_find(run->held, inputs, counts[i]);

		memcpy(next, group->logits, counts[i] * sizeof(float));
		rf_held_count(&run->stats, &nothing, &group->counts);
		next += counts[i];
		inputs += counts[i];
	}
	return RF_OK;
}

RfCode
rf_run_choices(RfSession *session, RfRun *run, const RfInput *inputs, const size_t *counts,
			   size_t prompts, float **logits, RfError *err)
{
	ChoiceRows rows = {.inputs = inputs, .counts = counts, .prompts = prompts};

	if (holds_prompts(session, run, inputs, counts, prompts))
		return take_held(run, inputs, counts, prompts, logits, err);
	RF_TRY(compute_choices(session, run, &rows, run->arena, err));
	*logits = rows.logits;
	return RF_OK;
}

static RfCode
list_groups(RfHeld *held, ChoiceRows *rows, RfError *err)
{
	RfInput *inputs;
	size_t *counts;
	size_t total = 0;

	RF_NEW(&held->arena, counts, held->distinct, err);
	for (size_t i = 0; i < held->distinct; i++)
		total += counts[i] = held->groups[i].count;
	RF_NEW(&held->arena, inputs, total, err);
	*rows = (ChoiceRows){
		.inputs = inputs, .counts = counts, .prompts = held->distinct, .groups = held->groups};
	for (size_t i = 0; i < held->distinct; i++)
	{
		memcpy(inputs, held->groups[i].inputs, counts[i] * sizeof(*inputs));
		inputs += counts[i];
	}
	return RF_OK;
}

RfCode
rf_held_fill_choices(RfHeld *held, RfSession *session, RfRun *run, RfError *err)
{
	ChoiceRows rows;
	size_t next = 0;
	RfCode code;

	RF_TRY(list_groups(held, &rows, err));
	code = compute_choices(session, run, &rows, &held->arena, err);
	for (size_t i = 0; i < held->distinct && code != RF_OK; i++)
		held->groups[i].computed = false;
	for (size_t i = 0; i < held->distinct && code == RF_OK; i++)
	{
		held->groups[i].logits = rows.logits + next;
		held->computed += held->groups[i].computed;
		next += held->groups[i].count;
	}
	return code;
}
