/*
 * embeddings.c - ids to the encoder's input: word + token type, norm, projection.
 */
#include "compute.h"

#include <string.h>

#include "../kernels/convert.h"

static void
widen(const uint16_t *from, size_t width, float *to)
{
	for (size_t i = 0; i < width; i++)
		to[i] = rf_float_of_bf16(from[i]);
}

static void
look_up(const RfModel *model, int32_t input_id, int32_t token_type_id, float *to)
{
	const RfLinear *words = &model->word_embeddings;
	size_t width = words->k;
	const RfFormat *format = &model->kernels->formats[words->precision];
	const float *type = model->token_type_embeddings + (size_t) token_type_id * width;

	if (model->word_embeddings_packed)
		format->unpack(format, words->n, width, (size_t) input_id, words->weight, to);
	else if (words->precision == RF_PRECISION_FP32)
		memcpy(to, (const float *) words->weight + (size_t) input_id * width,
			   width * sizeof(float));
	else
		widen((const uint16_t *) words->weight + (size_t) input_id * width, width, to);
	for (size_t i = 0; i < width; i++)
		to[i] += type[i];
}

RfCode
rf_embeddings_apply(const RfEncoder *encoder, size_t count, const int32_t *input_ids,
					const int32_t *token_type_ids, float *between, float *to, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t width = model->word_embeddings.k;
	bool projects = model->embeddings_project.weight != NULL;
	Activations embedded = {projects ? between : to, width};
	Activations projected = {to, model->embeddings_project.n};

	for (size_t i = 0; i < count; i++)
		look_up(model, input_ids[i], token_type_ids[i], embedded.values + i * width);
	rf_norm_apply(encoder, &model->embedding_norm, count, width, embedded);
	if (!projects)
		return RF_OK;
	return rf_linear_apply(encoder, &model->embeddings_project, count, embedded, projected, false,
						   RF_ACT_LINEAR, err);
}
