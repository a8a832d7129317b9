/*
 * bundle_table.c - reader of the sorted table that the index of a TensorFlow checkpoint is.
 *
 * Format (all numbers little-endian, v: varint of up to 64 bits): blocks, each followed by a type
 * byte and a masked CRC-32C of block and type; the last 48 bytes are the handles (v offset, v size)
 * of the metaindex block and the index block, padding, and a magic number. A block is entries (v
 * bytes shared with the key before, v further bytes of the key, v bytes of the value; those bytes),
 * then 32-bit offsets of restart points and their number. The index block's values are handles of
 * the data blocks, whose entries are the table's.
 *
 * Enforced: at most RF_BUNDLE_MAX_INDEX bytes and RF_MAX_TENSORS + 1 entries; data blocks one
 * behind the other, inside the file; checksums; keys in strictly increasing order, of at most
 * RF_BUNDLE_MAX_KEY bytes. Rejected: compressed blocks, which the writer of checkpoints never
 * makes.
 *
 * Source: LevelDB's doc/table_format.md, tensorflow/core/lib/io/format.h.
 */
#include "bundle.h"

#include <inttypes.h>
#include <string.h>

#include "rf/checksum.h"

#define FOOTER_SIZE 48
#define MAGIC UINT64_C(0xDB4775248B80FB57)
#define TRAILER_SIZE 5 /* type and checksum */
#define MAX_ENTRIES (RF_MAX_TENSORS + 1)

typedef struct Table
{
	const RfOpenFile *file;
	const unsigned char *data; /* [size], without the footer */
	uint64_t size;
	uint64_t blocks_end; /* of the data blocks visited */
	size_t entries;      /* visited */
	RfTableVisit visit;
	void *context;
} Table;

/* The key of the entry before, which the next one may begin with. */
typedef struct Key
{
	unsigned char bytes[RF_BUNDLE_MAX_KEY];
	size_t size;
	bool any;
} Key;

bool
rf_bytes_varint(RfBytes *bytes, uint64_t *value)
{
	uint64_t result = 0;

	for (unsigned int shift = 0; shift < 64 && bytes->at < bytes->end; shift += 7)
	{
		uint64_t byte = *bytes->at++;

		if (shift == 63 && byte > 1)
			return false;
		result |= (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*value = result;
			return true;
		}
	}
	return false;
}

bool
rf_bytes_fixed32(RfBytes *bytes, uint32_t *value)
{
	if (bytes->end - bytes->at < (ptrdiff_t) sizeof(*value))
		return false;
	memcpy(value, bytes->at, sizeof(*value));
	bytes->at += sizeof(*value);
	return true;
}

bool
rf_bytes_take(RfBytes *bytes, uint64_t size, RfBytes *part)
{
	if (size > (uint64_t) (bytes->end - bytes->at))
		return false;
	*part = (RfBytes){bytes->at, bytes->at + size};
	bytes->at += size;
	return true;
}

uint32_t
rf_bundle_checksum(uint32_t stored)
{
	uint32_t rotated = stored - 0xA282EAD8u;

	return (rotated >> 17) | (rotated << 15);
}

static RfCode
malformed(const Table *table, uint64_t offset, const char *what, RfError *err)
{
	rf_error_set(err, RF_CORRUPT, "file \"%s\" %s", table->file->name, what);
	rf_error_origin(err, table->file->name, offset);
	return RF_CORRUPT;
}

static uint64_t
offset_of(const Table *table, const unsigned char *at)
{
	return (uint64_t) (at - table->data);
}

static RfCode
check_block(const Table *table, RfBytes block, RfError *err)
{
	uint64_t offset = offset_of(table, block.at);
	RfBytes trailer = {block.end + 1, block.end + TRAILER_SIZE};
	uint32_t stored = 0;

	rf_bytes_fixed32(&trailer, &stored);
	if (rf_bundle_checksum(stored) != rf_crc32c(0, block.at, (size_t) (block.end - block.at) + 1))
		return malformed(table, offset, "has a block with a wrong checksum", err);
	if (*block.end != 0)
	{
		rf_error_set(err, RF_UNSUPPORTED, "file \"%s\" has a compressed block", table->file->name);
		rf_error_origin(err, table->file->name, offset);
		return RF_UNSUPPORTED;
	}
	return RF_OK;
}

/* The entries of the block that a handle, which *handle is moved behind, names. */
static RfCode
open_block(const Table *table, RfBytes *handle, RfBytes *entries, RfError *err)
{
	uint64_t offset, size;
	RfBytes block, restarts;
	uint32_t restart_count = 0;

	if (!rf_bytes_varint(handle, &offset) || !rf_bytes_varint(handle, &size))
		return malformed(table, RF_NO_OFFSET, "has a block handle that is cut off", err);
	if (offset > table->size || size > table->size - offset ||
		table->size - offset - size < TRAILER_SIZE)
	{
		malformed(table, RF_NO_OFFSET, "has a block outside the file", err);
		rf_error_detail(err, "Its bytes are %" PRIu64 " from %" PRIu64 ", of %" PRIu64 ".", size,
						offset, table->size);
		return RF_CORRUPT;
	}
	block = (RfBytes){table->data + offset, table->data + offset + size};
	RF_TRY(check_block(table, block, err));
	if (size >= sizeof(restart_count))
	{
		restarts = (RfBytes){block.end - sizeof(restart_count), block.end};
		rf_bytes_fixed32(&restarts, &restart_count);
	}
	if (size < sizeof(restart_count) * ((uint64_t) restart_count + 1))
		return malformed(table, offset, "has a block with more restart points than bytes", err);
	*entries =
		(RfBytes){block.at, block.end - sizeof(restart_count) * ((size_t) restart_count + 1)};
	return RF_OK;
}

