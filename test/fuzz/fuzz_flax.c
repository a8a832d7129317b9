/*
 * fuzz_flax.c - the input is a flax_model.msgpack. What the reader does in a child process is done
 * in this one, where a fuzzer sees it, and its reports go through a file.
 */
#include "fuzz_target.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../../src/foreign/walk.h"
#include "weights_file.h"

#define FILE_NAME "flax_model.msgpack"

static RfCode
read_header(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries, size_t *count,
			RfError *err)
{
	const RfOpenFile *opened = &checkpoint->files[file];
	RfWalk walk = {opened->name, opened->fd, opened->size, memfd_create("reports", MFD_CLOEXEC)};
	RfCode code;

	fuzz_require(walk.report >= 0);
	rf_walk_report(&walk, rf_flax_walk);
	fuzz_require(lseek(walk.report, 0, SEEK_SET) == 0);
	code = rf_walk_collect(checkpoint, file, walk.report, rf_flax_map_name, entries, count, err);
	close(walk.report);
	return code;
}

static RfCode
open_flax(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	return rf_weights_open_single(checkpoint, directory, FILE_NAME, read_header, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const RfReader reader = {FILE_NAME, open_flax, rf_weights_read};

	weights_file_check(FILE_NAME, &reader, data, size);
	return 0;
}
