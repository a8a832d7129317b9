/*
 * bundle.c - reader of TensorFlow 1 checkpoints: bert_model.ckpt.index and its data files.
 *
 * Format: the index is a sorted table (bundle_table.c). The value of its empty key is a
 * BundleHeaderProto (1: number of data files, 2: byte order, 3: version, whose 2 is the least
 * reader), every other key is a variable's name and its value a BundleEntryProto (1: type, 2:
 * shape, of which each 2 is a dimension whose 1 is its size, 3: data file, 4: offset, 5: size, 6:
 * masked CRC-32C of the data, 7: slices). bert_model.ckpt.data-00000-of-00001 and so on hold
 * nothing but data, row-major.
 *
 * Enforced: at most RF_MAX_SHARDS data files; every tensor inside its file, as long as its shape
 * and type say, overlapping no other; checksums, of a tensor's data when it is first read.
 * Rejected: big-endian data, variables stored in slices. Left out: what the optimizer keeps and
 * what is of a type that no tensor here has (strings).
 *
 * Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle.
 */
#include "bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rf/utf8.h"

#define PREFIX "bert_model.ckpt"
#define INDEX_NAME PREFIX ".index"
#define VERSION 1

typedef struct Bundle
{
	RfCheckpoint *checkpoint;
	RfOpenFile index;
	RfArena *scratch;
	uint64_t shard_count;   /* 0 before the header was read */
	RfWeightEntry *entries; /* [capacity] */
	size_t count;
	size_t capacity;
} Bundle;

/* A field of a protocol buffer: a number, or bytes. */
typedef struct Field
{
	uint64_t number;
	uint64_t value;
	RfBytes bytes;
	bool is_bytes;
} Field;

/* A BundleEntryProto. */
typedef struct Entry
{
	uint64_t type;
	uint64_t shard;
	uint64_t offset;
	uint64_t size;
	uint32_t checksum;
	bool has_slices;
	int rank;
	uint64_t shape[RF_MAX_RANK];
} Entry;

static const struct
{
	uint64_t type;
	RfDtype dtype;
} types[] = {
	{1, RF_F32}, {2, RF_F64}, {3, RF_I32},   {4, RF_U8},    {5, RF_I16},
	{6, RF_I8},  {9, RF_I64}, {10, RF_BOOL}, {14, RF_BF16}, {19, RF_F16},
};

static RfCode
fail(const Bundle *bundle, RfCode code, const char *name, const char *what, RfError *err)
{
	if (name == NULL)
		rf_error_set(err, code, "file \"%s\" %s", bundle->index.name, what);
	else
		rf_error_set(err, code, "tensor \"%s\" in file \"%s\" %s", name, bundle->index.name, what);
	rf_error_origin(err, bundle->index.name, RF_NO_OFFSET);
	return code;
}

static RfCode
malformed(const Bundle *bundle, const char *name, const char *what, RfError *err)
{
	return fail(bundle, RF_CORRUPT, name, what, err);
}

/* ---- protocol buffers ------------------------------------------------------------------------ */

enum
{
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5
};

/* The next field of a message; false when it is cut off or of a kind that is not used any more. */
static bool
next_field(RfBytes *message, Field *field)
{
	uint64_t tag, length;
	uint32_t fixed;

	if (!rf_bytes_varint(message, &tag))
		return false;
	*field = (Field){.number = tag >> 3, .is_bytes = (tag & 7) == WIRE_BYTES};
	switch (tag & 7)
	{
		case WIRE_VARINT:
			return rf_bytes_varint(message, &field->value);
		case WIRE_FIXED64:
			return rf_bytes_take(message, sizeof(uint64_t), &field->bytes);
		case WIRE_BYTES:
			return rf_bytes_varint(message, &length) &&
				   rf_bytes_take(message, length, &field->bytes);
		case WIRE_FIXED32:
			if (!rf_bytes_fixed32(message, &fixed))
				return false;
			field->value = fixed;
			return true;
		default:
			return false;
	}
}

