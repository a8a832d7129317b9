/*
 * safetensors_file.h - writes safetensors files, right or wrong, into the scratch directory.
 */
#ifndef TEST_SAFETENSORS_FILE_H
#define TEST_SAFETENSORS_FILE_H

#include <stddef.h>

/* Header length, header as given, then size bytes of data: 0, 1, 2, ... modulo 251. */
extern void safetensors_write(const char *name, const char *header, size_t size);

#endif
