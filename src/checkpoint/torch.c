/*
 * torch.c - reader of what torch.save writes: pytorch_model.bin, whole or in shards.
 *
 * Two forms exist, told apart by their first bytes: a zip archive (torch_zip.c) and a row of
 * pickles with raw data behind them (torch_legacy.c). Both describe tensors by a pickle, which is
 * read and never executed (pickle.c, torch_tensor.c).
 */
#include "torch.h"

#include <string.h>

#define FILE_NAME "pytorch_model.bin"
#define INDEX_NAME "pytorch_model.bin.index.json"
#define ZIP_MAGIC "PK\3\4"
#define ZIP_MAGIC_SIZE 4

static RfCode
choose_form(const RfOpenFile *file, RfTorchLocate *locate, RfError *err)
{
	char magic[RF_TORCH_LEGACY_MAGIC_SIZE] = {0};
	size_t length = file->size < sizeof(magic) ? (size_t) file->size : sizeof(magic);

	RF_TRY(rf_open_file_read(file, 0, length, magic, err));
	if (memcmp(magic, ZIP_MAGIC, ZIP_MAGIC_SIZE) == 0)
		*locate = rf_torch_zip_locate;
	else if (memcmp(magic, RF_TORCH_LEGACY_MAGIC, RF_TORCH_LEGACY_MAGIC_SIZE) == 0)
		*locate = rf_torch_legacy_locate;
	else
	{
		rf_error_set(err, RF_CORRUPT, "file \"%s\" is not one that torch.save writes", file->name);
		rf_error_detail(err, "It begins neither as a zip archive nor as the older form does.");
		rf_error_origin(err, file->name, 0);
		return RF_CORRUPT;
	}
	return RF_OK;
}

static bool
is_contiguous(const RfTorchTensor *tensor)
{
	uint64_t expected = 1;

	for (int i = tensor->rank - 1; i >= 0; i--)
	{
		if (tensor->shape[i] > 1 && tensor->strides[i] != expected)
			return false;
		expected *= tensor->shape[i];
	}
	return true;
}

static RfCode
make_entry(RfArena *arena, size_t file, const RfTorchTensor *tensor, uint64_t storage,
		   RfWeightEntry *entry, RfError *err)
{
	RfTensorDesc *desc = &entry->desc;
	size_t size = rf_dtype_size(tensor->storage.dtype);
	size_t bytes;

	desc->name = rf_arena_copy(arena, tensor->name, strlen(tensor->name));
	if (desc->name == NULL)
		return rf_error_memory(err, strlen(tensor->name) + 1);
	desc->dtype = tensor->storage.dtype;
	desc->rank = tensor->rank;
	memcpy(desc->shape, tensor->shape, sizeof(desc->shape));
	RF_TRY(rf_tensor_bytes(desc, &bytes, err));
	entry->place.file = file;
	entry->place.offset = storage + tensor->offset * size;
	entry->place.row_size = bytes == 0 ? 0 : bytes / (size_t) rf_tensor_rows(desc);
	if (bytes > 0 && !is_contiguous(tensor))
	{
		uint64_t *strides;

		RF_NEW(arena, strides, tensor->rank, err);
		memcpy(strides, tensor->strides, (size_t) tensor->rank * sizeof(*strides));
		entry->place.strides = strides;
	}
	return RF_OK;
}

static RfCode
read_in_scratch(RfCheckpoint *checkpoint, size_t file, RfArena *scratch, RfWeightEntry **entries,
				size_t *count, RfError *err)
{
	RfTorchTensor *tensors;
	uint64_t *offsets;
	RfTorchLocate locate;

	RF_TRY(choose_form(&checkpoint->files[file], &locate, err));
	RF_TRY(locate(&checkpoint->files[file], scratch, &tensors, count, &offsets, err));
	RF_NEW0(&checkpoint->arena, *entries, *count, err);
	for (size_t i = 0; i < *count; i++)
		RF_TRY(make_entry(&checkpoint->arena, file, &tensors[i], offsets[i], &(*entries)[i], err));
	return RF_OK;
}

static RfCode
read_header(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries, size_t *count,
			RfError *err)
{
	RfArena scratch;
	RfCode code;

	rf_arena_init(&scratch, checkpoint->arena.memory);
	code = read_in_scratch(checkpoint, file, &scratch, entries, count, err);
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

const RfReader rf_torch_reader = {FILE_NAME, open_single, rf_weights_read};
const RfReader rf_torch_index_reader = {INDEX_NAME, open_index, rf_weights_read};