/* The value of a message's field of numbers; absent means 0. */
static bool
find_number(RfBytes message, uint64_t number, uint64_t *value)
{
	Field field;

	*value = 0;
	while (message.at < message.end)
	{
		if (!next_field(&message, &field))
			return false;
		if (field.number == number && !field.is_bytes)
			*value = field.value;
	}
	return true;
}

static RfCode
parse_header(Bundle *bundle, RfBytes value, RfError *err)
{
	static const char cut[] = "has a header that is cut off";
	uint64_t big_endian, least_reader;
	Field field;

	if (!find_number(value, 1, &bundle->shard_count) || !find_number(value, 2, &big_endian))
		return malformed(bundle, NULL, cut, err);
	while (value.at < value.end)
	{
		next_field(&value, &field);
		if (field.number != 3 || !field.is_bytes)
			continue;
		if (!find_number(field.bytes, 2, &least_reader))
			return malformed(bundle, NULL, cut, err);
		if (least_reader > VERSION)
			return fail(bundle, RF_UNSUPPORTED, NULL, "is of a newer version", err);
	}
	if (big_endian != 0)
		return fail(bundle, RF_UNSUPPORTED, NULL, "was written on a big-endian machine", err);
	if (bundle->shard_count == 0)
		return malformed(bundle, NULL, "names no data file", err);
	if (bundle->shard_count > RF_MAX_SHARDS)
		return fail(bundle, RF_LIMIT, NULL, "names more than 256 data files", err);
	return RF_OK;
}

static RfCode
parse_shape(const Bundle *bundle, const char *name, RfBytes shape, Entry *entry, RfError *err)
{
	Field field;
	uint64_t size;

	while (shape.at < shape.end)
	{
		if (!next_field(&shape, &field))
			return malformed(bundle, name, "has a shape that is cut off", err);
		if (field.number == 3 && field.value != 0)
			return malformed(bundle, name, "has a shape that is not known", err);
		if (field.number != 2 || !field.is_bytes)
			continue;
		if (entry->rank == RF_MAX_RANK)
			return fail(bundle, RF_LIMIT, name, "has more than 8 dimensions", err);
		if (!find_number(field.bytes, 1, &size) || size > INT64_MAX)
			return malformed(bundle, name, "has a shape that is not a list of sizes", err);
		entry->shape[entry->rank++] = size;
	}
	return RF_OK;
}

static RfCode
parse_entry(const Bundle *bundle, const char *name, RfBytes value, Entry *entry, RfError *err)
{
	Field field;

	memset(entry, 0, sizeof(*entry));
	while (value.at < value.end)
	{
		if (!next_field(&value, &field))
			return malformed(bundle, name, "has an entry that is cut off", err);
		switch (field.number)
		{
			case 1:
				entry->type = field.value;
				break;
			case 2:
				entry->rank = 0;
				RF_TRY(parse_shape(bundle, name, field.bytes, entry, err));
				break;
			case 3:
				entry->shard = field.value;
				break;
			case 4:
				entry->offset = field.value;
				break;
			case 5:
				entry->size = field.value;
				break;
			case 6:
				entry->checksum = (uint32_t) field.value;
				break;
			case 7:
				entry->has_slices = true;
				break;
			default:
				break;
		}
	}
	return RF_OK;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static bool
find_dtype(uint64_t type, RfDtype *dtype)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		if (types[i].type == type)
		{
			*dtype = types[i].dtype;
			return true;
		}
	}
	return false;
}

static RfCode
reserve_entry(Bundle *bundle, RfError *err)
{
	RfWeightEntry *larger;
	size_t capacity = bundle->capacity == 0 ? 256 : 2 * bundle->capacity;

	if (bundle->count < bundle->capacity)
		return RF_OK;
	RF_NEW(bundle->scratch, larger, capacity, err);
	if (bundle->count > 0)
		memcpy(larger, bundle->entries, bundle->count * sizeof(*larger));
	bundle->entries = larger;
	bundle->capacity = capacity;
	return RF_OK;
}

