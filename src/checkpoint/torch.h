/*
 * torch.h - the two forms of files that torch.save writes, and the tensors a state dict describes.
 */
#ifndef RF_TORCH_H
#define RF_TORCH_H

#include "pickle.h"
#include "weights.h"

/* What a persistent id says. */
typedef struct RfTorchStorage
{
	const char *key;
	RfDtype dtype;
	uint64_t elements;
	bool is_view; /* legacy form: tensors see elements [view_offset, view_offset + view_elements) */
	uint64_t view_offset;
	uint64_t view_elements;
} RfTorchStorage;

typedef struct RfTorchTensor
{
	const char *name;
	RfTorchStorage storage;
	uint64_t offset; /* elements into the storage */
	int rank;
	uint64_t shape[RF_MAX_RANK];
	uint64_t strides[RF_MAX_RANK]; /* in elements */
} RfTorchTensor;

/*
 * Checks that the value is a state dict and that each tensor lies in its storage as given. Tensors
 * lie in the arena, names are those of the value.
 */
extern RfCode rf_torch_list_tensors(const char *file, const RfPickleValue *value, RfArena *arena,
									RfTorchTensor **tensors, size_t *count, RfError *err);

/* Bytes of a storage; what rf_torch_list_tensors lets through does not overflow. */
extern uint64_t rf_torch_storage_bytes(const RfTorchStorage *storage);

/*
 * Where each tensor's storage lies in checkpoint->files[file] goes into offsets [count], which come
 * from the scratch arena as the tensors do.
 */
typedef RfCode (*RfTorchLocate)(const RfOpenFile *file, RfArena *scratch, RfTorchTensor **tensors,
								size_t *count, uint64_t **offsets, RfError *err);

extern RfCode rf_torch_zip_locate(const RfOpenFile *file, RfArena *scratch, RfTorchTensor **tensors,
								  size_t *count, uint64_t **offsets, RfError *err);
extern RfCode rf_torch_legacy_locate(const RfOpenFile *file, RfArena *scratch,
									 RfTorchTensor **tensors, size_t *count, uint64_t **offsets,
									 RfError *err);

#define RF_TORCH_LEGACY_MAGIC "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
#define RF_TORCH_LEGACY_MAGIC_SIZE 15

#endif
