/*
 * fuzz_safetensors.c - the input is a model.safetensors.
 */
#include "fuzz_target.h"
#include "weights_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weights_file_check("model.safetensors", NULL, data, size);
	return 0;
}