/* Checks what an entry says by itself; its file is not open yet. */
static RfCode
check_entry(const Bundle *bundle, const char *name, const Entry *entry, const RfTensorDesc *desc,
			RfError *err)
{
	size_t bytes;
	RfCode code;

	if (entry->has_slices)
		return fail(bundle, RF_UNSUPPORTED, name, "is stored in slices", err);
	if (entry->shard >= bundle->shard_count)
		return malformed(bundle, name, "is in a data file that there is none of", err);
	code = rf_tensor_bytes(desc, &bytes, err);
	if (code != RF_OK)
	{
		rf_error_origin(err, bundle->index.name, RF_NO_OFFSET);
		return code;
	}
	if (bytes != entry->size)
	{
		char shape[128];

		malformed(bundle, name, "does not have the bytes its shape calls for", err);
		rf_error_detail(err, "Shape %s of %s takes %zu bytes, the index gives %" PRIu64 ".",
						rf_tensor_shape_text(desc, shape, sizeof(shape)),
						rf_dtype_name(desc->dtype), bytes, entry->size);
		return RF_CORRUPT;
	}
	return RF_OK;
}

static RfCode
add_entry(Bundle *bundle, const char *name, const Entry *entry, RfVariableUse use, RfError *err)
{
	RfArena *arena = &bundle->checkpoint->arena;
	RfWeightEntry *weight;
	RfTensorDesc *desc;

	RF_TRY(reserve_entry(bundle, err));
	weight = &bundle->entries[bundle->count];
	memset(weight, 0, sizeof(*weight));
	desc = &weight->desc;
	if (!find_dtype(entry->type, &desc->dtype))
		return RF_OK;
	desc->name = rf_arena_copy(arena, name, strlen(name));
	if (desc->name == NULL)
		return rf_error_memory(err, strlen(name) + 1);
	desc->rank = entry->rank;
	memcpy(desc->shape, entry->shape, sizeof(desc->shape));
	RF_TRY(check_entry(bundle, name, entry, desc, err));
	weight->place = (RfWeightPlace){.file = (size_t) entry->shard,
									.offset = entry->offset,
									.has_checksum = true,
									.checksum = rf_bundle_checksum(entry->checksum)};
	RF_TRY(rf_weights_lay_out(weight, arena, use == RF_VARIABLE_TRANSPOSED, err));
	bundle->count++;
	return RF_OK;
}

/* Of a key as it can be shown: names that are no UTF-8 are refused, and said to be so. */
static RfCode
check_key(const Bundle *bundle, RfBytes key, RfError *err)
{
	size_t size = (size_t) (key.end - key.at);

	if (rf_utf8_valid_prefix((const char *) key.at, size) != size ||
		memchr(key.at, 0, size) != NULL)
		return malformed(bundle, NULL, "has a tensor whose name is not UTF-8", err);
	return RF_OK;
}

static RfCode
visit(void *context, RfBytes key, RfBytes value, RfError *err)
{
	Bundle *bundle = context;
	char name[2 * RF_MAX_TENSOR_NAME + 1];
	RfVariableUse use;
	Entry entry;
	RfCode code;

	if (key.at == key.end)
		return parse_header(bundle, value, err);
	if (bundle->shard_count == 0)
		return malformed(bundle, NULL, "has no header", err);
	RF_TRY(check_key(bundle, key, err));
	if (!rf_bundle_map_name(key, name, sizeof(name), &use))
		return fail(bundle, RF_LIMIT, NULL, "has a tensor whose name is too long", err);
	if (use == RF_VARIABLE_LEFT_OUT)
		return RF_OK;
	code = rf_weights_check_name(bundle->index.name, name, err);
	if (code != RF_OK)
	{
		rf_error_origin(err, bundle->index.name, RF_NO_OFFSET);
		return code;
	}
	RF_TRY(parse_entry(bundle, name, value, &entry, err));
	return add_entry(bundle, name, &entry, use, err);
}

