/*
 * import_model.c - the model directory on this machine.
 *
 * Tensors are read through a buffer, a few rows at a time: a model of any size takes no more memory
 * than its largest row, or READ_BYTES.
 */
#include "import_model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rf/foreign.h"

#define READ_BYTES ((size_t) 1024 * 1024)

/* ---- opening --------------------------------------------------------------------------------- */

static RfCode
open_tensors(ImportModel *model, RfError *err)
{
	RF_TRY(rf_checkpoint_open_with(model->directory, rf_foreign_readers, RF_FOREIGN_READER_COUNT,
								   rf_memory_malloc, &model->checkpoint, err));
	return rf_content_match(&model->content, rf_checkpoint_tensor(model->checkpoint, 0),
							rf_checkpoint_count(model->checkpoint), err);
}

static RfCode
open_dictionary(ImportModel *model, const char *dictionary, RfError *err)
{
	const char *path = dictionary != NULL ? dictionary : RF_DICTIONARY_PACKAGE_PATH;

	if (!rf_content_needs_dictionary(&model->content) ||
		(dictionary == NULL && access(path, F_OK) != 0))
		return RF_OK;
	RF_TRY(rf_content_read_dictionary(&model->content, path, err));
	model->dictionary = path;
	return rf_content_check_dictionary(&model->content, NULL, err);
}

static RfCode
measure(ImportModel *model, RfError *err)
{
	for (size_t i = 0; i < model->content.file_count; i++)
		model->file_bytes += model->content.files[i].size;
	for (size_t i = 0; i < model->content.match.count; i++)
	{
		RfTensorDesc tensor = rf_content_parameter(&model->content, i);
		size_t bytes;

		RF_TRY(rf_tensor_bytes(&tensor, &bytes, err));
		model->tensor_bytes += bytes;
	}
	return RF_OK;
}

RfCode
import_model_open(ImportModel *model, const char *directory, const char *dictionary, RfError *err)
{
	memset(model, 0, sizeof(*model));
	model->directory = directory;
	rf_content_init(&model->content, rf_memory_malloc);
	RF_TRY(rf_content_read_files(&model->content, directory, err));
	RF_TRY(rf_content_parse(&model->content, err));
	RF_TRY(open_tensors(model, err));
	RF_TRY(open_dictionary(model, dictionary, err));
	return measure(model, err);
}

void
import_model_close(ImportModel *model)
{
	rf_checkpoint_close(model->checkpoint);
	rf_content_free(&model->content);
}

bool
import_model_is_whole(const ImportModel *model)
{
	return !rf_content_needs_dictionary(&model->content) || model->dictionary != NULL;
}

/* ---- tensors --------------------------------------------------------------------------------- */

uint64_t
import_model_rows(const ImportModel *model, size_t parameter)
{
	RfTensorDesc tensor = rf_content_parameter(&model->content, parameter);

	return rf_tensor_rows(&tensor);
}

/* The sizes were multiplied when the model was opened. */
size_t
import_model_row_bytes(const ImportModel *model, size_t parameter)
{
	RfTensorDesc tensor = rf_content_parameter(&model->content, parameter);
	uint64_t rows = rf_tensor_rows(&tensor);
	size_t bytes = 0;

	if (rows == 0 || rf_tensor_bytes(&tensor, &bytes, NULL) != RF_OK)
		return 0;
	return (size_t) (bytes / rows);
}

RfCode
import_model_read(const ImportModel *model, size_t parameter, uint64_t first, uint64_t rows,
				  void *buffer, RfError *err)
{
	return rf_checkpoint_read(model->checkpoint, model->content.match.parameters[parameter].source,
							  first, rows, buffer, err);
}

/* ---- digest ---------------------------------------------------------------------------------- */

static RfCode
hash_rows(const ImportModel *model, size_t parameter, ImportHash *hash, ImportProgress *progress,
		  RfError *err)
{
	uint64_t rows = import_model_rows(model, parameter);
	size_t row_bytes = import_model_row_bytes(model, parameter);
	uint64_t step = row_bytes == 0 || row_bytes > READ_BYTES ? 1 : READ_BYTES / row_bytes;
	RfCode code = RF_OK;
	char *buffer = malloc(step * row_bytes + 1);

	if (buffer == NULL)
		return rf_error_memory(err, step * row_bytes);
	for (uint64_t first = 0; code == RF_OK && row_bytes > 0 && first < rows; first += step)
	{
		uint64_t count = rows - first < step ? rows - first : step;

		code = import_model_read(model, parameter, first, count, buffer, err);
		if (code == RF_OK)
		{
			import_hash_bytes(hash, buffer, count * row_bytes);
			import_progress_add(progress, count * row_bytes);
		}
	}
	free(buffer);
	return code;
}

static RfCode
hash_all(const ImportModel *model, ImportHash *hash, ImportProgress *progress, RfError *err)
{
	for (size_t i = 0; i < model->content.file_count; i++)
		import_hash_file(hash, &model->content.files[i]);
	import_progress_add(progress, model->file_bytes);
	for (size_t i = 0; i < model->content.match.count; i++)
	{
		RfTensorDesc tensor = rf_content_parameter(&model->content, i);

		import_hash_tensor(hash, &tensor);
		RF_TRY(hash_rows(model, i, hash, progress, err));
	}
	return RF_OK;
}

RfCode
import_model_digest(const ImportModel *model, ImportProgress *progress, char *digest, RfError *err)
{
	ImportHash hash;
	RfCode code = RF_OK;

	if (import_hash_begin(&hash))
		code = hash_all(model, &hash, progress, err);
	if (!import_hash_end(&hash, digest) && code == RF_OK)
		return rf_error_set(err, RF_NO_MEMORY, "could not compute SHA-256");
	return code;
}
