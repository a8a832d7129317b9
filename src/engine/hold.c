/*
 * hold.c - inputs computed ahead of being asked for.
 *
 * Whoever sees many texts coming but is asked for one after the other (a plan node of the server)
 * has them encoded and put through the encoder together, and held. A run over one of them then
 * takes encodings and hidden states from here; only its head is computed. So several runs over a
 * text (classify, then embed) share one pass, and none has to know of the others. Of answers and
 * choices, which one kind of run asks for, the results themselves are held.
 *
 * Equal inputs are computed once. The table finds them by the bytes of their texts; those stay the
 * caller's. What is held is what a run of its own would compute: it serves runs of the same session
 * with the same limit and overflow only.
 */
#include "hold.h"

#include <string.h>

/* ---- table ----------------------------------------------------------------------------------- */

static uint64_t
hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
	uint64_t word;

	for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word))
	{
		memcpy(&word, bytes, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
	}
	word = length;
	for (size_t i = 0; i < length; i++)
		word = word << 8 | (unsigned char) bytes[i];
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

static uint64_t
hash_inputs(const RfInput *inputs, size_t count)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < count; i++)
	{
		hash = hash_bytes(hash, inputs[i].text, inputs[i].length);
		if (inputs[i].pair != NULL)
			hash = hash_bytes(hash, inputs[i].pair, inputs[i].pair_length);
	}
	return hash;
}

