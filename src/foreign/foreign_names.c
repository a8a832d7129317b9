/*
 * foreign_names.c - from names in TensorFlow 2 and Flax files to those of PyTorch's state dict.
 *
 * TensorFlow 2: LAYER/SCOPE/PARTS/LAST:0, of which layer and scope go; "x___y" is "y", "x_._3" is
 * "x/3". Flax: PARTS/LAST. In both a "kernel" is a transposed weight, and what norms and embeddings
 * call their parts becomes weight and bias.
 *
 * Source: Hugging Face's modeling_tf_pytorch_utils.py and modeling_flax_pytorch_utils.py.
 */
#include <string.h>

#include "../checkpoint/name_parts.h"
#include "walk.h"

static const struct
{
	const char *part;
	const char *name;
	RfVariableUse use;
} last_parts[] = {
	{"kernel", "weight", RF_VARIABLE_TRANSPOSED}, {"embeddings", "weight", RF_VARIABLE_WEIGHT},
	{"embedding", "weight", RF_VARIABLE_WEIGHT},  {"gamma", "weight", RF_VARIABLE_WEIGHT},
	{"scale", "weight", RF_VARIABLE_WEIGHT},      {"beta", "bias", RF_VARIABLE_WEIGHT},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* Where text of three bytes is found in a part, at or behind from; part.length where it is not. */
static size_t
find_three(RfNamePart part, size_t from, const char *text)
{
	for (size_t i = from; i + 3 <= part.length; i++)
	{
		if (memcmp(part.at + i, text, 3) == 0)
			return i;
	}
	return part.length;
}

/* Behind the last "___" of a part. */
static RfNamePart
behind_scope(RfNamePart part)
{
	size_t begin = 0;

	for (size_t i = 0; (i = find_three(part, i, "___")) < part.length; i++)
		begin = i + 3;
	return (RfNamePart){part.at + begin, part.length - begin};
}

/* A part of TensorFlow's name, its list index as a part of its own. */
static bool
add_tensorflow_part(RfName *name, RfNamePart part)
{
	size_t at = 0;

	part = behind_scope(part);
	if (part.length == 0)
		return true;
	for (size_t found; (found = find_three(part, at, "_._")) < part.length; at = found + 3)
	{
		if (!rf_name_add_part(name, (RfNamePart){part.at + at, found - at}) ||
			!rf_name_add(name, "."))
			return false;
	}
	return rf_name_add_part(name, (RfNamePart){part.at + at, part.length - at}) &&
		   rf_name_add(name, ".");
}

bool
rf_hdf5_map_name(const char *path, char *name, size_t size, RfVariableUse *use)
{
	RfNamePart rest = {path, strlen(path)};
	RfNamePart part;
	RfName mapped;

	*use = RF_VARIABLE_WEIGHT;
	rf_name_begin(&mapped, name, size);
	if (rest.length > 2 && memcmp(rest.at + rest.length - 2, ":0", 2) == 0)
		rest.length -= 2;
	/* The layer, and the scope of the model. */
	for (int i = 0; i < 2; i++)
		rf_name_next_part(&rest, &part);
	while (rf_name_next_part(&rest, &part))
	{
		if (!add_tensorflow_part(&mapped, part))
			return false;
	}
	return add_last(&mapped, part, use);
}

bool
rf_flax_map_name(const char *path, char *name, size_t size, RfVariableUse *use)
{
	static const char wrapper[] = "params/";
	RfNamePart rest = {path, strlen(path)};
	RfNamePart part;
	RfName mapped;

	*use = RF_VARIABLE_WEIGHT;
	rf_name_begin(&mapped, name, size);
	if (strncmp(path, wrapper, strlen(wrapper)) == 0)
		rf_name_next_part(&rest, &part);
	while (rf_name_next_part(&rest, &part))
	{
		if (!rf_name_add_part(&mapped, part) || !rf_name_add(&mapped, "."))
			return false;
	}
	return add_last(&mapped, part, use);
}
