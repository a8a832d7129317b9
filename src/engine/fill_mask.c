/*
 * fill_mask.c - the likeliest tokens at each [MASK], as the fill-mask pipeline of Hugging Face
 * transformers gives them.
 *
 * Vocabulary logits are computed for the masks only, GROUP_MASKS at a time. A sequence shows the
 * input with this one mask replaced; special tokens are left out of it only when the input has
 * exactly one mask.
 */
#include "ranking.h"
#include "session.h"

#include <math.h>
#include <string.h>

#define GROUP_MASKS ((size_t) 8)
/* Of a row's sequences: no caller could return more. */
#define MOST_BYTES ((size_t) 1024 * 1024 * 1024)

typedef struct FillContext
{
	size_t top_k;
	RfFills *fills; /* [B] of the whole run */
} FillContext;

/* One row whose masks are being filled. */
typedef struct FillRow
{
	RfSession *session;
	const RfEncoding *encoding;
	const float *hidden; /* [T,H] of the row */
	const size_t *masks; /* [count] positions */
	size_t count;
	size_t top_k;
	RfArena *scratch;
	RfArena *arena;
	RfFills *fills;
	size_t *bytes; /* of the sequences so far */
} FillRow;

static double
log_sum_exp(const float *logits, size_t n)
{
	double largest = -INFINITY;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		largest = logits[i] > largest ? logits[i] : largest;
	for (size_t i = 0; i < n; i++)
		sum += exp(logits[i] - largest);
	return largest + log(sum);
}

static RfCode
describe_fill(const FillRow *row, size_t mask, int32_t id, float score, RfError *err)
{
	const RfTokenizer *tokenizer = &row->session->tokenizer;
	RfArenaMark mark = rf_arena_mark(row->scratch);
	RfFill *fill = &row->fills->fills[row->fills->count];
	size_t tokens = row->encoding->count;
	int32_t *ids;
	char *text;
	size_t length;

	fill->mask = (int32_t) mask;
	fill->id = id;
	fill->score = score;
	RF_TRY(rf_decode(tokenizer, &id, 1, false, true, NULL, row->arena, &text, &length, err));
	fill->token = text;
	RF_NEW(row->scratch, ids, tokens, err);
	memcpy(ids, row->encoding->input_ids, tokens * sizeof(int32_t));
	ids[row->masks[mask]] = id;
	RF_TRY(rf_decode(tokenizer, ids, tokens, row->count == 1, true, NULL, row->arena, &text,
					 &length, err));
	*row->bytes += length + 1;
	RF_FAIL_IF(*row->bytes > MOST_BYTES, err, RF_LIMIT,
			   "%zu fills of %zu tokens are more than 1 GB", row->count * row->top_k, tokens);
	fill->sequence = text;
	row->fills->count++;
	rf_arena_rewind(row->scratch, mark);
	return RF_OK;
}

static RfCode
fill_mask(const FillRow *row, size_t mask, const float *logits, int32_t *ids, RfError *err)
{
	size_t n = row->session->model.decoder.n;
	double norm = log_sum_exp(logits, n);
	RfRanking ranking;

	rf_ranking_init(&ranking, logits, n, ids);
	for (size_t i = 0; i < row->top_k; i++)
	{
		int32_t id = rf_ranking_take(&ranking);

		RF_FAIL_IF(rf_abort_requested(&row->session->abort_fn), err, RF_CANCELED,
				   "computation was canceled");
		RF_TRY(describe_fill(row, mask, id, (float) exp(logits[id] - norm), err));
	}
	return RF_OK;
}

/* Masks [first, first + count) */
static RfCode
fill_group(const FillRow *row, size_t first, size_t count, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(row->scratch);
	size_t width = (size_t) row->session->model.config->hidden_size;
	size_t n = row->session->model.decoder.n;
	float *gathered;
	float *logits;
	int32_t *ids;

	RF_NEW(row->scratch, gathered, count * width, err);
	RF_NEW(row->scratch, logits, count * n, err);
	RF_NEW(row->scratch, ids, n, err);
	for (size_t i = 0; i < count; i++)
		memcpy(gathered + i * width, row->hidden + row->masks[first + i] * width,
			   width * sizeof(float));
	RF_TRY(rf_head_vocabulary(&row->session->encoder, gathered, count, row->scratch, logits, err));
	for (size_t i = 0; i < count; i++)
		RF_TRY(fill_mask(row, first + i, logits + i * n, ids, err));
	rf_arena_rewind(row->scratch, mark);
	return RF_OK;
}

static RfCode
find_masks(const RfSession *session, const RfEncoding *encoding, RfArena *scratch, size_t **masks,
		   size_t *count, RfError *err)
{
	int32_t mask_id = session->tokenizer.special_ids[RF_SPECIAL_MASK];

	*count = 0;
	RF_NEW(scratch, *masks, encoding->count, err);
	for (size_t token = 0; token < encoding->count; token++)
		if (encoding->input_ids[token] == mask_id)
			(*masks)[(*count)++] = token;
	return RF_OK;
}

static RfCode
fill_row(RfSession *session, RfRun *run, const RfRunBatch *batch, size_t index,
		 const FillContext *context, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(batch->scratch);
	size_t width = (size_t) session->model.config->hidden_size;
	RfFills *fills = &context->fills[batch->first + index];
	size_t bytes = 0;
	FillRow row = {
		.session = session,
		.encoding = &batch->encodings[index],
		.hidden = batch->hidden + batch->batch.row_start[index] * width,
		.top_k = context->top_k,
		.scratch = batch->scratch,
		.arena = run->arena,
		.fills = fills,
		.bytes = &bytes,
	};
	size_t *masks;

	RF_TRY(find_masks(session, row.encoding, batch->scratch, &masks, &row.count, err));
	row.masks = masks;
	RF_NEW(run->arena, fills->fills, row.count * row.top_k, err);
	for (size_t first = 0; first < row.count; first += GROUP_MASKS)
	{
		size_t count = row.count - first < GROUP_MASKS ? row.count - first : GROUP_MASKS;

		RF_TRY(fill_group(&row, first, count, err));
	}
	rf_arena_rewind(batch->scratch, mark);
	return RF_OK;
}

static RfCode
put_fills(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	for (size_t row = 0; row < batch->batch.rows; row++)
		RF_TRY(fill_row(session, run, batch, row, context, err));
	return RF_OK;
}

RfCode
rf_run_fill_mask(RfSession *session, RfRun *run, const RfInput *inputs, size_t count, int32_t top_k,
				 RfFills **fills, RfError *err)
{
	FillContext context = {0, NULL};

	RF_TRY(rf_session_require(session, RF_TASK_MASKED_LM, err));
	RF_FAIL_IF(top_k < 1, err, RF_INVALID, "top_k must be at least 1");
	context.top_k =
		(size_t) top_k < session->model.decoder.n ? (size_t) top_k : session->model.decoder.n;
	RF_NEW0(run->arena, *fills, count, err);
	context.fills = *fills;
	return rf_run_batches(session, run, inputs, count, put_fills, &context, err);
}
