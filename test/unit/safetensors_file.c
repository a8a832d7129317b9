/*
 * safetensors_file.c - writes safetensors files, right or wrong, into the scratch directory.
 */
#include "safetensors_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scratch_directory.h"

void
safetensors_write(const char *name, const char *header, size_t size)
{
	uint64_t length = strlen(header);
	char *bytes = malloc(8 + length + size);

	memcpy(bytes, &length, 8);
	memcpy(bytes + 8, header, length);
	for (size_t i = 0; i < size; i++)
		bytes[8 + length + i] = (char) (i % 251);
	scratch_write(name, bytes, 8 + length + size);
	free(bytes);
}
