/*
 * encoder.c - the forward pass: embeddings, then layer after layer over all rows of a batch.
 *
 * Layers are the outer loop, chunks of whole rows the inner one: a layer's weights come from memory
 * once a batch, a chunk's activations stay in the second-level cache. What is wide is not computed
 * all at once: queries, keys and values of a few heads are attended with before those of the next
 * heads, inner columns of the feed-forward block are multiplied on slice by slice. Weights lie in
 * that order. The residual stream x [tokens,H] is updated in place.
 *
 * Memory: x for all tokens; for a chunk queries, keys and values of some heads, the context [H],
 * and rows [H] in the format of a GEMM, when that is not fp32; packed keys and values of one head;
 * scores of a block of queries and keys. Linear in the tokens of a batch and in the longest row.
 */
#include "compute.h"

#include <inttypes.h>
#include <string.h>

typedef struct Forward
{
	RfEncoder *encoder;
	const RfBatch *batch;
	size_t tokens;        /* of the batch */
	size_t longest_row;   /* tokens */
	size_t largest_chunk; /* tokens */
	float *x;             /* [tokens,H] */
	float *embedded;      /* [largest chunk,E], when E and H differ */
	size_t heads;         /* that are attended with at once */
	float *qkv;           /* [largest chunk,heads 3D] */
	float *context;       /* [largest chunk,H] */
	void *rows;           /* of either for a GEMM [largest chunk] */
	float *inner;         /* in place of qkv: fp32 activations of a slice or a block of it */
	void *inner_rows;     /* in place of context: those of a slice for a GEMM, unless fp32 */
	size_t longest_past;  /* tokens of a row, those in its cache included */
	size_t most_states;   /* of a row's encoder */
	float *head;          /* packed keys and values of one, without caches */
	float *scratch;       /* of attention */
	float *cross;         /* of cross-attention */
	uint32_t *sees;       /* [longest row] */
} Forward;

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

void
rf_encoder_init(RfEncoder *encoder, const RfModel *model, RfMemory memory, RfAbort abort_fn)
{
	memset(encoder, 0, sizeof(*encoder));
	encoder->model = model;
	encoder->memory = memory;
	encoder->abort_fn = abort_fn;
	rf_rotary_release(encoder);
}

size_t
rf_encoder_held(const RfEncoder *encoder)
{
	return encoder->workspace_size + encoder->rotary_size;
}

static void
release_workspace(RfEncoder *encoder)
{
	if (encoder->workspace != NULL)
		encoder->memory.release(encoder->memory.context, encoder->workspace);
	encoder->workspace = NULL;
	encoder->workspace_size = 0;
	encoder->converted = NULL;
	encoder->converted_size = 0;
}

void
rf_encoder_trim(RfEncoder *encoder, size_t keep)
{
	if (rf_encoder_held(encoder) <= keep)
		return;
	release_workspace(encoder);
	if (encoder->rotary_size > keep)
		rf_rotary_release(encoder);
}

static RfCode
check_ids(const RfConfig *config, const RfBatch *batch, size_t tokens, RfError *err)
{
	for (size_t i = 0; i < tokens; i++)
	{
		int32_t id = batch->input_ids[i];
		int32_t type = batch->token_type_ids[i];

		RF_FAIL_IF(id < 0 || id >= config->vocab_size, err, RF_INVALID,
				   "token id %" PRId32 " is outside the vocabulary of %" PRId32, id,
				   config->vocab_size);
		RF_FAIL_IF(type < 0 || type >= config->type_vocab_size, err, RF_INVALID,
				   "token type id %" PRId32 " is outside the %" PRId32 " types of the model", type,
				   config->type_vocab_size);
	}
	return RF_OK;
}

static size_t
row_tokens(const RfBatch *batch, size_t row)
{
	return batch->row_start[row + 1] - batch->row_start[row];
}

/* The row after the chunk that starts with row first; a row longer than that is one by itself. */
static size_t
chunk_end(const Forward *forward, size_t first)
{
	const RfBatch *batch = forward->batch;
	size_t limit = forward->encoder->model->kernels->chunk;
	size_t row = first;
	size_t tokens = 0;

	do
		tokens += row_tokens(batch, row++);
	while (row < batch->rows && tokens + row_tokens(batch, row) <= limit);
	return row;
}

static size_t
row_seen(const RfBatch *batch, size_t row)
{
	return batch->row_seen == NULL ? row_tokens(batch, row) : batch->row_seen[row];
}

