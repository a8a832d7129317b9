/*
 * fuzz_hdf5.c - the input is a tf_model.h5. libhdf5 looks at it in a child process, which may
 * break; the parent may not.
 */
#include "fuzz_target.h"
#include "rf/foreign.h"
#include "weights_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weights_file_check("tf_model.h5", rf_foreign_readers[0], data, size);
	return 0;
}
