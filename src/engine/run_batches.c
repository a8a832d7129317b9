/*
 * run_batches.c - texts to batches of encoded rows to hidden states.
 *
 * Rows are taken in the order of the inputs until the next one would make a batch larger than
 * batch_tokens; that one is encoded already and is moved to the batch after. Rows are not sorted:
 * without padding there is nothing to gain from rows of equal length.
 *
 * Memory between calls: the encoder's workspace, as long as it is no larger than KEEP_BYTES.
 */
#include "hold.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define FIRST_ROWS ((size_t) 16)
#define LEAST_TOKENS ((size_t) 256)
#define KEEP_BYTES ((size_t) 8 * 1024 * 1024)

typedef struct Collector
{
	RfSession *session;
	RfRun *run;
	const RfRunSource *source;
	size_t batch_tokens;
	size_t computed;    /* rows of earlier batches */
	RfEncoding waiting; /* encoded, for the batch after this one */
	bool has_waiting;
	bool ended;  /* the source has no more rows */
	size_t side; /* which of the two arenas the batch lives in */
} Collector;

/* The rows of a batch being collected: encodings [rows] of capacity. */
typedef struct Rows
{
	RfEncoding *encodings;
	size_t count;
	size_t capacity;
	size_t tokens;
} Rows;

uint64_t
rf_run_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * UINT64_C(1000000000) + (uint64_t) now.tv_nsec;
}

/* Tokens of a row that are no padding. */
static size_t
count_seen(const RfEncoding *encoding)
{
	size_t seen = encoding->count;

	while (seen > 0 && encoding->attention_mask[seen - 1] == 0)
		seen--;
	return seen;
}

int32_t
rf_run_max_length(const RfSession *session, const RfRun *run)
{
	return run->options.max_length > 0 ? run->options.max_length
									   : session->model.default_max_length;
}

RfCode
rf_run_encode(RfSession *session, RfRun *run, const RfInput *input, size_t padded, RfArena *arena,
			  RfEncoding *encoding, RfError *err)
{
	int32_t max_length = rf_run_max_length(session, run);
	bool truncates = run->options.overflow == RF_OVERFLOW_TRUNCATE;
	RfEncodeOptions options = {
		.add_special_tokens = true,
		.max_length = truncates ? max_length : 0,
		.truncation = truncates ? RF_TRUNCATE_LONGEST_FIRST : RF_TRUNCATE_NONE,
		.pad_to_max_length = padded > 0,
	};

	/* If any row is cut, the longest has just max_length. */
	if (padded > 0)
		options.max_length = (int32_t) padded;
	RF_TRY(
		rf_encode(&session->tokenizer, input, &options, &session->abort_fn, arena, encoding, err));
	if (!truncates && encoding->count > (size_t) max_length)
	{
		rf_error_set(err, RF_TOO_LONG, "text has %zu tokens, more than the limit of %" PRId32,
					 encoding->count, max_length);
		if (run->options.overflow == RF_OVERFLOW_WINDOW)
			rf_error_detail(err, "This is nothing that can be computed in windows.");
		return RF_TOO_LONG;
	}
	RF_FAIL_IF(run->most_tokens > 0 && encoding->count > run->most_tokens, err, RF_LIMIT,
			   "text has %zu tokens, of which a result can have %zu at most", encoding->count,
			   run->most_tokens);
	run->stats.rows++;
	run->stats.tokens += count_seen(encoding);
	run->stats.truncated_rows += encoding->removed > 0;
	return RF_OK;
}

#define COPY_ARRAY(arena, array, count, err)                                                       \
	do                                                                                             \
	{                                                                                              \
		const void *from_ = (array);                                                               \
		RF_NEW((arena), (array), (count), (err));                                                  \
		memcpy((array), from_, (count) * sizeof(*(array)));                                        \
	} while (0)

RfCode
rf_run_keep_encoding(RfEncoding *encoding, RfArena *arena, RfError *err)
{
	COPY_ARRAY(arena, encoding->input_ids, encoding->count, err);
	COPY_ARRAY(arena, encoding->token_type_ids, encoding->count, err);
	COPY_ARRAY(arena, encoding->special_tokens_mask, encoding->count, err);
	COPY_ARRAY(arena, encoding->attention_mask, encoding->count, err);
	COPY_ARRAY(arena, encoding->start, encoding->count, err);
	COPY_ARRAY(arena, encoding->length, encoding->count, err);
	return RF_OK;
}

/* Tokens of a row that are computed. */
static size_t
count_computed(const RfRunSource *source, const RfEncoding *encoding)
{
	size_t seen = count_seen(encoding);

	return source->last_padding_only && seen < encoding->count ? seen + 1 : encoding->count;
}

