/*
 * head.c - what follows the encoder: class labels, vocabulary logits, choices, pooler.
 */
#include "compute.h"

#include <string.h>

/* logits = out_proj(act(dense(x))) for sequence classification, classifier(x) for the others */
RfCode
rf_head_labels(RfEncoder *encoder, const float *hidden, size_t m, RfArena *scratch, float *logits,
			   RfError *err)
{
	const RfModel *model = encoder->model;
	Activations from = {(float *) hidden, (size_t) model->config->hidden_size};
	Activations to = {logits, model->classifier.n};
	RfArenaMark mark = rf_arena_mark(scratch);
	RfCode code = RF_OK;

	RF_FAIL_IF(model->classifier.weight == NULL, err, RF_UNSUPPORTED,
			   "the model has no classification head");
	if (model->dense.weight != NULL)
	{
		Activations between = {NULL, model->dense.n};

		RF_NEW(scratch, between.values, m * between.stride, err);
		code = rf_linear_apply(encoder, &model->dense, m, from, between, false,
							   model->config->hidden_act, err);
		from = between;
	}
	if (code == RF_OK)
		code = rf_linear_apply(encoder, &model->classifier, m, from, to, false, RF_ACT_LINEAR, err);
	rf_arena_rewind(scratch, mark);
	return code;
}

/* V1: decoder(norm(act(dense(x)))); V2: decoder(x) */
RfCode
rf_head_vocabulary(RfEncoder *encoder, const float *hidden, size_t m, RfArena *scratch,
				   float *logits, RfError *err)
{
	const RfModel *model = encoder->model;
	Activations from = {(float *) hidden, (size_t) model->config->hidden_size};
	Activations to = {logits, model->decoder.n};
	RfArenaMark mark = rf_arena_mark(scratch);
	RfCode code = RF_OK;

	RF_FAIL_IF(model->decoder.weight == NULL, err, RF_UNSUPPORTED,
			   "the model has no language model head");
	if (model->transform.weight != NULL)
	{
		Activations between = {NULL, model->transform.n};

		RF_NEW(scratch, between.values, m * between.stride, err);
		code = rf_linear_apply(encoder, &model->transform, m, from, between, false,
							   model->config->hidden_act, err);
		if (code == RF_OK)
			rf_norm_apply(encoder, &model->transform_norm, m, between.stride, between);
		from = between;
	}
	if (code == RF_OK)
		code = rf_linear_apply(encoder, &model->decoder, m, from, to, false, RF_ACT_LINEAR, err);
	rf_arena_rewind(scratch, mark);
	return code;
}

/* The summary's projection and activation, which a model may have or not: [m,H] */
static RfCode
project_summaries(RfEncoder *encoder, Activations from, size_t m, Activations to, RfError *err)
{
	const RfModel *model = encoder->model;
	int32_t given = model->config->summary_activation;
	RfActivation activation = given < 0 ? RF_ACT_LINEAR : (RfActivation) given;

	if (model->summary.weight != NULL)
		return rf_linear_apply(encoder, &model->summary, m, from, to, false, activation, err);
	memcpy(to.values, from.values, m * to.stride * sizeof(float));
	for (size_t i = 0; i < m; i++)
		model->kernels->activate[activation](to.values + i * to.stride, to.stride);
	return RF_OK;
}

RfCode
rf_head_choices(RfEncoder *encoder, const float *summaries, size_t m, RfArena *scratch,
				float *logits, RfError *err)
{
	const RfModel *model = encoder->model;
	Activations from = {(float *) summaries, (size_t) model->config->hidden_size};
	Activations between = {NULL, from.stride};
	Activations to = {logits, 1};
	RfArenaMark mark = rf_arena_mark(scratch);
	RfCode code;

	RF_FAIL_IF(model->config->task != RF_TASK_MULTIPLE_CHOICE, err, RF_UNSUPPORTED,
			   "the model has no multiple choice head");
	RF_NEW(scratch, between.values, m * between.stride, err);
	code = project_summaries(encoder, from, m, between, err);
	if (code == RF_OK)
		code =
			rf_linear_apply(encoder, &model->classifier, m, between, to, false, RF_ACT_LINEAR, err);
	rf_arena_rewind(scratch, mark);
	return code;
}

RfCode
rf_head_pooler(RfEncoder *encoder, const float *hidden, size_t m, float *pooled, RfError *err)
{
	const RfModel *model = encoder->model;
	size_t width = (size_t) model->config->hidden_size;
	Activations from = {(float *) hidden, width};
	Activations to = {pooled, width};

	RF_FAIL_IF(model->pooler.weight == NULL, err, RF_UNSUPPORTED, "the model has no pooler");
	return rf_linear_apply(encoder, &model->pooler, m, from, to, false, model->config->pooler_act,
						   err);
}
