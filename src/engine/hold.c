/*
 * hold.c - rows computed ahead of being asked for.
 *
 * Whoever sees many texts coming but is asked for one after the other (a plan node of the server)
 * has them encoded and put through the encoder together, and held. A run over one of them then
 * takes encoding and hidden states from here; only its head is computed. So several runs over a row
 * (classify, then embed) share one pass, and none has to know of the others.
 *
 * Equal inputs are computed once. The table finds rows by the bytes of their texts; those stay the
 * caller's. What is held is what a run of its own would compute: it serves runs of the same session
 * with the same limit and overflow only.
 */
#include "session.h"

#include <string.h>

typedef struct HeldRow
{
	const RfInput *input;
	uint64_t hash;
	RfEncoding encoding;
	const float *hidden; /* [T,H]; NULL: not computed */
} HeldRow;

struct RfHeld
{
	RfMemory memory;
	RfArena arena;
	uint64_t session_id;
	int32_t max_length;
	RfOverflow overflow;
	HeldRow *rows;   /* [distinct] */
	RfInput *inputs; /* [distinct] in the order they were given in */
	size_t distinct; /* different inputs */
	size_t next;     /* of these, to be encoded next */
	uint32_t *order; /* [encoded] rows in the order of the run */
	size_t encoded;
	size_t computed;
	uint32_t *places; /* [mask + 1] index of a row + 1, 0: free */
	size_t mask;
};

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
hash_input(const RfInput *input)
{
	uint64_t hash = hash_bytes(0, input->text, input->length);

	return input->pair == NULL ? hash : hash_bytes(hash, input->pair, input->pair_length);
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

/* The place of the input, or the free one where it belongs. */
static uint32_t *
find_place(const RfHeld *held, const RfInput *input, uint64_t hash)
{
	size_t i = (size_t) hash & held->mask;

	for (; held->places[i] != 0; i = (i + 1) & held->mask)
	{
		const HeldRow *row = &held->rows[held->places[i] - 1];

		if (row->hash == hash && equals_input(row->input, input))
			break;
	}
	return &held->places[i];
}

static const HeldRow *
find_row(const RfHeld *held, const RfInput *input)
{
	uint32_t place = *find_place(held, input, hash_input(input));

	return place == 0 || held->rows[place - 1].hidden == NULL ? NULL : &held->rows[place - 1];
}

/* ---- filling --------------------------------------------------------------------------------- */

static RfCode
reserve_rows(RfHeld *held, size_t count, RfError *err)
{
	size_t places = 8;

	RF_FAIL_IF(count > INT32_MAX / 2, err, RF_LIMIT, "%zu rows are too many", count);
	while (places < 2 * count)
		places *= 2;
	held->mask = places - 1;
	RF_NEW0(&held->arena, held->places, places, err);
	RF_NEW0(&held->arena, held->rows, count, err);
	RF_NEW(&held->arena, held->inputs, count, err);
	RF_NEW(&held->arena, held->order, count, err);
	return RF_OK;
}

static void
add_distinct(RfHeld *held, const RfInput *input)
{
	uint64_t hash = hash_input(input);
	uint32_t *place = find_place(held, input, hash);
	HeldRow *row;

	if (*place != 0)
		return;
	held->inputs[held->distinct] = *input;
	row = &held->rows[held->distinct];
	row->input = &held->inputs[held->distinct];
	row->hash = hash;
	*place = (uint32_t) ++held->distinct;
}

/*
 * The run's source. A text that can't be a row of its own (too long where that is an error, or read
 * in windows) is left to whoever asks for it.
 */
static RfCode
next_row(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
		 bool *more, RfError *err)
{
	RfHeld *held = context;

	while (held->next < held->distinct)
	{
		size_t row = held->next++;
		RfCode code = rf_run_encode(session, run, &held->inputs[row], 0, arena, encoding, err);

		if (code == RF_OK)
			held->order[held->encoded++] = (uint32_t) row;
		*more = code == RF_OK;
		if (code == RF_OK || code == RF_NO_MEMORY || code == RF_CANCELED)
			return code;
	}
	*more = false;
	return RF_OK;
}

/* The run's consumer: takes the batch's rows over into the arena of what is held. */
static RfCode
keep_rows(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	RfHeld *held = context;
	size_t width = (size_t) session->model.config->hidden_size;
	size_t tokens = batch->batch.row_start[batch->batch.rows];
	float *hidden;

	(void) run;
	RF_NEW(&held->arena, hidden, tokens * width, err);
	memcpy(hidden, batch->hidden, tokens * width * sizeof(float));
	for (size_t i = 0; i < batch->batch.rows; i++)
	{
		HeldRow *row = &held->rows[held->order[batch->first + i]];

		row->encoding = batch->encodings[i];
		RF_TRY(rf_run_keep_encoding(&row->encoding, &held->arena, err));
		row->hidden = hidden + batch->batch.row_start[i] * width;
		held->computed++;
	}
	return RF_OK;
}

static RfCode
fill(RfHeld *held, RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
	 RfError *err)
{
	RfRunSource source = {next_row, held, false};

	RF_TRY(reserve_rows(held, count, err));
	for (size_t i = 0; i < count; i++)
		add_distinct(held, &inputs[i]);
	return rf_run_rows(session, run, &source, keep_rows, held, err);
}

RfCode
rf_session_hold(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
				RfMemory memory, RfHeld **result, RfError *err)
{
	RfHeld *held = memory.alloc(memory.context, sizeof(*held));

	*result = held;
	if (held == NULL)
		return rf_error_memory(err, sizeof(*held));
	memset(held, 0, sizeof(*held));
	held->memory = memory;
	held->session_id = session->id;
	held->max_length = run->options.max_length;
	held->overflow = run->options.overflow;
	rf_arena_init(&held->arena, memory);
	return fill(held, session, run, inputs, count, err);
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
rf_held_serves(const RfHeld *held, const RfSession *session, const RfRunOptions *options)
{
	return held->session_id == session->id && held->max_length == options->max_length &&
		   held->overflow == options->overflow;
}

bool
rf_held_has(const RfHeld *held, const RfInput *input)
{
	return held->computed > 0 && find_row(held, input) != NULL;
}

bool
rf_run_holds(const RfSession *session, const RfRun *run, const RfInput *inputs, size_t count)
{
	if (run->held == NULL || !rf_held_serves(run->held, session, &run->options))
		return false;
	for (size_t i = 0; i < count; i++)
	{
		if (!rf_held_has(run->held, &inputs[i]))
			return false;
	}
	return true;
}

static RfCode
serve_row(RfSession *session, RfRun *run, const HeldRow *row, size_t index, RfRunConsumer consumer,
		  void *context, RfError *err)
{
	uint32_t row_start[2] = {0, (uint32_t) row->encoding.count};
	RfRunBatch batch = {
		.first = index,
		.encodings = &row->encoding,
		.batch = {.rows = 1,
				  .row_start = row_start,
				  .input_ids = row->encoding.input_ids,
				  .token_type_ids = row->encoding.token_type_ids},
		.hidden = row->hidden,
		.scratch = &session->batches[0],
	};

	run->stats.rows++;
	run->stats.tokens += row->encoding.count;
	run->stats.truncated_rows += row->encoding.removed > 0;
	return consumer(session, run, &batch, context, err);
}

RfCode
rf_held_run(const RfHeld *held, RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			RfRunConsumer consumer, void *context, RfError *err)
{
	RfCode code = RF_OK;

	for (size_t i = 0; i < count && code == RF_OK; i++)
	{
		code = serve_row(session, run, find_row(held, &inputs[i]), i, consumer, context, err);
		rf_arena_free(&session->batches[0]);
	}
	return code;
}
