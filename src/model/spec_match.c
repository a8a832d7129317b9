/*
 * spec_match.c - assigns a checkpoint's tensors to the parameters a model has.
 *
 * Names in files vary: "roformer." before the encoder's names or not, gamma and beta for the
 * weight and bias of a norm. All are brought to canonical form first; then two tensors of the same
 * canonical name are an error, since which one is meant would be a guess.
 *
 * Not reported though not used: the position table (computed, a stored one may be rounded), the
 * position_ids of older releases, the second copy of the decoder's bias, and the decoder's matrix
 * where it is tied to the word embeddings, whatever the file contains.
 */
#include "spec_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "roformer."
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

typedef struct Key
{
	const char *name; /* canonical */
	size_t tensor;
	bool used;
} Key;

/* As many of a list's items as fit, and how many there are. */
typedef struct Items
{
	char text[480];
	size_t used;
	size_t shown;
	size_t total;
} Items;

typedef struct Matching
{
	const RfConfig *config;
	const RfTensorDesc *tensors;
	Key *keys; /* [count] sorted by name */
	size_t count;
	RfArena *arena;
	Items missing;
	Items misshapen;
	Items mistyped;
	Items unexpected;
} Matching;

static void RF_PRINTF(2, 3) add_item(Items *items, const char *fmt, ...)
{
	char item[sizeof(items->text)];
	va_list args;
	int length;

	items->total++;
	va_start(args, fmt);
	length = vsnprintf(item, sizeof(item), fmt, args);
	va_end(args);
	if (length < 0 || (size_t) length + 3 > sizeof(items->text) - items->used)
		return;
	items->used += (size_t) snprintf(items->text + items->used, sizeof(items->text) - items->used,
									 "%s%s", items->shown == 0 ? "" : ", ", item);
	items->shown++;
}

static bool
starts_with(const char *name, const char *start)
{
	return strncmp(name, start, strlen(start)) == 0;
}

static bool
is_encoder_name(const char *name)
{
	return starts_with(name, "embeddings.") || starts_with(name, "embeddings_project.") ||
		   starts_with(name, "encoder.") || starts_with(name, "pooler.");
}

static bool
any_prefixed(const RfTensorDesc *tensors, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (starts_with(tensors[i].name, PREFIX))
			return true;
	}
	return false;
}

/* "...gamma" to "...weight", "...beta" to "...bias"; the rest of the name is kept. */
static const char *
modern_ending(const char *name, size_t *kept)
{
	const char *dot = strrchr(name, '.');

	*kept = dot == NULL ? 0 : (size_t) (dot + 1 - name);
	if (strcmp(name + *kept, "gamma") == 0)
		return "weight";
	if (strcmp(name + *kept, "beta") == 0)
		return "bias";
	return name + *kept;
}

/*
 * As Hugging Face loads: the prefix goes when the class is bare, and comes when the class has a
 * head and no name in the file has it.
 */
static RfCode
make_canonical(const Matching *matching, const char *name, bool file_has_prefix,
			   const char **canonical, RfError *err)
{
	bool bare = matching->config->task == RF_TASK_ENCODER;
	const char *prefix = "";
	const char *ending;
	size_t kept;
	size_t size;
	char *copy;

	if (bare && starts_with(name, PREFIX))
		name += PREFIX_LENGTH;
	else if (!bare && !file_has_prefix && is_encoder_name(name))
		prefix = PREFIX;
	ending = modern_ending(name, &kept);
	*canonical = name;
	if (prefix[0] == '\0' && ending == name + kept)
		return RF_OK;
	size = strlen(prefix) + kept + strlen(ending) + 1;
	RF_NEW(matching->arena, copy, size, err);
	snprintf(copy, size, "%s%.*s%s", prefix, (int) kept, name, ending);
	*canonical = copy;
	return RF_OK;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const Key *) a)->name, ((const Key *) b)->name);
}

static RfCode
sort_keys(Matching *matching, RfError *err)
{
	bool file_has_prefix = any_prefixed(matching->tensors, matching->count);

	RF_NEW0(matching->arena, matching->keys, matching->count, err);
	for (size_t i = 0; i < matching->count; i++)
	{
		matching->keys[i].tensor = i;
		RF_TRY(make_canonical(matching, matching->tensors[i].name, file_has_prefix,
							  &matching->keys[i].name, err));
	}
	qsort(matching->keys, matching->count, sizeof(Key), compare_keys);
	for (size_t i = 1; i < matching->count; i++)
	{
		const Key *one = &matching->keys[i - 1];
		const Key *other = &matching->keys[i];

		RF_FAIL_IF(strcmp(one->name, other->name) == 0, err, RF_CORRUPT,
				   "tensors \"%s\" and \"%s\" are the same parameter",
				   matching->tensors[one->tensor].name, matching->tensors[other->tensor].name);
	}
	return RF_OK;
}

static Key *
find_key(const Matching *matching, const char *name)
{
	Key wanted = {.name = name};

	return bsearch(&wanted, matching->keys, matching->count, sizeof(Key), compare_keys);
}

static Key *
find_prefixed(const Matching *matching, const char *name)
{
	char full[RF_MAX_TENSOR_NAME + 1];

	snprintf(full, sizeof(full), "%s%s", rf_spec_prefix(matching->config), name);
	return find_key(matching, full);
}

static bool
has_shape(const RfTensorDesc *tensor, const RfExpected *expected)
{
	if (tensor->rank != expected->rank)
		return false;
	for (int i = 0; i < expected->rank; i++)
	{
		if (tensor->shape[i] != expected->shape[i])
			return false;
	}
	return true;
}