/* How many positions of the rotary table the batch needs. */
static size_t
count_positions(const RfBatch *batch, size_t tokens, size_t longest_row)
{
	size_t positions = longest_row;

	if (batch->positions == NULL)
		return positions;
	for (size_t i = 0; i < tokens; i++)
		if (batch->positions[i] >= positions)
			positions = (size_t) batch->positions[i] + 1;
	return positions;
}

/* What is before the rows, and beside them. */
static RfCode
measure_decoding(Forward *forward, RfError *err)
{
	const RfBatch *batch = forward->batch;
	const RfModel *model = forward->encoder->model;

	RF_FAIL_IF(batch->caches != NULL && (!rf_model_decodes(model) || batch->row_seen != NULL ||
										 batch->positions != NULL),
			   err, RF_INVALID, "rows of this batch can't grow");
	RF_FAIL_IF(batch->states != NULL && !model->config->add_cross_attention, err, RF_INVALID,
			   "the model has no cross-attention");
	for (size_t row = 0; row < batch->rows; row++)
	{
		size_t past = batch->caches == NULL ? 0 : batch->caches[row].tokens;
		size_t states = batch->states == NULL ? 0 : batch->states[row].tokens;

		RF_FAIL_IF(past > INT32_MAX - row_tokens(batch, row), err, RF_LIMIT,
				   "a row has more than %d tokens", INT32_MAX);
		if (past + row_tokens(batch, row) > forward->longest_past)
			forward->longest_past = past + row_tokens(batch, row);
		if (states > forward->most_states)
			forward->most_states = states;
	}
	return RF_OK;
}

static RfCode
measure_batch(Forward *forward, RfError *err)
{
	const RfBatch *batch = forward->batch;

	RF_FAIL_IF(batch->rows == 0 || batch->row_start[0] != 0, err, RF_INVALID,
			   "a batch must start with a row at token 0");
	for (size_t row = 0; row < batch->rows; row++)
	{
		RF_FAIL_IF(batch->row_start[row + 1] <= batch->row_start[row], err, RF_INVALID,
				   "row %zu of the batch has no tokens", row);
		RF_FAIL_IF(row_seen(batch, row) < 1 || row_seen(batch, row) > row_tokens(batch, row), err,
				   RF_INVALID, "row %zu of the batch has %zu tokens to attend to among %zu", row,
				   row_seen(batch, row), row_tokens(batch, row));
		if (row_tokens(batch, row) > forward->longest_row)
			forward->longest_row = row_tokens(batch, row);
	}
	forward->tokens = batch->row_start[batch->rows];
	RF_TRY(measure_decoding(forward, err));
	for (size_t row = 0; row < batch->rows;)
	{
		size_t end = chunk_end(forward, row);
		size_t tokens = batch->row_start[end] - batch->row_start[row];

		if (tokens > forward->largest_chunk)
			forward->largest_chunk = tokens;
		row = end;
	}
	return check_ids(forward->encoder->model->config, batch, forward->tokens, err);
}

/* Adds an array [rows,columns] to the workspace being laid out; offset in floats. */
static bool
add_array(size_t *total, size_t rows, size_t columns, size_t *offset)
{
	size_t floats;

	*offset = *total;
	return rf_size_mul(rows, columns, &floats) && floats <= SIZE_MAX - RF_LANES &&
		   rf_size_add(*total, RF_LANES_UP(floats), total);
}

static RfCode
reserve_workspace(RfEncoder *encoder, size_t floats, float **start, RfError *err)
{
	size_t bytes;

	RF_FAIL_IF(!rf_size_mul(floats, sizeof(float), &bytes) ||
				   !rf_size_add(bytes, RF_ALIGNMENT, &bytes),
			   err, RF_LIMIT, "the batch does not fit into memory");
	if (encoder->workspace_size < bytes)
	{
		release_workspace(encoder);
		encoder->workspace = encoder->memory.alloc(encoder->memory.context, bytes);
		if (encoder->workspace == NULL)
			return rf_error_memory(err, bytes);
		encoder->workspace_size = bytes;
	}
	*start = (float *) RF_ALIGN((uintptr_t) encoder->workspace);
	return RF_OK;
}

/* Tokens that pass the feed-forward block together at most. */
static size_t
slice_tokens(const Forward *forward)
{
	return smaller(forward->largest_chunk, forward->encoder->model->kernels->chunk);
}

