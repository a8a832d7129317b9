/*
 * weights_file.h - what the targets of single weight files have in common.
 */
#ifndef FUZZ_WEIGHTS_FILE_H
#define FUZZ_WEIGHTS_FILE_H

#include "rf/checkpoint.h"

/*
 * A file of that name that opens must be consistent: names in order, all tensors can be read but for
 * wrong checksums. reader: of a format that not every checkpoint knows, or NULL.
 */
extern void weights_file_check(const char *name, const RfReader *reader, const void *bytes,
							   size_t size);

#endif
