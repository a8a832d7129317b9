/*
 * random_model.h - models of any shape with random weights, without files: for tests and benches.
 *
 * Weights come from a seeded generator, parameter after parameter in the order in which they are
 * added here; a configuration and a seed name a model. Linear weights have a standard deviation of
 * about 1/sqrt(k), so that activations keep their size from layer to layer.
 */
#ifndef RF_TEST_RANDOM_MODEL_H
#define RF_TEST_RANDOM_MODEL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rf/engine.h"

#define RANDOM_MODEL_MAX_PARAMETERS 512

typedef struct RandomModel
{
	RfSpec spec;
	RfMatch match;
	RfParameter parameters[RANDOM_MODEL_MAX_PARAMETERS];
	RfTensorDesc stored[RANDOM_MODEL_MAX_PARAMETERS];
	float *values[RANDOM_MODEL_MAX_PARAMETERS];
	uint64_t state;
} RandomModel;

/* xorshift64*, uniform in [-1, 1) */
static inline float
random_model_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (float) ((double) ((*state * UINT64_C(2685821657736338717)) >> 40) / 8388608.0 - 1.0);
}

/* rank 1 when columns is 0; values are offset + spread * uniform */
static inline void
random_model_add(RandomModel *model, RfArena *arena, const char *name, int32_t rows,
				 int32_t columns, float offset, float spread)
{
	size_t index = model->match.count++;
	RfParameter *parameter = &model->parameters[index];
	RfTensorDesc *stored = &model->stored[index];
	size_t elements = (size_t) rows * (size_t) (columns == 0 ? 1 : columns);
	float *values = rf_arena_alloc(arena, elements, sizeof(float));

	parameter->name = rf_arena_copy(arena, name, strlen(name));
	parameter->rank = columns == 0 ? 1 : 2;
	parameter->shape[0] = (uint64_t) rows;
	parameter->shape[1] = (uint64_t) columns;
	parameter->source = index;
	stored->name = parameter->name;
	stored->dtype = RF_F32;
	stored->rank = parameter->rank;
	stored->shape[0] = parameter->shape[0];
	stored->shape[1] = parameter->shape[1];
	for (size_t i = 0; i < elements; i++)
		values[i] = offset + spread * random_model_next(&model->state);
	model->values[index] = values;
	model->match.parameters = model->parameters;
	model->match.total += elements;
}

static inline void
random_model_add_linear(RandomModel *model, RfArena *arena, const char *name, int32_t n, int32_t k,
						bool bias)
{
	char full[300];

	snprintf(full, sizeof(full), "%s.weight", name);
	random_model_add(model, arena, full, n, k, 0, 1.5f / sqrtf((float) k));
	snprintf(full, sizeof(full), "%s.bias", name);
	if (bias)
		random_model_add(model, arena, full, n, 0, 0, 0.5f);
}

static inline void
random_model_add_norm(RandomModel *model, RfArena *arena, const char *name, int32_t n)
{
	char full[300];

	if (model->spec.config.rms_norm)
		return;
	snprintf(full, sizeof(full), "%s.weight", name);
	random_model_add(model, arena, full, n, 0, 1, 0.3f);
	snprintf(full, sizeof(full), "%s.bias", name);
	random_model_add(model, arena, full, n, 0, 0, 0.2f);
}

static inline void
random_model_add_layer(RandomModel *model, RfArena *arena, int32_t layer)
{
	static const char *const parts[] = {"attention.self.query", "attention.self.key",
										"attention.self.value", "attention.output.dense"};
	const RfConfig *config = &model->spec.config;
	int32_t h = config->hidden_size;
	char name[200];

	for (size_t i = 0; i < 4; i++)
	{
		snprintf(name, sizeof(name), "encoder.layer.%d.%s", layer, parts[i]);
		random_model_add_linear(model, arena, name, h, h, config->use_bias);
	}
	snprintf(name, sizeof(name), "encoder.layer.%d.attention.output.LayerNorm", layer);
	random_model_add_norm(model, arena, name, h);
	snprintf(name, sizeof(name), "encoder.layer.%d.intermediate.dense", layer);
	random_model_add_linear(model, arena, name, config->intermediate_size, h, config->use_bias);
	snprintf(name, sizeof(name), "encoder.layer.%d.output.dense", layer);
	random_model_add_linear(model, arena, name, h, config->intermediate_size, config->use_bias);
	snprintf(name, sizeof(name), "encoder.layer.%d.output.LayerNorm", layer);
	random_model_add_norm(model, arena, name, h);
}

