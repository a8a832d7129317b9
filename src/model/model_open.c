/*
 * model_open.c - from the bytes of an image to pointers that can be computed with.
 *
 * Images are written by this program, yet nothing is followed before it is known to lie inside the
 * block: a wrong size in shared memory must be an error, not a crash. What the configuration
 * implies for a weight's shape is checked here once and relied on everywhere else.
 */
#include "rf/model.h"

#include <inttypes.h>
#include <string.h>

#include "image_layout.h"

typedef struct Opening
{
	const char *base;
	size_t size;
	const RfKernels *kernels;
	RfError *err;
} Opening;

static RfCode
refuse_image(const Opening *opening, const char *what)
{
	return rf_error_set(opening->err, RF_CORRUPT, "model image is damaged: %s", what);
}

/* A part of bytes at offset, which is absent when that is 0. */
static RfCode
open_part(const Opening *opening, uint64_t offset, size_t bytes, const char *what,
		  const void **part)
{
	*part = NULL;
	if (offset == 0)
		return RF_OK;
	if (offset % RF_ALIGNMENT != 0 || offset > opening->size || bytes > opening->size - offset)
		return refuse_image(opening, what);
	*part = opening->base + offset;
	return RF_OK;
}

static RfCode
open_floats(const Opening *opening, uint64_t offset, size_t count, const char *what,
			const float **floats)
{
	size_t bytes;
	const void *part;

	if (!rf_size_mul(count, sizeof(float), &bytes))
		return refuse_image(opening, what);
	RF_TRY(open_part(opening, offset, bytes, what, &part));
	*floats = part;
	return RF_OK;
}

/* packed: in the kernels' layout, else plain rows */
static RfCode
open_weight(const Opening *opening, const ImageLinear *stored, bool packed, int64_t n, int64_t k,
			const char *what, RfLinear *linear)
{
	const RfFormat *format;
	size_t bytes;

	if (stored->weight == 0)
		return RF_OK;
	if (stored->n != (uint64_t) n || stored->k != (uint64_t) k ||
		stored->precision >= RF_PRECISIONS)
		return refuse_image(opening, what);
	format = &opening->kernels->formats[stored->precision];
	linear->n = (size_t) n;
	linear->k = (size_t) k;
	linear->precision = (RfPrecision) stored->precision;
	if (format->gemm == NULL)
		return refuse_image(opening, what);
	if (packed)
		bytes = format->weight_size(format, linear->n, linear->k);
	else if (!rf_size_mul(linear->n, linear->k, &bytes) ||
			 !rf_size_mul(bytes, rf_table_element(linear->precision), &bytes))
		bytes = 0;
	if (bytes == 0)
		return refuse_image(opening, what);
	RF_TRY(open_part(opening, stored->weight, bytes, what, &linear->weight));
	return open_floats(opening, stored->bias, linear->n, what, &linear->bias);
}

static RfCode
open_linear(const Opening *opening, const ImageLinear *stored, int64_t n, int64_t k,
			const char *what, RfLinear *linear)
{
	return open_weight(opening, stored, true, n, k, what, linear);
}

/* The same for one that a model can't do without. */
static RfCode
require_linear(const Opening *opening, const ImageLinear *stored, int64_t n, int64_t k,
			   const char *what, RfLinear *linear)
{
	RF_TRY(open_linear(opening, stored, n, k, what, linear));
	return linear->weight == NULL ? refuse_image(opening, what) : RF_OK;
}

static RfCode
open_norm(const Opening *opening, const ImageNorm *stored, int64_t n, bool rms, const char *what,
		  RfNorm *norm)
{
	if (rms)
		return RF_OK;
	if (stored->weight == 0 || stored->bias == 0 || stored->n != (uint64_t) n)
		return refuse_image(opening, what);
	RF_TRY(open_floats(opening, stored->weight, (size_t) n, what, &norm->weight));
	return open_floats(opening, stored->bias, (size_t) n, what, &norm->bias);
}

