/*
 * spec_original.c - bert_config.json, the configuration beside the authors' own TensorFlow files.
 *
 * It has the keys of config.json and some of bert4keras, which are translated here or, where they
 * make a model that this engine does not compute, refused. What it doesn't say, because the
 * authors' programs do, is decided by the tensors: without norm weights it is a RoFormer-V2; with a
 * language model's head, or as a V2, a masked language model; with a pooler as well, RoFormer-Sim.
 * The same follows from the tensors as they are stored, under whose names the model is found again.
 *
 * Source: bert4keras, models.py (build_transformer_model, Transformer.__init__).
 */
#include "spec_private.h"

#include <inttypes.h>
#include <string.h>

/* What bert4keras calls something that config.json has under another name. */
static RfCode
translate_size(json_t *root, const char *theirs, const char *ours, RfError *err)
{
	int64_t value;

	RF_TRY(rf_json_integer(root, theirs, -1, 0, INT32_MAX, &value, err));
	if (value < 0)
		return RF_OK;
	RF_FAIL_IF(json_object_set_new(root, ours, json_integer(value)) != 0, err, RF_NO_MEMORY,
			   "out of memory");
	return RF_OK;
}

static RfCode
check_head_size(const json_t *root, const char *key, RfError *err)
{
	int64_t hidden, heads, size;

	RF_TRY(rf_json_integer(root, key, -1, 1, INT32_MAX, &size, err));
	RF_TRY(rf_json_integer(root, "hidden_size", 768, 1, INT32_MAX, &hidden, err));
	RF_TRY(rf_json_integer(root, "num_attention_heads", 12, 1, INT32_MAX, &heads, err));
	if (size < 0 || size * heads == hidden)
		return RF_OK;
	rf_error_set(err, RF_UNSUPPORTED,
				 "\"%s\" is %" PRId64 ", not hidden_size / num_attention_heads", key, size);
	rf_error_detail(err, "hidden_size is %" PRId64 ", num_attention_heads is %" PRId64 ".", hidden,
					heads);
	return RF_UNSUPPORTED;
}

static RfCode
check_embeddings(const json_t *root, RfError *err)
{
	int64_t types;
	bool shared;

	RF_TRY(rf_json_boolean(root, "shared_segment_embeddings", false, &shared, err));
	RF_FAIL_IF(shared, err, RF_UNSUPPORTED,
			   "\"shared_segment_embeddings\" makes token types share the word embeddings");
	RF_TRY(rf_json_integer(root, "segment_vocab_size", -1, 0, INT32_MAX, &types, err));
	RF_FAIL_IF(types == 0, err, RF_UNSUPPORTED,
			   "\"segment_vocab_size\" is 0: a model without token types");
	return RF_OK;
}

RfCode
rf_spec_parse_original(json_t *root, RfSpec *spec, RfError *err)
{
	const json_t *type = json_object_get(root, "model_type");
	const json_t *list = json_object_get(root, "architectures");

	RF_TRY(check_embeddings(root, err));
	RF_TRY(check_head_size(root, "attention_head_size", err));
	RF_TRY(check_head_size(root, "attention_key_size", err));
	RF_TRY(translate_size(root, "segment_vocab_size", "type_vocab_size", err));
	RF_TRY(translate_size(root, "max_position", "max_position_embeddings", err));
	if (type == NULL || json_is_null(type))
		RF_FAIL_IF(json_object_set_new(root, "model_type", json_string("roformer")) != 0, err,
				   RF_NO_MEMORY, "out of memory");
	spec->infer_task = list == NULL || json_is_null(list);
	spec->infer_norm = json_object_get(root, "norm_type") == NULL;
	return rf_spec_parse_config(root, spec, err);
}

/* Whether a tensor's name, with or without the prefix, begins so. */
static bool
any_tensor(const RfTensorDesc *tensors, size_t count, const char *start)
{
	static const char prefix[] = "roformer.";
	size_t prefix_length = sizeof(prefix) - 1;

	for (size_t i = 0; i < count; i++)
	{
		const char *name = tensors[i].name;

		if (strncmp(name, prefix, prefix_length) == 0)
			name += prefix_length;
		if (strncmp(name, start, strlen(start)) == 0)
			return true;
	}
	return false;
}

static void
infer_task(RfSpec *spec, bool has_head, bool has_pooler)
{
	RfConfig *config = &spec->config;
	const char *name = "RoFormerModel";

	config->task = RF_TASK_ENCODER;
	if (has_head && has_pooler)
	{
		name = "RoFormerForCausalLM";
		config->task = RF_TASK_CAUSAL_LM;
		config->pooler_act = RF_ACT_LINEAR;
		config->is_decoder = true;
	}
	else if (has_head)
	{
		name = "RoFormerForMaskedLM";
		config->task = RF_TASK_MASKED_LM;
	}
	strcpy(spec->architecture, name);
}

RfCode
rf_spec_infer(RfSpec *spec, const RfTensorDesc *tensors, size_t count, RfError *err)
{
	if (!spec->infer_task && !spec->infer_norm)
		return RF_OK;
	RF_FAIL_IF(any_tensor(tensors, count, "embeddings.position_embeddings"), err, RF_UNSUPPORTED,
			   "model has an embedding for each position: it is BERT, not RoFormer");
	if (spec->infer_norm && !any_tensor(tensors, count, "embeddings.LayerNorm."))
	{
		spec->config.rms_norm = true;
		spec->config.use_bias = false;
	}
	/* A V2 has no parameters of its own in the head, but needs the word embeddings to fit. */
	if (spec->infer_task)
		infer_task(
			spec,
			(spec->config.rms_norm && spec->config.embedding_size == spec->config.hidden_size) ||
				any_tensor(tensors, count, "cls.predictions."),
			any_tensor(tensors, count, "pooler.dense."));
	return RF_OK;
}