static int
compare_bytes(RfBytes a, const unsigned char *b, size_t b_size)
{
	size_t a_size = (size_t) (a.end - a.at);
	int order = memcmp(a.at, b, a_size < b_size ? a_size : b_size);

	if (order != 0)
		return order;
	return a_size < b_size ? -1 : a_size > b_size;
}

/* Joins what the key before gives and what the entry adds, and checks that it goes behind it. */
static RfCode
next_key(const Table *table, Key *key, uint64_t shared, RfBytes rest, RfError *err)
{
	size_t added = (size_t) (rest.end - rest.at);
	uint64_t offset = offset_of(table, rest.at);

	if (shared > key->size)
		return malformed(table, offset, "has a key that shares more than the one before has", err);
	if (added > sizeof(key->bytes) - shared)
	{
		rf_error_set(err, RF_LIMIT, "file \"%s\" has a key of more than %d bytes",
					 table->file->name, RF_BUNDLE_MAX_KEY);
		rf_error_origin(err, table->file->name, offset);
		return RF_LIMIT;
	}
	if (key->any && compare_bytes(rest, key->bytes + shared, key->size - (size_t) shared) <= 0)
		return malformed(table, offset, "has keys that are not in order", err);
	memcpy(key->bytes + shared, rest.at, added);
	key->size = (size_t) shared + added;
	key->any = true;
	return RF_OK;
}

/* The next entry of a block: its key goes into key. */
static RfCode
next_entry(const Table *table, RfBytes *entries, Key *key, RfBytes *value, RfError *err)
{
	uint64_t offset = offset_of(table, entries->at);
	uint64_t shared, added, size;
	RfBytes rest;

	if (!rf_bytes_varint(entries, &shared) || !rf_bytes_varint(entries, &added) ||
		!rf_bytes_varint(entries, &size) || !rf_bytes_take(entries, added, &rest) ||
		!rf_bytes_take(entries, size, value))
		return malformed(table, offset, "has an entry that is cut off", err);
	return next_key(table, key, shared, rest, err);
}

static RfCode
visit_block(Table *table, RfBytes handle, Key *key, RfError *err)
{
	RfBytes entries, value;

	RF_TRY(open_block(table, &handle, &entries, err));
	if (offset_of(table, entries.at) < table->blocks_end)
		return malformed(table, offset_of(table, entries.at), "has blocks that overlap", err);
	/* Behind the last entry come at least the number of restart points and the trailer. */
	table->blocks_end = offset_of(table, entries.end) + sizeof(uint32_t) + TRAILER_SIZE;
	while (entries.at < entries.end)
	{
		RF_TRY(next_entry(table, &entries, key, &value, err));
		if (++table->entries > MAX_ENTRIES)
		{
			rf_error_set(err, RF_LIMIT, "file \"%s\" has more than %zu tensors", table->file->name,
						 RF_MAX_TENSORS);
			rf_error_origin(err, table->file->name, RF_NO_OFFSET);
			return RF_LIMIT;
		}
		RF_TRY(table->visit(table->context, (RfBytes){key->bytes, key->bytes + key->size}, value,
							err));
	}
	return RF_OK;
}

/* The handle of the index block, from the footer behind the data. */
static RfCode
find_index(const Table *table, RfBytes *handle, RfError *err)
{
	const unsigned char *footer = table->data + table->size;
	uint64_t magic, skipped;

	memcpy(&magic, footer + FOOTER_SIZE - sizeof(magic), sizeof(magic));
	if (magic != MAGIC)
		return malformed(table, table->size, "is not the index of a TensorFlow checkpoint", err);
	*handle = (RfBytes){footer, footer + FOOTER_SIZE - sizeof(magic)};
	if (!rf_bytes_varint(handle, &skipped) || !rf_bytes_varint(handle, &skipped))
		return malformed(table, table->size, "has a block handle that is cut off", err);
	return RF_OK;
}

static RfCode
visit_blocks(Table *table, RfError *err)
{
	Key separator = {.size = 0};
	Key key = {.size = 0};
	RfBytes handle, index;

	RF_TRY(find_index(table, &handle, err));
	RF_TRY(open_block(table, &handle, &index, err));
	while (index.at < index.end)
	{
		RF_TRY(next_entry(table, &index, &separator, &handle, err));
		RF_TRY(visit_block(table, handle, &key, err));
	}
	return RF_OK;
}

RfCode
rf_table_read(const RfOpenFile *file, RfArena *scratch, RfTableVisit visit, void *context,
			  RfError *err)
{
	Table table = {.file = file, .visit = visit, .context = context};
	char *data;
	size_t size;

	if (file->size < FOOTER_SIZE)
		return malformed(&table, 0, "is too short for the index of a TensorFlow checkpoint", err);
	RF_TRY(rf_open_file_read_whole(file, RF_BUNDLE_MAX_INDEX, scratch, &data, &size, err));
	table.data = (const unsigned char *) data;
	table.size = size - FOOTER_SIZE;
	return visit_blocks(&table, err);
}