static RfCode
add_row(Rows *rows, const RfEncoding *encoding, size_t tokens, RfArena *arena, RfError *err)
{
	if (rows->count == rows->capacity)
	{
		const RfEncoding *old = rows->encodings;

		rows->capacity = rows->capacity == 0 ? FIRST_ROWS : rows->capacity * 2;
		RF_NEW(arena, rows->encodings, rows->capacity, err);
		if (rows->count > 0)
			memcpy(rows->encodings, old, rows->count * sizeof(*old));
	}
	rows->encodings[rows->count++] = *encoding;
	rows->tokens += tokens;
	return RF_OK;
}

/* Rows of the next batch: one at least, unless the source has no more. */
static RfCode
collect_rows(Collector *collector, Rows *rows, RfError *err)
{
	RfSession *session = collector->session;
	const RfRunSource *source = collector->source;
	RfArena *arena = &session->batches[collector->side];

	if (collector->has_waiting)
		RF_TRY(add_row(rows, &collector->waiting, count_computed(source, &collector->waiting),
					   arena, err));
	collector->has_waiting = false;
	while (!collector->ended && rows->tokens < collector->batch_tokens)
	{
		RfEncoding encoding;
		size_t tokens;
		bool more;

		RF_TRY(
			source->next(session, collector->run, source->context, arena, &encoding, &more, err));
		collector->ended = !more;
		if (!more)
			break;
		tokens = count_computed(source, &encoding);
		if (rows->count > 0 && rows->tokens + tokens > collector->batch_tokens)
		{
			RF_TRY(rf_run_keep_encoding(&encoding, &session->batches[1 - collector->side], err));
			collector->waiting = encoding;
			collector->has_waiting = true;
			break;
		}
		RF_TRY(add_row(rows, &encoding, tokens, arena, err));
	}
	return RF_OK;
}

/* The row's tokens to those of the batch that begin at first, with their positions. */
static void
join_row(const RfEncoding *encoding, size_t computed, int32_t *input_ids, int32_t *token_type_ids,
		 uint32_t *positions)
{
	for (size_t i = 0; i < computed; i++)
	{
		size_t at = i + 1 == computed ? encoding->count - 1 : i;

		input_ids[i] = encoding->input_ids[at];
		token_type_ids[i] = encoding->token_type_ids[at];
		positions[i] = (uint32_t) at;
	}
}

/* Concatenates encoded rows. */
static RfCode
join_rows(const RfRunSource *source, const Rows *rows, RfArena *arena, RfBatch *batch, RfError *err)
{
	uint32_t *row_start;
	uint32_t *row_seen;
	int32_t *input_ids;
	int32_t *token_type_ids;
	uint32_t *positions;
	size_t tokens = 0;

	RF_NEW(arena, row_start, rows->count + 1, err);
	RF_NEW(arena, row_seen, rows->count, err);
	for (size_t i = 0; i < rows->count; i++)
	{
		row_start[i] = (uint32_t) tokens;
		row_seen[i] = (uint32_t) count_seen(&rows->encodings[i]);
		tokens += count_computed(source, &rows->encodings[i]);
		RF_FAIL_IF(tokens > INT32_MAX, err, RF_LIMIT, "batch has more than %d tokens", INT32_MAX);
	}
	row_start[rows->count] = (uint32_t) tokens;
	RF_NEW(arena, input_ids, tokens, err);
	RF_NEW(arena, token_type_ids, tokens, err);
	RF_NEW(arena, positions, tokens, err);
	for (size_t i = 0; i < rows->count; i++)
		join_row(&rows->encodings[i], row_start[i + 1] - row_start[i], input_ids + row_start[i],
				 token_type_ids + row_start[i], positions + row_start[i]);
	*batch = (RfBatch){
		.rows = rows->count,
		.row_start = row_start,
		.input_ids = input_ids,
		.token_type_ids = token_type_ids,
		.row_seen = row_seen,
		.positions = positions,
	};
	return RF_OK;
}

/* Computes the next rows; none are left once the source has ended and nothing waits. */
static RfCode
compute_batch(Collector *collector, RfRunConsumer consumer, void *context, RfError *err)
{
	RfSession *session = collector->session;
	RfRunStats *stats = &collector->run->stats;
	RfArena *arena = &session->batches[collector->side];
	RfRunBatch batch = {.first = collector->computed, .scratch = arena};
	Rows rows = {0};
	uint64_t start = rf_run_clock();
	uint64_t tokenized;

	RF_TRY(collect_rows(collector, &rows, err));
	if (rows.count == 0)
		return RF_OK;
	batch.encodings = rows.encodings;
	RF_TRY(join_rows(collector->source, &rows, arena, &batch.batch, err));
	tokenized = rf_run_clock();
	stats->tokenize_ns += tokenized - start;
	RF_TRY(rf_encoder_forward(&session->encoder, &batch.batch, &batch.hidden, err));
	RF_TRY(consumer(session, collector->run, &batch, context, err));
	stats->compute_ns += rf_run_clock() - tokenized;
	stats->batches++;
	collector->computed += rows.count;
	if (collector->run->batch_done != NULL)
		collector->run->batch_done(collector->run);
	return RF_OK;
}

