/*
 * generate.c - texts from a causal language model, token by token.
 *
 * All rows that are under way are computed together, one forward pass a round: rows that have just
 * come in with their whole prompt, the others with their newest token, for which keys and values of
 * all before it are kept (model/row_cache.c). A row that ends leaves, and the next prompt takes its
 * place in the next round. Nothing of this shows in the texts, since the bits of a row don't depend
 * on its neighbours.
 *
 * Memory: caches of the rows under way, CACHE_BYTES together at their greatest length unless a
 * single one needs more; logits [rows,V]; ids of their tokens.
 */
#include "sample.h"
#include "session.h"

#include <string.h>

/* Enough that reading the weights costs less than the arithmetic with them. */
#define MOST_ROWS ((size_t) 32)
#define CACHE_BYTES ((size_t) 128 * 1024 * 1024)
/* New tokens for which a row's cache has room from the beginning. */
#define FIRST_ROOM ((size_t) 256)

typedef struct Row
{
	size_t index; /* of its input */
	int32_t *ids; /* [count] of capacity: prompt, then new tokens */
	size_t count;
	size_t capacity;
	size_t prompt;    /* tokens */
	RfRowCache cache; /* of ids that are computed */
	size_t most;      /* bytes the cache may grow to */
	uint64_t random;
} Row;

typedef struct Generation
{
	RfSession *session;
	RfRun *run;
	const RfGenerateOptions *options;
	const RfInput *inputs;
	const uint64_t *seeds;
	size_t count;
	size_t next; /* input to be encoded next */
	size_t batch_tokens;
	RfArena *arena;      /* as long as the run */
	RfArena *round;      /* as long as a round */
	Row rows[MOST_ROWS]; /* [active] */
	size_t active;
	size_t most; /* bytes the caches of the active rows may grow to */
	Row waiting; /* encoded, for a round to come */
	bool has_waiting;
	float *hidden;      /* [MOST_ROWS,H] of each row's last token */
	float *logits;      /* [MOST_ROWS,V] */
	RfRowCache *caches; /* [MOST_ROWS] of the active rows while they are computed */
	RfCandidates candidates;
	RfGenerated *generated;
} Generation;

int32_t
rf_session_end_token(const RfSession *session)
{
	int32_t end = session->model.config->eos_token_id;

	return end >= 0 ? end : session->tokenizer.special_ids[RF_SPECIAL_SEP];
}

static void
swap_rows(Row *a, Row *b)
{
	Row row = *a;

	*a = *b;
	*b = row;
}

static RfCode
add_id(Generation *generation, Row *row, int32_t id, RfError *err)
{
	if (row->count == row->capacity)
	{
		const int32_t *old = row->ids;

		row->capacity = row->capacity == 0 ? FIRST_ROOM : 2 * row->capacity;
		RF_NEW(generation->arena, row->ids, row->capacity, err);
		if (row->count > 0)
			memcpy(row->ids, old, row->count * sizeof(*old));
	}
	row->ids[row->count++] = id;
	return RF_OK;
}

/* Encodes the next input as a prompt. */
static RfCode
read_prompt(Generation *generation, Row *row, RfError *err)
{
	RfSession *session = generation->session;
	size_t index = generation->next++;
	RfEncoding encoding;

	RF_TRY(rf_run_encode(session, generation->run, &generation->inputs[index], 0, generation->round,
						 &encoding, err));
	row->index = index;
	row->count = 0;
	row->prompt = encoding.count - (rf_model_is_seq2seq(&session->model) ? 0 : 1);
	row->random = generation->seeds == NULL ? 0 : generation->seeds[index];
	for (size_t i = 0; i < row->prompt; i++)
		RF_TRY(add_id(generation, row, encoding.input_ids[i], err));
	RF_FAIL_IF(!rf_row_cache_size(&session->model,
								  row->prompt + (size_t) generation->options->max_new_tokens,
								  &row->most),
			   err, RF_LIMIT, "the new tokens are too many");
	return RF_OK;
}

