/*
 * bundle_names.c - from the variables of the original code to the names of PyTorch's state dict.
 *
 * "bert" becomes "roformer", "layer_3" "layer.3", slashes dots; "kernel", "gamma" and
 * "output_weights" are weights, "beta" and "output_bias" biases, and an embedding's table has no
 * last part of its own. The projection of the embeddings has the name it had in ALBERT.
 * Source: bert4keras, RoFormer's variable_mapping; Hugging Face's load_tf_weights_in_roformer.
 */
#include <string.h>

#include "bundle.h"
#include "name_parts.h"

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

static bool
is_optimizer_part(RfNamePart part)
{
	for (size_t i = 0; i < COUNT(optimizer_parts); i++)
	{
		if (rf_name_part_is(part, optimizer_parts[i]))
			return true;
	}
	return false;
}

static bool
add_last(RfName *name, RfNamePart part, RfVariableUse *use)
{
	for (size_t i = 0; i < COUNT(last_parts); i++)
	{
		if (!rf_name_part_is(part, last_parts[i].part))
			continue;
		*use = last_parts[i].use;
		return rf_name_add(name, last_parts[i].name);
	}
	return rf_name_add_part(name, part);
}

static bool
add_part(RfName *name, RfNamePart part, bool first)
{
	static const char layer[] = "layer_";
	size_t length = sizeof(layer) - 1;

	if (first && rf_name_part_is(part, "bert"))
		return rf_name_add(name, "roformer.");
	if (part.length > length && memcmp(part.at, layer, length) == 0)
	{
		part.at += length;
		part.length -= length;
		if (!rf_name_add(name, "layer."))
			return false;
	}
	return rf_name_add_part(name, part) && rf_name_add(name, ".");
}

/* The projection's layer is outside the encoder, where the variables have it inside. */
static bool
begin_projection(RfName *name, RfNamePart *rest)
{
	size_t length = strlen(PROJECTION);

	if (rest->length <= length || memcmp(rest->at, PROJECTION, length) != 0)
		return false;
	rest->at += length;
	rest->length -= length;
	return rf_name_add(name, "roformer.embeddings_project.");
}

bool
rf_bundle_map_name(RfBytes variable, char *name, size_t size, RfVariableUse *use)
{
	RfNamePart rest = {(const char *) variable.at, (size_t) (variable.end - variable.at)};
	RfNamePart part;
	RfName mapped;
	bool first;

	*use = RF_VARIABLE_WEIGHT;
	rf_name_begin(&mapped, name, size);
	first = !begin_projection(&mapped, &rest);
	for (bool more = true; more; first = false)
	{
		more = rf_name_next_part(&rest, &part);
		if (is_optimizer_part(part))
		{
			*use = RF_VARIABLE_LEFT_OUT;
			return true;
		}
		if (!(more ? add_part(&mapped, part, first) : add_last(&mapped, part, use)))
			return false;
	}
	return true;
}
