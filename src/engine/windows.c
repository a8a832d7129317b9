/*
 * windows.c - texts longer than a row, in windows that overlap.
 *
 * A window is as long as a row may be: special tokens and a part of the text. Windows stand at
 * equal distances from the text's beginning to its end, as few as make neighbours share a quarter
 * of their part at least. Of the tokens two windows share each counts where it is nearer to the
 * middle of the window, so that it has seen the most on both sides; the special tokens count where
 * the text begins or ends.
 *
 * Of a pair the longer text, the second one of equals, goes through the windows; the other one
 * stands in all of them and counts in the first or the last. If it is longer than half a window it
 * is cut there.
 *
 * Memory: ids and positions of the long texts that are being computed, 18 bytes a token; hidden
 * states only of a batch, as ever. The windows of a text may lie in several batches, beside
 * others'.
 */
#include "hold.h"

#include <inttypes.h>
#include <string.h>

/* Neighbours share a part in so many of a window's. */
#define OVERLAP_PART 4
#define FIRST_QUEUE ((size_t) 16)

/* A text that is being cut into windows, in an arena of its own. */
typedef struct LongText
{
	RfArena arena;
	struct LongText *next_text;
	RfEncoding text;
	size_t row;
	size_t prefix;   /* tokens before the part that goes through the windows */
	size_t content;  /* of that part */
	size_t suffix;   /* behind it */
	size_t capacity; /* tokens of the part in a window */
	size_t count;    /* windows */
	size_t made;     /* of them */
} LongText;

typedef struct WindowRun
{
	const RfInput *inputs;
	size_t count;
	size_t next;
	size_t most;      /* tokens of a text's windows; a text with more is left out, as are errors */
	LongText *oldest; /* a window of it is not consumed yet */
	LongText *newest;
	RfArena arena;   /* of the queue */
	RfWindow *queue; /* rows made and not yet consumed, in their order */
	size_t queued;
	size_t capacity;
	RfWindowConsumer consumer;
	void *context;
} WindowRun;

/* ---- where windows are ----------------------------------------------------------------------- */

static size_t
window_start(const LongText *text, size_t window)
{
	uint64_t spare = text->content > text->capacity ? text->content - text->capacity : 0;

	return text->count == 1 ? 0 : (size_t) (window * spare / (text->count - 1));
}

/* The first token of the part that counts in this window. */
static size_t
home_start(const LongText *text, size_t window)
{
	if (window == 0)
		return 0;
	if (window == text->count)
		return text->content;
	return (window_start(text, window - 1) + window_start(text, window) + text->capacity) / 2;
}

static size_t
count_windows(size_t content, size_t capacity)
{
	size_t step = capacity - capacity / OVERLAP_PART;

	return content <= capacity ? 1 : 1 + (content - capacity + step - 1) / step;
}

/* ---- long texts ------------------------------------------------------------------------------ */

#define REMOVE_PART(array, from, to, count)                                                        \
	memmove((array) + (from), (array) + (to), ((count) - (to)) * sizeof(*(array)))

/* Tokens [from, to) go. */
static void
remove_tokens(RfEncoding *text, size_t from, size_t to)
{
	REMOVE_PART(text->input_ids, from, to, text->count);
	REMOVE_PART(text->token_type_ids, from, to, text->count);
	REMOVE_PART(text->special_tokens_mask, from, to, text->count);
	REMOVE_PART(text->attention_mask, from, to, text->count);
	REMOVE_PART(text->start, from, to, text->count);
	REMOVE_PART(text->length, from, to, text->count);
	text->count -= to - from;
	text->removed += to - from;
}

/* [CLS] A [SEP] B [SEP]: the place of B. */
static size_t
find_second(const RfEncoding *text)
{
	size_t token = 0;

	while (token + 1 < text->count && text->token_type_ids[token] == 0)
		token++;
	return token;
}

static void
divide_pair(LongText *text, size_t limit)
{
	size_t most = limit > 3 ? (limit - 3) / 2 : 0; /* of the text that is kept */
	size_t second = find_second(&text->text);
	size_t first_length = second - 2;
	size_t second_length = text->text.count - 1 - second;

	if (second_length >= first_length)
	{
		if (first_length > most)
			remove_tokens(&text->text, 1 + most, 1 + first_length);
		text->prefix = 2 + (first_length < most ? first_length : most);
		text->content = second_length;
	}
	else
	{
		if (second_length > most)
			remove_tokens(&text->text, second + most, second + second_length);
		text->prefix = 1;
		text->content = first_length;
	}
	text->suffix = text->text.count - text->prefix - text->content;
}

static RfCode
divide_text(LongText *text, bool is_pair, size_t limit, RfError *err)
{
	if (is_pair)
		divide_pair(text, limit);
	else
	{
		text->prefix = 1;
		text->content = text->text.count - 2;
		text->suffix = 1;
	}
	RF_FAIL_IF(limit <= text->prefix + text->suffix, err, RF_INVALID,
			   "maximum length %zu leaves no room for windows of the text", limit);
	text->capacity = limit - text->prefix - text->suffix;
	text->count = count_windows(text->content, text->capacity);
	return RF_OK;
}

