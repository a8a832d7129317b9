/*
 * spec.c - the text files of a model directory, and the specification read from them.
 *
 * Each file is parsed by the module that knows it: config.json here (spec_config.c,
 * spec_labels.c), the sentence-transformers files in spec_pooling.c, the tokenizer's three by the
 * tokenizer.
 */
#include "spec_private.h"

#include <stdlib.h>
#include <string.h>

#include "rf/checkpoint.h"

#define MEGABYTE ((size_t) 1024 * 1024)

/*
 * The largest published vocabulary has 5 MB, the largest config.json is one with a label for each
 * of some 100,000 classes. All stay far below the 1 GB that a value in the server can have.
 */
const RfFileRule rf_model_files[] = {
	{RF_CONFIG_FILE, false, 16 * MEGABYTE, NULL},
	{RF_ORIGINAL_CONFIG_FILE, true, 16 * MEGABYTE, RF_CONFIG_FILE},
	{"vocab.txt", true, 256 * MEGABYTE, NULL},
	{"tokenizer_config.json", false, 16 * MEGABYTE, NULL},
	{"special_tokens_map.json", false, MEGABYTE, NULL},
	{"added_tokens.json", false, 16 * MEGABYTE, NULL},
	{"modules.json", false, MEGABYTE, NULL},
	{"1_Pooling/config.json", false, MEGABYTE, NULL},
};

const size_t rf_model_files_count = sizeof(rf_model_files) / sizeof(rf_model_files[0]);

const char *
rf_task_name(RfTask task)
{
	static const char *const names[] = {
		[RF_TASK_ENCODER] = "encoder",
		[RF_TASK_MASKED_LM] = "masked language modeling",
		[RF_TASK_SEQUENCE_CLASSIFICATION] = "sequence classification",
		[RF_TASK_TOKEN_CLASSIFICATION] = "token classification",
		[RF_TASK_QUESTION_ANSWERING] = "question answering",
		[RF_TASK_MULTIPLE_CHOICE] = "multiple choice",
		[RF_TASK_CAUSAL_LM] = "causal language modeling",
	};

	return names[task];
}

const RfFile *
rf_spec_file(const RfFile *files, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
	{
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	}
	return NULL;
}

static int
compare_files(const void *a, const void *b)
{
	return strcmp(((const RfFile *) a)->name, ((const RfFile *) b)->name);
}

RfCode
rf_spec_read_files(const char *directory, RfArena *arena, RfFile **files, size_t *count,
				   RfError *err)
{
	*count = 0;
	RF_NEW(arena, *files, rf_model_files_count + 1, err);
	for (size_t i = 0; i < rf_model_files_count; i++)
	{
		const RfFileRule *rule = &rf_model_files[i];
		char *data;
		size_t size;
		RfCode code;

		if (rule->instead_of != NULL && rf_spec_file(*files, *count, rule->instead_of) != NULL)
			continue;
		code = rf_directory_read(directory, rule->name, rule->limit, arena, &data, &size, err);
		if (code == RF_NOT_FOUND && !rule->required)
			continue;
		/* What is said to be missing is the usual one. */
		if (code == RF_NOT_FOUND && rule->instead_of != NULL)
			code = rf_directory_read(directory, rule->instead_of, rule->limit, arena, &data, &size,
									 err);
		RF_TRY(code);
		(*files)[(*count)++] = (RfFile){rule->name, data, size};
	}
	qsort(*files, *count, sizeof(RfFile), compare_files);
	return RF_OK;
}

static RfCode
require_files(const RfFile *files, size_t count, RfError *err)
{
	for (size_t i = 0; i < rf_model_files_count; i++)
	{
		const RfFileRule *rule = &rf_model_files[i];
		const char *usual = rule->instead_of == NULL ? rule->name : rule->instead_of;

		RF_FAIL_IF(rule->required && rf_spec_file(files, count, rule->name) == NULL &&
					   rf_spec_file(files, count, usual) == NULL,
				   err, RF_NOT_FOUND, "model has no file \"%s\"", usual);
	}
	return RF_OK;
}

static RfCode
parse_members(json_t *root, bool original, RfArena *arena, RfSpec *spec, RfError *err)
{
	if (original)
		RF_TRY(rf_spec_parse_original(root, spec, err));
	else
		RF_TRY(rf_spec_parse_config(root, spec, err));
	return rf_spec_parse_labels(root, arena, spec, err);
}

static RfCode
parse_config_file(const RfFile *files, size_t count, RfArena *arena, RfSpec *spec, RfError *err)
{
	const RfFile *file = rf_spec_file(files, count, RF_CONFIG_FILE);
	bool original = file == NULL;
	json_t *root;
	RfCode code;

	if (original)
		file = rf_spec_file(files, count, RF_ORIGINAL_CONFIG_FILE);
	RF_TRY(rf_json_parse(file->name, file->data, file->size, &root, err));
	code = parse_members(root, original, arena, spec, err);
	json_decref(root);
	if (code != RF_OK && code != RF_NO_MEMORY)
		rf_error_origin(err, file->name, RF_NO_OFFSET);
	return code;
}

static RfCode
parse_tokenizer_files(const RfFile *files, size_t count, RfArena *arena, RfSpec *spec, RfError *err)
{
	static const RfFile none = {NULL, NULL, 0};
	const RfFile *config = rf_spec_file(files, count, "tokenizer_config.json");
	const RfFile *special_map = rf_spec_file(files, count, "special_tokens_map.json");
	const RfFile *added = rf_spec_file(files, count, "added_tokens.json");

	config = config == NULL ? &none : config;
	special_map = special_map == NULL ? &none : special_map;
	added = added == NULL ? &none : added;
	return rf_tokenizer_options_parse(config->data, config->size, special_map->data,
									  special_map->size, added->data, added->size, arena,
									  &spec->tokenizer, err);
}

RfCode
rf_spec_parse(const RfFile *files, size_t count, RfArena *arena, RfSpec *spec, RfError *err)
{
	/* The configuration goes into digests as it lies in memory, gaps between members included. */
	memset(spec, 0, sizeof(*spec));
	RF_TRY(require_files(files, count, err));
	RF_TRY(parse_config_file(files, count, arena, spec, err));
	RF_TRY(parse_tokenizer_files(files, count, arena, spec, err));
	RF_TRY(rf_spec_parse_pooling(files, count, &spec->config, err));
	spec->vocab = *rf_spec_file(files, count, "vocab.txt");
	return RF_OK;
}