/* What is needed for all layers, which are alike. */
typedef struct LayerNeeds
{
	size_t qkv;     /* floats: queries, keys and values, inner activations */
	size_t context; /* floats: context, rows of a slice */
	size_t rows;    /* bytes */
} LayerNeeds;

static bool
measure_layer(const Forward *forward, LayerNeeds *needs)
{
	const RfEncoder *encoder = forward->encoder;
	const RfLayer *layer = &encoder->model->layers[0];
	const RfSlice *slice = &layer->slices[0];
	size_t chunk = forward->largest_chunk;
	size_t tokens = slice_tokens(forward);
	size_t inner = slice->intermediate.n;
	size_t inner_rows;
	size_t rows[3];

	if (!rf_linear_block(encoder, &slice->output, tokens, &inner_rows) ||
		!rf_linear_block(encoder, &layer->qkv, chunk, &rows[0]) ||
		!rf_linear_block(encoder, &layer->attention_output, chunk, &rows[1]) ||
		!rf_linear_block(encoder, &slice->intermediate, tokens, &rows[2]) ||
		!rf_size_mul(chunk, forward->heads * 3 * rf_head_size(encoder->model), &needs->qkv) ||
		!rf_size_mul(chunk, layer->attention_output.k, &needs->context))
		return false;
	if (inner_rows > 0)
		inner = RF_BLOCK_STRIDE;
	needs->qkv = larger(needs->qkv, tokens * inner);
	needs->context = larger(needs->context, inner_rows / sizeof(float));
	needs->rows = larger(larger(rows[0], rows[1]), rows[2]);
	return true;
}

static RfCode
lay_out_workspace(Forward *forward, RfError *err)
{
	LayerNeeds needs = {0, 0, 0};
	const RfModel *model = forward->encoder->model;
	const RfConfig *config = model->config;
	size_t hidden = (size_t) config->hidden_size;
	size_t chunk = forward->largest_chunk;
	size_t embedded =
		model->embeddings_project.weight == NULL ? 0 : (size_t) config->embedding_size;
	size_t attention;
	size_t head;
	size_t cross;
	size_t total = 0;
	size_t at[9];
	float *start = NULL;
	bool fits;

	forward->heads = rf_attention_heads(model);
	fits =
		(config->num_hidden_layers == 0 || measure_layer(forward, &needs)) &&
		rf_attention_scratch(model->kernels, rf_attention_precision(model), rf_head_size(model),
							 &attention) &&
		rf_self_attention_scratch(model, forward->batch->caches == NULL ? forward->longest_row : 0,
								  &head) &&
		add_array(&total, forward->tokens, hidden, &at[0]) &&
		add_array(&total, chunk, embedded, &at[1]) && add_array(&total, 1, needs.qkv, &at[2]) &&
		add_array(&total, 1, needs.context, &at[3]) && add_array(&total, 1, attention, &at[4]) &&
		rf_cross_attention_scratch(model, forward->most_states, &cross) &&
		add_array(&total, 1, cross, &at[5]) && add_array(&total, 1, forward->longest_row, &at[6]) &&
		add_array(&total, 1, needs.rows / sizeof(float), &at[7]) &&
		add_array(&total, 1, head, &at[8]);
	RF_FAIL_IF(!fits, err, RF_LIMIT, "the batch does not fit into memory");
	RF_TRY(reserve_workspace(forward->encoder, total, &start, err));
	forward->x = start + at[0];
	forward->embedded = start + at[1];
	forward->qkv = forward->inner = start + at[2];
	forward->inner_rows = forward->context = start + at[3];
	forward->scratch = start + at[4];
	forward->cross = start + at[5];
	forward->sees = (uint32_t *) (start + at[6]);
	forward->head = start + at[8];
	forward->rows = forward->encoder->converted = start + at[7];
	forward->encoder->converted_size = needs.rows;
	return rf_rotary_reserve(
		forward->encoder, count_positions(forward->batch, forward->tokens, forward->longest_past),
		err);
}

/* Tokens that follow what is in a cache see that and, of themselves, those up to their own. */
static const uint32_t *
mask_row(const Forward *forward, size_t row, size_t past)
{
	const RfBatch *batch = forward->batch;
	size_t tokens = row_tokens(batch, row);

	if (past == 0)
		return rf_attention_mask(forward->encoder->model,
								 batch->token_type_ids + batch->row_start[row], tokens,
								 forward->sees);
	for (size_t i = 0; i < tokens; i++)
		forward->sees[i] = (uint32_t) (past + i + 1);
	return forward->sees;
}

