/*
 * bundle_file.c - an independent writer of TensorFlow 1 checkpoints, right or wrong.
 */
#include "bundle_file.h"

#include <stdlib.h>
#include <string.h>

#define RESTART_INTERVAL 16
#define MAX_RESTARTS 4096

void
bytes_varint(Bytes *bytes, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		bytes_number(bytes, (value & 0x7F) | 0x80, 1);
	bytes_number(bytes, value, 1);
}

uint32_t
bundle_checksum(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t crc = 0xFFFFFFFFu;

	for (size_t i = 0; i < size; i++)
	{
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
	}
	crc = ~crc;
	return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

static void
add_number(Bytes *message, unsigned int field, uint64_t value)
{
	bytes_varint(message, field << 3);
	bytes_varint(message, value);
}

static void
add_message(Bytes *message, unsigned int field, const Bytes *part)
{
	bytes_varint(message, field << 3 | 2);
	bytes_varint(message, part->size);
	bytes_add(message, part->data, part->size);
}

void
bundle_header(Bytes *value, uint64_t shards, uint64_t big_endian, uint64_t least_reader)
{
	Bytes version = {0};

	add_number(value, 1, shards);
	if (big_endian != 0)
		add_number(value, 2, big_endian);
	add_number(&version, 1, 1);
	if (least_reader != 0)
		add_number(&version, 2, least_reader);
	add_message(value, 3, &version);
	bytes_free(&version);
}

static void
add_shape(Bytes *value, const BundleTensor *tensor)
{
	Bytes shape = {0};

	for (size_t i = 0; i < tensor->rank; i++)
	{
		Bytes dimension = {0};

		add_number(&dimension, 1, (uint64_t) tensor->shape[i]);
		add_message(&shape, 2, &dimension);
		bytes_free(&dimension);
	}
	add_message(value, 2, &shape);
	bytes_free(&shape);
}

/* As the library writes: zeros are left out. */
void
bundle_entry(Bytes *value, const BundleTensor *tensor)
{
	Bytes slice = {0};

	add_number(value, 1, tensor->type);
	add_shape(value, tensor);
	if (tensor->shard != 0)
		add_number(value, 3, tensor->shard);
	if (tensor->offset != 0)
		add_number(value, 4, tensor->offset);
	if (tensor->size != 0)
		add_number(value, 5, tensor->size);
	bytes_varint(value, 6 << 3 | 5);
	bytes_number(value, tensor->checksum, 4);
	if (tensor->has_slices)
		add_message(value, 7, &slice);
}

/* A block being written. */
typedef struct Block
{
	Bytes bytes;
	const TableEntry *before;
	size_t entries;
	uint32_t restarts[MAX_RESTARTS];
	uint32_t restart_count;
} Block;

static size_t
shared_bytes(const TableEntry *a, const TableEntry *b)
{
	size_t shared = 0;

	while (shared < a->key_size && shared < b->key_size && a->key[shared] == b->key[shared])
		shared++;
	return shared;
}

static void
block_add(Block *block, const TableEntry *entry, uint64_t claimed)
{
	size_t shared = 0;

	if (block->entries % RESTART_INTERVAL == 0)
		block->restarts[block->restart_count++] = (uint32_t) block->bytes.size;
	else
		shared = shared_bytes(block->before, entry);
	bytes_varint(&block->bytes, claimed != 0 ? claimed : shared);
	bytes_varint(&block->bytes, entry->key_size - shared);
	bytes_varint(&block->bytes, entry->value_size);
	bytes_add(&block->bytes, entry->key + shared, entry->key_size - shared);
	bytes_add(&block->bytes, entry->value, entry->value_size);
	block->before = entry;
	block->entries++;
}

/* Writes the block with its trailer and gives its handle. */
static void
block_finish(Block *block, Bytes *table, Bytes *handle, const TableFault *fault)
{
	uint64_t offset = table->size;
	uint32_t checksum;

	if (block->restart_count == 0)
		block->restarts[block->restart_count++] = 0;
	for (uint32_t i = 0; i < block->restart_count; i++)
		bytes_number(&block->bytes, block->restarts[i], 4);
	bytes_number(&block->bytes, fault->restarts != 0 ? fault->restarts : block->restart_count, 4);
	bytes_varint(handle, fault->handle_offset != 0 ? fault->handle_offset : offset);
	bytes_varint(handle, fault->handle_size != 0 ? fault->handle_size : block->bytes.size);
	bytes_number(&block->bytes, fault->is_compressed ? 1 : 0, 1);
	checksum = bundle_checksum(block->bytes.data, block->bytes.size);
	bytes_add(table, block->bytes.data, block->bytes.size);
	bytes_number(table, fault->has_wrong_checksum ? checksum ^ 1 : checksum, 4);
	bytes_free(&block->bytes);
	*block = (Block){0};
}

static void
add_footer(Bytes *table, const Bytes *metaindex, const Bytes *index)
{
	static const char padding[40] = {0};

	bytes_add(table, metaindex->data, metaindex->size);
	bytes_add(table, index->data, index->size);
	bytes_add(table, padding, sizeof(padding) - metaindex->size - index->size);
	bytes_number(table, UINT64_C(0xDB4775248B80FB57), 8);
}

void
bundle_table(Bytes *bytes, const TableEntry *entries, size_t count, size_t block_entries,
			 const TableFault *fault)
{
	static const TableFault none;
	static const char beyond[] = "\xFF";
	Block *block = calloc(1, sizeof(*block));
	Block *index = calloc(1, sizeof(*index));
	Bytes handles[2] = {{0}, {0}};
	/* The index block's keys must outlive it. */
	TableEntry *separators = calloc(count + 2, sizeof(*separators));
	Bytes *values = calloc(count + 2, sizeof(*values));
	size_t blocks = 0;

	for (size_t i = 0; i < count; i++)
	{
		block_add(block, &entries[i], i == 1 ? fault->shared : 0);
		if (i + 1 < count && (block_entries == 0 || block->entries < block_entries))
			continue;
		block_finish(block, bytes, &values[blocks], blocks == 0 ? fault : &none);
		separators[blocks] = (TableEntry){entries[i].key, entries[i].key_size, values[blocks].data,
										  values[blocks].size};
		block_add(index, &separators[blocks], 0);
		blocks++;
	}
	if (fault->repeats_block)
	{
		separators[blocks] = (TableEntry){beyond, 1, values[0].data, values[0].size};
		block_add(index, &separators[blocks], 0);
	}
	block_finish(block, bytes, &handles[0], &none);
	block_finish(index, bytes, &handles[1], &none);
	add_footer(bytes, &handles[0], &handles[1]);
	for (size_t i = 0; i < blocks; i++)
		bytes_free(&values[i]);
	bytes_free(&handles[0]);
	bytes_free(&handles[1]);
	free(values);
	free(separators);
	free(index);
	free(block);
}

void
bundle_index(Bytes *bytes, const BundleTensor *tensors, size_t count, uint64_t shards,
			 const TableFault *fault)
{
	static const TableFault none;
	TableEntry *entries = calloc(count + 1, sizeof(*entries));
	Bytes *values = calloc(count + 1, sizeof(*values));

	bundle_header(&values[0], shards, 0, 0);
	entries[0] = (TableEntry){"", 0, values[0].data, values[0].size};
	for (size_t i = 0; i < count; i++)
	{
		bundle_entry(&values[i + 1], &tensors[i]);
		entries[i + 1] = (TableEntry){tensors[i].name, strlen(tensors[i].name), values[i + 1].data,
									  values[i + 1].size};
	}
	bundle_table(bytes, entries, count + 1, 5, fault == NULL ? &none : fault);
	for (size_t i = 0; i <= count; i++)
		bytes_free(&values[i]);
	free(values);
	free(entries);
}
