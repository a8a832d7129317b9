/*
 * bundle_file.h - an independent writer of TensorFlow 1 checkpoints, right or wrong.
 *
 * TensorFlow is in no distribution, so what it writes is written here, by its published formats:
 * LevelDB's doc/table_format.md, tensorflow/core/protobuf/tensor_bundle.proto, the protocol
 * buffers' encoding. A test composes entries out of fields and tables out of entries, so that it
 * can write what TensorFlow never would.
 */
#ifndef TEST_BUNDLE_FILE_H
#define TEST_BUNDLE_FILE_H

#include "torch_file.h"

enum
{
	TF_FLOAT = 1,
	TF_DOUBLE = 2,
	TF_STRING = 7,
	TF_INT64 = 9,
	TF_BFLOAT16 = 14,
	TF_HALF = 19
};

extern void bytes_varint(Bytes *bytes, uint64_t value);

/* Bit by bit, and masked as the format has it. */
extern uint32_t bundle_checksum(const void *data, size_t size);

extern void bundle_header(Bytes *value, uint64_t shards, uint64_t big_endian,
						  uint64_t least_reader);

typedef struct BundleTensor
{
	const char *name; /* the variable's */
	uint64_t type;
	size_t rank;
	int64_t shape[9];
	uint64_t shard;
	uint64_t offset;
	uint64_t size;
	uint32_t checksum;
	bool has_slices;
} BundleTensor;

extern void bundle_entry(Bytes *value, const BundleTensor *tensor);

typedef struct TableEntry
{
	const char *key;
	size_t key_size;
	const void *value;
	size_t value_size;
} TableEntry;

/* What is wrong with a table. */
typedef struct TableFault
{
	bool is_compressed;      /* says the type of the first block */
	bool has_wrong_checksum; /* in the first block */
	bool repeats_block;      /* the index names the first block twice */
	uint64_t handle_offset;  /* of the first block in the index; 0 for the true one */
	uint64_t handle_size;    /* likewise */
	uint64_t shared;         /* bytes that the second key claims to share; 0 for the true number */
	uint32_t restarts;       /* number of restart points of the first block; 0 for the true one */
} TableFault;

/* Blocks have block_entries entries; 0: all in one. */
extern void bundle_table(Bytes *bytes, const TableEntry *entries, size_t count,
						 size_t block_entries, const TableFault *fault);

/*
 * The whole index of tensors, which are sorted by name, with a header for shards. fault may be
 * NULL.
 */
extern void bundle_index(Bytes *bytes, const BundleTensor *tensors, size_t count, uint64_t shards,
						 const TableFault *fault);

#endif
