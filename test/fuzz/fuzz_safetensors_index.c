/*
 * fuzz_safetensors_index.c - the input is a model.safetensors.index.json beside two good shards,
 * "one" with tensors a and b, "two" with c and d.
 */
#include "fuzz_target.h"

#include <string.h>

#include "model_directory.h"
#include "rf/checkpoint.h"

static void
write_shard(const char *name, const char *header)
{
	char bytes[256] = {0};
	uint64_t length = strlen(header);

	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + 8, header, length);
	model_directory_write(name, bytes, 8 + length + 2);
}

static void
write_shards(void)
{
	static bool written;

	if (written)
		return;
	write_shard("one", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
					   "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}");
	write_shard("two", "{\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
					   "\"d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}");
	written = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RfCheckpoint *checkpoint;
	RfError err;

	write_shards();
	model_directory_write("model.safetensors.index.json", data, size);
	if (!fuzz_succeeded(
			rf_checkpoint_open(model_directory_path(), rf_memory_malloc, &checkpoint, &err), &err))
		return 0;
	fuzz_require(rf_checkpoint_count(checkpoint) <= 4);
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		char byte;

		fuzz_require(rf_checkpoint_read(checkpoint, i, 0, 1, &byte, &err) == RF_OK);
	}
	rf_checkpoint_close(checkpoint);
	return 0;
}