/* The text lies in its own arena. */
static void
free_text(LongText *text)
{
	RfArena arena = text->arena;

	rf_arena_free(&arena);
}

static RfCode
keep_text(const WindowRun *windows, LongText *text, const RfEncoding *encoding, size_t limit,
		  RfError *err)
{
	text->text = *encoding;
	RF_TRY(rf_run_keep_encoding(&text->text, &text->arena, err));
	RF_TRY(divide_text(text, windows->inputs[text->row].pair != NULL, limit, err));
	RF_FAIL_IF(windows->most > 0 && text->count > windows->most / limit, err, RF_LIMIT,
			   "text has %zu windows, more than are kept", text->count);
	return RF_OK;
}

static RfCode
add_long_text(RfSession *session, WindowRun *windows, size_t row, const RfEncoding *encoding,
			  size_t limit, LongText **result, RfError *err)
{
	RfArena arena;
	LongText *text;
	RfCode code;

	rf_arena_init(&arena, session->memory);
	RF_NEW0(&arena, text, 1, err);
	text->arena = arena;
	text->row = row;
	code = keep_text(windows, text, encoding, limit, err);
	if (code != RF_OK)
	{
		free_text(text);
		return code;
	}
	if (windows->newest != NULL)
		windows->newest->next_text = text;
	else
		windows->oldest = text;
	windows->newest = text;
	*result = text;
	return RF_OK;
}

