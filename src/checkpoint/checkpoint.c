/*
 * checkpoint.c - finds the weights of a model directory and dispatches to the reader of their
 * format.
 *
 * Readers are tried in the order in which Hugging Face's loader looks for files.
 */
#include "reader.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const RfReader *const readers[] = {&rf_safetensors_reader, &rf_safetensors_index_reader,
										&rf_torch_reader, &rf_torch_index_reader};

#define READER_COUNT (sizeof(readers) / sizeof(readers[0]))

/* Weights in formats without a reader, to tell "nothing there" from "not in this form". */
static const char *const foreign_files[] = {
	"tf_model.h5",
	"flax_model.msgpack",
	"bert_model.ckpt.index",
};

#define FOREIGN_COUNT (sizeof(foreign_files) / sizeof(foreign_files[0]))

static RfCode
report_no_weights(int fd, const char *directory, RfError *err)
{
	for (size_t i = 0; i < FOREIGN_COUNT; i++)
	{
		if (!rf_directory_has(fd, foreign_files[i]))
			continue;
		rf_error_set(err, RF_UNSUPPORTED, "weights in \"%s\" are in a format that is not supported",
					 foreign_files[i]);
		rf_error_detail(err, "Directory \"%s\" has no weights in safetensors or PyTorch format.", directory);
		rf_error_hint(err, "Save the model in safetensors format, as model.safetensors or as "
						   "shards with model.safetensors.index.json, or as pytorch_model.bin.");
		return RF_UNSUPPORTED;
	}
	rf_error_set(err, RF_NOT_FOUND, "no weights found in directory \"%s\"", directory);
	rf_error_detail(err, "Looked for \"%s\", \"%s\", \"%s\" and \"%s\".", readers[0]->file_name,
					readers[1]->file_name, readers[2]->file_name, readers[3]->file_name);
	return RF_NOT_FOUND;
}

static RfCode
choose_reader(int fd, const char *directory, const RfReader **reader, RfError *err)
{
	for (size_t i = 0; i < READER_COUNT; i++)
	{
		*reader = readers[i];
		if (rf_directory_has(fd, readers[i]->file_name))
			return RF_OK;
	}
	return report_no_weights(fd, directory, err);
}

/* The checkpoint lies in its own arena. */
static RfCode
create_checkpoint(RfMemory memory, const RfReader *reader, RfCheckpoint **checkpoint, RfError *err)
{
	RfArena arena;

	rf_arena_init(&arena, memory);
	RF_NEW0(&arena, *checkpoint, 1, err);
	(*checkpoint)->arena = arena;
	(*checkpoint)->reader = reader;
	return RF_OK;
}

static RfCode
open_with_reader(int fd, const char *directory, RfMemory memory, RfCheckpoint **checkpoint,
				 RfError *err)
{
	const RfReader *reader;
	RfCode code;

	RF_TRY(choose_reader(fd, directory, &reader, err));
	RF_TRY(create_checkpoint(memory, reader, checkpoint, err));
	code = reader->open(*checkpoint, fd, err);
	if (code != RF_OK)
	{
		rf_checkpoint_close(*checkpoint);
		*checkpoint = NULL;
	}
	return code;
}

RfCode
rf_checkpoint_open(const char *directory, RfMemory memory, RfCheckpoint **checkpoint, RfError *err)
{
	RfCode code;
	int fd;

	*checkpoint = NULL;
	RF_TRY(rf_directory_open(directory, &fd, err));
	code = open_with_reader(fd, directory, memory, checkpoint, err);
	close(fd);
	return code;
}

void
rf_checkpoint_close(RfCheckpoint *checkpoint)
{
	RfArena arena;

	if (checkpoint == NULL)
		return;
	for (size_t i = 0; i < checkpoint->file_count; i++)
		rf_open_file_close(&checkpoint->files[i]);
	arena = checkpoint->arena;
	rf_arena_free(&arena);
}

size_t
rf_checkpoint_count(const RfCheckpoint *checkpoint)
{
	return checkpoint->count;
}

const RfTensorDesc *
rf_checkpoint_tensor(const RfCheckpoint *checkpoint, size_t index)
{
	return &checkpoint->tensors[index];
}

RfCode
rf_checkpoint_read(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows,
				   void *buffer, RfError *err)
{
	uint64_t total;

	RF_FAIL_IF(index >= checkpoint->count, err, RF_INVALID, "there is no tensor %zu of %zu", index,
			   checkpoint->count);
	total = rf_tensor_rows(&checkpoint->tensors[index]);
	RF_FAIL_IF(first > total || rows > total - first, err, RF_INVALID,
			   "tensor \"%s\" has %" PRIu64 " rows, not %" PRIu64 " from %" PRIu64,
			   checkpoint->tensors[index].name, total, rows, first);
	if (rows == 0)
		return RF_OK;
	return checkpoint->reader->read(checkpoint, index, first, rows, buffer, err);
}
