/*
 * content.c - the files and tensors of a model, put together and checked.
 *
 * What can't be compiled (a vocabulary, a dictionary) would be found at first use, long after the
 * model was stored, so it is compiled here once and thrown away.
 */
#include "rf/content.h"

#include <string.h>

#include "rf/checkpoint.h"

void
rf_content_init(RfContent *content, RfMemory memory)
{
	memset(content, 0, sizeof(*content));
	rf_arena_init(&content->arena, memory);
}

void
rf_content_free(RfContent *content)
{
	rf_arena_free(&content->arena);
}

/* ---- files ----------------------------------------------------------------------------------- */

static const RfFileRule dictionary_rule = {RF_DICTIONARY_FILE, false, RF_DICTIONARY_LIMIT, NULL};

static const RfFileRule *
find_rule(const char *name)
{
	for (size_t i = 0; i < rf_model_files_count; i++)
	{
		if (strcmp(name, rf_model_files[i].name) == 0)
			return &rf_model_files[i];
	}
	return strcmp(name, dictionary_rule.name) == 0 ? &dictionary_rule : NULL;
}

static const RfFile *
find_file(const RfContent *content, const char *name)
{
	for (size_t i = 0; i < content->file_count; i++)
	{
		if (strcmp(content->files[i].name, name) == 0)
			return &content->files[i];
	}
	return NULL;
}

RfCode
rf_content_check_file(const RfContent *content, const char *name, size_t size, RfError *err)
{
	const RfFileRule *rule = find_rule(name);

	RF_FAIL_IF(rule == NULL, err, RF_INVALID, "\"%s\" is no file of a model", name);
	RF_FAIL_IF(size > rule->limit, err, RF_LIMIT, "file \"%s\" has %zu bytes, more than %zu", name,
			   size, rule->limit);
	RF_FAIL_IF(find_file(content, name) != NULL, err, RF_INVALID, "file \"%s\" is given twice",
			   name);
	return RF_OK;
}

/* There is a place for each file that has a rule. */
RfCode
rf_content_add_file(RfContent *content, const char *name, const char *data, size_t size,
					RfError *err)
{
	size_t at = content->file_count;

	RF_TRY(rf_content_check_file(content, name, size, err));
	if (content->files == NULL)
		RF_NEW(&content->arena, content->files, rf_model_files_count + 1, err);
	for (; at > 0 && strcmp(content->files[at - 1].name, name) > 0; at--)
		content->files[at] = content->files[at - 1];
	content->files[at] = (RfFile){find_rule(name)->name, data, size};
	content->file_count++;
	return RF_OK;
}

RfCode
rf_content_read_files(RfContent *content, const char *directory, RfError *err)
{
	return rf_spec_read_files(directory, &content->arena, &content->files, &content->file_count,
							  err);
}

/* ---- meaning --------------------------------------------------------------------------------- */

RfCode
rf_content_parse(RfContent *content, RfError *err)
{
	return rf_spec_parse(content->files, content->file_count, &content->arena, &content->spec, err);
}

static RfCode
check_tokenizer(RfContent *content, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(&content->arena);
	void *block;
	size_t size;
	RfCode code = rf_spec_compile_tokenizer(&content->spec, &content->arena, &block, &size, err);

	rf_arena_rewind(&content->arena, mark);
	return code;
}

RfCode
rf_content_match(RfContent *content, const RfTensorDesc *tensors, size_t count, RfError *err)
{
	content->tensors = tensors;
	RF_TRY(rf_spec_match(&content->spec, tensors, count, &content->arena, &content->match, err));
	return check_tokenizer(content, err);
}

RfTensorDesc
rf_content_parameter(const RfContent *content, size_t index)
{
	const RfParameter *parameter = &content->match.parameters[index];
	RfTensorDesc tensor = content->tensors[parameter->source];

	tensor.name = parameter->name;
	return tensor;
}

/* ---- dictionary ------------------------------------------------------------------------------ */

bool
rf_content_needs_dictionary(const RfContent *content)
{
	return content->spec.tokenizer.tokenizer_class == RF_TOKENIZER_ROFORMER;
}

/* Splits the path, because files are opened below a directory. */
RfCode
rf_content_read_dictionary(RfContent *content, const char *path, RfError *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t) (slash - path);
	char *directory = rf_arena_copy(&content->arena, path, length);
	char *data;
	size_t size;

	if (directory == NULL)
		return rf_error_memory(err, length + 1);
	if (length == 0)
		directory = slash == NULL ? "." : "/";
	RF_TRY(rf_directory_read(directory, slash == NULL ? path : slash + 1, RF_DICTIONARY_LIMIT,
							 &content->arena, &data, &size, err));
	return rf_content_add_file(content, RF_DICTIONARY_FILE, data, size, err);
}

const RfFile *
rf_content_dictionary(const RfContent *content)
{
	return find_file(content, RF_DICTIONARY_FILE);
}

RfCode
rf_content_check_dictionary(RfContent *content, const RfAbort *abort_fn, RfError *err)
{
	const RfFile *file = rf_content_dictionary(content);
	RfArenaMark mark = rf_arena_mark(&content->arena);
	void *block;
	size_t size;
	RfCode code;

	RF_FAIL_IF(file == NULL, err, RF_NOT_FOUND, "the model has no dictionary");
	code = rf_jieba_compile(file->data, file->size, abort_fn, &content->arena, &block, &size, err);
	rf_arena_rewind(&content->arena, mark);
	return code;
}