/* The waiting row becomes an active one. */
static RfCode
admit_row(Generation *generation, RfError *err)
{
	Row *row = &generation->rows[generation->active];
	size_t room = (size_t) generation->options->max_new_tokens;

	swap_rows(row, &generation->waiting);
	generation->has_waiting = false;
	generation->active++;
	generation->most += row->most;
	return rf_row_cache_reserve(&generation->session->encoder, &row->cache,
								row->prompt + (room < FIRST_ROOM ? room : FIRST_ROOM), err);
}

/* Takes in prompts: as many as fit, one at least when nothing is under way. */
static RfCode
admit_rows(Generation *generation, RfError *err)
{
	size_t tokens = generation->active;
	bool admitted = false;

	while (generation->active < MOST_ROWS &&
		   (generation->has_waiting || generation->next < generation->count))
	{
		Row *waiting = &generation->waiting;

		if (!generation->has_waiting)
			RF_TRY(read_prompt(generation, waiting, err));
		generation->has_waiting = true;
		if (admitted && tokens + waiting->count > generation->batch_tokens)
			break;
		if (generation->active > 0 &&
			(waiting->most > CACHE_BYTES || generation->most > CACHE_BYTES - waiting->most))
			break;
		tokens += waiting->count;
		admitted = true;
		RF_TRY(admit_row(generation, err));
	}
	return RF_OK;
}

/* Tokens of the active rows that are not computed yet. */
static RfCode
join_rows(Generation *generation, RfBatch *batch, RfError *err)
{
	RfArena *arena = generation->round;
	bool seq2seq = rf_model_is_seq2seq(&generation->session->model);
	size_t tokens = 0;
	uint32_t *row_start;
	int32_t *input_ids;
	int32_t *types;

	for (size_t i = 0; i < generation->active; i++)
		tokens += generation->rows[i].count - generation->rows[i].cache.tokens;
	RF_NEW(arena, row_start, generation->active + 1, err);
	RF_NEW(arena, input_ids, tokens, err);
	RF_NEW(arena, types, tokens, err);
	tokens = 0;
	for (size_t i = 0; i < generation->active; i++)
	{
		const Row *row = &generation->rows[i];

		row_start[i] = (uint32_t) tokens;
		for (size_t at = row->cache.tokens; at < row->count; at++, tokens++)
		{
			input_ids[tokens] = row->ids[at];
			types[tokens] = seq2seq && at >= row->prompt ? 1 : 0;
		}
	}
	row_start[generation->active] = (uint32_t) tokens;
	*batch = (RfBatch){
		.rows = generation->active,
		.row_start = row_start,
		.input_ids = input_ids,
		.token_type_ids = types,
		.caches = generation->caches,
	};
	return RF_OK;
}

/* Hidden states of the last tokens, in generation->hidden; caches go through the pass and back. */
static RfCode
compute_rows(Generation *generation, const RfBatch *batch, RfError *err)
{
	RfSession *session = generation->session;
	size_t width = (size_t) session->model.config->hidden_size;
	const float *hidden;
	RfCode code;

	for (size_t i = 0; i < batch->rows; i++)
		generation->caches[i] = generation->rows[i].cache;
	code = rf_encoder_forward(&session->encoder, batch, &hidden, err);
	for (size_t i = 0; i < batch->rows; i++)
		generation->rows[i].cache = generation->caches[i];
	RF_TRY(code);
	for (size_t i = 0; i < batch->rows; i++)
		memcpy(generation->hidden + i * width, hidden + (batch->row_start[i + 1] - 1) * width,
			   width * sizeof(float));
	return RF_OK;
}

static RfCode
choose_tokens(Generation *generation, RfError *err)
{
	RfSession *session = generation->session;
	size_t n = session->model.decoder.n;

	RF_TRY(rf_head_vocabulary(&session->encoder, generation->hidden, generation->active,
							  generation->round, generation->logits, err));
	for (size_t i = 0; i < generation->active; i++)
	{
		Row *row = &generation->rows[i];

		RF_FAIL_IF(rf_abort_requested(&session->abort_fn), err, RF_CANCELED,
				   "computation was canceled");
		RF_TRY(add_id(generation, row,
					  rf_sample_choose(generation->logits + i * n, n, generation->options,
									   &row->random, &generation->candidates),
					  err));
		generation->run->stats.tokens++;
	}
	return RF_OK;
}

