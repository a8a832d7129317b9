/*
 * shard_index.c - reader of weights cut into shards, whatever format the shards have.
 *
 * Format: *.index.json, an object whose "weight_map" maps each tensor's name to
 * the name of the shard file that holds it. Other members ("metadata") are not used.
 *
 * Enforced: shards are plain file names in the same directory, at most RF_MAX_SHARDS of them; every
 * tensor of the map is in the shard the map says; no tensor is in two shards. As with Hugging
 * Face's loader, tensors of a shard that the map does not name don't count. Each shard is checked
 * as a file of its format.
 */
#include "weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rf/json.h"

typedef struct Mapping
{
	const char *tensor; /* owned by the JSON value */
	const char *shard;  /* likewise until shards are opened, then the open file's name */
} Mapping;

typedef struct Index
{
	const char *name; /* of the index file */
	RfWeightsHeader read_header;
	RfCheckpoint *checkpoint;
	RfArena *scratch;  /* until the checkpoint is open */
	Mapping *mappings; /* [count] in order of shards */
	size_t count;
	RfWeightEntry *entries; /* [entry_count] of all shards */
	size_t entry_count;
} Index;

static RfCode
fail(const Index *index, RfCode code, RfError *err)
{
	rf_error_origin(err, index->name, RF_NO_OFFSET);
	return code;
}

static bool
is_plain(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
		   strcmp(name, "..") != 0;
}

static RfCode
collect_mappings(Index *index, json_t *root, RfError *err)
{
	json_t *map = json_object_get(root, "weight_map");
	const char *tensor;
	json_t *shard;

	if (!json_is_object(map))
	{
		rf_error_set(err, RF_CORRUPT, "file \"%s\" has no weight_map", index->name);
		return fail(index, RF_CORRUPT, err);
	}
	if (json_object_size(map) > RF_MAX_TENSORS)
	{
		rf_error_set(err, RF_LIMIT, "file \"%s\" has %zu tensors, more than %zu", index->name,
					 json_object_size(map), RF_MAX_TENSORS);
		return fail(index, RF_LIMIT, err);
	}
	RF_NEW(index->scratch, index->mappings, json_object_size(map), err);
	json_object_foreach(map, tensor, shard)
	{
		const char *name = json_string_value(shard);

		if (name == NULL || !is_plain(name))
		{
			rf_error_set(err, RF_CORRUPT, "file \"%s\" gives no plain file name for a tensor",
						 index->name);
			rf_error_detail(err, "Tensor \"%s\" is placed in \"%s\".", tensor,
							name == NULL ? "" : name);
			return fail(index, RF_CORRUPT, err);
		}
		index->mappings[index->count++] = (Mapping){tensor, name};
	}
	return RF_OK;
}

static int
compare_shards(const void *a, const void *b)
{
	return strcmp(((const Mapping *) a)->shard, ((const Mapping *) b)->shard);
}

static RfCode
count_shards(Index *index, size_t *shards, RfError *err)
{
	*shards = 0;
	for (size_t i = 0; i < index->count; i++)
		*shards += i == 0 || strcmp(index->mappings[i - 1].shard, index->mappings[i].shard) != 0;
	if (*shards > RF_MAX_SHARDS)
	{
		rf_error_set(err, RF_LIMIT, "file \"%s\" names %zu shards, more than %d", index->name,
					 *shards, RF_MAX_SHARDS);
		return fail(index, RF_LIMIT, err);
	}
	return RF_OK;
}

static RfCode
open_shard(Index *index, int directory, const char *name, RfError *err)
{
	RfCheckpoint *checkpoint = index->checkpoint;
	RfOpenFile *file = &checkpoint->files[checkpoint->file_count];
	const char *kept = rf_arena_copy(&checkpoint->arena, name, strlen(name));
	RfCode code;

	if (kept == NULL)
		return rf_error_memory(err, strlen(name) + 1);
	code = rf_directory_open_file(directory, kept, file, err);
	if (code != RF_OK)
	{
		rf_error_detail(err, "File \"%s\" names it as a shard.", index->name);
		return fail(index, code, err);
	}
	checkpoint->file_count++;
	return RF_OK;
}

/* Opens each shard once and points its mappings to the open file's name. */
static RfCode
open_shards(Index *index, int directory, RfError *err)
{
	RfCheckpoint *checkpoint = index->checkpoint;
	size_t shards;

	qsort(index->mappings, index->count, sizeof(Mapping), compare_shards);
	RF_TRY(count_shards(index, &shards, err));
	RF_NEW(&checkpoint->arena, checkpoint->files, shards, err);
	for (size_t i = 0; i < index->count; i++)
	{
		Mapping *mapping = &index->mappings[i];

		if (checkpoint->file_count == 0 ||
			strcmp(checkpoint->files[checkpoint->file_count - 1].name, mapping->shard) != 0)
			RF_TRY(open_shard(index, directory, mapping->shard, err));
		mapping->shard = checkpoint->files[checkpoint->file_count - 1].name;
	}
	return RF_OK;
}