static bool
equals_text(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static bool
equals_input(const RfInput *a, const RfInput *b)
{
	if (!equals_text(a->text, a->length, b->text, b->length))
		return false;
	if (a->pair == NULL || b->pair == NULL)
		return a->pair == b->pair;
	return equals_text(a->pair, a->pair_length, b->pair, b->pair_length);
}

static bool
has_inputs(const RfHeldGroup *group, const RfInput *inputs, size_t count)
{
	if (group->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
	{
		if (!equals_input(&group->inputs[i], &inputs[i]))
			return false;
	}
	return true;
}

/* The place of the group, or the free one where it belongs. */
static uint32_t *
find_place(const RfHeld *held, const RfInput *inputs, size_t count, uint64_t hash)
{
	size_t i = (size_t) hash & held->mask;

	for (; held->places[i] != 0; i = (i + 1) & held->mask)
	{
		const RfHeldGroup *group = &held->groups[held->places[i] - 1];

		if (group->hash == hash && has_inputs(group, inputs, count))
			break;
	}
	return &held->places[i];
}

const RfHeldGroup *
rf_held_find(const RfHeld *held, const RfInput *inputs, size_t count)
{
	uint32_t place;

	if (held->computed == 0)
		return NULL;
	place = *find_place(held, inputs, count, hash_inputs(inputs, count));
	return place == 0 || !held->groups[place - 1].computed ? NULL : &held->groups[place - 1];
}

/* ---- filling --------------------------------------------------------------------------------- */

static RfCode
reserve_groups(RfHeld *held, size_t count, RfError *err)
{
	size_t places = 8;

	RF_FAIL_IF(count > INT32_MAX / 2, err, RF_LIMIT, "%zu rows are too many", count);
	while (places < 2 * count)
		places *= 2;
	held->mask = places - 1;
	RF_NEW0(&held->arena, held->places, places, err);
	RF_NEW0(&held->arena, held->groups, count, err);
	return RF_OK;
}

static RfCode
add_distinct(RfHeld *held, const RfInput *inputs, size_t count, RfError *err)
{
	uint64_t hash = hash_inputs(inputs, count);
	uint32_t *place = find_place(held, inputs, count, hash);
	RfInput *copy;

	if (*place != 0 || count == 0)
		return RF_OK;
	RF_NEW(&held->arena, copy, count, err);
	memcpy(copy, inputs, count * sizeof(*inputs));
	held->groups[held->distinct] = (RfHeldGroup){.inputs = copy, .count = count, .hash = hash};
	*place = (uint32_t) ++held->distinct;
	return RF_OK;
}

static RfCode
add_groups(RfHeld *held, const RfInput *inputs, const size_t *counts, size_t groups, RfError *err)
{
	RF_TRY(reserve_groups(held, groups, err));
	for (size_t i = 0; i < groups; i++)
	{
		size_t count = counts == NULL ? 1 : counts[i];

		RF_TRY(add_distinct(held, inputs, count, err));
		inputs += count;
	}
	return RF_OK;
}

static RfCode
keep_text(RfHeld *held, RfHeldWindow *first, const RfWindow *window, RfError *err)
{
	RfEncoding *text;

	first->window.text = &first->encoding;
	if (rf_window_is_whole(window))
		return RF_OK;
	RF_NEW(&held->arena, text, 1, err);
	*text = *window->text;
	first->window.text = text;
	return rf_run_keep_encoding(text, &held->arena, err);
}

static RfCode
keep_window(RfHeld *held, const RfWindow *window, const RfEncoding *encoding, const float *hidden,
			RfError *err)
{
	RfHeldGroup *group = &held->groups[window->row];
	bool whole = rf_window_is_whole(window);
	RfHeldWindow *kept;

	RF_NEW(&held->arena, kept, 1, err);
	*kept = (RfHeldWindow){*window, *encoding, hidden, NULL};
	RF_TRY(rf_run_keep_encoding(&kept->encoding, &held->arena, err));
	if (window->at == 0)
	{
		RF_TRY(keep_text(held, kept, window, err));
		group->windows = kept;
		group->counts = (RfRunStats){
			.rows = 1, .truncated_rows = window->text->removed > 0, .windowed_rows = !whole};
	}
	else
	{
		kept->window.text = group->windows->window.text;
		group->last->next = kept;
	}
	group->last = kept;
	group->counts.tokens += encoding->count;
	group->counts.windows += !whole;
	group->computed = window->last;
	held->computed += window->last;
	return RF_OK;
}

/* The run's consumer: takes the batch's rows over into the arena of what is held. */
static RfCode
keep_windows(RfSession *session, RfRun *run, const RfRunBatch *batch, const RfWindow *windows,
			 void *context, RfError *err)
{
	RfHeld *held = context;
	size_t width = (size_t) session->model.config->hidden_size;
	size_t tokens = batch->batch.row_start[batch->batch.rows];
	float *hidden;

	(void) run;
	RF_NEW(&held->arena, hidden, tokens * width, err);
	memcpy(hidden, batch->hidden, tokens * width * sizeof(float));
	for (size_t i = 0; i < batch->batch.rows; i++)
		RF_TRY(keep_window(held, &windows[i], &batch->encodings[i],
						   hidden + batch->batch.row_start[i] * width, err));
	return RF_OK;
}

static RfCode
fill_states(RfHeld *held, RfSession *session, RfRun *run, RfError *err)
{
	RfInput *inputs;

	RF_NEW(&held->arena, inputs, held->distinct, err);
	for (size_t i = 0; i < held->distinct; i++)
		inputs[i] = held->groups[i].inputs[0];
	return rf_run_windows_ahead(session, run, inputs, held->distinct, keep_windows, held, err);
}

static RfCode
fill(RfHeld *held, RfSession *session, RfRun *run, RfError *err)
{
	switch (held->options.kind)
	{
		case RF_HOLD_ANSWERS:
			return rf_held_fill_answers(held, session, run, err);
		case RF_HOLD_CHOICES:
			return rf_held_fill_choices(held, session, run, err);
		case RF_HOLD_STATES:
			break;
	}
	return fill_states(held, session, run, err);
}

RfCode
rf_session_hold(RfSession *session, RfRun *run, const RfHoldOptions *options, const RfInput *inputs,
				const size_t *counts, size_t groups, RfMemory memory, RfHeld **result, RfError *err)
{
	RfHeld *held = memory.alloc(memory.context, sizeof(*held));

	*result = held;
	if (held == NULL)
		return rf_error_memory(err, sizeof(*held));
	memset(held, 0, sizeof(*held));
	held->memory = memory;
	held->session_id = session->id;
	held->run_options = run->options;
	held->options = *options;
	rf_arena_init(&held->arena, memory);
	RF_TRY(add_groups(held, inputs, counts, groups, err));
	return fill(held, session, run, err);
}

bool
rf_held_can_skip(RfCode code)
{
	return code != RF_OK && code != RF_NO_MEMORY && code != RF_CANCELED;
}

void
rf_held_count(RfRunStats *counts, const RfRunStats *before, const RfRunStats *now)
{
	counts->rows += now->rows - before->rows;
	counts->tokens += now->tokens - before->tokens;
	counts->truncated_rows += now->truncated_rows - before->truncated_rows;
	counts->windowed_rows += now->windowed_rows - before->windowed_rows;
	counts->windows += now->windows - before->windows;
}

void
rf_held_free(RfHeld *held)
{
	RfMemory memory;

	if (held == NULL)
		return;
	memory = held->memory;
	rf_arena_free(&held->arena);
	memory.release(memory.context, held);
}

size_t
rf_held_rows(const RfHeld *held)
{
	return held->computed;
}

/* ---- serving --------------------------------------------------------------------------------- */

bool
rf_hold_options_equal(const RfHoldOptions *a, const RfHoldOptions *b)
{
	return a->kind == b->kind && a->answer.max_answer_len == b->answer.max_answer_len &&
		   a->answer.doc_stride == b->answer.doc_stride &&
		   a->answer.handle_impossible_answer == b->answer.handle_impossible_answer;
}

bool
rf_held_serves(const RfHeld *held, const RfSession *session, const RfRunOptions *run_options,
			   const RfHoldOptions *options)
{
	return held->session_id == session->id &&
		   held->run_options.max_length == run_options->max_length &&
		   held->run_options.overflow == run_options->overflow &&
		   rf_hold_options_equal(&held->options, options);
}

bool
rf_held_has(const RfHeld *held, const RfInput *inputs, size_t count)
{
	return rf_held_find(held, inputs, count) != NULL;
}

bool
rf_run_holds(const RfSession *session, const RfRun *run, const RfHoldOptions *options,
			 const RfInput *inputs, size_t count, bool whole)
{
	if (run->held == NULL || !rf_held_serves(run->held, session, &run->options, options))
		return false;
	for (size_t i = 0; i < count; i++)
	{
		const RfHeldGroup *group = rf_held_find(run->held, &inputs[i], 1);

		if (group == NULL || (whole && group->windows != NULL && group->windows->next != NULL))
			return false;
	}
	return true;
}

static RfCode
serve_window(RfSession *session, RfRun *run, const RfHeldWindow *held, size_t index,
			 RfWindowConsumer consumer, void *context, RfError *err)
{
	uint32_t row_start[2] = {0, (uint32_t) held->encoding.count};
	RfWindow window = held->window;
	RfRunBatch batch = {
		.first = index,
		.encodings = &held->encoding,
		.batch = {.rows = 1,
				  .row_start = row_start,
				  .input_ids = held->encoding.input_ids,
				  .token_type_ids = held->encoding.token_type_ids},
		.hidden = held->hidden,
		.scratch = &session->batches[0],
	};
	RfCode code;

	window.row = index;
	code = consumer(session, run, &batch, &window, context, err);
	rf_arena_free(&session->batches[0]);
	return code;
}

RfCode
rf_held_run(const RfHeld *held, RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			RfWindowConsumer consumer, void *context, RfError *err)
{
	static const RfRunStats nothing;

	for (size_t i = 0; i < count; i++)
	{
		const RfHeldGroup *group = rf_held_find(held, &inputs[i], 1);

		rf_held_count(&run->stats, &nothing, &group->counts);
		for (const RfHeldWindow *window = group->windows; window != NULL; window = window->next)
			RF_TRY(serve_window(session, run, window, i, consumer, context, err));
	}
	return RF_OK;
}
