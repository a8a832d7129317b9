/*
 * fuzz_flax.c - the input is a flax_model.msgpack. What the child process of the reader does is
 * done once more in this one, where it is seen.
 */
#include "fuzz_target.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../../src/foreign/walk.h"
#include "model_directory.h"
#include "rf/foreign.h"
#include "weights_file.h"

#define FILE_NAME "flax_model.msgpack"

static void
walk_here(size_t size)
{
	char path[128];
	RfWalk walk = {.file = FILE_NAME, .size = size};
	RfError err = {0};

	snprintf(path, sizeof(path), "%s/" FILE_NAME, model_directory_path());
	walk.fd = open(path, O_RDONLY | O_CLOEXEC);
	walk.report = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fuzz_require(walk.fd >= 0 && walk.report >= 0);
	rf_flax_walk(&walk, &err);
	close(walk.report);
	close(walk.fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weights_file_check(FILE_NAME, rf_foreign_readers[1], data, size);
	walk_here(size);
	return 0;
}
