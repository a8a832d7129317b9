/*
 * torch_tensor.c - the tensors that an unpickled state dict describes.
 *
 * Format: a dict of names to calls
 *   _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks[, metadata])
 *   _rebuild_parameter(such a call, requires_grad, hooks)
 * where storage is the persistent id
 *   ("storage", class, key, location, elements[, view])
 * and view is None or (key, offset, elements). Offset, sizes and strides count elements.
 *
 * Enforced: at most RF_MAX_TENSORS tensors of different names, of at most RF_MAX_RANK dimensions;
 * every element inside the storage; no more elements than the storage has and no stride of 0, so
 * that no tensor is larger than its file.
 *
 * Source: torch/_utils.py, torch/serialization.py.
 */
#include "torch.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ELEMENTS (UINT64_MAX / 16)

typedef struct Reading
{
	const char *file;
	const char *name; /* of the tensor */
	RfError *err;
} Reading;

static RfCode
malformed(const Reading *reading, RfCode code, const char *what)
{
	rf_error_set(reading->err, code, "tensor \"%s\" in file \"%s\" %s", reading->name,
				 reading->file, what);
	rf_error_origin(reading->err, reading->file, RF_NO_OFFSET);
	return code;
}

static bool
get_size(const RfPickleValue *value, uint64_t *size)
{
	if (value->kind != RF_PICKLE_INTEGER || value->integer < 0)
		return false;
	*size = (uint64_t) value->integer;
	return *size <= MAX_ELEMENTS;
}

static bool
get_view(const RfPickleValue *value, RfTorchStorage *storage)
{
	if (value->kind == RF_PICKLE_NONE)
		return true;
	storage->is_view = true;
	return value->kind == RF_PICKLE_TUPLE && value->count == 3 &&
		   get_size(&value->items[1], &storage->view_offset) &&
		   get_size(&value->items[2], &storage->view_elements);
}

static RfCode
parse_storage(const Reading *reading, const RfPickleValue *value, RfTorchStorage *storage)
{
	const RfPickleValue *id = value->items;
	const RfPickleValue *parts;

	if (value->kind != RF_PICKLE_PERSISTENT || id->count < 5 || id->count > 6)
		return malformed(reading, RF_CORRUPT, "has no storage");
	parts = id->items;
	if (parts[0].kind != RF_PICKLE_STRING || strcmp(parts[0].string, "storage") != 0 ||
		parts[1].kind != RF_PICKLE_GLOBAL || parts[1].global->role != RF_PICKLE_STORAGE ||
		parts[2].kind != RF_PICKLE_STRING || !get_size(&parts[4], &storage->elements) ||
		(id->count == 6 && !get_view(&parts[5], storage)))
		return malformed(reading, RF_CORRUPT, "has a malformed storage");
	storage->key = parts[2].string;
	storage->dtype = parts[1].global->dtype;
	if (storage->elements > MAX_ELEMENTS / rf_dtype_size(storage->dtype))
		return malformed(reading, RF_CORRUPT, "has a storage of too many elements");
	if (storage->is_view && (storage->view_offset > storage->elements ||
							 storage->view_elements > storage->elements - storage->view_offset))
		return malformed(reading, RF_CORRUPT, "has a view outside its storage");
	return RF_OK;
}

static RfCode
parse_sizes(const Reading *reading, const RfPickleValue *sizes, const RfPickleValue *strides,
			RfTorchTensor *tensor)
{
	if (sizes->kind != RF_PICKLE_TUPLE || strides->kind != RF_PICKLE_TUPLE ||
		sizes->count != strides->count)
		return malformed(reading, RF_CORRUPT, "has no tuples of sizes and strides");
	if (sizes->count > RF_MAX_RANK)
		return malformed(reading, RF_LIMIT, "has more than 8 dimensions");
	tensor->rank = (int) sizes->count;
	for (uint32_t i = 0; i < sizes->count; i++)
	{
		if (!get_size(&sizes->items[i], &tensor->shape[i]))
			return malformed(reading, RF_CORRUPT, "has a size that is no count");
		if (!get_size(&strides->items[i], &tensor->strides[i]))
			return malformed(reading, RF_CORRUPT, "has a stride that is no count");
		/* Along one element the stride means nothing, and torch writes anything. */
		if (tensor->shape[i] == 1)
			tensor->strides[i] = 1;
	}
	return RF_OK;
}