static RfCode
run_all(Collector *collector, RfRunConsumer consumer, void *context, RfError *err)
{
	while (!collector->ended || collector->has_waiting)
	{
		RF_TRY(compute_batch(collector, consumer, context, err));
		rf_arena_free(&collector->session->batches[collector->side]);
		collector->side = 1 - collector->side;
	}
	return RF_OK;
}

RfCode
rf_run_begin(const RfRun *run, size_t *batch_tokens, RfError *err)
{
	const RfRunOptions *options = &run->options;

	RF_FAIL_IF(options->max_length < 0, err, RF_INVALID, "maximum length must not be negative");
	RF_FAIL_IF(options->batch_tokens < 0, err, RF_INVALID, "batch size must not be negative");
	*batch_tokens = options->batch_tokens > 0 ? (size_t) options->batch_tokens : RF_BATCH_TOKENS;
	return RF_OK;
}

void
rf_run_end(RfSession *session)
{
	rf_arena_free(&session->batches[0]);
	rf_arena_free(&session->batches[1]);
	rf_encoder_trim(&session->encoder, KEEP_BYTES);
}

/*
 * A layer's weights are about 12 H^2 numbers, what it computes of T tokens about 10 T H: with twice
 * H tokens reading weights is little beside that, and more would only leave the caches.
 */
static size_t
enough_tokens(const RfSession *session)
{
	size_t tokens = 2 * (size_t) session->model.config->hidden_size;

	if (tokens < LEAST_TOKENS)
		return LEAST_TOKENS;
	return tokens < RF_BATCH_TOKENS ? tokens : RF_BATCH_TOKENS;
}

RfCode
rf_run_rows(RfSession *session, RfRun *run, const RfRunSource *source, RfRunConsumer consumer,
			void *context, RfError *err)
{
	Collector collector = {.session = session, .run = run, .source = source};
	RfCode code;

	RF_TRY(rf_run_begin(run, &collector.batch_tokens, err));
	if (run->options.batch_tokens == 0)
		collector.batch_tokens = enough_tokens(session);
	code = run_all(&collector, consumer, context, err);
	rf_run_end(session);
	return code;
}

/* A row for each input. */
typedef struct InputRows
{
	const RfInput *inputs;
	size_t count;
	size_t next;
} InputRows;

static RfCode
next_input(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
		   bool *more, RfError *err)
{
	InputRows *rows = context;

	*more = rows->next < rows->count;
	if (!*more)
		return RF_OK;
	return rf_run_encode(session, run, &rows->inputs[rows->next++], 0, arena, encoding, err);
}

/* What is held comes as windows do. */
typedef struct HeldRows
{
	RfRunConsumer consumer;
	void *context;
} HeldRows;

static RfCode
consume_held(RfSession *session, RfRun *run, const RfRunBatch *batch, const RfWindow *windows,
			 void *context, RfError *err)
{
	const HeldRows *rows = context;

	(void) windows;
	return rows->consumer(session, run, batch, rows->context, err);
}

RfCode
rf_run_batches(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			   RfRunConsumer consumer, void *context, RfError *err)
{
	InputRows rows = {inputs, count, 0};
	RfRunSource source = {next_input, &rows, false};
	HeldRows held = {consumer, context};
	static const RfHoldOptions states = {.kind = RF_HOLD_STATES};

	if (rf_run_holds(session, run, &states, inputs, count, true))
		return rf_held_run(run->held, session, run, inputs, count, consume_held, &held, err);
	return rf_run_rows(session, run, &source, consumer, context, err);
}

RfCode
rf_run_first_tokens(const RfSession *session, const RfRunBatch *batch, float **gathered,
					RfError *err)
{
	size_t width = (size_t) session->model.config->hidden_size;

	RF_NEW(batch->scratch, *gathered, batch->batch.rows * width, err);
	for (size_t row = 0; row < batch->batch.rows; row++)
		memcpy(*gathered + row * width, batch->hidden + batch->batch.row_start[row] * width,
			   width * sizeof(float));
	return RF_OK;
}
