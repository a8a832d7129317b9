/*
 * safetensors.c - reader of safetensors files.
 *
 * Format: 8 bytes little-endian header length N; N bytes of JSON, an object of tensor name to
 * {dtype, shape, data_offsets: [begin, end)}, offsets relative to byte 8 + N, and optionally
 * "__metadata__", an object of strings; then the data, row-major and little-endian, covering the
 * rest of the file without overlap or hole.
 *
 * Enforced: N <= RF_JSON_MAX_BYTES (the format itself says 100 MB) and inside the file; at most
 * RF_MAX_TENSORS tensors; names of 1 to RF_MAX_TENSOR_NAME bytes without control characters; at
 * most RF_MAX_RANK dimensions; each tensor's range inside the data and as long as its shape and
 * type say; ranges adjacent from the first byte of data to the last byte of the file.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 */
#include "weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rf/json.h"

#define FILE_NAME "model.safetensors"
#define INDEX_NAME "model.safetensors.index.json"
#define LENGTH_SIZE 8
#define METADATA_KEY "__metadata__"

/* What is known of the file while its header is parsed. */
typedef struct Header
{
	const RfOpenFile *file;
	size_t file_index;
	uint64_t data_start;
	uint64_t data_size;
	RfArena *arena; /* for names */
} Header;

/* Says where in the file; detail and hint are kept. */
static RfCode
at(const Header *header, uint64_t offset, RfCode code, RfError *err)
{
	rf_error_origin(err, header->file->name, offset);
	return code;
}

static RfCode
read_length(Header *header, size_t *length, RfError *err)
{
	const RfOpenFile *file = header->file;
	uint64_t stored;

	if (file->size < LENGTH_SIZE)
	{
		rf_error_set(err, RF_CORRUPT, "file \"%s\" is too short for a safetensors header",
					 file->name);
		rf_error_detail(err, "It has %" PRIu64 " bytes.", file->size);
		return at(header, 0, RF_CORRUPT, err);
	}
	RF_TRY(rf_open_file_read(file, 0, sizeof(stored), &stored, err));
	if (stored > file->size - LENGTH_SIZE)
	{
		rf_error_set(err, RF_CORRUPT, "header of safetensors file \"%s\" is longer than the file",
					 file->name);
		rf_error_detail(err,
						"Its length is given as %" PRIu64 ", but only %" PRIu64 " bytes follow.",
						stored, file->size - LENGTH_SIZE);
		return at(header, 0, RF_CORRUPT, err);
	}
	if (stored > RF_JSON_MAX_BYTES)
	{
		rf_error_set(err, RF_LIMIT,
					 "header of safetensors file \"%s\" has %" PRIu64 " bytes, more than %zu",
					 file->name, stored, RF_JSON_MAX_BYTES);
		return at(header, 0, RF_LIMIT, err);
	}
	*length = (size_t) stored;
	header->data_start = LENGTH_SIZE + stored;
	header->data_size = file->size - header->data_start;
	return RF_OK;
}

static RfCode
check_name(const Header *header, const char *name, RfError *err)
{
	RfCode code = rf_weights_check_name(header->file->name, name, err);

	return code == RF_OK ? RF_OK : at(header, LENGTH_SIZE, code, err);
}

static RfCode
malformed(const Header *header, const char *tensor, const char *what, RfError *err)
{
	rf_error_set(err, RF_CORRUPT, "tensor \"%s\" in file \"%s\" %s", tensor, header->file->name,
				 what);
	return at(header, LENGTH_SIZE, RF_CORRUPT, err);
}

static RfCode
parse_dtype(const Header *header, const json_t *value, RfTensorDesc *desc, RfError *err)
{
	const json_t *dtype = json_object_get(value, "dtype");

	if (!json_is_string(dtype))
		return malformed(header, desc->name, "has no dtype", err);
	if (rf_dtype_parse(json_string_value(dtype), json_string_length(dtype), &desc->dtype))
		return RF_OK;
	rf_error_set(err, RF_UNSUPPORTED, "tensor \"%s\" in file \"%s\" has unsupported dtype \"%s\"",
				 desc->name, header->file->name, json_string_value(dtype));
	return at(header, LENGTH_SIZE, RF_UNSUPPORTED, err);
}