static inline void
random_model_add_head(RandomModel *model, RfArena *arena)
{
	const RfConfig *config = &model->spec.config;
	int32_t h = config->hidden_size;
	int32_t e = config->embedding_size;

	if (config->has_pooler)
		random_model_add_linear(model, arena, "pooler.dense", h, h, true);
	switch (config->task)
	{
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			random_model_add_linear(model, arena, "classifier.dense", h, h, true);
			random_model_add_linear(model, arena, "classifier.out_proj", config->num_labels, h,
									true);
			break;
		case RF_TASK_TOKEN_CLASSIFICATION:
			random_model_add_linear(model, arena, "classifier", config->num_labels, h, true);
			break;
		case RF_TASK_MULTIPLE_CHOICE:
			if (config->summary_use_proj)
				random_model_add_linear(model, arena, "sequence_summary.summary", h, h, true);
			random_model_add_linear(model, arena, "classifier", 1, h, true);
			break;
		case RF_TASK_QUESTION_ANSWERING:
			random_model_add_linear(model, arena, "qa_outputs", 2, h, true);
			break;
		case RF_TASK_MASKED_LM:
		case RF_TASK_CAUSAL_LM:
			if (!config->rms_norm)
			{
				random_model_add_linear(model, arena, "cls.predictions.transform.dense", e, h,
										true);
				random_model_add_norm(model, arena, "cls.predictions.transform.LayerNorm", e);
				random_model_add(model, arena, "cls.predictions.bias", config->vocab_size, 0, 0,
								 0.5f);
			}
			if (!config->tie_word_embeddings)
				random_model_add(model, arena, "cls.predictions.decoder.weight", config->vocab_size,
								 e, 0, 1.5f / sqrtf((float) e));
			break;
		default:
			break;
	}
}

/* What transformers' configuration class says when the file says nothing, at small sizes. */
static inline RfConfig
random_model_config(RfTask task, int32_t hidden, int32_t heads, int32_t layers,
					int32_t intermediate)
{
	RfConfig config = {
		.task = task,
		.vocab_size = 96,
		.embedding_size = hidden,
		.hidden_size = hidden,
		.num_hidden_layers = layers,
		.num_attention_heads = heads,
		.intermediate_size = intermediate,
		.type_vocab_size = 2,
		.max_position_embeddings = 512,
		.bos_token_id = -1,
		.eos_token_id = -1,
		.layer_norm_eps = 1e-12,
		.hidden_act = RF_ACT_GELU,
		.pooler_act = RF_ACT_TANH,
		.problem = RF_PROBLEM_SINGLE_LABEL,
		.summary_activation = -1,
		.tie_word_embeddings = true,
		.use_bias = true,
		.pooling = RF_POOL_MEAN,
	};

	return config;
}

