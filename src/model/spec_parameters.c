/*
 * spec_parameters.c - which parameters a model has, by its configuration.
 *
 * One table row per parameter: name, shape in letters, and the conditions under which the model has
 * it. Names are PyTorch's; those of the encoder get the prefix "roformer." where the class has a
 * head.
 */
#include "spec_private.h"

#include <stdio.h>
#include <string.h>

/* What must be so for a row to apply; a row names all that it needs. */
enum
{
	HAS_NORM_WEIGHTS = 1 << 0, /* not RoFormer-V2 */
	HAS_BIAS = 1 << 1,
	HAS_NO_BIAS = 1 << 2,
	HAS_PROJECTION = 1 << 3, /* E differs from H */
	HAS_CROSS_ATTENTION = 1 << 4,
	HAS_POOLER = 1 << 5,
	IS_LM = 1 << 6,
	HAS_DECODER = 1 << 7, /* of its own, not the word embeddings */
	IS_SEQUENCE = 1 << 8,
	IS_TOKEN = 1 << 9,
	IS_QUESTION = 1 << 10,
	IS_CHOICE = 1 << 11,
	HAS_SUMMARY = 1 << 12
};

typedef struct Rule
{
	const char *name;
	const char *alias;
	char shape[3]; /* letters V E H I C, T: token types, 1: one */
	unsigned int needs;
	bool optional;
} Rule;

#define LINEAR(name, shape, bias_shape, needs)                                                     \
	{name ".weight", NULL, shape, needs, false},                                                   \
	{                                                                                              \
		name ".bias", NULL, bias_shape, needs, false                                               \
	}

/* A layer whose bias goes by use_bias. */
#define DENSE(name, shape, bias_shape, needs)                                                      \
	{name ".weight", NULL, shape, needs, false},                                                   \
	{                                                                                              \
		name ".bias", NULL, bias_shape, (needs) | HAS_BIAS, false                                  \
	}

/* RoFormer_pytorch has these biases even with use_bias false, its relatives don't. */
#define SIDE(name, shape, bias_shape, needs)                                                       \
	DENSE(name, shape, bias_shape, needs),                                                         \
	{                                                                                              \
		name ".bias", NULL, bias_shape, (needs) | HAS_NO_BIAS, true                                \
	}

#define NORM(name, shape, needs) LINEAR(name, shape, shape, (needs) | HAS_NORM_WEIGHTS)

static const Rule encoder_rules[] = {
	{"embeddings.word_embeddings.weight", NULL, "VE", 0, false},
	{"embeddings.token_type_embeddings.weight", NULL, "TE", 0, false},
	NORM("embeddings.LayerNorm", "E", 0),
	SIDE("embeddings_project", "HE", "H", HAS_PROJECTION),
	SIDE("pooler.dense", "HH", "H", HAS_POOLER),
};

static const Rule layer_rules[] = {
	DENSE("attention.self.query", "HH", "H", 0),
	DENSE("attention.self.key", "HH", "H", 0),
	DENSE("attention.self.value", "HH", "H", 0),
	DENSE("attention.output.dense", "HH", "H", 0),
	NORM("attention.output.LayerNorm", "H", 0),
	DENSE("crossattention.self.query", "HH", "H", HAS_CROSS_ATTENTION),
	DENSE("crossattention.self.key", "HH", "H", HAS_CROSS_ATTENTION),
	DENSE("crossattention.self.value", "HH", "H", HAS_CROSS_ATTENTION),
	DENSE("crossattention.output.dense", "HH", "H", HAS_CROSS_ATTENTION),
	NORM("crossattention.output.LayerNorm", "H", HAS_CROSS_ATTENTION),
	DENSE("intermediate.dense", "IH", "I", 0),
	DENSE("output.dense", "HI", "H", 0),
	NORM("output.LayerNorm", "H", 0),
};