static RfCode
open_header(Opening *opening, RfModel *model)
{
	const ImageHeader *header = (const ImageHeader *) opening->base;

	if (opening->size < sizeof(*header) || (uintptr_t) header % RF_ALIGNMENT != 0 ||
		header->magic != IMAGE_MAGIC)
		return rf_error_set(opening->err, RF_CORRUPT, "this is no finished model image");
	if (header->version != IMAGE_VERSION)
		return rf_error_set(opening->err, RF_CORRUPT, "model image has version %" PRIu32 ", not %d",
							header->version, IMAGE_VERSION);
	if (header->size != opening->size)
		return refuse_image(opening, "size");
	if (memchr(header->kernels, '\0', sizeof(header->kernels)) == NULL)
		return refuse_image(opening, "kernels");
	if (header->precision >= RF_PRECISIONS)
		return refuse_image(opening, "precision");
	model->config = &header->config;
	model->precision = (RfPrecision) header->precision;
	model->default_max_length = header->default_max_length;
	model->word_embeddings_packed = header->word_embeddings_packed != 0;
	RF_TRY(rf_kernels_choose(header->kernels, &model->kernels, opening->err));
	opening->kernels = model->kernels;
	return rf_kernels_require(model->kernels, model->precision, opening->err);
}

/* Looks at the byte: reading anything but 0 and 1 as a bool is undefined. */
static bool
is_boolean(const bool *field)
{
	unsigned char byte;

	memcpy(&byte, field, sizeof(byte));
	return byte <= 1;
}

static RfCode
check_choices(const Opening *opening, const RfConfig *config)
{
	if (!is_boolean(&config->rotary_value) || !is_boolean(&config->is_decoder) ||
		!is_boolean(&config->add_cross_attention) || !is_boolean(&config->tie_word_embeddings) ||
		!is_boolean(&config->rms_norm) || !is_boolean(&config->use_bias) ||
		!is_boolean(&config->has_pooler) || !is_boolean(&config->summary_use_proj) ||
		!is_boolean(&config->normalize_embedding))
		return refuse_image(opening, "configuration");
	if ((unsigned) config->task > RF_TASK_CAUSAL_LM ||
		(unsigned) config->problem > RF_PROBLEM_REGRESSION ||
		(unsigned) config->pooling > RF_POOL_POOLER || (unsigned) config->summary > RF_SUMMARY_MEAN)
		return refuse_image(opening, "configuration");
	if ((unsigned) config->hidden_act >= RF_ACTIVATIONS ||
		(unsigned) config->pooler_act >= RF_ACTIVATIONS || config->summary_activation < -1 ||
		config->summary_activation >= (int32_t) RF_ACTIVATIONS)
		return refuse_image(opening, "activation");
	return RF_OK;
}

/* What the arithmetic of forward passes relies on. */
static RfCode
check_config(const Opening *opening, const RfConfig *config)
{
	if (config->vocab_size < 1 || config->embedding_size < 1 || config->hidden_size < 1 ||
		config->num_hidden_layers < 0 || config->num_attention_heads < 1 ||
		config->intermediate_size < 1 || config->type_vocab_size < 1 || config->num_labels < 0)
		return refuse_image(opening, "configuration");
	if (config->hidden_size % config->num_attention_heads != 0 ||
		config->hidden_size / config->num_attention_heads % 2 != 0)
		return refuse_image(opening, "head size");
	return check_choices(opening, config);
}

static RfCode
open_labels(const Opening *opening, const ImageHeader *header, RfArena *arena, RfModel *model)
{
	size_t count = (size_t) header->config.num_labels;
	const void *part;
	const char *at;
	const char *end;
	const char **labels;

	RF_TRY(open_part(opening, header->labels, header->labels_size, "labels", &part));
	RF_NEW(arena, labels, count, opening->err);
	at = part;
	end = at + (part == NULL ? 0 : header->labels_size);
	for (size_t i = 0; i < count; i++)
	{
		const char *zero = at == end ? NULL : memchr(at, '\0', (size_t) (end - at));

		if (zero == NULL)
			return refuse_image(opening, "labels");
		labels[i] = at;
		at = zero + 1;
	}
	model->labels = labels;
	return RF_OK;
}

