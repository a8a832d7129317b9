/*
 * flax_file.c - an independent writer of MessagePack as flax writes it, right or wrong.
 */
#include "flax_file.h"

#include <stdio.h>
#include <string.h>

/* MessagePack is big-endian. */
static void
add_big_endian(Bytes *bytes, uint64_t number, size_t size)
{
	while (size-- > 0)
		bytes_number(bytes, number >> (8 * size), 1);
}

static void
add_head(Bytes *bytes, unsigned int code, uint64_t number, size_t size)
{
	bytes_number(bytes, code, 1);
	add_big_endian(bytes, number, size);
}

void
flax_map(Bytes *bytes, uint64_t count)
{
	if (count < 16)
		bytes_number(bytes, 0x80 | count, 1);
	else
		add_head(bytes, 0xDF, count, 4);
}

void
flax_array(Bytes *bytes, uint64_t count)
{
	if (count < 16)
		bytes_number(bytes, 0x90 | count, 1);
	else
		add_head(bytes, 0xDD, count, 4);
}

void
flax_string(Bytes *bytes, const char *string)
{
	size_t length = strlen(string);

	if (length < 32)
		bytes_number(bytes, 0xA0 | length, 1);
	else
		add_head(bytes, 0xDB, length, 4);
	bytes_add(bytes, string, length);
}

void
flax_integer(Bytes *bytes, uint64_t integer)
{
	if (integer < 128)
		bytes_number(bytes, integer, 1);
	else
		add_head(bytes, 0xCF, integer, 8);
}

void
flax_leaf(Bytes *bytes, const FlaxArray *array)
{
	Bytes payload = {0};

	flax_array(&payload, 3);
	flax_array(&payload, array->rank);
	for (size_t i = 0; i < array->rank; i++)
		flax_integer(&payload, array->shape[i]);
	flax_string(&payload, array->dtype);
	add_head(&payload, 0xC6, array->size, 4);
	bytes_add(&payload, array->data, array->size);
	add_head(bytes, 0xC9, payload.size, 4);
	bytes_number(bytes, 1, 1);
	bytes_add(bytes, payload.data, payload.size);
	bytes_free(&payload);
}

void
flax_chunks(Bytes *bytes, const FlaxArray *array, size_t element_size, size_t chunk_size)
{
	size_t chunks = (array->size + chunk_size - 1) / chunk_size;
	char key[24];

	flax_map(bytes, 3);
	flax_string(bytes, "__msgpack_chunked_array__");
	bytes_number(bytes, 0xC3, 1);
	flax_string(bytes, "shape");
	flax_map(bytes, array->rank);
	for (size_t i = 0; i < array->rank; i++)
	{
		snprintf(key, sizeof(key), "%zu", i);
		flax_string(bytes, key);
		flax_integer(bytes, array->shape[i]);
	}
	flax_string(bytes, "chunks");
	flax_map(bytes, chunks);
	for (size_t i = 0; i < chunks; i++)
	{
		size_t rest = array->size - i * chunk_size;
		size_t size = rest < chunk_size ? rest : chunk_size;

		snprintf(key, sizeof(key), "%zu", i);
		flax_string(bytes, key);
		flax_leaf(bytes, &(FlaxArray){array->dtype,
									  1,
									  {size / element_size},
									  (const char *) array->data + i * chunk_size,
									  size});
	}
}