static RfCode
parse_shape(const Header *header, const json_t *value, RfTensorDesc *desc, RfError *err)
{
	const json_t *shape = json_object_get(value, "shape");
	size_t rank = json_array_size(shape);

	if (!json_is_array(shape))
		return malformed(header, desc->name, "has no shape", err);
	if (rank > RF_MAX_RANK)
	{
		rf_error_set(err, RF_LIMIT, "tensor \"%s\" in file \"%s\" has %zu dimensions, more than %d",
					 desc->name, header->file->name, rank, RF_MAX_RANK);
		return at(header, LENGTH_SIZE, RF_LIMIT, err);
	}
	desc->rank = (int) rank;
	for (size_t i = 0; i < rank; i++)
	{
		const json_t *size = json_array_get(shape, i);

		if (!json_is_integer(size) || json_integer_value(size) < 0)
			return malformed(header, desc->name, "has a shape that is not a list of sizes", err);
		desc->shape[i] = (uint64_t) json_integer_value(size);
	}
	return RF_OK;
}

static RfCode
parse_range(const Header *header, const json_t *value, RfWeightEntry *entry, RfError *err)
{
	const json_t *range = json_object_get(value, "data_offsets");
	const json_t *first = json_array_get(range, 0);
	const json_t *last = json_array_get(range, 1);
	uint64_t begin, end;
	size_t bytes;

	if (json_array_size(range) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
		json_integer_value(first) < 0 || json_integer_value(last) < 0)
		return malformed(header, entry->desc.name, "has no data_offsets", err);
	begin = (uint64_t) json_integer_value(first);
	end = (uint64_t) json_integer_value(last);
	if (begin > end || end > header->data_size)
	{
		malformed(header, entry->desc.name, "lies outside the file", err);
		rf_error_detail(err, "Its bytes are %" PRIu64 " to %" PRIu64 " of %" PRIu64 ".", begin, end,
						header->data_size);
		return RF_CORRUPT;
	}
	if (rf_tensor_bytes(&entry->desc, &bytes, err) != RF_OK)
		return at(header, LENGTH_SIZE, RF_CORRUPT, err);
	if (end - begin != bytes)
	{
		char shape[128];

		malformed(header, entry->desc.name, "does not have the bytes its shape calls for", err);
		rf_error_detail(err, "Shape %s of %s takes %zu bytes, data_offsets give %" PRIu64 ".",
						rf_tensor_shape_text(&entry->desc, shape, sizeof(shape)),
						rf_dtype_name(entry->desc.dtype), bytes, end - begin);
		return at(header, header->data_start + begin, RF_CORRUPT, err);
	}
	entry->place.file = header->file_index;
	entry->place.offset = header->data_start + begin;
	entry->place.row_size = bytes == 0 ? 0 : bytes / (size_t) rf_tensor_rows(&entry->desc);
	return RF_OK;
}

static RfCode
parse_entry(const Header *header, const char *name, const json_t *value, RfWeightEntry *entry,
			RfError *err)
{
	RF_TRY(check_name(header, name, err));
	entry->desc.name = rf_arena_copy(header->arena, name, strlen(name));
	if (entry->desc.name == NULL)
		return rf_error_memory(err, strlen(name) + 1);
	if (!json_is_object(value))
		return malformed(header, name, "is not described by a JSON object", err);
	RF_TRY(parse_dtype(header, value, &entry->desc, err));
	RF_TRY(parse_shape(header, value, &entry->desc, err));
	return parse_range(header, value, entry, err);
}

static RfCode
check_metadata(const Header *header, json_t *metadata, RfError *err)
{
	const char *key;
	json_t *value;
	bool good = json_is_object(metadata);

	json_object_foreach(metadata, key, value) good = good && json_is_string(value);
	if (good)
		return RF_OK;
	rf_error_set(err, RF_CORRUPT, "\"%s\" of file \"%s\" is not an object of strings", METADATA_KEY,
				 header->file->name);
	return at(header, LENGTH_SIZE, RF_CORRUPT, err);
}

static RfCode
parse_entries(const Header *header, json_t *root, RfWeightEntry **entries, size_t *count,
			  RfError *err)
{
	const char *name;
	json_t *value;

	if (json_object_size(root) > RF_MAX_TENSORS)
	{
		rf_error_set(err, RF_LIMIT, "file \"%s\" has %zu tensors, more than %zu",
					 header->file->name, json_object_size(root), RF_MAX_TENSORS);
		return at(header, LENGTH_SIZE, RF_LIMIT, err);
	}
	RF_NEW0(header->arena, *entries, json_object_size(root), err);
	*count = 0;
	json_object_foreach(root, name, value)
	{
		if (strcmp(name, METADATA_KEY) == 0)
			RF_TRY(check_metadata(header, value, err));
		else
		{
			RF_TRY(parse_entry(header, name, value, &(*entries)[*count], err));
			(*count)++;
		}
	}
	return RF_OK;
}