/* All elements lie inside the storage, or the part of it that the tensor may see. */
static RfCode
check_extent(const Reading *reading, RfTorchTensor *tensor)
{
	const RfTorchStorage *storage = &tensor->storage;
	uint64_t seen = storage->is_view ? storage->view_elements : storage->elements;
	RfTensorDesc desc = {.name = tensor->name, .dtype = storage->dtype, .rank = tensor->rank};
	uint64_t last = tensor->offset;
	size_t elements;

	memcpy(desc.shape, tensor->shape, sizeof(desc.shape));
	if (rf_tensor_elements(&desc, &elements, NULL) != RF_OK)
		return malformed(reading, RF_CORRUPT, "has too many elements");
	if (elements > 0)
	{
		for (int i = 0; i < tensor->rank; i++)
		{
			uint64_t reach;

			if (tensor->strides[i] == 0)
				return malformed(reading, RF_UNSUPPORTED, "has a stride of 0");
			if (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->strides[i], &reach) ||
				__builtin_add_overflow(last, reach, &last))
				return malformed(reading, RF_CORRUPT, "lies outside its storage");
		}
		if (last >= seen)
			return malformed(reading, RF_CORRUPT, "lies outside its storage");
		if (elements > seen)
			return malformed(reading, RF_UNSUPPORTED, "has more elements than its storage");
	}
	else
		tensor->offset = 0;
	tensor->offset += storage->view_offset;
	return RF_OK;
}

/* The arguments of a call of that role, NULL when it is none or has too few of them. */
static const RfPickleValue *
arguments_of(const RfPickleValue *value, RfPickleRole role, uint32_t least)
{
	if (value->kind != RF_PICKLE_CALL || value->items[0].global->role != role ||
		value->items[1].count < least)
		return NULL;
	return value->items[1].items;
}

static RfCode
parse_tensor(const Reading *reading, const RfPickleValue *value, RfTorchTensor *tensor)
{
	const RfPickleValue *arguments = arguments_of(value, RF_PICKLE_REBUILD_PARAMETER, 1);

	if (arguments != NULL)
		value = &arguments[0];
	arguments = arguments_of(value, RF_PICKLE_REBUILD_TENSOR, 6);
	if (arguments == NULL)
		return malformed(reading, RF_UNSUPPORTED, "is not a tensor");
	RF_TRY(parse_storage(reading, &arguments[0], &tensor->storage));
	if (!get_size(&arguments[1], &tensor->offset))
		return malformed(reading, RF_CORRUPT, "has an offset that is no count");
	RF_TRY(parse_sizes(reading, &arguments[2], &arguments[3], tensor));
	return check_extent(reading, tensor);
}

static RfCode
parse_item(Reading *reading, const RfPickleValue *key, RfTorchTensor *tensor)
{
	RfCode code;

	if (key->kind != RF_PICKLE_STRING || strlen(key->string) != key->count)
	{
		rf_error_set(reading->err, RF_CORRUPT, "file \"%s\" has a tensor whose name is no text",
					 reading->file);
		rf_error_origin(reading->err, reading->file, RF_NO_OFFSET);
		return RF_CORRUPT;
	}
	tensor->name = reading->name = key->string;
	code = rf_weights_check_name(reading->file, key->string, reading->err);
	if (code != RF_OK)
	{
		rf_error_origin(reading->err, reading->file, RF_NO_OFFSET);
		return code;
	}
	return parse_tensor(reading, key + 1, tensor);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const RfTorchTensor *) a)->name, ((const RfTorchTensor *) b)->name);
}

static RfCode
refuse_duplicates(Reading *reading, RfTorchTensor *tensors, size_t count)
{
	qsort(tensors, count, sizeof(*tensors), compare_names);
	for (size_t i = 1; i < count; i++)
	{
		reading->name = tensors[i].name;
		if (strcmp(tensors[i - 1].name, tensors[i].name) == 0)
			return malformed(reading, RF_CORRUPT, "is there more than once");
	}
	return RF_OK;
}

RfCode
rf_torch_list_tensors(const char *file, const RfPickleValue *value, RfArena *arena,
					  RfTorchTensor **tensors, size_t *count, RfError *err)
{
	Reading reading = {.file = file, .err = err};

	if (value->kind != RF_PICKLE_DICT)
	{
		rf_error_set(err, RF_UNSUPPORTED, "file \"%s\" does not hold a state dict", file);
		rf_error_origin(err, file, RF_NO_OFFSET);
		return RF_UNSUPPORTED;
	}
	*count = value->container->count / 2;
	if (*count > RF_MAX_TENSORS)
	{
		rf_error_set(err, RF_LIMIT, "file \"%s\" has %zu tensors, more than %zu", file, *count,
					 RF_MAX_TENSORS);
		rf_error_origin(err, file, RF_NO_OFFSET);
		return RF_LIMIT;
	}
	RF_NEW0(arena, *tensors, *count, err);
	for (size_t i = 0; i < *count; i++)
		RF_TRY(parse_item(&reading, &value->container->items[2 * i], &(*tensors)[i]));
	return refuse_duplicates(&reading, *tensors, *count);
}

uint64_t
rf_torch_storage_bytes(const RfTorchStorage *storage)
{
	return storage->elements * rf_dtype_size(storage->dtype);
}