/* ---- data files ------------------------------------------------------------------------------ */

static RfCode
open_shards(Bundle *bundle, int directory, RfError *err)
{
	RfCheckpoint *checkpoint = bundle->checkpoint;

	RF_NEW(&checkpoint->arena, checkpoint->files, bundle->shard_count, err);
	for (uint64_t i = 0; i < bundle->shard_count; i++)
	{
		char name[64];
		const char *kept;
		RfCode code;

		snprintf(name, sizeof(name), PREFIX ".data-%05" PRIu64 "-of-%05" PRIu64, i,
				 bundle->shard_count);
		kept = rf_arena_copy(&checkpoint->arena, name, strlen(name));
		if (kept == NULL)
			return rf_error_memory(err, strlen(name) + 1);
		code = rf_directory_open_file(directory, kept, &checkpoint->files[i], err);
		if (code != RF_OK)
		{
			rf_error_detail(err, "File \"%s\" names it as a data file.", bundle->index.name);
			return code;
		}
		checkpoint->file_count++;
	}
	return RF_OK;
}

static int
compare_places(const void *a, const void *b)
{
	const RfWeightPlace *left = &((const RfWeightEntry *) a)->place;
	const RfWeightPlace *right = &((const RfWeightEntry *) b)->place;

	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return left->row_size < right->row_size ? -1 : left->row_size > right->row_size;
}

/* Inside the file and behind the tensor before, of entries sorted by place. */
static RfCode
check_place(const Bundle *bundle, size_t index, RfError *err)
{
	const RfWeightEntry *entry = &bundle->entries[index];
	const RfOpenFile *file = &bundle->checkpoint->files[entry->place.file];
	uint64_t size = rf_weights_bytes(entry);
	const RfWeightEntry *before = index == 0 ? NULL : entry - 1;

	if (entry->place.offset > file->size || size > file->size - entry->place.offset)
	{
		malformed(bundle, entry->desc.name, "lies outside its data file", err);
		rf_error_detail(err,
						"Its bytes are %" PRIu64 " from %" PRIu64 ", file \"%s\" has %" PRIu64 ".",
						size, entry->place.offset, file->name, file->size);
		return RF_CORRUPT;
	}
	if (before != NULL && before->place.file == entry->place.file &&
		before->place.offset + rf_weights_bytes(before) > entry->place.offset)
	{
		malformed(bundle, entry->desc.name, "overlaps another tensor", err);
		rf_error_detail(err, "The other one is \"%s\".", before->desc.name);
		return RF_CORRUPT;
	}
	return RF_OK;
}

static RfCode
read_bundle(Bundle *bundle, int directory, RfError *err)
{
	RF_TRY(rf_table_read(&bundle->index, bundle->scratch, visit, bundle, err));
	if (bundle->shard_count == 0)
		return malformed(bundle, NULL, "has no header", err);
	RF_TRY(open_shards(bundle, directory, err));
	if (bundle->count > 0)
		qsort(bundle->entries, bundle->count, sizeof(*bundle->entries), compare_places);
	for (size_t i = 0; i < bundle->count; i++)
		RF_TRY(check_place(bundle, i, err));
	RF_TRY(rf_weights_sort(bundle->index.name, bundle->entries, bundle->count, err));
	return rf_weights_publish(bundle->checkpoint, bundle->entries, bundle->count, err);
}

static RfCode
open_bundle(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	RfArena scratch;
	Bundle bundle = {.checkpoint = checkpoint, .scratch = &scratch};
	RfCode code;

	RF_TRY(rf_directory_open_file(directory, INDEX_NAME, &bundle.index, err));
	rf_arena_init(&scratch, checkpoint->arena.memory);
	code = read_bundle(&bundle, directory, err);
	rf_arena_free(&scratch);
	rf_open_file_close(&bundle.index);
	return code;
}

const RfReader rf_bundle_reader = {INDEX_NAME, open_bundle, rf_weights_read};