/* The special tokens, then t5, t6, ... */
static inline void
random_model_add_vocabulary(RandomModel *model, RfArena *arena)
{
	static const char *const special[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
	size_t limit = (size_t) model->spec.config.vocab_size * 12 + 64;
	char *text = rf_arena_alloc(arena, limit, 1);
	size_t used = 0;

	for (int32_t id = 0; id < model->spec.config.vocab_size; id++)
	{
		if (id < RF_SPECIAL_COUNT)
			used += (size_t) snprintf(text + used, limit - used, "%s\n", special[id]);
		else
			used += (size_t) snprintf(text + used, limit - used, "t%d\n", id);
	}
	model->spec.vocab.name = "vocab.txt";
	model->spec.vocab.data = text;
	model->spec.vocab.size = used;
	model->spec.tokenizer.tokenizer_class = RF_TOKENIZER_BERT;
	model->spec.tokenizer.do_lower_case = true;
	model->spec.tokenizer.do_basic_tokenize = true;
	model->spec.tokenizer.strip_accents = true;
	model->spec.tokenizer.tokenize_chinese_chars = true;
	for (size_t i = 0; i < RF_SPECIAL_COUNT; i++)
		model->spec.tokenizer.special[i] = special[i];
}

static inline RandomModel *
random_model_new(const RfConfig *config, uint64_t seed, RfArena *arena)
{
	RandomModel *model = rf_arena_zalloc(arena, 1, sizeof(*model));
	const char **labels = rf_arena_alloc(arena, (size_t) config->num_labels + 1, sizeof(*labels));
	int32_t e = config->embedding_size;

	model->spec.config = *config;
	model->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	snprintf(model->spec.architecture, sizeof(model->spec.architecture), "RoFormerModel");
	for (int32_t i = 0; i < config->num_labels; i++)
	{
		char label[32];

		snprintf(label, sizeof(label), "LABEL_%d", i);
		labels[i] = rf_arena_copy(arena, label, strlen(label));
	}
	model->spec.labels = labels;
	random_model_add_vocabulary(model, arena);
	random_model_add(model, arena, "embeddings.word_embeddings.weight", config->vocab_size, e, 0,
					 1);
	random_model_add(model, arena, "embeddings.token_type_embeddings.weight",
					 config->type_vocab_size, e, 0, 1);
	random_model_add_norm(model, arena, "embeddings.LayerNorm", e);
	if (e != config->hidden_size)
		random_model_add_linear(model, arena, "embeddings_project", config->hidden_size, e, true);
	for (int32_t i = 0; i < config->num_hidden_layers; i++)
		random_model_add_layer(model, arena, i);
	random_model_add_head(model, arena);
	return model;
}

/* The weights of a parameter, NULL when the model has none of that name. */
static inline const float *
random_model_values(const RandomModel *model, const char *name)
{
	for (size_t i = 0; i < model->match.count; i++)
		if (strcmp(model->parameters[i].name, name) == 0)
			return model->values[i];
	return NULL;
}

/* The finished image for a kernel set and precision; NULL, with err filled, when that fails. */
static inline void *
random_model_image_in(const RandomModel *model, const char *kernels_name, RfPrecision precision,
					  RfArena *arena, size_t *size, RfError *err)
{
	const RfKernels *kernels;
	RfImagePlan *plan;
	void *image;

	if (rf_kernels_choose(kernels_name, &kernels, err) != RF_OK ||
		rf_image_plan(&model->spec, &model->match, model->stored, precision, kernels, arena, &plan,
					  err) != RF_OK)
		return NULL;
	*size = rf_image_size(plan);
	image = rf_arena_alloc(arena, *size, 1);
	if (image == NULL || rf_image_begin(plan, image, err) != RF_OK)
		return NULL;
	for (size_t i = 0; i < model->match.count; i++)
	{
		const RfParameter *parameter = &model->parameters[i];
		size_t width = parameter->rank == 2 ? (size_t) parameter->shape[1] : 1;

		if (rf_image_put(plan, image, i, 0, parameter->shape[0], model->values[i],
						 (size_t) parameter->shape[0] * width * sizeof(float), err) != RF_OK)
			return NULL;
	}
	return rf_image_finish(plan, image, err) == RF_OK ? image : NULL;
}

static inline void *
random_model_image(const RandomModel *model, const char *kernels_name, RfArena *arena, size_t *size,
				   RfError *err)
{
	return random_model_image_in(model, kernels_name, RF_PRECISION_FP32, arena, size, err);
}

#endif