static RfCode
refuse_duplicates(const Index *index, RfError *err)
{
	for (size_t i = 1; i < index->entry_count; i++)
	{
		const RfWeightEntry *one = &index->entries[i - 1];
		const RfWeightEntry *other = &index->entries[i];

		if (strcmp(one->desc.name, other->desc.name) != 0)
			continue;
		rf_error_set(err, RF_CORRUPT, "tensor \"%s\" is in more than one shard", one->desc.name);
		rf_error_detail(err, "Both \"%s\" and \"%s\" have it.",
						index->checkpoint->files[one->place.file].name,
						index->checkpoint->files[other->place.file].name);
		return fail(index, RF_CORRUPT, err);
	}
	return RF_OK;
}

typedef struct ShardEntries
{
	RfWeightEntry *entries;
	size_t count;
} ShardEntries;

static RfCode
join_entries(Index *index, const ShardEntries *shards, RfError *err)
{
	RF_NEW(index->scratch, index->entries, index->entry_count, err);
	index->entry_count = 0;
	for (size_t i = 0; i < index->checkpoint->file_count; i++)
	{
		if (shards[i].count > 0)
			memcpy(index->entries + index->entry_count, shards[i].entries,
				   shards[i].count * sizeof(*index->entries));
		index->entry_count += shards[i].count;
	}
	qsort(index->entries, index->entry_count, sizeof(*index->entries), rf_weights_compare);
	return refuse_duplicates(index, err);
}

static RfCode
read_headers(Index *index, RfError *err)
{
	ShardEntries *shards;

	RF_NEW(index->scratch, shards, index->checkpoint->file_count, err);
	for (size_t i = 0; i < index->checkpoint->file_count; i++)
	{
		RF_TRY(index->read_header(index->checkpoint, i, &shards[i].entries,
										  &shards[i].count, err));
		index->entry_count += shards[i].count;
		if (index->entry_count > RF_MAX_TENSORS)
		{
			rf_error_set(err, RF_LIMIT, "the shards of \"%s\" have more than %zu tensors",
						 index->name, RF_MAX_TENSORS);
			return fail(index, RF_LIMIT, err);
		}
	}
	return join_entries(index, shards, err);
}

/* Keeps the mapped entries, in the same order; mappings come sorted by tensor. */
static RfCode
select_mapped(Index *index, RfError *err)
{
	size_t kept = 0;
	size_t next = 0;

	for (size_t i = 0; i < index->count; i++)
	{
		const Mapping *mapping = &index->mappings[i];
		int order = 1;

		while (next < index->entry_count &&
			   (order = strcmp(index->entries[next].desc.name, mapping->tensor)) < 0)
			next++;
		if (next == index->entry_count || order > 0 ||
			index->checkpoint->files[index->entries[next].place.file].name != mapping->shard)
		{
			rf_error_set(err, RF_CORRUPT, "tensor \"%s\" is not in shard \"%s\"", mapping->tensor,
						 mapping->shard);
			rf_error_detail(err, "File \"%s\" places it there.", index->name);
			rf_error_origin(err, mapping->shard, RF_NO_OFFSET);
			return RF_CORRUPT;
		}
		index->entries[kept++] = index->entries[next++];
	}
	index->entry_count = kept;
	return RF_OK;
}

static int
compare_tensors(const void *a, const void *b)
{
	return strcmp(((const Mapping *) a)->tensor, ((const Mapping *) b)->tensor);
}

static RfCode
read_shards(Index *index, int directory, json_t *root, RfError *err)
{
	RF_TRY(collect_mappings(index, root, err));
	RF_TRY(open_shards(index, directory, err));
	RF_TRY(read_headers(index, err));
	qsort(index->mappings, index->count, sizeof(Mapping), compare_tensors);
	RF_TRY(select_mapped(index, err));
	return rf_weights_publish(index->checkpoint, index->entries, index->entry_count, err);
}

static RfCode
read_index_file(const Index *index, int directory, char **text, size_t *length, RfError *err)
{
	RfOpenFile file;
	RfCode code;

	RF_TRY(rf_directory_open_file(directory, index->name, &file, err));
	code = rf_open_file_read_whole(&file, RF_JSON_MAX_BYTES, index->scratch, text, length, err);
	rf_open_file_close(&file);
	return code;
}

static RfCode
open_in_scratch(Index *index, int directory, RfError *err)
{
	json_t *root;
	char *text;
	size_t length;
	RfCode code;

	RF_TRY(read_index_file(index, directory, &text, &length, err));
	RF_TRY(rf_json_parse(index->name, text, length, &root, err));
	code = read_shards(index, directory, root, err);
	json_decref(root);
	return code;
}

RfCode
rf_weights_open_shards(RfCheckpoint *checkpoint, int directory, const char *name,
					   RfWeightsHeader read_header, RfError *err)
{
	RfArena scratch;
	Index index = {.name = name,
				   .read_header = read_header,
				   .checkpoint = checkpoint,
				   .scratch = &scratch};
	RfCode code;

	rf_arena_init(&scratch, checkpoint->arena.memory);
	code = open_in_scratch(&index, directory, err);
	rf_arena_free(&scratch);
	return code;
}
