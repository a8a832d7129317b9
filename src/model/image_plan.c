/*
 * image_plan.c - the layout of an image, before there is memory for it.
 *
 * First every parameter's shape is written into the fields it belongs to, then the parts get their
 * offsets in the order in which a forward pass reads them (embeddings, layers, head), so that
 * prefetching runs on across the borders of matrices. A language model whose decoder is tied to
 * the word embeddings has that matrix once, packed; embeddings are then read out of the panels.
 */
#include "image_plan.h"

#include <string.h>

#include "parameter_places.h"

/* Inner columns of the feed-forward block that are computed before what follows from them: their
 * activations stay in the second-level cache for a chunk of tokens. */
#define WIDEST_SLICE 768

static bool
is_language_model(const RfConfig *config)
{
	return config->task == RF_TASK_MASKED_LM || config->task == RF_TASK_CAUSAL_LM;
}

/* Sets *size, or finds that another parameter of the same field said something else. */
static RfCode
agree(uint64_t *size, uint64_t value, const RfParameter *parameter, RfError *err)
{
	RF_FAIL_IF(*size != 0 && *size != value, err, RF_CORRUPT,
			   "parameter \"%s\" does not fit those beside it", parameter->name);
	*size = value;
	return RF_OK;
}

/* Notes the shape of a parameter in its field; weight and bias are marked present by 1. */
static RfCode
note_shape(const RfParameter *parameter, const Field *field, RfError *err)
{
	uint64_t n = parameter->shape[0] * field->parts;
	ImageLinear *linear = field->target;
	ImageNorm *norm = field->target;

	RF_FAIL_IF((field->kind == FIELD_WEIGHT) != (parameter->rank == 2), err, RF_CORRUPT,
			   "parameter \"%s\" has %d dimensions", parameter->name, parameter->rank);
	switch (field->kind)
	{
		case FIELD_WEIGHT:
			linear->weight = 1;
			RF_TRY(agree(&linear->k, parameter->shape[1], parameter, err));
			return agree(&linear->n, n, parameter, err);
		case FIELD_BIAS:
			linear->bias = 1;
			return agree(&linear->n, n, parameter, err);
		case FIELD_NORM_WEIGHT:
			norm->weight = 1;
			return agree(&norm->n, n, parameter, err);
		case FIELD_NORM_BIAS:
			norm->bias = 1;
			return agree(&norm->n, n, parameter, err);
	}
	return RF_OK;
}

/* Gives a part of the image its offset. */
static RfCode
reserve_bytes(ImageHeader *header, size_t bytes, uint64_t *offset, RfError *err)
{
	size_t end;

	RF_FAIL_IF(bytes > SIZE_MAX - RF_ALIGNMENT ||
				   !rf_size_add((size_t) header->size, RF_ALIGN(bytes), &end),
			   err, RF_LIMIT, "the model does not fit into memory");
	*offset = header->size;
	header->size = end;
	return RF_OK;
}

static RfCode
reserve_floats(ImageHeader *header, uint64_t count, uint64_t *offset, RfError *err)
{
	size_t bytes;

	RF_FAIL_IF(!rf_size_mul((size_t) count, sizeof(float), &bytes), err, RF_LIMIT,
			   "the model does not fit into memory");
	return reserve_bytes(header, bytes, offset, err);
}

static RfCode
reserve_linear(RfImagePlan *plan, ImageLinear *linear, RfError *err)
{
	if (linear->weight != 0)
	{
		const RfFormat *format = &plan->kernels->formats[linear->precision];
		size_t bytes = format->weight_size(format, linear->n, linear->k);

		RF_FAIL_IF(bytes == 0, err, RF_LIMIT, "the model does not fit into memory");
		RF_TRY(reserve_bytes(&plan->header, bytes, &linear->weight, err));
	}
	if (linear->bias != 0)
		RF_TRY(reserve_floats(&plan->header, linear->n, &linear->bias, err));
	return RF_OK;
}

/* Slices of nearly equal width that begin where blocks of K do, so that sums have the same order.
 */
static uint64_t
slice_width(uint64_t inner)
{
	uint64_t slices = (inner + WIDEST_SLICE - 1) / WIDEST_SLICE;
	uint64_t width = (inner + slices - 1) / slices;

	return (width + RF_MAX_K_BLOCK - 1) / RF_MAX_K_BLOCK * RF_MAX_K_BLOCK;
}

