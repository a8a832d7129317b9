/*
 * weights_file.c - opening the one weight file of a directory and reading all that it claims to
 * hold.
 */
#include "weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_target.h"
#include "model_directory.h"

static bool
read_rows(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows, char *data)
{
	RfError err;
	RfCode code = rf_checkpoint_read(checkpoint, index, first, rows, data, &err);

	if (fuzz_succeeded(code, &err))
		return true;
	fuzz_require(code == RF_CORRUPT && strstr(err.message, "wrong checksum") != NULL);
	return false;
}

static void
read_tensor(RfCheckpoint *checkpoint, size_t index)
{
	const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, index);
	uint64_t rows = rf_tensor_rows(tensor);
	size_t bytes;
	char *data;
	RfError err;

	fuzz_require(rf_tensor_bytes(tensor, &bytes, &err) == RF_OK);
	data = malloc(bytes);
	if (read_rows(checkpoint, index, 0, rows, data) && rows > 0)
		fuzz_require(read_rows(checkpoint, index, rows - 1, 1, data));
	fuzz_require(rf_checkpoint_read(checkpoint, index, rows, 1, data, &err) == RF_INVALID);
	free(data);
}

void
weights_file_check(const char *name, const RfReader *reader, const void *bytes, size_t size)
{
	RfCheckpoint *checkpoint;
	RfError err;

	model_directory_write(name, bytes, size);
	if (!fuzz_succeeded(rf_checkpoint_open_with(model_directory_path(), &reader, reader != NULL,
												rf_memory_malloc, &checkpoint, &err),
						&err))
		return;
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, i);

		fuzz_require(i == 0 || strcmp(tensor[-1].name, tensor->name) < 0);
		read_tensor(checkpoint, i);
	}
	rf_checkpoint_close(checkpoint);
}
