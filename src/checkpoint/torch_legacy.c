/*
 * torch_legacy.c - where tensors lie in a file that torch.save wrote before its zip form.
 *
 * Format: pickles of a magic number, of the protocol version 1001, of a dict of the writing
 * machine's properties, of the state dict, and of the list of storage keys; then, for each key in
 * that order, an int64 count and so many elements.
 *
 * Enforced: little-endian; each key at most once, and its storage in the state dict, which alone
 * says how large an element is; counts as the state dict has them; storages inside the file, and
 * nothing behind the last.
 *
 * Source: torch/serialization.py, _legacy_save.
 */
#include "torch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL_VERSION 1001

typedef struct Legacy
{
	const RfOpenFile *file;
	RfArena *scratch;
	uint64_t offset; /* what has been read */
	RfError *err;
} Legacy;

/* A storage that tensors use. */
typedef struct Used
{
	const RfTorchStorage *storage;
	uint64_t offset; /* in the file, 0 before it is found */
} Used;

static RfCode
corrupt(Legacy *legacy, const char *what, const char *key)
{
	rf_error_set(legacy->err, RF_CORRUPT, "storage \"%s\" in file \"%s\" %s", key,
				 legacy->file->name, what);
	rf_error_origin(legacy->err, legacy->file->name, legacy->offset);
	return RF_CORRUPT;
}

static RfCode
next_pickle(Legacy *legacy, RfPickleValue *value)
{
	return rf_pickle_read(legacy->file, &legacy->offset, legacy->file->size, legacy->scratch, value,
						  legacy->err);
}

/* Everything before the state dict. */
static RfCode
read_preface(Legacy *legacy)
{
	RfPickleValue value;
	const RfPickleValue *little;
	const char *what = NULL;
	RfCode code = RF_CORRUPT;

	legacy->offset = RF_TORCH_LEGACY_MAGIC_SIZE;
	RF_TRY(next_pickle(legacy, &value));
	if (value.kind != RF_PICKLE_INTEGER || value.integer != PROTOCOL_VERSION)
		what = "is of an unknown version of torch.save";
	else
	{
		RF_TRY(next_pickle(legacy, &value));
		little = value.kind == RF_PICKLE_DICT ? rf_pickle_get(&value, "little_endian") : NULL;
		if (little == NULL || little->kind != RF_PICKLE_BOOLEAN)
			what = "does not say its byte order";
		else if (little->integer == 0)
		{
			what = "was written on a big-endian machine";
			code = RF_UNSUPPORTED;
		}
	}
	if (what == NULL)
		return RF_OK;
	rf_error_set(legacy->err, code, "file \"%s\" %s", legacy->file->name, what);
	rf_error_origin(legacy->err, legacy->file->name, legacy->offset);
	return code;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const Used *) a)->storage->key, ((const Used *) b)->storage->key);
}

static RfCode
place_storage(Legacy *legacy, Used *used, size_t count, const RfPickleValue *key)
{
	RfTorchStorage wanted;
	Used probe = {.storage = &wanted};
	Used *found;
	int64_t elements;
	uint64_t bytes;

	if (key->kind != RF_PICKLE_STRING)
		return corrupt(legacy, "is not named by a string", "");
	wanted.key = key->string;
	found = bsearch(&probe, used, count, sizeof(*used), compare_keys);
	if (found == NULL)
		return corrupt(legacy, "belongs to no tensor", key->string);
	if (found->offset != 0)
		return corrupt(legacy, "is there more than once", key->string);
	if (legacy->file->size - legacy->offset < sizeof(elements))
		return corrupt(legacy, "is missing", key->string);
	RF_TRY(rf_open_file_read(legacy->file, legacy->offset, sizeof(elements), &elements,
							 legacy->err));
	if (elements < 0 || (uint64_t) elements != found->storage->elements)
		return corrupt(legacy, "does not have the elements its tensors say", key->string);
	legacy->offset += sizeof(elements);
	bytes = rf_torch_storage_bytes(found->storage);
	if (legacy->file->size - legacy->offset < bytes)
		return corrupt(legacy, "lies outside the file", key->string);
	found->offset = legacy->offset;
	legacy->offset += bytes;
	return RF_OK;
}

/* Storages of several tensors, which bsearch may find any of, become one. */
static RfCode
list_storages(Legacy *legacy, const RfTorchTensor *tensors, size_t count, Used **used,
			  size_t *used_count)
{
	RF_NEW0(legacy->scratch, *used, count, legacy->err);
	*used_count = 0;
	for (size_t i = 0; i < count; i++)
		(*used)[i] = (Used){.storage = &tensors[i].storage};
	qsort(*used, count, sizeof(**used), compare_keys);
	for (size_t i = 0; i < count; i++)
	{
		const RfTorchStorage *kept =
			*used_count == 0 ? NULL : (*used)[*used_count - 1].storage;
		const RfTorchStorage *storage = (*used)[i].storage;

		if (kept == NULL || strcmp(kept->key, storage->key) != 0)
			(*used)[(*used_count)++] = (*used)[i];
		else if (kept->dtype != storage->dtype || kept->elements != storage->elements)
			return corrupt(legacy, "is not the same for all its tensors", storage->key);
	}
	return RF_OK;
}

static RfCode
place_storages(Legacy *legacy, Used *used, size_t count)
{
	RfPickleValue keys;

	RF_TRY(next_pickle(legacy, &keys));
	if (keys.kind != RF_PICKLE_LIST)
	{
		rf_error_set(legacy->err, RF_CORRUPT, "file \"%s\" has no list of storages",
					 legacy->file->name);
		rf_error_origin(legacy->err, legacy->file->name, legacy->offset);
		return RF_CORRUPT;
	}
	for (size_t i = 0; i < keys.container->count; i++)
		RF_TRY(place_storage(legacy, used, count, &keys.container->items[i]));
	for (size_t i = 0; i < count; i++)
	{
		if (used[i].offset == 0)
			return corrupt(legacy, "is missing", used[i].storage->key);
	}
	if (legacy->offset == legacy->file->size)
		return RF_OK;
	rf_error_set(legacy->err, RF_CORRUPT, "file \"%s\" has %" PRIu64 " unused bytes at its end",
				 legacy->file->name, legacy->file->size - legacy->offset);
	rf_error_origin(legacy->err, legacy->file->name, legacy->offset);
	return RF_CORRUPT;
}

RfCode
rf_torch_legacy_locate(const RfOpenFile *file, RfArena *scratch, RfTorchTensor **tensors,
					   size_t *count, uint64_t **offsets, RfError *err)
{
	Legacy legacy = {.file = file, .scratch = scratch, .err = err};
	RfPickleValue value;
	Used *used;
	size_t used_count = 0;

	RF_TRY(read_preface(&legacy));
	RF_TRY(next_pickle(&legacy, &value));
	RF_TRY(rf_torch_list_tensors(file->name, &value, scratch, tensors, count, err));
	RF_TRY(list_storages(&legacy, *tensors, *count, &used, &used_count));
	RF_TRY(place_storages(&legacy, used, used_count));
	RF_NEW(scratch, *offsets, *count, err);
	for (size_t i = 0; i < *count; i++)
	{
		Used probe = {.storage = &(*tensors)[i].storage};
		const Used *found = bsearch(&probe, used, used_count, sizeof(*used), compare_keys);

		(*offsets)[i] = found->offset;
	}
	return RF_OK;
}