/* A slice of either weight in turn, as they are computed with. */
static RfCode
reserve_slices(RfImagePlan *plan, ImageLayer *layer, RfError *err)
{
	ImageLinear *inner = &layer->intermediate;
	ImageLinear *outer = &layer->output;
	uint64_t whole = inner->n;

	layer->slice = slice_width(whole);
	for (uint64_t first = 0; first < whole; first += layer->slice)
	{
		uint64_t width = whole - first < layer->slice ? whole - first : layer->slice;
		ImageLinear columns = {
			.weight = 1, .n = width, .k = inner->k, .precision = inner->precision};
		ImageLinear terms = {.weight = 1, .n = outer->n, .k = width, .precision = outer->precision};

		RF_TRY(reserve_linear(plan, &columns, err));
		RF_TRY(reserve_linear(plan, &terms, err));
		if (first == 0)
		{
			inner->weight = outer->weight = columns.weight;
			layer->stride = plan->header.size - columns.weight;
		}
	}
	return RF_OK;
}

static RfCode
reserve_feed_forward(RfImagePlan *plan, ImageLayer *layer, RfError *err)
{
	ImageLinear biases[] = {{.bias = layer->intermediate.bias, .n = layer->intermediate.n},
							{.bias = layer->output.bias, .n = layer->output.n}};

	if (layer->intermediate.weight != 0 && layer->output.weight != 0)
		RF_TRY(reserve_slices(plan, layer, err));
	RF_TRY(reserve_linear(plan, &biases[0], err));
	RF_TRY(reserve_linear(plan, &biases[1], err));
	layer->intermediate.bias = biases[0].bias;
	layer->output.bias = biases[1].bias;
	return RF_OK;
}

/* A table that is read by rows. */
static RfCode
reserve_table(RfImagePlan *plan, ImageLinear *table, RfError *err)
{
	size_t bytes;

	RF_FAIL_IF(!rf_size_mul((size_t) table->n, (size_t) table->k, &bytes) ||
				   !rf_size_mul(bytes, rf_table_element(table->precision), &bytes),
			   err, RF_LIMIT, "the model does not fit into memory");
	return reserve_bytes(&plan->header, bytes, &table->weight, err);
}

static RfCode
reserve_norm(RfImagePlan *plan, ImageNorm *norm, RfError *err)
{
	if (norm->weight != 0)
		RF_TRY(reserve_floats(&plan->header, norm->n, &norm->weight, err));
	if (norm->bias != 0)
		RF_TRY(reserve_floats(&plan->header, norm->n, &norm->bias, err));
	return RF_OK;
}

static RfCode
reserve_layers(RfImagePlan *plan, RfError *err)
{
	for (int32_t i = 0; i < plan->header.config.num_hidden_layers; i++)
	{
		ImageLayer *layer = &plan->layers[i];

		RF_TRY(reserve_linear(plan, &layer->qkv, err));
		RF_TRY(reserve_linear(plan, &layer->attention_output, err));
		RF_TRY(reserve_norm(plan, &layer->attention_norm, err));
		RF_TRY(reserve_feed_forward(plan, layer, err));
		RF_TRY(reserve_norm(plan, &layer->output_norm, err));
		RF_TRY(reserve_linear(plan, &layer->cross_query, err));
		RF_TRY(reserve_linear(plan, &layer->cross_key_value, err));
		RF_TRY(reserve_linear(plan, &layer->cross_output, err));
		RF_TRY(reserve_norm(plan, &layer->cross_norm, err));
	}
	return RF_OK;
}

/*
 * Below so many hidden units there are few terms over which rounding errors average out, and what
 * the scores of attention are made from must not be rounded: a trained head's scores are large, so
 * that little errors of them move its softmax.
 */
#define NARROW 256

/*
 * int8 is for the encoder's layers, where nearly all of the work is. What stands before and behind
 * them, of which single numbers show in the result, is bf16 then. The two token types stay fp32.
 */
