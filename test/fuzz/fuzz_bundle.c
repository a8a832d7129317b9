/*
 * fuzz_bundle.c - the input is the index of a TensorFlow 1 checkpoint beside a fixed data file. An
 * input whose first byte is 0 is composed: behind it come blocks, each as two bytes of length and
 * its content, to which checksums and the footer are added, because no mutation would hit a
 * checksum. The last one is the index block.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "model_directory.h"
#include "rf/checksum.h"
#include "weights_file.h"

#define TRAILER_SIZE 5
#define FOOTER_SIZE 48
#define DATA_SIZE 4096

typedef struct Table
{
	uint8_t *bytes;
	size_t used;
} Table;

static void
add(Table *table, const void *bytes, size_t size)
{
	memcpy(table->bytes + table->used, bytes, size);
	table->used += size;
}

static void
add_block(Table *table, const uint8_t *content, size_t size)
{
	static const uint8_t type = 0;
	uint32_t checksum = rf_crc32c(rf_crc32c(0, content, size), &type, 1);
	uint32_t masked = ((checksum >> 15) | (checksum << 17)) + 0xA282EAD8u;

	add(table, content, size);
	add(table, &type, 1);
	add(table, &masked, sizeof(masked));
}

static void
add_varint(Table *table, uint64_t value)
{
	do
	{
		uint8_t byte = (uint8_t) ((value & 0x7F) | (value >= 0x80 ? 0x80 : 0));

		add(table, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

static void
add_footer(Table *table, uint64_t index_offset, uint64_t index_size)
{
	static const uint64_t magic = UINT64_C(0xDB4775248B80FB57);
	size_t end = table->used + FOOTER_SIZE;

	add_varint(table, 0);
	add_varint(table, 0);
	add_varint(table, index_offset);
	add_varint(table, index_size);
	memset(table->bytes + table->used, 0, end - table->used);
	table->used = end - sizeof(magic);
	add(table, &magic, sizeof(magic));
}

/* Blocks take at least two bytes of the input and five more of the table than that. */
static void
compose(const uint8_t *data, size_t size, Table *table)
{
	size_t offset = 0;
	size_t length = 0;

	table->bytes = malloc(4 * size + FOOTER_SIZE);
	fuzz_require(table->bytes != NULL);
	while (size >= 2)
	{
		length = (size_t) (data[0] | data[1] << 8);
		data += 2;
		size -= 2;
		length = length < size ? length : size;
		offset = table->used;
		add_block(table, data, length);
		data += length;
		size -= length;
	}
	add_footer(table, offset, length);
}

static void
write_data(void)
{
	static bool written;
	uint8_t data[DATA_SIZE];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) (i % 251);
	if (!written)
		model_directory_write("bert_model.ckpt.data-00000-of-00001", data, sizeof(data));
	written = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Table table = {NULL, 0};

	write_data();
	if (size > 0 && data[0] == 0)
	{
		compose(data + 1, size - 1, &table);
		weights_file_check("bert_model.ckpt.index", NULL, table.bytes, table.used);
		free(table.bytes);
	}
	else
		weights_file_check("bert_model.ckpt.index", NULL, data, size);
	return 0;
}