static RfCode
open_embeddings(const Opening *opening, const ImageHeader *header, RfModel *model)
{
	const RfConfig *config = &header->config;
	RfLinear types = {0};

	RF_TRY(open_weight(opening, &header->word_embeddings, model->word_embeddings_packed,
					   config->vocab_size, config->embedding_size, "word embeddings",
					   &model->word_embeddings));
	RF_TRY(open_weight(opening, &header->token_type_embeddings, false, config->type_vocab_size,
					   config->embedding_size, "token type embeddings", &types));
	if (model->word_embeddings.weight == NULL || types.weight == NULL ||
		types.precision != RF_PRECISION_FP32)
		return refuse_image(opening, "embeddings");
	model->token_type_embeddings = types.weight;
	RF_TRY(open_norm(opening, &header->embedding_norm, config->embedding_size, config->rms_norm,
					 "embedding norm", &model->embedding_norm));
	if (config->embedding_size == config->hidden_size)
		return RF_OK;
	return require_linear(opening, &header->embeddings_project, config->hidden_size,
						  config->embedding_size, "embedding projection",
						  &model->embeddings_project);
}

/* Inner columns [first, first + width). */
static RfCode
open_slice(const Opening *opening, const ImageLayer *stored, size_t h, uint64_t first,
		   uint64_t width, RfSlice *slice)
{
	ImageLinear inner = stored->intermediate;
	ImageLinear outer = stored->output;
	bool last = first + width == inner.n;

	inner.weight += first / stored->slice * stored->stride;
	outer.weight =
		inner.weight + rf_slice_output(&opening->kernels->formats[inner.precision], width, h);
	inner.bias += inner.bias == 0 ? 0 : first * sizeof(float);
	outer.bias = last ? outer.bias : 0;
	inner.n = outer.k = width;
	RF_TRY(require_linear(opening, &inner, (int64_t) width, (int64_t) h, "intermediate",
						  &slice->intermediate));
	return require_linear(opening, &outer, (int64_t) h, (int64_t) width, "output", &slice->output);
}

static RfCode
open_slices(const Opening *opening, const RfConfig *config, const ImageLayer *stored,
			RfArena *arena, RfLayer *layer)
{
	uint64_t whole = (uint64_t) config->intermediate_size;
	uint64_t width = stored->slice;

	if (stored->intermediate.n != whole || stored->output.k != whole ||
		stored->intermediate.precision >= RF_PRECISIONS ||
		stored->intermediate.precision != stored->output.precision ||
		opening->kernels->formats[stored->output.precision].gemm == NULL ||
		stored->intermediate.weight == 0 || stored->output.weight == 0)
		return refuse_image(opening, "feed-forward");
	if (width == 0 || width % RF_MAX_K_BLOCK != 0 || stored->stride == 0 ||
		stored->stride % RF_ALIGNMENT != 0 || (whole - 1) / width > opening->size / stored->stride)
		return refuse_image(opening, "slices");
	RF_NEW0(arena, layer->slices, (size_t) ((whole - 1) / width + 1), opening->err);
	for (uint64_t first = 0; first < whole; first += width)
		RF_TRY(open_slice(opening, stored, (size_t) config->hidden_size, first,
						  whole - first < width ? whole - first : width,
						  &layer->slices[layer->slice_count++]));
	return RF_OK;
}

static RfCode
open_layer(const Opening *opening, const RfConfig *config, const ImageLayer *stored, RfArena *arena,
		   RfLayer *layer)
{
	int64_t h = config->hidden_size;

	RF_TRY(require_linear(opening, &stored->qkv, 3 * h, h, "attention", &layer->qkv));
	RF_TRY(require_linear(opening, &stored->attention_output, h, h, "attention output",
						  &layer->attention_output));
	RF_TRY(open_norm(opening, &stored->attention_norm, h, config->rms_norm, "attention norm",
					 &layer->attention_norm));
	RF_TRY(open_slices(opening, config, stored, arena, layer));
	RF_TRY(open_norm(opening, &stored->output_norm, h, config->rms_norm, "output norm",
					 &layer->output_norm));
	if (!config->add_cross_attention)
		return RF_OK;
	RF_TRY(require_linear(opening, &stored->cross_query, h, h, "cross-attention",
						  &layer->cross_query));
	RF_TRY(require_linear(opening, &stored->cross_key_value, 2 * h, h, "cross-attention",
						  &layer->cross_key_value));
	RF_TRY(require_linear(opening, &stored->cross_output, h, h, "cross-attention output",
						  &layer->cross_output));
	return open_norm(opening, &stored->cross_norm, h, config->rms_norm, "cross-attention norm",
					 &layer->cross_norm);
}