static void
choose_precisions(RfImagePlan *plan, RfPrecision precision)
{
	ImageHeader *header = &plan->header;
	bool narrow = header->config.hidden_size < NARROW;
	RfPrecision scores = narrow ? RF_PRECISION_FP32 : precision;
	RfPrecision outer = scores == RF_PRECISION_INT8 ? RF_PRECISION_BF16 : scores;
	ImageLinear *outside[] = {&header->word_embeddings, &header->embeddings_project,
							  &header->pooler,          &header->transform,
							  &header->decoder,         &header->dense,
							  &header->classifier,      &header->summary};

	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		outside[i]->precision = outer;
	for (int32_t i = 0; i < header->config.num_hidden_layers; i++)
	{
		ImageLayer *layer = &plan->layers[i];

		layer->qkv.precision = scores;
		layer->attention_output.precision = precision;
		layer->intermediate.precision = layer->output.precision = precision;
		layer->cross_query.precision = layer->cross_key_value.precision = scores;
		layer->cross_output.precision = precision;
	}
}

static RfCode
reserve_weights(RfImagePlan *plan, RfError *err)
{
	ImageHeader *header = &plan->header;

	if (header->word_embeddings_packed)
		RF_TRY(reserve_linear(plan, &header->word_embeddings, err));
	else
		RF_TRY(reserve_table(plan, &header->word_embeddings, err));
	RF_TRY(reserve_table(plan, &header->token_type_embeddings, err));
	RF_TRY(reserve_norm(plan, &header->embedding_norm, err));
	RF_TRY(reserve_linear(plan, &header->embeddings_project, err));
	RF_TRY(reserve_layers(plan, err));
	RF_TRY(reserve_linear(plan, &header->pooler, err));
	RF_TRY(reserve_linear(plan, &header->transform, err));
	RF_TRY(reserve_norm(plan, &header->transform_norm, err));
	if (header->word_embeddings_packed)
	{
		header->decoder.weight = 0;
		header->decoder.n = header->word_embeddings.n;
	}
	RF_TRY(reserve_linear(plan, &header->decoder, err));
	if (header->word_embeddings_packed)
	{
		header->decoder.weight = header->word_embeddings.weight;
		header->decoder.k = header->word_embeddings.k;
	}
	RF_TRY(reserve_linear(plan, &header->dense, err));
	RF_TRY(reserve_linear(plan, &header->classifier, err));
	return reserve_linear(plan, &header->summary, err);
}

/* Slices of the feed-forward block, whose weights a layer has no others of. */
static void
place_slices(const Field *field, Place *place)
{
	const ImageLayer *layer = field->layer;

	if (layer == NULL || (field->target != &layer->intermediate && field->target != &layer->output))
		return;
	place->kind = field->target == &layer->intermediate ? PLACE_COLUMNS : PLACE_TERMS;
	place->slice = layer->slice;
	place->stride = layer->stride;
}

/* Where the rows of one parameter go, now that all offsets are known. */
static RfCode
place_parameter(RfImagePlan *plan, const RfParameter *parameter, const Field *field, Place *place,
				RfArena *arena, RfError *err)
{
	const ImageLinear *linear = field->target;
	const ImageNorm *norm = field->target;
	const ImageHeader *header = &plan->header;

	place->rows = parameter->shape[0];
	place->width = parameter->rank == 2 ? parameter->shape[1] : 1;
	place->n = place->rows * field->parts;
	place->part = field->part;
	place->parts = field->parts;
	place->group =
		field->by_heads ? place->rows / (uint64_t) header->config.num_attention_heads : place->rows;
	place->kind = PLACE_ROWS;
	switch (field->kind)
	{
		case FIELD_WEIGHT:
			place->offset = linear->weight;
			place->precision = (RfPrecision) linear->precision;
			if (linear == &header->decoder && header->word_embeddings_packed)
				place->kind = PLACE_NOWHERE; /* tied: the word embeddings count */
			else if (linear != &header->token_type_embeddings &&
					 (linear != &header->word_embeddings || header->word_embeddings_packed))
				place->kind = PLACE_PACKED;
			place_slices(field, place);
			break;
		case FIELD_BIAS:
			place->offset = linear->bias;
			break;
		case FIELD_NORM_WEIGHT:
			place->offset = norm->weight;
			break;
		case FIELD_NORM_BIAS:
			place->offset = norm->bias;
			break;
	}
	RF_NEW0(arena, place->seen, (size_t) (place->rows / 8 + 1), err);
	return RF_OK;
}

