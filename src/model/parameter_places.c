/*
 * parameter_places.c - canonical parameter names to fields of the image.
 */
#include "parameter_places.h"

#include <stdlib.h>
#include <string.h>

/* Stem of a name, that is without ".weight" or ".bias", and where it leads. */
typedef struct Rule
{
	const char *stem;
	bool norm;     /* an ImageNorm, else an ImageLinear */
	size_t offset; /* in ImageHeader or ImageLayer */
	uint64_t part;
	uint64_t parts;
	bool by_heads;
} Rule;

static const Rule model_rules[] = {
	{"embeddings.word_embeddings", false, offsetof(ImageHeader, word_embeddings), 0, 1, false},
	{"embeddings.token_type_embeddings", false, offsetof(ImageHeader, token_type_embeddings), 0, 1,
	 false},
	{"embeddings.LayerNorm", true, offsetof(ImageHeader, embedding_norm), 0, 1, false},
	{"embeddings_project", false, offsetof(ImageHeader, embeddings_project), 0, 1, false},
	{"pooler.dense", false, offsetof(ImageHeader, pooler), 0, 1, false},
	{"cls.predictions.transform.dense", false, offsetof(ImageHeader, transform), 0, 1, false},
	{"cls.predictions.transform.LayerNorm", true, offsetof(ImageHeader, transform_norm), 0, 1,
	 false},
	{"cls.predictions.decoder", false, offsetof(ImageHeader, decoder), 0, 1, false},
	{"cls.predictions", false, offsetof(ImageHeader, decoder), 0, 1, false}, /* its bias */
	{"classifier.dense", false, offsetof(ImageHeader, dense), 0, 1, false},
	{"classifier.out_proj", false, offsetof(ImageHeader, classifier), 0, 1, false},
	{"classifier", false, offsetof(ImageHeader, classifier), 0, 1, false},
	{"qa_outputs", false, offsetof(ImageHeader, classifier), 0, 1, false},
	{"sequence_summary.summary", false, offsetof(ImageHeader, summary), 0, 1, false},
};

static const Rule layer_rules[] = {
	{"attention.self.query", false, offsetof(ImageLayer, qkv), 0, 3, true},
	{"attention.self.key", false, offsetof(ImageLayer, qkv), 1, 3, true},
	{"attention.self.value", false, offsetof(ImageLayer, qkv), 2, 3, true},
	{"attention.output.dense", false, offsetof(ImageLayer, attention_output), 0, 1, false},
	{"attention.output.LayerNorm", true, offsetof(ImageLayer, attention_norm), 0, 1, false},
	{"crossattention.self.query", false, offsetof(ImageLayer, cross_query), 0, 1, false},
	{"crossattention.self.key", false, offsetof(ImageLayer, cross_key_value), 0, 2, false},
	{"crossattention.self.value", false, offsetof(ImageLayer, cross_key_value), 1, 2, false},
	{"crossattention.output.dense", false, offsetof(ImageLayer, cross_output), 0, 1, false},
	{"crossattention.output.LayerNorm", true, offsetof(ImageLayer, cross_norm), 0, 1, false},
	{"intermediate.dense", false, offsetof(ImageLayer, intermediate), 0, 1, false},
	{"output.dense", false, offsetof(ImageLayer, output), 0, 1, false},
	{"output.LayerNorm", true, offsetof(ImageLayer, output_norm), 0, 1, false},
};

/* The stem's length; 0 when the name ends in neither word. */
static size_t
split_suffix(const char *name, bool *is_weight)
{
	const char *dot = strrchr(name, '.');

	if (dot == NULL)
		return 0;
	*is_weight = strcmp(dot, ".weight") == 0;
	return *is_weight || strcmp(dot, ".bias") == 0 ? (size_t) (dot - name) : 0;
}

static const Rule *
find_rule(const Rule *rules, size_t count, const char *stem, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(rules[i].stem) == length && memcmp(rules[i].stem, stem, length) == 0)
			return &rules[i];
	return NULL;
}

static FieldKind
field_kind(const Rule *rule, bool is_weight)
{
	if (rule->norm)
		return is_weight ? FIELD_NORM_WEIGHT : FIELD_NORM_BIAS;
	return is_weight ? FIELD_WEIGHT : FIELD_BIAS;
}

/* The name behind prefix, or NULL. */
static const char *
skip_prefix(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

/* The layer's number and the name behind it; NULL when there is no such layer. */
static const char *
parse_layer(const char *name, int32_t layers, size_t *layer)
{
	char *end;
	unsigned long number;

	if (name[0] < '0' || name[0] > '9')
		return NULL;
	number = strtoul(name, &end, 10);
	if (*end != '.' || number >= (unsigned long) layers)
		return NULL;
	*layer = number;
	return end + 1;
}

RfCode
rf_parameter_field(const char *full_name, ImageHeader *header, ImageLayer *layers, Field *field,
				   RfError *err)
{
	const char *name = skip_prefix(full_name, "roformer.");
	const char *rest;
	const Rule *rule = NULL;
	char *record = (char *) header;
	bool is_weight = false;
	size_t length;
	size_t layer;

	name = name == NULL ? full_name : name;
	length = split_suffix(name, &is_weight);
	memset(field, 0, sizeof(*field));
	rest = skip_prefix(name, "encoder.layer.");
	if (rest == NULL)
		rule = find_rule(model_rules, sizeof(model_rules) / sizeof(model_rules[0]), name, length);
	else if ((rest = parse_layer(rest, header->config.num_hidden_layers, &layer)) != NULL)
	{
		length -= length < (size_t) (rest - name) ? length : (size_t) (rest - name);
		rule = find_rule(layer_rules, sizeof(layer_rules) / sizeof(layer_rules[0]), rest, length);
		record = (char *) &layers[layer];
		field->layer = &layers[layer];
	}
	RF_FAIL_IF(rule == NULL, err, RF_UNSUPPORTED, "parameter \"%s\" has no place in a model image",
			   full_name);
	field->kind = field_kind(rule, is_weight);
	field->target = record + rule->offset;
	field->part = rule->part;
	field->parts = rule->parts;
	field->by_heads = rule->by_heads;
	return RF_OK;
}