static RfCode
open_layers(const Opening *opening, const ImageHeader *header, RfArena *arena, RfModel *model)
{
	size_t count = (size_t) header->config.num_hidden_layers;
	size_t bytes;
	const void *part;
	const ImageLayer *stored;

	if (!rf_size_mul(count, sizeof(ImageLayer), &bytes) || header->layers == 0)
		return refuse_image(opening, "layers");
	RF_TRY(open_part(opening, header->layers, bytes, "layers", &part));
	stored = part;
	RF_NEW0(arena, model->layers, count, opening->err);
	for (size_t i = 0; i < count; i++)
		RF_TRY(open_layer(opening, &header->config, &stored[i], arena, &model->layers[i]));
	return RF_OK;
}

/* Outputs of the classifier of a task; 0 when it has none. */
static int64_t
classifier_outputs(const RfConfig *config)
{
	switch (config->task)
	{
		case RF_TASK_SEQUENCE_CLASSIFICATION:
		case RF_TASK_TOKEN_CLASSIFICATION:
			return config->num_labels;
		case RF_TASK_QUESTION_ANSWERING:
			return 2;
		case RF_TASK_MULTIPLE_CHOICE:
			return 1;
		default:
			return 0;
	}
}

static RfCode
open_head(const Opening *opening, const ImageHeader *header, RfModel *model)
{
	const RfConfig *config = &header->config;
	int64_t e = config->embedding_size;
	int64_t h = config->hidden_size;
	int64_t outputs = classifier_outputs(config);

	RF_TRY(open_linear(opening, &header->pooler, h, h, "pooler", &model->pooler));
	if (config->task == RF_TASK_MULTIPLE_CHOICE && config->summary_use_proj)
		RF_TRY(require_linear(opening, &header->summary, h, h, "summary", &model->summary));
	RF_TRY(open_linear(opening, &header->dense, h, h, "dense", &model->dense));
	if (outputs > 0)
		RF_TRY(require_linear(opening, &header->classifier, outputs, h, "classifier",
							  &model->classifier));
	if (config->task == RF_TASK_SEQUENCE_CLASSIFICATION && model->dense.weight == NULL)
		return refuse_image(opening, "dense");
	if (config->task != RF_TASK_MASKED_LM && config->task != RF_TASK_CAUSAL_LM)
		return RF_OK;
	RF_TRY(open_linear(opening, &header->transform, e, h, "transform", &model->transform));
	if (model->transform.weight != NULL)
		RF_TRY(open_norm(opening, &header->transform_norm, e, config->rms_norm, "transform norm",
						 &model->transform_norm));
	else if (e != h)
		return refuse_image(opening, "transform");
	return require_linear(opening, &header->decoder, config->vocab_size, e, "decoder",
						  &model->decoder);
}

static RfCode
open_rotary(const Opening *opening, const ImageHeader *header, RfModel *model)
{
	size_t head_size = (size_t) (header->config.hidden_size / header->config.num_attention_heads);
	size_t floats;

	if (header->rotary == 0 || header->rotary_positions > IMAGE_ROTARY_POSITIONS ||
		!rf_size_mul((size_t) header->rotary_positions, head_size, &floats))
		return refuse_image(opening, "rotary table");
	model->rotary_positions = (size_t) header->rotary_positions;
	return open_floats(opening, header->rotary, floats, "rotary table", &model->rotary);
}

RfCode
rf_model_open(const void *image, size_t size, RfArena *arena, RfModel *model, RfError *err)
{
	Opening opening = {image, size, NULL, err};
	const ImageHeader *header = image;

	memset(model, 0, sizeof(*model));
	RF_TRY(open_header(&opening, model));
	RF_TRY(check_config(&opening, &header->config));
	RF_TRY(open_labels(&opening, header, arena, model));
	RF_TRY(open_part(&opening, header->tokenizer, header->tokenizer_size, "tokenizer",
					 &model->tokenizer));
	model->tokenizer_size = header->tokenizer_size;
	RF_TRY(open_rotary(&opening, header, model));
	RF_TRY(open_embeddings(&opening, header, model));
	RF_TRY(open_layers(&opening, header, arena, model));
	return open_head(&opening, header, model);
}