/* Empty tensors may share their offset with the one behind them; the shorter goes first. */
static int
compare_places(const void *a, const void *b)
{
	const RfWeightEntry *left = a;
	const RfWeightEntry *right = b;

	if (left->place.offset != right->place.offset)
		return left->place.offset < right->place.offset ? -1 : 1;
	if (left->place.row_size != right->place.row_size)
		return left->place.row_size < right->place.row_size ? -1 : 1;
	return strcmp(left->desc.name, right->desc.name);
}

static uint64_t
entry_end(const RfWeightEntry *entry)
{
	if (entry->place.row_size == 0)
		return entry->place.offset;
	return entry->place.offset + entry->place.row_size * rf_tensor_rows(&entry->desc);
}

static RfCode
check_coverage(const Header *header, RfWeightEntry *entries, size_t count, RfError *err)
{
	uint64_t covered = header->data_start;

	qsort(entries, count, sizeof(*entries), compare_places);
	for (size_t i = 0; i < count; i++)
	{
		const char *name = entries[i].desc.name;

		if (entries[i].place.offset < covered)
		{
			malformed(header, name, "overlaps another tensor", err);
			rf_error_detail(err, "The other one is \"%s\".", entries[i - 1].desc.name);
			return at(header, entries[i].place.offset, RF_CORRUPT, err);
		}
		if (entries[i].place.offset > covered)
		{
			malformed(header, name, "has unused bytes before it", err);
			return at(header, covered, RF_CORRUPT, err);
		}
		covered = entry_end(&entries[i]);
	}
	if (covered != header->file->size)
	{
		rf_error_set(err, RF_CORRUPT, "file \"%s\" has %" PRIu64 " unused bytes at its end",
					 header->file->name, header->file->size - covered);
		return at(header, covered, RF_CORRUPT, err);
	}
	return RF_OK;
}

static RfCode
parse_header(const Header *header, const char *text, size_t length, RfWeightEntry **entries,
			 size_t *count, RfError *err)
{
	json_t *root;
	RfCode code;

	if (length == 0 || text[0] != '{')
	{
		rf_error_set(err, RF_CORRUPT, "file \"%s\" has no safetensors header", header->file->name);
		return at(header, LENGTH_SIZE, RF_CORRUPT, err);
	}
	code = rf_json_parse(header->file->name, text, length, &root, err);
	if (code != RF_OK)
	{
		/* json.h counts from the header's first byte. */
		if (err != NULL && err->offset != RF_NO_OFFSET)
			err->offset += LENGTH_SIZE;
		return code;
	}
	code = parse_entries(header, root, entries, count, err);
	json_decref(root);
	RF_TRY(code);
	return check_coverage(header, *entries, *count, err);
}

static RfCode
read_header(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries, size_t *count,
			RfError *err)
{
	Header header = {
		.file = &checkpoint->files[file], .file_index = file, .arena = &checkpoint->arena};
	RfArena scratch;
	size_t length;
	char *text;
	RfCode code;

	RF_TRY(read_length(&header, &length, err));
	rf_arena_init(&scratch, checkpoint->arena.memory);
	text = rf_arena_alloc(&scratch, length, 1);
	if (text == NULL)
		return rf_error_memory(err, length);
	code = rf_open_file_read(header.file, LENGTH_SIZE, length, text, err);
	if (code == RF_OK)
		code = parse_header(&header, text, length, entries, count, err);
	rf_arena_free(&scratch);
	return code;
}

static RfCode
open_single(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	return rf_weights_open_single(checkpoint, directory, FILE_NAME, read_header, err);
}

static RfCode
open_index(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	return rf_weights_open_shards(checkpoint, directory, INDEX_NAME, read_header, err);
}

const RfReader rf_safetensors_reader = {FILE_NAME, open_single, rf_weights_read};
const RfReader rf_safetensors_index_reader = {INDEX_NAME, open_index, rf_weights_read};