static const Rule head_rules[] = {
	LINEAR("cls.predictions.transform.dense", "EH", "E", IS_LM | HAS_NORM_WEIGHTS),
	NORM("cls.predictions.transform.LayerNorm", "E", IS_LM),
	{"cls.predictions.bias", "cls.predictions.decoder.bias", "V", IS_LM | HAS_NORM_WEIGHTS, false},
	{"cls.predictions.decoder.weight", NULL, "VE", IS_LM | HAS_DECODER, false},
	LINEAR("classifier.dense", "HH", "H", IS_SEQUENCE),
	LINEAR("classifier.out_proj", "CH", "C", IS_SEQUENCE),
	LINEAR("classifier", "CH", "C", IS_TOKEN),
	LINEAR("qa_outputs", "CH", "C", IS_QUESTION),
	LINEAR("sequence_summary.summary", "HH", "H", IS_CHOICE | HAS_SUMMARY),
	LINEAR("classifier", "1H", "1", IS_CHOICE),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned int
task_conditions(const RfConfig *config)
{
	switch (config->task)
	{
		case RF_TASK_MASKED_LM:
		case RF_TASK_CAUSAL_LM:
			return config->tie_word_embeddings ? IS_LM : IS_LM | HAS_DECODER;
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			return IS_SEQUENCE;
		case RF_TASK_TOKEN_CLASSIFICATION:
			return IS_TOKEN;
		case RF_TASK_QUESTION_ANSWERING:
			return IS_QUESTION;
		case RF_TASK_MULTIPLE_CHOICE:
			return config->summary_use_proj ? IS_CHOICE | HAS_SUMMARY : IS_CHOICE;
		default:
			return 0;
	}
}

static unsigned int
conditions_of(const RfConfig *config)
{
	unsigned int conditions = task_conditions(config);

	conditions |= config->rms_norm ? 0 : HAS_NORM_WEIGHTS;
	conditions |= config->use_bias ? HAS_BIAS : HAS_NO_BIAS;
	conditions |= config->embedding_size != config->hidden_size ? HAS_PROJECTION : 0;
	conditions |= config->add_cross_attention ? HAS_CROSS_ATTENTION : 0;
	conditions |= config->has_pooler ? HAS_POOLER : 0;
	return conditions;
}

static uint64_t
size_of(char letter, const RfConfig *config)
{
	switch (letter)
	{
		case 'V':
			return (uint64_t) config->vocab_size;
		case 'E':
			return (uint64_t) config->embedding_size;
		case 'H':
			return (uint64_t) config->hidden_size;
		case 'I':
			return (uint64_t) config->intermediate_size;
		case 'C':
			return (uint64_t) config->num_labels;
		case 'T':
			return (uint64_t) config->type_vocab_size;
		default:
			return 1;
	}
}

typedef struct Listing
{
	const RfConfig *config;
	unsigned int conditions;
	RfArena *arena;
	RfExpected *expected;
	size_t count;
} Listing;

static RfCode
add_rule(Listing *listing, const char *prefix, const Rule *rule, RfError *err)
{
	RfExpected *expected = &listing->expected[listing->count];
	char name[RF_MAX_TENSOR_NAME + 1];
	int length = snprintf(name, sizeof(name), "%s%s", prefix, rule->name);

	expected->name = rf_arena_copy(listing->arena, name, (size_t) length);
	if (expected->name == NULL)
		return rf_error_memory(err, (size_t) length + 1);
	expected->alias = rule->alias;
	expected->optional = rule->optional;
	expected->rank = (int) strlen(rule->shape);
	for (int i = 0; i < expected->rank; i++)
		expected->shape[i] = size_of(rule->shape[i], listing->config);
	listing->count++;
	return RF_OK;
}

static RfCode
add_rules(Listing *listing, const char *prefix, const Rule *rules, size_t count, RfError *err)
{
	for (size_t i = 0; i < count; i++)
	{
		if ((rules[i].needs & ~listing->conditions) == 0)
			RF_TRY(add_rule(listing, prefix, &rules[i], err));
	}
	return RF_OK;
}

const char *
rf_spec_prefix(const RfConfig *config)
{
	return config->task == RF_TASK_ENCODER ? "" : "roformer.";
}

RfCode
rf_spec_expect(const RfConfig *config, RfArena *arena, RfExpected **expected, size_t *count,
			   RfError *err)
{
	Listing listing = {.config = config, .conditions = conditions_of(config), .arena = arena};
	const char *prefix = rf_spec_prefix(config);
	size_t most = COUNT(encoder_rules) + COUNT(head_rules) +
				  COUNT(layer_rules) * (size_t) config->num_hidden_layers;

	RF_NEW(arena, listing.expected, most, err);
	RF_TRY(add_rules(&listing, prefix, encoder_rules, COUNT(encoder_rules), err));
	RF_TRY(add_rules(&listing, "", head_rules, COUNT(head_rules), err));
	for (int32_t i = 0; i < config->num_hidden_layers; i++)
	{
		char layer[64];

		snprintf(layer, sizeof(layer), "%sencoder.layer.%d.", prefix, i);
		RF_TRY(add_rules(&listing, layer, layer_rules, COUNT(layer_rules), err));
	}
	*expected = listing.expected;
	*count = listing.count;
	return RF_OK;
}
