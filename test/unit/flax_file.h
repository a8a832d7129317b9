/*
 * flax_file.h - an independent writer of MessagePack as flax writes it, right or wrong.
 *
 * Flax is in no distribution; its form is written here by flax/serialization.py and the MessagePack
 * specification, without the library that reads it.
 */
#ifndef TEST_FLAX_FILE_H
#define TEST_FLAX_FILE_H

#include "torch_file.h"

extern void flax_map(Bytes *bytes, uint64_t count);   /* count keys and values follow */
extern void flax_array(Bytes *bytes, uint64_t count); /* count items follow */
extern void flax_string(Bytes *bytes, const char *string);
extern void flax_integer(Bytes *bytes, uint64_t integer);

typedef struct FlaxArray
{
	const char *dtype;
	size_t rank;
	uint64_t shape[9];
	const void *data;
	size_t size;
} FlaxArray;

/* A leaf: extension 1. */
extern void flax_leaf(Bytes *bytes, const FlaxArray *array);
/* The same in chunks of chunk_size bytes, with elements of element_size. */
extern void flax_chunks(Bytes *bytes, const FlaxArray *array, size_t element_size,
						size_t chunk_size);

#endif