static void
check_tensor(Matching *matching, const RfTensorDesc *tensor, const RfExpected *expected)
{
	if (!has_shape(tensor, expected))
	{
		RfTensorDesc wanted = {.rank = expected->rank};
		char found[96];
		char right[96];

		for (int i = 0; i < expected->rank; i++)
			wanted.shape[i] = expected->shape[i];
		add_item(&matching->misshapen, "\"%s\" is %s, not %s", tensor->name,
				 rf_tensor_shape_text(tensor, found, sizeof(found)),
				 rf_tensor_shape_text(&wanted, right, sizeof(right)));
	}
	if (!rf_dtype_is_weight(tensor->dtype))
		add_item(&matching->mistyped, "\"%s\" is %s", tensor->name, rf_dtype_name(tensor->dtype));
}

static void
assign(Matching *matching, const RfExpected *expected, RfMatch *match)
{
	Key *key = find_key(matching, expected->name);
	RfParameter *parameter = &match->parameters[match->count];
	uint64_t elements = 1;

	if (key == NULL && expected->alias != NULL)
		key = find_key(matching, expected->alias);
	if (key == NULL)
	{
		if (!expected->optional)
			add_item(&matching->missing, "\"%s\"", expected->name);
		return;
	}
	key->used = true;
	check_tensor(matching, &matching->tensors[key->tensor], expected);
	parameter->name = expected->name;
	parameter->rank = expected->rank;
	for (int i = 0; i < expected->rank; i++)
	{
		parameter->shape[i] = expected->shape[i];
		elements *= expected->shape[i];
	}
	parameter->source = key->tensor;
	match->total += elements; /* the limits in spec.h keep it below 2^52 */
	match->count++;
}

static int
compare_parameters(const void *a, const void *b)
{
	return strcmp(((const RfParameter *) a)->name, ((const RfParameter *) b)->name);
}

static RfCode
assign_all(Matching *matching, RfMatch *match, RfError *err)
{
	RfExpected *expected;
	size_t count;

	RF_TRY(rf_spec_expect(matching->config, matching->arena, &expected, &count, err));
	RF_NEW0(matching->arena, match->parameters, count, err);
	for (size_t i = 0; i < count; i++)
		assign(matching, &expected[i], match);
	qsort(match->parameters, match->count, sizeof(RfParameter), compare_parameters);
	return RF_OK;
}

/* What a file may have beside the parameters without anybody caring. */
static void
use_silently(const Matching *matching)
{
	const RfConfig *config = matching->config;
	bool lm = config->task == RF_TASK_MASKED_LM || config->task == RF_TASK_CAUSAL_LM;
	Key *known[] = {
		find_prefixed(matching, "encoder.embed_positions.weight"),
		find_prefixed(matching, "embeddings.position_ids"),
		lm ? find_key(matching, "cls.predictions.decoder.weight") : NULL,
		lm && !config->rms_norm ? find_key(matching, "cls.predictions.decoder.bias") : NULL,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		if (known[i] != NULL)
			known[i]->used = true;
	}
}

static RfCode
list_unexpected(Matching *matching, RfMatch *match, RfError *err)
{
	const char **names;

	use_silently(matching);
	RF_NEW(matching->arena, names, matching->count, err);
	for (size_t i = 0; i < matching->count; i++)
	{
		const char *name = matching->tensors[matching->keys[i].tensor].name;

		if (matching->keys[i].used)
			continue;
		names[match->unexpected_count++] = name;
		add_item(&matching->unexpected, "\"%s\"", name);
	}
	match->unexpected = names;
	return RF_OK;
}

static size_t
append_items(char *text, size_t size, size_t used, const char *title, const Items *items)
{
	int length;

	if (items->total == 0)
		return used;
	length =
		snprintf(text + used, size - used, "%s%s: %s", used == 0 ? "" : " ", title, items->text);
	used += (size_t) length;
	if (items->shown < items->total)
		used += (size_t) snprintf(text + used, size - used, "%s%zu more",
								  items->shown == 0 ? "" : " and ", items->total - items->shown);
	used += (size_t) snprintf(text + used, size - used, ".");
	return used;
}

static RfCode
report_mismatch(const Matching *matching, const RfSpec *spec, RfError *err)
{
	char text[4 * sizeof(matching->missing.text) + 256];
	size_t used = 0;

	if (matching->missing.total + matching->misshapen.total + matching->mistyped.total == 0)
		return RF_OK;
	used = append_items(text, sizeof(text), used, "Missing", &matching->missing);
	used = append_items(text, sizeof(text), used, "Of another shape", &matching->misshapen);
	used =
		append_items(text, sizeof(text), used, "Of a type that is no weight", &matching->mistyped);
	append_items(text, sizeof(text), used, "Not used", &matching->unexpected);
	rf_error_set(err, RF_CORRUPT, "tensors do not fit the %s that \"%s\" describes",
				 spec->architecture, RF_CONFIG_FILE);
	rf_error_detail(err, "%s", text);
	return RF_CORRUPT;
}

RfCode
rf_spec_match(RfSpec *spec, const RfTensorDesc *tensors, size_t count, RfArena *arena,
			  RfMatch *match, RfError *err)
{
	Matching matching = {
		.config = &spec->config, .tensors = tensors, .count = count, .arena = arena};

	memset(match, 0, sizeof(*match));
	RF_TRY(rf_spec_infer(spec, tensors, count, err));
	RF_TRY(sort_keys(&matching, err));
	spec->config.has_pooler = find_prefixed(&matching, "pooler.dense.weight") != NULL ||
							  find_prefixed(&matching, "pooler.dense.bias") != NULL;
	RF_TRY(assign_all(&matching, match, err));
	RF_TRY(list_unexpected(&matching, match, err));
	return report_mismatch(&matching, spec, err);
}