static RfCode
place_parameters(RfImagePlan *plan, const RfTensorDesc *stored, RfArena *arena, RfError *err)
{
	const RfMatch *match = plan->match;
	uint64_t widest = 1;
	Field *fields;

	RF_NEW(arena, fields, match->count, err);
	for (size_t i = 0; i < match->count; i++)
	{
		RF_TRY(rf_parameter_field(match->parameters[i].name, &plan->header, plan->layers,
								  &fields[i], err));
		RF_TRY(note_shape(&match->parameters[i], &fields[i], err));
	}
	RF_TRY(reserve_weights(plan, err));
	RF_NEW0(arena, plan->places, match->count, err);
	for (size_t i = 0; i < match->count; i++)
	{
		Place *place = &plan->places[i];

		RF_TRY(place_parameter(plan, &match->parameters[i], &fields[i], place, arena, err));
		place->dtype = stored[match->parameters[i].source].dtype;
		if (place->width > widest)
			widest = place->width;
	}
	RF_NEW(arena, plan->row, (size_t) widest, err);
	return RF_OK;
}

/* The positions that most texts have; sessions compute what goes beyond for themselves. */
static RfCode
reserve_rotary(ImageHeader *header, RfError *err)
{
	const RfConfig *config = &header->config;
	size_t head_size = (size_t) (config->hidden_size / config->num_attention_heads);
	uint64_t positions = (uint64_t) config->max_position_embeddings;

	if (positions > IMAGE_ROTARY_POSITIONS)
		positions = IMAGE_ROTARY_POSITIONS;
	header->rotary_positions = positions;
	return reserve_bytes(header, (size_t) positions * head_size * sizeof(float), &header->rotary,
						 err);
}

/* Everything before the weights: header, layer table, labels, tokenizer, rotary table. */
static RfCode
reserve_front(RfImagePlan *plan, RfArena *arena, RfError *err)
{
	ImageHeader *header = &plan->header;
	const RfSpec *spec = plan->spec;
	size_t labels_size = 0;
	size_t tokenizer_size;
	uint64_t start;

	RF_TRY(reserve_bytes(header, sizeof(*header), &start, err));
	RF_TRY(reserve_bytes(header, (size_t) spec->config.num_hidden_layers * sizeof(ImageLayer),
						 &header->layers, err));
	for (int32_t i = 0; i < spec->config.num_labels; i++)
		labels_size += strlen(spec->labels[i]) + 1;
	RF_TRY(reserve_bytes(header, labels_size, &header->labels, err));
	header->labels_size = labels_size;
	RF_TRY(rf_spec_compile_tokenizer(spec, arena, &plan->tokenizer, &tokenizer_size, err));
	RF_TRY(reserve_bytes(header, tokenizer_size, &header->tokenizer, err));
	header->tokenizer_size = tokenizer_size;
	return reserve_rotary(header, err);
}

static int32_t
default_max_length(const RfSpec *spec)
{
	int64_t length = spec->tokenizer.model_max_length;

	if (length <= 0)
		length = spec->config.max_position_embeddings;
	return length > INT32_MAX ? INT32_MAX : (int32_t) length;
}

RfCode
rf_image_plan(const RfSpec *spec, const RfMatch *match, const RfTensorDesc *stored,
			  RfPrecision precision, const RfKernels *kernels, RfArena *arena, RfImagePlan **result,
			  RfError *err)
{
	RfImagePlan *plan;
	ImageHeader *header;

	*result = NULL;
	RF_TRY(rf_kernels_require(kernels, precision, err));
	RF_FAIL_IF(
		spec->config.rms_norm && is_language_model(&spec->config) &&
			spec->config.embedding_size != spec->config.hidden_size,
		err, RF_UNSUPPORTED,
		"a RoFormer-V2 language model with embeddings of another size than its hidden states "
		"is not supported");
	RF_NEW0(arena, plan, 1, err);
	plan->kernels = kernels;
	plan->spec = spec;
	plan->match = match;
	header = &plan->header;
	header->version = IMAGE_VERSION;
	header->precision = precision;
	header->config = spec->config;
	header->default_max_length = default_max_length(spec);
	header->word_embeddings_packed =
		spec->config.tie_word_embeddings && is_language_model(&spec->config);
	strncpy(header->kernels, kernels->name, sizeof(header->kernels) - 1);
	RF_NEW0(arena, plan->layers, (size_t) spec->config.num_hidden_layers, err);
	choose_precisions(plan, precision);
	RF_TRY(reserve_front(plan, arena, err));
	RF_TRY(place_parameters(plan, stored, arena, err));
	*result = plan;
	return RF_OK;
}

size_t
rf_image_size(const RfImagePlan *plan)
{
	return plan->header.size;
}
