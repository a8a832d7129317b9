/*
 * run_batches.c - texts to batches of encoded rows to hidden states.
 *
 * Rows are taken in the order of the inputs until the next one would make a batch larger than
 * batch_tokens; that one is encoded already and is moved to the batch after. Rows are not sorted:
 * without padding there is nothing to gain from rows of equal length.
 *
 * Memory between calls: the encoder's workspace, as long as it is no larger than KEEP_BYTES.
 */
#include "session.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/*
 * Enough that a 12-layer model's weights, which are read once a batch, cost a few percent of its
 * arithmetic; more would only make the activations larger.
 */
#define DEFAULT_BATCH_TOKENS 1024
#define KEEP_BYTES ((size_t) 8 * 1024 * 1024)

typedef struct Collector
{
	RfSession *session;
	RfRun *run;
	const RfInput *inputs;
	size_t count;
	size_t next; /* input to be encoded next */
	size_t batch_tokens;
	int32_t max_length;
	RfEncoding waiting; /* encoded, for the batch after this one */
	bool has_waiting;
	size_t side; /* which of the two arenas the batch lives in */
} Collector;

static uint64_t
read_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * UINT64_C(1000000000) + (uint64_t) now.tv_nsec;
}

static RfCode
encode_input(Collector *collector, const RfInput *input, RfEncoding *encoding, RfError *err)
{
	RfSession *session = collector->session;
	RfRunStats *stats = &collector->run->stats;
	bool truncates = collector->run->options.overflow == RF_OVERFLOW_TRUNCATE;
	RfEncodeOptions options = {
		.add_special_tokens = true,
		.max_length = truncates ? collector->max_length : 0,
		.truncation = truncates ? RF_TRUNCATE_LONGEST_FIRST : RF_TRUNCATE_NONE,
	};

	RF_TRY(rf_encode(&session->tokenizer, input, &options, &session->abort_fn,
					 &session->batches[collector->side], encoding, err));
	if (!truncates && encoding->count > (size_t) collector->max_length)
	{
		rf_error_set(err, RF_TOO_LONG, "text has %zu tokens, more than the limit of %" PRId32,
					 encoding->count, collector->max_length);
		return RF_TOO_LONG;
	}
	stats->rows++;
	stats->tokens += encoding->count;
	stats->truncated_rows += encoding->removed > 0;
	return RF_OK;
}

#define COPY_ARRAY(arena, array, count, err)                                                       \
	do                                                                                             \
	{                                                                                              \
		const void *from_ = (array);                                                               \
		RF_NEW((arena), (array), (count), (err));                                                  \
		memcpy((array), from_, (count) * sizeof(*(array)));                                        \
	} while (0)

/* Copies an encoding's arrays into an arena that outlives the one they are in. */
static RfCode
move_encoding(RfEncoding *encoding, RfArena *arena, RfError *err)
{
	COPY_ARRAY(arena, encoding->input_ids, encoding->count, err);
	COPY_ARRAY(arena, encoding->token_type_ids, encoding->count, err);
	COPY_ARRAY(arena, encoding->special_tokens_mask, encoding->count, err);
	COPY_ARRAY(arena, encoding->attention_mask, encoding->count, err);
	COPY_ARRAY(arena, encoding->start, encoding->count, err);
	COPY_ARRAY(arena, encoding->length, encoding->count, err);
	return RF_OK;
}

/* Encodes rows of the next batch: *rows of them in encodings. */
static RfCode
collect_rows(Collector *collector, RfEncoding *encodings, size_t limit, size_t *rows, RfError *err)
{
	RfSession *session = collector->session;
	size_t tokens = 0;

	*rows = 0;
	if (collector->has_waiting)
	{
		encodings[(*rows)++] = collector->waiting;
		tokens = collector->waiting.count;
		collector->has_waiting = false;
	}
	while (*rows < limit && collector->next < collector->count && tokens < collector->batch_tokens)
	{
		RfEncoding encoding;

		RF_TRY(encode_input(collector, &collector->inputs[collector->next], &encoding, err));
		collector->next++;
		if (*rows > 0 && tokens + encoding.count > collector->batch_tokens)
		{
			RF_TRY(move_encoding(&encoding, &session->batches[1 - collector->side], err));
			collector->waiting = encoding;
			collector->has_waiting = true;
			break;
		}
		encodings[(*rows)++] = encoding;
		tokens += encoding.count;
	}
	return RF_OK;
}

