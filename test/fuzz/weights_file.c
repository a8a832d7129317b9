/*
 * weights_file.c - opening the one weight file of a directory and reading all that it claims to hold.
 */
#include "weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_target.h"
#include "model_directory.h"
#include "rf/checkpoint.h"

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
	fuzz_require(rf_checkpoint_read(checkpoint, index, 0, rows, data, &err) == RF_OK);
	if (rows > 0)
		fuzz_require(rf_checkpoint_read(checkpoint, index, rows - 1, 1, data, &err) == RF_OK);
	fuzz_require(rf_checkpoint_read(checkpoint, index, rows, 1, data, &err) == RF_INVALID);
	free(data);
}

void
weights_file_check(const char *name, const void *bytes, size_t size)
{
	RfCheckpoint *checkpoint;
	RfError err;

	model_directory_write(name, bytes, size);
	if (!fuzz_succeeded(
			rf_checkpoint_open(model_directory_path(), rf_memory_malloc, &checkpoint, &err), &err))
		return;
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, i);

		fuzz_require(i == 0 || strcmp(tensor[-1].name, tensor->name) < 0);
		read_tensor(checkpoint, i);
	}
	rf_checkpoint_close(checkpoint);
}