static void
free_oldest(WindowRun *windows)
{
	LongText *text = windows->oldest;

	windows->oldest = text->next_text;
	if (windows->oldest == NULL)
		windows->newest = NULL;
	free_text(text);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static RfCode
queue_window(WindowRun *windows, const RfWindow *window, RfError *err)
{
	if (windows->queued == windows->capacity)
	{
		const RfWindow *old = windows->queue;

		windows->capacity = windows->capacity == 0 ? FIRST_QUEUE : windows->capacity * 2;
		RF_NEW(&windows->arena, windows->queue, windows->capacity, err);
		if (windows->queued > 0)
			memcpy(windows->queue, old, windows->queued * sizeof(*old));
	}
	windows->queue[windows->queued++] = *window;
	return RF_OK;
}

/* Prefix, the part's tokens from start on, suffix. */
static RfCode
copy_window(const LongText *text, size_t start, const void *from, size_t item, RfArena *arena,
			void **to, RfError *err)
{
	size_t part = text->content < text->capacity ? text->content : text->capacity;
	const char *source = from;
	char *copy = rf_arena_alloc(arena, text->prefix + part + text->suffix, item);

	if (copy == NULL)
		return rf_error_memory(err, (text->prefix + part + text->suffix) * item);
	memcpy(copy, source, text->prefix * item);
	memcpy(copy + text->prefix * item, source + (text->prefix + start) * item, part * item);
	memcpy(copy + (text->prefix + part) * item, source + (text->prefix + text->content) * item,
		   text->suffix * item);
	*to = copy;
	return RF_OK;
}

#define COPY_WINDOW(text, start, field, arena, encoding, err)                                      \
	copy_window((text), (start), (text)->text.field, sizeof(*(text)->text.field), (arena),         \
				(void **) &(encoding)->field, (err))

static RfCode
encode_window(const LongText *text, size_t start, RfArena *arena, RfEncoding *encoding,
			  RfError *err)
{
	size_t part = text->content < text->capacity ? text->content : text->capacity;

	memset(encoding, 0, sizeof(*encoding));
	encoding->count = text->prefix + part + text->suffix;
	RF_TRY(COPY_WINDOW(text, start, input_ids, arena, encoding, err));
	RF_TRY(COPY_WINDOW(text, start, token_type_ids, arena, encoding, err));
	RF_TRY(COPY_WINDOW(text, start, special_tokens_mask, arena, encoding, err));
	RF_TRY(COPY_WINDOW(text, start, attention_mask, arena, encoding, err));
	RF_TRY(COPY_WINDOW(text, start, start, arena, encoding, err));
	return COPY_WINDOW(text, start, length, arena, encoding, err);
}

static RfCode
make_window(RfRun *run, WindowRun *windows, LongText *text, RfArena *arena, RfEncoding *encoding,
			RfError *err)
{
	size_t index = text->made++;
	size_t start = window_start(text, index);
	size_t from = home_start(text, index);
	size_t to = home_start(text, index + 1);
	RfWindow window = {.row = text->row, .text = &text->text};

	window.last = text->made == text->count;
	window.first = index == 0 ? 0 : text->prefix + from - start;
	window.at = index == 0 ? 0 : text->prefix + from;
	window.end = text->prefix + to - start + (window.last ? text->suffix : 0);
	RF_TRY(encode_window(text, start, arena, encoding, err));
	run->stats.tokens += encoding->count;
	run->stats.windows++;
	return queue_window(windows, &window, err);
}

static RfCode
queue_whole(WindowRun *windows, size_t row, const RfEncoding *encoding, RfError *err)
{
	RfWindow whole = {.row = row, .end = encoding->count, .last = true};

	return queue_window(windows, &whole, err);
}

/* A text that fits stays where it was encoded. */
static RfCode
begin_text(RfSession *session, RfRun *run, WindowRun *windows, RfArena *arena, RfEncoding *encoding,
		   RfError *err)
{
	size_t row = windows->next++;
	const RfInput *input = &windows->inputs[row];
	RfEncodeOptions options = {.add_special_tokens = true, .truncation = RF_TRUNCATE_NONE};
	size_t limit = (size_t) rf_run_max_length(session, run);
	LongText *text = NULL;

	if (run->options.overflow != RF_OVERFLOW_WINDOW)
	{
		RF_TRY(rf_run_encode(session, run, input, 0, arena, encoding, err));
		return queue_whole(windows, row, encoding, err);
	}
	RF_TRY(
		rf_encode(&session->tokenizer, input, &options, &session->abort_fn, arena, encoding, err));
	if (encoding->count <= limit)
	{
		run->stats.rows++;
		run->stats.tokens += encoding->count;
		return queue_whole(windows, row, encoding, err);
	}
	RF_TRY(add_long_text(session, windows, row, encoding, limit, &text, err));
	run->stats.rows++;
	run->stats.windowed_rows++;
	run->stats.truncated_rows += text->text.removed > 0;
	return make_window(run, windows, text, arena, encoding, err);
}

static RfCode
next_window(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
			bool *more, RfError *err)
{
	WindowRun *windows = context;
	LongText *text = windows->newest;

	*more = true;
	if (text != NULL && text->made < text->count)
		return make_window(run, windows, text, arena, encoding, err);
	while (windows->next < windows->count)
	{
		RfCode code = begin_text(session, run, windows, arena, encoding, err);

		if (windows->most == 0 || !rf_held_can_skip(code))
			return code;
	}
	*more = false;
	return RF_OK;
}

/* ---- consuming ------------------------------------------------------------------------------- */

static RfCode
consume_windows(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context,
				RfError *err)
{
	WindowRun *windows = context;
	size_t rows = batch->batch.rows;

	for (size_t row = 0; row < rows; row++)
	{
		if (windows->queue[row].text == NULL)
			windows->queue[row].text = &batch->encodings[row];
	}
	RF_TRY(windows->consumer(session, run, batch, windows->queue, windows->context, err));
	for (size_t row = 0; row < rows; row++)
	{
		if (windows->queue[row].last && windows->queue[row].text != &batch->encodings[row])
			free_oldest(windows);
	}
	windows->queued -= rows;
	memmove(windows->queue, windows->queue + rows, windows->queued * sizeof(*windows->queue));
	return RF_OK;
}

/* Rows that are whole texts. */
static RfCode
consume_rows(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	const WindowRun *windows = context;
	RfWindow *whole;

	RF_NEW(batch->scratch, whole, batch->batch.rows, err);
	for (size_t row = 0; row < batch->batch.rows; row++)
		whole[row] = (RfWindow){.row = batch->first + row,
								.text = &batch->encodings[row],
								.end = batch->encodings[row].count,
								.last = true};
	return windows->consumer(session, run, batch, whole, windows->context, err);
}

static RfCode
run_windows(RfSession *session, RfRun *run, WindowRun *windows, RfError *err)
{
	RfRunSource source = {next_window, windows, false};
	RfCode code;

	rf_arena_init(&windows->arena, session->memory);
	code = rf_run_rows(session, run, &source, consume_windows, windows, err);
	while (windows->oldest != NULL)
		free_oldest(windows);
	rf_arena_free(&windows->arena);
	return code;
}

RfCode
rf_run_windows(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			   RfWindowConsumer consumer, void *context, RfError *err)
{
	static const RfHoldOptions states = {.kind = RF_HOLD_STATES};
	WindowRun windows = {
		.inputs = inputs, .count = count, .consumer = consumer, .context = context};

	if (rf_run_holds(session, run, &states, inputs, count, false))
		return rf_held_run(run->held, session, run, inputs, count, consumer, context, err);
	if (run->options.overflow != RF_OVERFLOW_WINDOW)
		return rf_run_batches(session, run, inputs, count, consume_rows, &windows, err);
	return run_windows(session, run, &windows, err);
}

RfCode
rf_run_windows_ahead(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
					 RfWindowConsumer consumer, void *context, RfError *err)
{
	WindowRun windows = {
		.inputs = inputs, .count = count, .consumer = consumer, .context = context};

	RF_TRY(rf_run_begin(run, &windows.most, err));
	return run_windows(session, run, &windows, err);
}

void
rf_window_add(const RfWindow *window, const float *values, size_t n, double *sums, float *result)
{
	double share = (double) (window->end - window->first) / (double) window->text->count;

	if (rf_window_is_whole(window))
	{
		memcpy(result, values, n * sizeof(float));
		return;
	}
	if (window->at == 0)
		memset(sums, 0, n * sizeof(double));
	for (size_t i = 0; i < n; i++)
		sums[i] += share * values[i];
	for (size_t i = 0; window->last && i < n; i++)
		result[i] = (float) sums[i];
}
