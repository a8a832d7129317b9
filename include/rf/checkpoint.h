/*
 * checkpoint.h - named tensors out of the weight files of a model directory.
 *
 * A checkpoint holds file descriptors between calls: whoever opens it closes it (the server does so
 * from a memory-context callback). Nothing in a file is trusted: every length is checked against
 * the file's size before it is used, and no file is mapped (a file that shrinks while it is read
 * gives an error, not a signal).
 */
#ifndef RF_CHECKPOINT_H
#define RF_CHECKPOINT_H

#include "rf/memory.h"
#include "rf/tensor.h"

typedef struct RfCheckpoint RfCheckpoint;

/* The largest model the spec allows has 4096 layers of 26 tensors. */
#define RF_MAX_TENSORS ((size_t) 256 * 1024)

/* Each shard is an open file; a server process may have about a thousand. */
#define RF_MAX_SHARDS 256

/*
 * Reads the file name (a plain name or a relative path without "..") below directory whole, with a
 * terminating NUL behind length bytes. Only regular files. RF_NOT_FOUND when there is none, RF_LIMIT
 * when it has more than limit bytes, RF_INVALID for such a name or something that is no file.
 */
extern RfCode rf_directory_read(const char *directory, const char *name, size_t limit,
								RfArena *arena, char **data, size_t *length, RfError *err);

/*
 * A format of weight files beside those that every checkpoint knows: what reads "tf_model.h5" or
 * "flax_model.msgpack" (rf/foreign.h). Those need libraries that a server must not load.
 */
typedef struct RfReader RfReader;

/*
 * Finds the weights in directory and reads their headers. The first of these counts:
 * model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin,
 * pytorch_model.bin.index.json with its shards, tf_model.h5, flax_model.msgpack,
 * bert_model.ckpt.index with its shards. RF_NOT_FOUND, naming what was looked for, when there are
 * none; RF_UNSUPPORTED when there are only some that none of the readers [reader_count] reads.
 */
extern RfCode rf_checkpoint_open_with(const char *directory, const RfReader *const *readers,
									  size_t reader_count, RfMemory memory,
									  RfCheckpoint **checkpoint, RfError *err);
/* Without further readers: tf_model.h5 and flax_model.msgpack are not read. */
extern RfCode rf_checkpoint_open(const char *directory, RfMemory memory, RfCheckpoint **checkpoint,
								 RfError *err);
extern void rf_checkpoint_close(RfCheckpoint *checkpoint); /* NULL is fine */
/* The file that the weights were found by: "model.safetensors", ... */
extern const char *rf_checkpoint_file(const RfCheckpoint *checkpoint);

/*
 * Tensors in order of their names (byte order); they live as long as the checkpoint, one behind the
 * other: rf_checkpoint_tensor(checkpoint, 0) is the array of all.
 */
extern size_t rf_checkpoint_count(const RfCheckpoint *checkpoint);
extern const RfTensorDesc *rf_checkpoint_tensor(const RfCheckpoint *checkpoint, size_t index);

/*
 * Reads rows [first, first + rows) of a tensor into buffer, which has exactly their bytes.
 * RF_INVALID for rows outside the tensor, RF_CORRUPT when the file has become shorter.
 */
extern RfCode rf_checkpoint_read(RfCheckpoint *checkpoint, size_t index, uint64_t first,
								 uint64_t rows, void *buffer, RfError *err);

#endif
