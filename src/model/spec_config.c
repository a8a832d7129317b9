/*
 * spec_config.c - config.json: architecture, sizes, switches.
 *
 * Follows docs/checkpoints.md. Defaults are those of Hugging Face's RoFormerConfig; the RoFormer-V2
 * keys (norm_type, use_bias, pooler_activation) those of RoFormer_pytorch. Keys that do nothing at
 * inference are not looked at.
 */
#include "spec_private.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

typedef struct Architecture
{
	const char *name;
	RfTask task;
} Architecture;

static const Architecture architectures[] = {
	{"RoFormerModel", RF_TASK_ENCODER},
	{"RoFormerForMaskedLM", RF_TASK_MASKED_LM},
	{"RoFormerForSequenceClassification", RF_TASK_SEQUENCE_CLASSIFICATION},
	{"RoFormerForTokenClassification", RF_TASK_TOKEN_CLASSIFICATION},
	{"RoFormerForQuestionAnswering", RF_TASK_QUESTION_ANSWERING},
	{"RoFormerForMultipleChoice", RF_TASK_MULTIPLE_CHOICE},
	{"RoFormerForCausalLM", RF_TASK_CAUSAL_LM},
};

typedef struct ActivationName
{
	const char *name;
	RfActivation activation;
} ActivationName;