static RfCode
attend_row(const Forward *forward, const RfLayer *layer, size_t row, const HeadRange *heads,
		   Activations qkv, Activations context, RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	const RfBatch *batch = forward->batch;
	const RfRowCache *cache = batch->caches == NULL ? NULL : &batch->caches[row];
	size_t past = cache == NULL ? 0 : cache->tokens;
	AttentionRow attended = {
		.tokens = row_tokens(batch, row),
		.past = past,
		.seen = past + row_seen(batch, row),
		.positions = batch->positions == NULL ? NULL : batch->positions + batch->row_start[row],
		.sees = mask_row(forward, row, past),
		.cache = cache,
	};

	return rf_self_attention_apply(encoder, &attended, (size_t) (layer - encoder->model->layers),
								   heads, qkv, context, forward->head, forward->scratch, err);
}

/* x = norm(x + cross-attention(x)) for the rows [first, end) */
static RfCode
attend_states(const Forward *forward, const RfLayer *layer, size_t first, size_t end, RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	const uint32_t *row_start = forward->batch->row_start;
	size_t hidden = layer->cross_output.n;
	size_t tokens = row_start[end] - row_start[first];
	Activations x = {forward->x + row_start[first] * hidden, hidden};
	Activations q = {forward->context, hidden};

	RF_TRY(rf_linear_apply(encoder, &layer->cross_query, tokens, x, q, false, RF_ACT_LINEAR, err));
	for (size_t row = first; row < end; row++)
	{
		Activations part = {q.values + (row_start[row] - row_start[first]) * hidden, hidden};

		RF_TRY(rf_cross_attention_apply(encoder, layer, &forward->batch->states[row],
										row_tokens(forward->batch, row), part, forward->cross,
										forward->scratch, err));
	}
	RF_TRY(rf_linear_apply(encoder, &layer->cross_output, tokens, q, x, true, RF_ACT_LINEAR, err));
	rf_norm_apply(encoder, &layer->cross_norm, tokens, hidden, x);
	return RF_OK;
}

/* Some heads of the rows [first, end), which are in x, to their columns of the context. */
static RfCode
attend_heads(const Forward *forward, const RfLayer *layer, size_t first, size_t end, Rows x,
			 const HeadRange *heads, RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	const uint32_t *row_start = forward->batch->row_start;
	size_t columns = 3 * rf_head_size(encoder->model);
	RfLinear linear =
		rf_linear_columns(encoder, &layer->qkv, heads->first * columns, heads->count * columns);
	Activations qkv = {forward->qkv, linear.n};
	Activations context = {forward->context, layer->attention_output.k};

	RF_TRY(rf_linear_multiply(encoder, &linear, row_start[end] - row_start[first], x, qkv, false,
							  RF_ACT_LINEAR, err));
	for (size_t row = first; row < end; row++)
	{
		RF_TRY(attend_row(forward, layer, row, heads, qkv, context, err));
		qkv.values += row_tokens(forward->batch, row) * qkv.stride;
		context.values += row_tokens(forward->batch, row) * context.stride;
	}
	return RF_OK;
}

/* x = norm(x + attention(x)) for the rows [first, end) */
static RfCode
attend_chunk(const Forward *forward, const RfLayer *layer, size_t first, size_t end, RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	const uint32_t *row_start = forward->batch->row_start;
	const RfLinear *output = &layer->attention_output;
	size_t all = (size_t) encoder->model->config->num_attention_heads;
	size_t tokens = row_start[end] - row_start[first];
	Activations x = {forward->x + row_start[first] * output->n, output->n};
	Activations context = {forward->context, output->k};
	Rows rows;

	RF_TRY(rf_linear_rows(encoder, &layer->qkv, tokens, x, forward->rows, &rows, err));
	for (size_t head = 0; head < all; head += forward->heads)
	{
		HeadRange heads = {head, smaller(forward->heads, all - head)};

		RF_TRY(attend_heads(forward, layer, first, end, rows, &heads, err));
	}
	RF_TRY(rf_linear_rows(encoder, output, tokens, context, forward->rows, &rows, err));
	RF_TRY(rf_linear_multiply(encoder, output, tokens, rows, x, true, RF_ACT_LINEAR, err));
	rf_norm_apply(encoder, &layer->attention_norm, tokens, output->n, x);
	return RF_OK;
}

