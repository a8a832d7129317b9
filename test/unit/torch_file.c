/*
 * torch_file.c - an independent writer of files as torch.save writes them, right or wrong.
 */
#include "torch_file.h"

#include <stdlib.h>
#include <string.h>

void
bytes_add(Bytes *bytes, const void *data, size_t size)
{
	if (bytes->size + size > bytes->capacity)
	{
		bytes->capacity = 2 * (bytes->size + size);
		bytes->data = realloc(bytes->data, bytes->capacity);
		if (bytes->data == NULL)
			abort();
	}
	if (size > 0)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

void
bytes_number(Bytes *bytes, uint64_t number, size_t size)
{
	bytes_add(bytes, &number, size);
}

void
bytes_free(Bytes *bytes)
{
	free(bytes->data);
	*bytes = (Bytes){0};
}

void
pickle_add(Bytes *bytes, const char *opcodes)
{
	bytes_add(bytes, opcodes, strlen(opcodes));
}

void
pickle_string(Bytes *bytes, const char *string)
{
	pickle_add(bytes, "X");
	bytes_number(bytes, strlen(string), 4);
	pickle_add(bytes, string);
}

void
pickle_integer(Bytes *bytes, int64_t integer)
{
	pickle_add(bytes, "\x8a\x08");
	bytes_number(bytes, (uint64_t) integer, 8);
}

void
pickle_global(Bytes *bytes, const char *module, const char *name)
{
	pickle_add(bytes, "c");
	pickle_add(bytes, module);
	pickle_add(bytes, "\n");
	pickle_add(bytes, name);
	pickle_add(bytes, "\n");
}

void
pickle_tuple(Bytes *bytes, const int64_t *items, size_t count)
{
	pickle_add(bytes, "(");
	for (size_t i = 0; i < count; i++)
		pickle_integer(bytes, items[i]);
	pickle_add(bytes, "t");
}

static void
add_hooks(Bytes *bytes)
{
	pickle_global(bytes, "collections", "OrderedDict");
	pickle_add(bytes, ")R");
}

static void
add_tensor(Bytes *bytes, const TorchTensor *tensor, bool legacy)
{
	if (tensor->is_parameter)
	{
		pickle_global(bytes, "torch._utils", "_rebuild_parameter");
		pickle_add(bytes, "(");
	}
	pickle_global(bytes, "torch._utils", "_rebuild_tensor_v2");
	pickle_add(bytes, "((");
	pickle_string(bytes, "storage");
	pickle_global(bytes, "torch", tensor->storage_class);
	pickle_string(bytes, tensor->key);
	pickle_string(bytes, "cpu");
	pickle_integer(bytes, tensor->elements);
	pickle_add(bytes, legacy ? "NtQ" : "tQ");
	pickle_integer(bytes, tensor->offset);
	pickle_tuple(bytes, tensor->shape, tensor->rank);
	pickle_tuple(bytes, tensor->strides, tensor->rank);
	pickle_add(bytes, "\x89");
	add_hooks(bytes);
	pickle_add(bytes, "tR");
	if (tensor->is_parameter)
	{
		pickle_add(bytes, "\x88");
		add_hooks(bytes);
		pickle_add(bytes, "tR");
	}
}

void
pickle_state_dict(Bytes *bytes, const TorchTensor *tensors, size_t count, bool legacy)
{
	pickle_add(bytes, "\x80\x02}(");
	for (size_t i = 0; i < count; i++)
	{
		pickle_string(bytes, tensors[i].name);
		add_tensor(bytes, &tensors[i], legacy);
	}
	pickle_add(bytes, "u.");
}

/* What local header and directory have in common, from the version to the name's length. */
static void
add_header(Bytes *bytes, const ZipEntry *entry, uint64_t size, bool hidden, size_t extra)
{
	bytes_number(bytes, entry->is_zip64 ? 45 : 20, 2);
	bytes_number(bytes, entry->has_descriptor ? 8 : 0, 2);
	bytes_number(bytes, (uint64_t) entry->method, 2);
	bytes_number(bytes, 0, 4); /* time and date */
	bytes_number(bytes, 0, 4); /* checksum, which is not looked at */
	bytes_number(bytes, entry->is_zip64 ? UINT32_MAX : hidden ? 0 : size, 4);
	bytes_number(bytes, entry->is_zip64 ? UINT32_MAX : hidden ? 0 : size, 4);
	bytes_number(bytes, strlen(entry->name), 2);
	bytes_number(bytes, extra, 2);
}

static void
add_local(Bytes *bytes, const ZipEntry *entry)
{
	pickle_add(bytes, "PK\3\4");
	add_header(bytes, entry, entry->size, entry->has_descriptor, entry->is_zip64 ? 20 : 0);
	pickle_add(bytes, entry->name);
	if (entry->is_zip64)
	{
		bytes_number(bytes, 1, 2);
		bytes_number(bytes, 16, 2);
		bytes_number(bytes, entry->size, 8);
		bytes_number(bytes, entry->size, 8);
	}
	bytes_add(bytes, entry->data, entry->size);
	if (entry->has_descriptor)
	{
		pickle_add(bytes, "PK\7\x8");
		bytes_number(bytes, 0, 4);
		bytes_number(bytes, entry->size, entry->is_zip64 ? 8 : 4);
		bytes_number(bytes, entry->size, entry->is_zip64 ? 8 : 4);
	}
}

static void
add_directory_entry(Bytes *bytes, const ZipEntry *entry, uint64_t offset)
{
	uint64_t size = entry->claimed == 0 ? entry->size : entry->claimed;

	pickle_add(bytes, "PK\1\2");
	bytes_number(bytes, 20, 2);
	add_header(bytes, entry, size, false, entry->is_zip64 ? 28 : 0);
	bytes_number(bytes, 0, 2); /* comment */
	bytes_number(bytes, 0, 8); /* disk and attributes */
	bytes_number(bytes, entry->is_zip64 ? UINT32_MAX : offset, 4);
	pickle_add(bytes, entry->name);
	if (entry->is_zip64)
	{
		bytes_number(bytes, 1, 2);
		bytes_number(bytes, 24, 2);
		bytes_number(bytes, size, 8);
		bytes_number(bytes, size, 8);
		bytes_number(bytes, offset, 8);
	}
}

static void
add_end64(Bytes *bytes, uint64_t directory, uint64_t entries)
{
	uint64_t end = bytes->size;

	pickle_add(bytes, "PK\6\6");
	bytes_number(bytes, 44, 8);
	bytes_number(bytes, 45, 2);
	bytes_number(bytes, 45, 2);
	bytes_number(bytes, 0, 8);
	bytes_number(bytes, entries, 8);
	bytes_number(bytes, entries, 8);
	bytes_number(bytes, end - directory, 8);
	bytes_number(bytes, directory, 8);
	pickle_add(bytes, "PK\6\7");
	bytes_number(bytes, 0, 4);
	bytes_number(bytes, end, 8);
	bytes_number(bytes, 1, 4);
}

void
zip_compose(Bytes *bytes, const ZipEntry *entries, size_t count, ZipClaims claims)
{
	uint64_t offsets[64];
	uint64_t directory;
	uint64_t end;
	const char *comment = claims.comment == NULL ? "" : claims.comment;

	for (size_t i = 0; i < count; i++)
	{
		offsets[i] = bytes->size;
		if (entries[i].same_as > 0)
			offsets[i] = offsets[entries[i].same_as - 1];
		else
			add_local(bytes, &entries[i]);
	}
	directory = bytes->size;
	for (size_t i = 0; i < count; i++)
		add_directory_entry(bytes, &entries[i], offsets[i]);
	end = bytes->size;
	if (claims.entries64 > 0)
		add_end64(bytes, directory, claims.entries64);
	pickle_add(bytes, "PK\5\6");
	bytes_number(bytes, 0, 4);
	bytes_number(bytes, claims.entries64 > 0 ? 0xFFFF : count, 2);
	bytes_number(bytes, claims.entries64 > 0 ? 0xFFFF : count, 2);
	bytes_number(bytes, claims.entries64 > 0 ? UINT32_MAX : end - directory, 4);
	bytes_number(bytes, claims.entries64 > 0 ? UINT32_MAX : directory, 4);
	bytes_number(bytes, strlen(comment), 2);
	pickle_add(bytes, comment);
}
