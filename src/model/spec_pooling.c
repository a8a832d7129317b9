/*
 * spec_pooling.c - what embed() does by default, from the sentence-transformers files.
 *
 * modules.json lists the steps behind the encoder. Known are Transformer, Pooling (with its
 * configuration in 1_Pooling/config.json, the only place looked at) and Normalize; any other would
 * change the vectors and is refused, because giving other vectors than the model's author meant is
 * worse than an error. Without modules.json 1_Pooling/config.json counts alone; without either,
 * embed() takes the mean and does not normalise.
 *
 * Source: sentence_transformers, models/Pooling.py (a mode that is not mentioned is off, but for
 * the mean when no other is on).
 */
#include "spec_private.h"

#include <string.h>

#define MODULES_FILE "modules.json"
#define POOLING_DIRECTORY "1_Pooling"
#define POOLING_FILE POOLING_DIRECTORY "/config.json"

typedef struct Modules
{
	bool pooling;
	bool normalize;
} Modules;

static RfCode
fail(const char *file, RfCode code, RfError *err)
{
	if (code != RF_OK && code != RF_NO_MEMORY)
		rf_error_origin(err, file, RF_NO_OFFSET);
	return code;
}

/* "Pooling" of "sentence_transformers.models.Pooling" */
static const char *
last_component(const char *type)
{
	const char *dot = strrchr(type, '.');

	return dot == NULL ? type : dot + 1;
}

static RfCode
read_module(const json_t *module, Modules *modules, RfError *err)
{
	const char *type;
	const char *path;
	const char *kind;

	RF_FAIL_IF(!json_is_object(module), err, RF_CORRUPT, "\"%s\" is not an array of objects",
			   MODULES_FILE);
	RF_TRY(rf_json_string(module, "type", "", &type, err));
	RF_TRY(rf_json_string(module, "path", "", &path, err));
	kind = last_component(type);
	if (strcmp(kind, "Transformer") == 0)
		return RF_OK;
	if (strcmp(kind, "Normalize") == 0)
	{
		modules->normalize = true;
		return RF_OK;
	}
	if (strcmp(kind, "Pooling") == 0 && strcmp(path, POOLING_DIRECTORY) == 0 && !modules->pooling)
	{
		modules->pooling = true;
		return RF_OK;
	}
	rf_error_set(err, RF_UNSUPPORTED, "module \"%s\" in \"%s\" of file \"%s\" is not supported",
				 type, path, MODULES_FILE);
	rf_error_hint(err, "Without the file \"%s\" the encoder loads alone.", MODULES_FILE);
	return RF_UNSUPPORTED;
}

static RfCode
read_modules(const RfFile *file, Modules *modules, RfError *err)
{
	json_t *list;
	RfCode code = RF_OK;

	RF_TRY(rf_json_parse_array(file->name, file->data, file->size, &list, err));
	for (size_t i = 0; i < json_array_size(list) && code == RF_OK; i++)
		code = read_module(json_array_get(list, i), modules, err);
	json_decref(list);
	return fail(MODULES_FILE, code, err);
}

/* The modes sentence-transformers has had, as booleans, and which of them embed() knows. */
typedef struct Mode
{
	const char *key;
	const char *name; /* as the newer "pooling_mode" spells it */
	int pooling;      /* RfPooling, -1: not supported */
} Mode;

static const Mode modes[] = {
	{"pooling_mode_cls_token", "cls", RF_POOL_CLS},
	{"pooling_mode_max_tokens", "max", RF_POOL_MAX},
	{"pooling_mode_mean_tokens", "mean", RF_POOL_MEAN},
	{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", -1},
	{"pooling_mode_weightedmean_tokens", "weightedmean", -1},
	{"pooling_mode_lasttoken", "lasttoken", -1},
};

#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))

static RfCode
choose_mode(const json_t *root, const Mode **mode, RfError *err)
{
	const char *name;

	*mode = NULL;
	for (size_t i = 0; i < MODE_COUNT; i++)
	{
		bool on;

		RF_TRY(rf_json_boolean(root, modes[i].key, false, &on, err));
		RF_FAIL_IF(on && *mode != NULL, err, RF_UNSUPPORTED,
				   "pooling by \"%s\" and \"%s\" together is not supported", (*mode)->key,
				   modes[i].key);
		if (on)
			*mode = &modes[i];
	}
	if (*mode != NULL)
		return RF_OK;
	RF_TRY(rf_json_string(root, "pooling_mode", NULL, &name, err));
	RF_FAIL_IF(name == NULL && json_is_false(json_object_get(root, "pooling_mode_mean_tokens")),
			   err, RF_CORRUPT, "no pooling mode is on");
	name = name == NULL ? "mean" : name;
	for (size_t i = 0; i < MODE_COUNT; i++)
	{
		if (strcmp(modes[i].name, name) == 0)
			*mode = &modes[i];
	}
	RF_FAIL_IF(*mode == NULL, err, RF_UNSUPPORTED, "unknown pooling_mode \"%s\"", name);
	return RF_OK;
}

static RfCode
read_pooling(const json_t *root, RfConfig *config, RfError *err)
{
	const Mode *mode;
	int64_t dimension;

	RF_TRY(rf_json_integer(root, "word_embedding_dimension", config->hidden_size,
						   config->hidden_size, config->hidden_size, &dimension, err));
	RF_TRY(choose_mode(root, &mode, err));
	RF_FAIL_IF(mode->pooling < 0, err, RF_UNSUPPORTED, "pooling by \"%s\" is not supported",
			   mode->key);
	config->pooling = (RfPooling) mode->pooling;
	return RF_OK;
}

static RfCode
read_pooling_file(const RfFile *file, RfConfig *config, RfError *err)
{
	json_t *root;
	RfCode code;

	RF_TRY(rf_json_parse(file->name, file->data, file->size, &root, err));
	code = read_pooling(root, config, err);
	json_decref(root);
	return fail(POOLING_FILE, code, err);
}

RfCode
rf_spec_parse_pooling(const RfFile *files, size_t count, RfConfig *config, RfError *err)
{
	const RfFile *modules_file = rf_spec_file(files, count, MODULES_FILE);
	const RfFile *pooling_file = rf_spec_file(files, count, POOLING_FILE);
	Modules modules = {.pooling = pooling_file != NULL};

	config->pooling = RF_POOL_MEAN;
	config->normalize_embedding = false;
	if (modules_file != NULL)
	{
		modules.pooling = false;
		RF_TRY(read_modules(modules_file, &modules, err));
	}
	config->normalize_embedding = modules.normalize;
	if (!modules.pooling)
		return RF_OK;
	if (pooling_file == NULL)
	{
		rf_error_set(err, RF_NOT_FOUND, "model has no file \"%s\", which \"%s\" names",
					 POOLING_FILE, MODULES_FILE);
		return fail(MODULES_FILE, RF_NOT_FOUND, err);
	}
	return read_pooling_file(pooling_file, config, err);
}