static const ActivationName activation_names[] = {
	{"gelu", RF_ACT_GELU},           {"gelu_python", RF_ACT_GELU},
	{"gelu_new", RF_ACT_GELU_TANH},  {"gelu_pytorch_tanh", RF_ACT_GELU_TANH},
	{"gelu_fast", RF_ACT_GELU_FAST}, {"quick_gelu", RF_ACT_QUICK_GELU},
	{"gelu_10", RF_ACT_GELU_10},     {"gelu_accurate", RF_ACT_GELU_ACCURATE},
	{"relu", RF_ACT_RELU},           {"relu6", RF_ACT_RELU6},
	{"relu2", RF_ACT_RELU2},         {"leaky_relu", RF_ACT_LEAKY_RELU},
	{"silu", RF_ACT_SILU},           {"swish", RF_ACT_SILU},
	{"tanh", RF_ACT_TANH},           {"sigmoid", RF_ACT_SIGMOID},
	{"linear", RF_ACT_LINEAR},       {"mish", RF_ACT_MISH},
	{"selu", RF_ACT_SELU},           {"laplace", RF_ACT_LAPLACE},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct IntegerRule
{
	const char *key;
	int64_t absent;
	int64_t low;
	int64_t limit;
	size_t offset; /* of an int32_t in RfConfig */
} IntegerRule;

static const IntegerRule integers[] = {
	{"vocab_size", 50000, 1, RF_MAX_VOCAB, offsetof(RfConfig, vocab_size)},
	{"hidden_size", 768, 1, RF_MAX_HIDDEN, offsetof(RfConfig, hidden_size)},
	{"num_hidden_layers", 12, 1, RF_MAX_LAYERS, offsetof(RfConfig, num_hidden_layers)},
	{"num_attention_heads", 12, 1, RF_MAX_HIDDEN, offsetof(RfConfig, num_attention_heads)},
	{"intermediate_size", 3072, 1, RF_MAX_INTERMEDIATE, offsetof(RfConfig, intermediate_size)},
	{"max_position_embeddings", 1536, 1, RF_MAX_POSITIONS,
	 offsetof(RfConfig, max_position_embeddings)},
	{"type_vocab_size", 2, 1, RF_MAX_TOKEN_TYPES, offsetof(RfConfig, type_vocab_size)},
};

typedef struct BooleanRule
{
	const char *key;
	bool absent;
	size_t offset; /* of a bool in RfConfig */
} BooleanRule;

static const BooleanRule booleans[] = {
	{"rotary_value", false, offsetof(RfConfig, rotary_value)},
	{"is_decoder", false, offsetof(RfConfig, is_decoder)},
	{"add_cross_attention", false, offsetof(RfConfig, add_cross_attention)},
	{"tie_word_embeddings", true, offsetof(RfConfig, tie_word_embeddings)},
	{"use_bias", true, offsetof(RfConfig, use_bias)},
	{"summary_use_proj", false, offsetof(RfConfig, summary_use_proj)},
};

static RfCode
read_integer(const json_t *root, const IntegerRule *rule, RfConfig *config, RfError *err)
{
	int64_t value;
	int32_t narrow;

	RF_TRY(rf_json_integer(root, rule->key, rule->absent, rule->low, INT64_MAX, &value, err));
	RF_FAIL_IF(value > rule->limit, err, RF_LIMIT, "\"%s\" is %" PRId64 ", more than %" PRId64,
			   rule->key, value, rule->limit);
	narrow = (int32_t) value;
	memcpy((char *) config + rule->offset, &narrow, sizeof(narrow));
	return RF_OK;
}

static RfCode
read_sizes(const json_t *root, RfConfig *config, RfError *err)
{
	IntegerRule embedding = {"embedding_size", 0, 1, RF_MAX_HIDDEN,
							 offsetof(RfConfig, embedding_size)};

	for (size_t i = 0; i < COUNT(integers); i++)
		RF_TRY(read_integer(root, &integers[i], config, err));
	embedding.absent = config->hidden_size;
	return read_integer(root, &embedding, config, err);
}

/* -1 (or null) stands for "no such token" except for padding, which has a default. */
static RfCode
read_token_ids(const json_t *root, RfConfig *config, RfError *err)
{
	int64_t last = config->vocab_size - 1;
	int64_t pad, bos, eos;

	RF_TRY(rf_json_integer(root, "pad_token_id", 0, 0, last, &pad, err));
	RF_TRY(rf_json_integer(root, "bos_token_id", -1, -1, last, &bos, err));
	RF_TRY(rf_json_integer(root, "eos_token_id", -1, -1, last, &eos, err));
	config->pad_token_id = (int32_t) pad;
	config->bos_token_id = (int32_t) bos;
	config->eos_token_id = (int32_t) eos;
	return RF_OK;
}

static RfCode
read_switches(const json_t *root, RfConfig *config, RfError *err)
{
	for (size_t i = 0; i < COUNT(booleans); i++)
	{
		bool value;

		RF_TRY(rf_json_boolean(root, booleans[i].key, booleans[i].absent, &value, err));
		memcpy((char *) config + booleans[i].offset, &value, sizeof(value));
	}
	return RF_OK;
}

static RfCode
read_norm(const json_t *root, RfConfig *config, RfError *err)
{
	const char *type;

	RF_TRY(rf_json_string(root, "norm_type", "layer_norm", &type, err));
	config->rms_norm = strcmp(type, "rms_norm") == 0;
	RF_FAIL_IF(!config->rms_norm && strcmp(type, "layer_norm") != 0, err, RF_UNSUPPORTED,
			   "unknown norm_type \"%s\"", type);
	RF_TRY(rf_json_number(root, "layer_norm_eps", 1e-12, &config->layer_norm_eps, err));
	RF_FAIL_IF(!(config->layer_norm_eps > 0 && config->layer_norm_eps <= 1), err, RF_CORRUPT,
			   "\"layer_norm_eps\" is %g, not between 0 and 1", config->layer_norm_eps);
	return RF_OK;
}

static RfCode
parse_activation(const char *key, const char *name, RfActivation *activation, RfError *err)
{
	for (size_t i = 0; i < COUNT(activation_names); i++)
	{
		if (strcmp(activation_names[i].name, name) == 0)
		{
			*activation = activation_names[i].activation;
			return RF_OK;
		}
	}
	return rf_error_set(err, RF_UNSUPPORTED, "unknown activation \"%s\" in \"%s\"", name, key);
}

/*
 * A pooler in a causal LM is RoFormer-Sim's, which sets "linear" in its scripts, not always in the
 * file; everywhere else RoFormer_pytorch's default holds.
 */
static RfCode
read_activations(const json_t *root, RfConfig *config, RfError *err)
{
	const char *name;

	RF_TRY(rf_json_string(root, "hidden_act", "gelu", &name, err));
	RF_TRY(parse_activation("hidden_act", name, &config->hidden_act, err));
	RF_TRY(rf_json_string(root, "pooler_activation",
						  config->task == RF_TASK_CAUSAL_LM ? "linear" : "tanh", &name, err));
	return parse_activation("pooler_activation", name, &config->pooler_act, err);
}

static RfCode
read_summary_type(const json_t *root, RfConfig *config, RfError *err)
{
	const char *type;

	RF_TRY(rf_json_string(root, "summary_type", "last", &type, err));
	if (strcmp(type, "last") == 0 || strcmp(type, "cls_index") == 0)
		config->summary = RF_SUMMARY_LAST;
	else if (strcmp(type, "first") == 0)
		config->summary = RF_SUMMARY_FIRST;
	else if (strcmp(type, "mean") == 0)
		config->summary = RF_SUMMARY_MEAN;
	else
	{
		if (strcmp(type, "attn") == 0)
			rf_error_set(err, RF_UNSUPPORTED, "summary_type \"%s\" is not supported", type);
		else
			rf_error_set(err, RF_UNSUPPORTED, "unknown summary_type \"%s\"", type);
		rf_error_detail(err, "Supported are \"last\", \"first\", \"mean\" and \"cls_index\".");
		return RF_UNSUPPORTED;
	}
	return RF_OK;
}

/*
 * summary_proj_to_labels makes the projection num_labels wide, which the classifier behind it
 * only accepts when that is hidden_size: either way the projection is [H,H].
 */
static RfCode
check_summary_projection(const json_t *root, const RfConfig *config, RfError *err)
{
	const json_t *id2label = json_object_get(root, "id2label");
	int64_t labels;
	bool to_labels;

	RF_TRY(rf_json_boolean(root, "summary_proj_to_labels", false, &to_labels, err));
	if (!to_labels || !config->summary_use_proj)
		return RF_OK;
	RF_TRY(rf_json_integer(root, "num_labels", 2, 0, RF_MAX_LABELS, &labels, err));
	if (json_is_object(id2label))
		labels = (int64_t) json_object_size(id2label);
	RF_FAIL_IF(labels > 0 && labels != config->hidden_size, err, RF_CORRUPT,
			   "summary projection to %" PRId64 " labels does not fit hidden_size %d", labels,
			   config->hidden_size);
	return RF_OK;
}

static RfCode
read_summary(const json_t *root, RfConfig *config, RfError *err)
{
	const char *name;
	RfActivation activation = RF_ACT_LINEAR;

	config->summary_activation = -1;
	if (config->task != RF_TASK_MULTIPLE_CHOICE)
	{
		config->summary_use_proj = false;
		return RF_OK;
	}
	RF_TRY(read_summary_type(root, config, err));
	RF_TRY(check_summary_projection(root, config, err));
	RF_TRY(rf_json_string(root, "summary_activation", NULL, &name, err));
	if (name == NULL || name[0] == '\0')
		return RF_OK;
	RF_TRY(parse_activation("summary_activation", name, &activation, err));
	config->summary_activation = (int32_t) activation;
	return RF_OK;
}

static RfCode
check_sizes(const RfConfig *config, RfError *err)
{
	bool lm = config->task == RF_TASK_MASKED_LM || config->task == RF_TASK_CAUSAL_LM;

	RF_FAIL_IF(config->hidden_size % config->num_attention_heads != 0, err, RF_CORRUPT,
			   "hidden_size %d is not a multiple of num_attention_heads %d", config->hidden_size,
			   config->num_attention_heads);
	RF_FAIL_IF(config->hidden_size / config->num_attention_heads % 2 != 0, err, RF_CORRUPT,
			   "head size %d is odd, so that it can't be rotated in pairs",
			   config->hidden_size / config->num_attention_heads);
	RF_FAIL_IF(config->add_cross_attention && !config->is_decoder, err, RF_CORRUPT,
			   "\"add_cross_attention\" is set in a model that is not a decoder");
	RF_FAIL_IF(lm && config->rms_norm && config->embedding_size != config->hidden_size, err,
			   RF_UNSUPPORTED,
			   "RoFormer-V2 language model with embedding_size %d and hidden_size %d",
			   config->embedding_size, config->hidden_size);
	return RF_OK;
}

/* The class that saved the file; without one, the bare model, as AutoModel takes it. */
static RfCode
read_architecture(const json_t *root, const char **name, RfError *err)
{
	const json_t *list = json_object_get(root, "architectures");
	const json_t *first = json_array_get(list, 0);

	*name = NULL;
	RF_FAIL_IF(list != NULL && !json_is_null(list) && !json_is_array(list), err, RF_CORRUPT,
			   "\"architectures\" is not an array");
	if (first == NULL)
		return RF_OK;
	RF_FAIL_IF(!json_is_string(first), err, RF_CORRUPT,
			   "\"architectures\" is not an array of strings");
	*name = json_string_value(first);
	return RF_OK;
}

static RfCode
choose_task(const char *name, RfSpec *spec, RfError *err)
{
	for (size_t i = 0; i < COUNT(architectures); i++)
	{
		if (strcmp(architectures[i].name, name) == 0)
		{
			strcpy(spec->architecture, name);
			spec->config.task = architectures[i].task;
			return RF_OK;
		}
	}
	rf_error_set(err, RF_UNSUPPORTED, "unknown model architecture \"%s\"", name);
	rf_error_hint(err, "Known are RoFormerModel and RoFormerFor... MaskedLM, CausalLM, "
					   "SequenceClassification, TokenClassification, QuestionAnswering and "
					   "MultipleChoice.");
	return RF_UNSUPPORTED;
}

static RfCode
read_family(const json_t *root, RfSpec *spec, RfError *err)
{
	const char *type;
	const char *name;

	RF_TRY(rf_json_string(root, "model_type", NULL, &type, err));
	RF_TRY(read_architecture(root, &name, err));
	RF_FAIL_IF(type != NULL && strcmp(type, "roformer") != 0, err, RF_UNSUPPORTED,
			   "model of type \"%s\" is not a RoFormer model", type);
	RF_FAIL_IF(type == NULL && name == NULL, err, RF_UNSUPPORTED,
			   "\"%s\" gives neither model_type nor architectures", RF_CONFIG_FILE);
	return choose_task(name == NULL ? "RoFormerModel" : name, spec, err);
}

RfCode
rf_spec_parse_config(const json_t *root, RfSpec *spec, RfError *err)
{
	RfConfig *config = &spec->config;

	RF_TRY(read_family(root, spec, err));
	RF_TRY(read_sizes(root, config, err));
	RF_TRY(read_token_ids(root, config, err));
	RF_TRY(read_switches(root, config, err));
	RF_TRY(read_norm(root, config, err));
	RF_TRY(read_activations(root, config, err));
	RF_TRY(read_summary(root, config, err));
	return check_sizes(config, err);
}