static RfCode
put_result(const Generation *generation, const Row *row, RfError *err)
{
	RfArena *arena = generation->run->arena;
	RfGenerated *result = &generation->generated[row->index];
	char *text;
	int32_t *ids;

	result->count = row->count - row->prompt;
	RF_NEW(arena, ids, result->count, err);
	memcpy(ids, row->ids + row->prompt, result->count * sizeof(*ids));
	result->ids = ids;
	RF_TRY(rf_decode(&generation->session->tokenizer, ids, result->count, true, true,
					 &generation->session->abort_fn, arena, &text, &result->length, err));
	result->text = text;
	return RF_OK;
}

/* Rows that have ended leave. */
static RfCode
dismiss_rows(Generation *generation, RfError *err)
{
	int32_t end = rf_session_end_token(generation->session);
	size_t most = (size_t) generation->options->max_new_tokens;

	for (size_t i = generation->active; i-- > 0;)
	{
		Row *row = &generation->rows[i];

		if (row->ids[row->count - 1] != end && row->count - row->prompt < most)
			continue;
		RF_TRY(put_result(generation, row, err));
		rf_row_cache_release(&generation->session->encoder, &row->cache);
		generation->most -= row->most;
		swap_rows(row, &generation->rows[--generation->active]);
	}
	return RF_OK;
}

static RfCode
run_round(Generation *generation, RfError *err)
{
	RfRun *run = generation->run;
	uint64_t start = rf_run_clock();
	uint64_t tokenized;
	RfBatch batch;

	RF_TRY(admit_rows(generation, err));
	tokenized = rf_run_clock();
	run->stats.tokenize_ns += tokenized - start;
	RF_TRY(join_rows(generation, &batch, err));
	RF_TRY(compute_rows(generation, &batch, err));
	RF_TRY(choose_tokens(generation, err));
	RF_TRY(dismiss_rows(generation, err));
	run->stats.compute_ns += rf_run_clock() - tokenized;
	run->stats.batches++;
	if (run->batch_done != NULL)
		run->batch_done(run);
	return RF_OK;
}

static RfCode
run_rounds(Generation *generation, RfError *err)
{
	const RfModel *model = &generation->session->model;
	RfArena *arena = generation->arena;
	size_t most = generation->count < MOST_ROWS ? generation->count : MOST_ROWS;

	RF_NEW(arena, generation->hidden, most * (size_t) model->config->hidden_size, err);
	RF_NEW(arena, generation->logits, most * model->decoder.n, err);
	RF_NEW(arena, generation->caches, most, err);
	RF_TRY(rf_sample_allocate(model->decoder.n, arena, &generation->candidates, err));
	while (generation->active > 0 || generation->has_waiting ||
		   generation->next < generation->count)
	{
		RF_TRY(run_round(generation, err));
		rf_arena_free(generation->round);
	}
	return RF_OK;
}

static RfCode
require_decoder(const RfSession *session, RfError *err)
{
	RF_TRY(rf_session_require(session, RF_TASK_CAUSAL_LM, err));
	if (rf_model_decodes(&session->model))
		return RF_OK;
	rf_error_set(err, RF_UNSUPPORTED, "the model can't generate text");
	rf_error_detail(err,
					"Its configuration has no \"is_decoder\": each token sees those behind it.");
	return RF_UNSUPPORTED;
}

RfCode
rf_run_generate(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
				const RfGenerateOptions *options, const uint64_t *seeds, RfGenerated **generated,
				RfError *err)
{
	Generation generation = {
		.session = session,
		.run = run,
		.options = options,
		.inputs = inputs,
		.seeds = seeds,
		.count = count,
		.arena = &session->batches[0],
		.round = &session->batches[1],
	};
	RfCode code;

	RF_TRY(require_decoder(session, err));
	RF_TRY(rf_sample_check(options, err));
	RF_TRY(rf_run_begin(run, &generation.batch_tokens, err));
	RF_NEW0(run->arena, *generated, count, err);
	generation.generated = *generated;
	code = run_rounds(&generation, err);
	for (size_t i = 0; i < generation.active; i++)
		rf_row_cache_release(&session->encoder, &generation.rows[i].cache);
	rf_run_end(session);
	return code;
}