/* Concatenates encoded rows. */
static RfCode
join_rows(const RfEncoding *encodings, size_t rows, RfArena *arena, RfBatch *batch, RfError *err)
{
	uint32_t *row_start;
	int32_t *input_ids;
	int32_t *token_type_ids;
	size_t tokens = 0;

	RF_NEW(arena, row_start, rows + 1, err);
	for (size_t i = 0; i < rows; i++)
	{
		row_start[i] = (uint32_t) tokens;
		tokens += encodings[i].count;
		RF_FAIL_IF(tokens > INT32_MAX, err, RF_LIMIT, "batch has more than %d tokens", INT32_MAX);
	}
	row_start[rows] = (uint32_t) tokens;
	RF_NEW(arena, input_ids, tokens, err);
	RF_NEW(arena, token_type_ids, tokens, err);
	for (size_t i = 0; i < rows; i++)
	{
		memcpy(input_ids + row_start[i], encodings[i].input_ids,
			   encodings[i].count * sizeof(int32_t));
		memcpy(token_type_ids + row_start[i], encodings[i].token_type_ids,
			   encodings[i].count * sizeof(int32_t));
	}
	batch->rows = rows;
	batch->row_start = row_start;
	batch->input_ids = input_ids;
	batch->token_type_ids = token_type_ids;
	return RF_OK;
}

static RfCode
compute_batch(Collector *collector, RfRunConsumer consumer, void *context, RfError *err)
{
	RfSession *session = collector->session;
	RfRunStats *stats = &collector->run->stats;
	RfArena *arena = &session->batches[collector->side];
	size_t left = collector->count - collector->next + collector->has_waiting;
	size_t limit = left < collector->batch_tokens ? left : collector->batch_tokens;
	RfRunBatch batch = {.scratch = arena};
	RfEncoding *encodings;
	size_t rows;
	uint64_t start = read_clock();
	uint64_t tokenized;

	batch.first = collector->next - collector->has_waiting;
	RF_NEW(arena, encodings, limit, err);
	RF_TRY(collect_rows(collector, encodings, limit, &rows, err));
	batch.encodings = encodings;
	RF_TRY(join_rows(encodings, rows, arena, &batch.batch, err));
	tokenized = read_clock();
	stats->tokenize_ns += tokenized - start;
	RF_TRY(rf_encoder_forward(&session->encoder, &batch.batch, &batch.hidden, err));
	RF_TRY(consumer(session, collector->run, &batch, context, err));
	stats->compute_ns += read_clock() - tokenized;
	stats->batches++;
	if (collector->run->batch_done != NULL)
		collector->run->batch_done(collector->run);
	return RF_OK;
}

static RfCode
run_all(Collector *collector, RfRunConsumer consumer, void *context, RfError *err)
{
	while (collector->next < collector->count || collector->has_waiting)
	{
		RF_TRY(compute_batch(collector, consumer, context, err));
		rf_arena_free(&collector->session->batches[collector->side]);
		collector->side = 1 - collector->side;
	}
	return RF_OK;
}

RfCode
rf_run_batches(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			   RfRunConsumer consumer, void *context, RfError *err)
{
	const RfRunOptions *options = &run->options;
	Collector collector = {.session = session, .run = run, .inputs = inputs, .count = count};
	RfCode code;

	RF_FAIL_IF(options->max_length < 0, err, RF_INVALID, "maximum length must not be negative");
	RF_FAIL_IF(options->batch_tokens < 0, err, RF_INVALID, "batch size must not be negative");
	collector.max_length =
		options->max_length > 0 ? options->max_length : session->model.default_max_length;
	collector.batch_tokens =
		options->batch_tokens > 0 ? (size_t) options->batch_tokens : DEFAULT_BATCH_TOKENS;
	code = run_all(&collector, consumer, context, err);
	rf_arena_free(&session->batches[0]);
	rf_arena_free(&session->batches[1]);
	rf_encoder_trim(&session->encoder, KEEP_BYTES);
	return code;
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
