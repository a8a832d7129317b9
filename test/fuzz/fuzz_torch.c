/*
 * fuzz_torch.c - the input is a pytorch_model.bin of either form.
 */
#include "fuzz_target.h"
#include "weights_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weights_file_check("pytorch_model.bin", NULL, data, size);
	return 0;
}
