/*
 * bundle_names.c - from the variables of the original code to the names of PyTorch's state dict.
 *
 * "bert" becomes "roformer", "layer_3" "layer.3", slashes dots; "kernel", "gamma" and
 * "output_weights" are weights, "beta" and "output_bias" biases, and an embedding's table has no
 * last part of its own. The projection of the embeddings has the name it had in ALBERT.
 * Source: bert4keras, RoFormer's variable_mapping; Hugging Face's load_tf_weights_in_roformer.
 */
#include <stdio.h>
#include <string.h>

#include "bundle.h"

#define PROJECTION "bert/encoder/embedding_hidden_mapping_in/"

static const char *const optimizer_parts[] = {
	"adam_m", "adam_v", "AdamWeightDecayOptimizer", "AdamWeightDecayOptimizer_1", "global_step",
};

static const struct
{
	const char *part;
	const char *name;
	RfVariableUse use;
} last_parts[] = {
	{"kernel", "weight", RF_VARIABLE_TRANSPOSED},
	{"gamma", "weight", RF_VARIABLE_WEIGHT},
	{"beta", "bias", RF_VARIABLE_WEIGHT},
	{"output_bias", "bias", RF_VARIABLE_WEIGHT},
	{"output_weights", "weight", RF_VARIABLE_WEIGHT},
	{"word_embeddings", "word_embeddings.weight", RF_VARIABLE_WEIGHT},
	{"token_type_embeddings", "token_type_embeddings.weight", RF_VARIABLE_WEIGHT},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t
length_of(RfBytes bytes)
{
	return (size_t) (bytes.end - bytes.at);
}

static bool
is(RfBytes part, const char *name)
{
	return length_of(part) == strlen(name) && memcmp(part.at, name, length_of(part)) == 0;
}

static bool
is_optimizer_part(RfBytes part)
{
	for (size_t i = 0; i < COUNT(optimizer_parts); i++)
	{
		if (is(part, optimizer_parts[i]))
			return true;
	}
	return false;
}

/* Cuts the first part off *rest, with the slash behind it. */
static RfBytes
next_part(RfBytes *rest)
{
	const unsigned char *slash = memchr(rest->at, '/', length_of(*rest));
	RfBytes part = {rest->at, slash == NULL ? rest->end : slash};

	rest->at = slash == NULL ? rest->end : slash + 1;
	return part;
}

typedef struct Name
{
	char *text;
	size_t size;
	size_t used;
} Name;

static bool
add(Name *name, const char *text, size_t length)
{
	if (length >= name->size - name->used)
		return false;
	memcpy(name->text + name->used, text, length);
	name->used += length;
	name->text[name->used] = '\0';
	return true;
}

static bool
add_text(Name *name, const char *text)
{
	return add(name, text, strlen(text));
}

static bool
add_last(Name *name, RfBytes part, RfVariableUse *use)
{
	for (size_t i = 0; i < COUNT(last_parts); i++)
	{
		if (!is(part, last_parts[i].part))
			continue;
		*use = last_parts[i].use;
		return add_text(name, last_parts[i].name);
	}
	return add(name, (const char *) part.at, length_of(part));
}

static bool
add_part(Name *name, RfBytes part, bool first)
{
	static const char layer[] = "layer_";
	size_t length = sizeof(layer) - 1;

	if (first && is(part, "bert"))
		return add_text(name, "roformer.");
	if (length_of(part) > length && memcmp(part.at, layer, length) == 0)
	{
		part.at += length;
		if (!add_text(name, "layer."))
			return false;
	}
	return add(name, (const char *) part.at, length_of(part)) && add_text(name, ".");
}

bool
rf_bundle_map_name(RfBytes variable, char *name, size_t size, RfVariableUse *use)
{
	Name mapped = {.text = name, .size = size};
	bool first = true;

	*use = RF_VARIABLE_WEIGHT;
	name[0] = '\0';
	if (length_of(variable) > strlen(PROJECTION) &&
		memcmp(variable.at, PROJECTION, strlen(PROJECTION)) == 0)
	{
		variable.at += strlen(PROJECTION);
		first = false;
		if (!add_text(&mapped, "roformer.embeddings_project."))
			return false;
	}
	for (;;)
	{
		RfBytes part = next_part(&variable);

		if (is_optimizer_part(part))
		{
			*use = RF_VARIABLE_LEFT_OUT;
			return true;
		}
		if (variable.at == variable.end)
			return add_last(&mapped, part, use);
		if (!add_part(&mapped, part, first))
			return false;
		first = false;
	}
}
