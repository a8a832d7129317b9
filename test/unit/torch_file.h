/*
 * torch_file.h - an independent writer of files as torch.save writes them, right or wrong.
 *
 * A test composes pickles out of opcodes and archives out of entries, so that it can write what
 * torch never would. The forms follow CPython's pickletools.py and PKWARE's APPNOTE.
 */
#ifndef TEST_TORCH_FILE_H
#define TEST_TORCH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Bytes
{
	char *data;
	size_t size;
	size_t capacity;
} Bytes;

extern void bytes_add(Bytes *bytes, const void *data, size_t size);
extern void bytes_number(Bytes *bytes, uint64_t number, size_t size);
extern void bytes_free(Bytes *bytes);

/* Opcodes; text may hold any without operands. */
extern void pickle_add(Bytes *bytes, const char *opcodes);
extern void pickle_string(Bytes *bytes, const char *string);
extern void pickle_integer(Bytes *bytes, int64_t integer);
extern void pickle_global(Bytes *bytes, const char *module, const char *name);
extern void pickle_tuple(Bytes *bytes, const int64_t *items, size_t count);

typedef struct TorchTensor
{
	const char *name;
	const char *storage_class;
	const char *key;
	int64_t elements; /* of the storage */
	int64_t offset;
	size_t rank;
	int64_t shape[9];
	int64_t strides[9];
	bool is_parameter;
} TorchTensor;

/* The whole pickle of a state dict; legacy persistent ids have a sixth part. */
extern void pickle_state_dict(Bytes *bytes, const TorchTensor *tensors, size_t count, bool legacy);

typedef struct ZipEntry
{
	const char *name;
	const void *data;
	size_t size;
	uint64_t claimed;    /* size in the directory; 0 for the true one */
	int method;          /* 0 stored, 8 deflated */
	bool has_descriptor; /* sizes behind the data, not before */
	bool is_zip64;       /* sizes and offset in extra fields */
	int same_as;         /* 1 + index of the entry whose local header is used, 0 for its own */
} ZipEntry;

typedef struct ZipClaims
{
	uint64_t entries64; /* a ZIP64 end record with this number of entries, 0 for none */
	const char *comment;
} ZipClaims;

extern void zip_compose(Bytes *bytes, const ZipEntry *entries, size_t count, ZipClaims claims);

#endif