/* x += output(act(intermediate(rows))) of one slice */
static RfCode
feed_slice(const Forward *forward, const RfSlice *slice, size_t count, Rows rows, Activations x,
		   RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	Activations inner = {forward->inner, slice->intermediate.n};
	Rows inner_rows = rf_linear_place(encoder, &slice->output, inner, forward->inner_rows);

	RF_TRY(rf_linear_multiply_rows(encoder, &slice->intermediate, count, rows,
								   encoder->model->config->hidden_act, forward->inner, inner_rows,
								   err));
	return rf_linear_multiply(encoder, &slice->output, count, inner_rows, x, true, RF_ACT_LINEAR,
							  err);
}

/* x = norm(x + output(act(intermediate(x)))) for tokens [first, first + count) */
static RfCode
feed_forward(const Forward *forward, const RfLayer *layer, size_t first, size_t count, RfError *err)
{
	const RfEncoder *encoder = forward->encoder;
	const RfLinear *intermediate = &layer->slices[0].intermediate;
	Activations x = {forward->x + first * intermediate->k, intermediate->k};
	Rows rows;

	RF_TRY(rf_linear_rows(encoder, intermediate, count, x, forward->rows, &rows, err));
	/* Slices read what the first of them begins to change. */
	if (rows.values == x.values)
		rows.values = memcpy(forward->context, x.values, count * intermediate->k * sizeof(float));
	for (size_t i = 0; i < layer->slice_count; i++)
		RF_TRY(feed_slice(forward, &layer->slices[i], count, rows, x, err));
	rf_norm_apply(encoder, &layer->output_norm, count, intermediate->k, x);
	return RF_OK;
}

static RfCode
feed_forward_chunk(const Forward *forward, const RfLayer *layer, size_t first, size_t tokens,
				   RfError *err)
{
	size_t most = slice_tokens(forward);
	size_t slices = (tokens + most - 1) / most;
	size_t slice = (tokens + slices - 1) / slices;

	for (size_t done = 0; done < tokens; done += slice)
		RF_TRY(feed_forward(forward, layer, first + done, smaller(slice, tokens - done), err));
	return RF_OK;
}

static RfCode
run_embeddings(const Forward *forward, RfError *err)
{
	const RfBatch *batch = forward->batch;
	size_t hidden = (size_t) forward->encoder->model->config->hidden_size;

	for (size_t first = 0; first < forward->tokens; first += forward->largest_chunk)
	{
		size_t count = smaller(forward->largest_chunk, forward->tokens - first);

		RF_TRY(rf_compute_poll(forward->encoder, err));
		RF_TRY(rf_embeddings_apply(forward->encoder, count, batch->input_ids + first,
								   batch->token_type_ids + first, forward->embedded,
								   forward->x + first * hidden, err));
	}
	return RF_OK;
}

static RfCode
run_layer(const Forward *forward, const RfLayer *layer, RfError *err)
{
	const RfBatch *batch = forward->batch;

	for (size_t first = 0; first < batch->rows;)
	{
		size_t end = chunk_end(forward, first);

		RF_TRY(attend_chunk(forward, layer, first, end, err));
		if (batch->states != NULL)
			RF_TRY(attend_states(forward, layer, first, end, err));
		RF_TRY(feed_forward_chunk(forward, layer, batch->row_start[first],
								  batch->row_start[end] - batch->row_start[first], err));
		first = end;
	}
	return RF_OK;
}

static RfCode
reserve_caches(const Forward *forward, RfError *err)
{
	const RfBatch *batch = forward->batch;

	for (size_t row = 0; batch->caches != NULL && row < batch->rows; row++)
	{
		RfRowCache *cache = &batch->caches[row];

		RF_TRY(rf_row_cache_reserve(forward->encoder, cache, cache->tokens + row_tokens(batch, row),
									err));
	}
	return RF_OK;
}

RfCode
rf_encoder_forward(RfEncoder *encoder, const RfBatch *batch, const float **hidden, RfError *err)
{
	Forward forward = {.encoder = encoder, .batch = batch};
	const RfModel *model = encoder->model;

	*hidden = NULL;
	RF_TRY(measure_batch(&forward, err));
	RF_TRY(lay_out_workspace(&forward, err));
	RF_TRY(reserve_caches(&forward, err));
	RF_TRY(run_embeddings(&forward, err));
	for (int32_t i = 0; i < model->config->num_hidden_layers; i++)
		RF_TRY(run_layer(&forward, &model->layers[i], err));
	for (size_t row = 0; batch->caches != NULL && row < batch->rows; row++)
		batch->caches[row].tokens += row_tokens(batch, row);
	*hidden = forward.x;
	return RF_OK;
}
