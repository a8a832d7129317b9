/*
 * checkpoint.c - finds the weights of a model directory and dispatches to the reader of their
 * format.
 *
 * Files are looked for in the order in which Hugging Face's loader does it, then those of
 * TensorFlow 2, Flax and TensorFlow 1. Formats that need a library which has no place in a server
 * process have no reader here: whoever has one hands it to rf_checkpoint_open_with.
 */
#include "reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Format
{
	const char *file_name;
	const RfReader *reader; /* NULL: the caller's, if it has one of that file name */
} Format;

static const Format formats[] = {
	{"model.safetensors", &rf_safetensors_reader},
	{"model.safetensors.index.json", &rf_safetensors_index_reader},
	{"pytorch_model.bin", &rf_torch_reader},
	{"pytorch_model.bin.index.json", &rf_torch_index_reader},
	{"tf_model.h5", NULL},
	{"flax_model.msgpack", NULL},
	{"bert_model.ckpt.index", &rf_bundle_reader},
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

/* What a caller of rf_checkpoint_open_with brings along. */
typedef struct Search
{
	const char *directory;
	int fd;                         /* of the directory */
	const RfReader *const *readers; /* [count] */
	size_t count;
} Search;

static const RfReader *
find_reader(const Search *search, const Format *format)
{
	if (format->reader != NULL)
		return format->reader;
	for (size_t i = 0; i < search->count; i++)
	{
		if (strcmp(search->readers[i]->file_name, format->file_name) == 0)
			return search->readers[i];
	}
	return NULL;
}

static RfCode
report_no_reader(const Search *search, const char *file_name, RfError *err)
{
	rf_error_set(err, RF_UNSUPPORTED, "weights in \"%s\" are in a format that is not read here",
				 file_name);
	rf_error_detail(
		err, "Directory \"%s\" has no weights in safetensors, PyTorch or TensorFlow 1 format.",
		search->directory);
	rf_error_hint(err, "Load the model with the client program roformer_import, or save it in "
					   "safetensors format.");
	return RF_UNSUPPORTED;
}

static RfCode
report_no_weights(const Search *search, RfError *err)
{
	char names[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < FORMAT_COUNT; i++)
	{
		if (find_reader(search, &formats[i]) != NULL)
			used += (size_t) snprintf(names + used, sizeof(names) - used, "%s\"%s\"",
									  used == 0 ? "" : ", ", formats[i].file_name);
	}
	rf_error_set(err, RF_NOT_FOUND, "no weights found in directory \"%s\"", search->directory);
	rf_error_detail(err, "Looked for %s.", names);
	return RF_NOT_FOUND;
}

/* Weights that can't be read don't hide others that can. */
static RfCode
choose_reader(const Search *search, const RfReader **reader, RfError *err)
{
	const char *unread = NULL;

	for (size_t i = 0; i < FORMAT_COUNT; i++)
	{
		if (!rf_directory_has(search->fd, formats[i].file_name))
			continue;
		*reader = find_reader(search, &formats[i]);
		if (*reader != NULL)
			return RF_OK;
		if (unread == NULL)
			unread = formats[i].file_name;
	}
	return unread != NULL ? report_no_reader(search, unread, err) : report_no_weights(search, err);
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
open_found(const Search *search, RfMemory memory, RfCheckpoint **checkpoint, RfError *err)
{
	const RfReader *reader = NULL;
	RfCode code;

	RF_TRY(choose_reader(search, &reader, err));
	RF_TRY(create_checkpoint(memory, reader, checkpoint, err));
	code = reader->open(*checkpoint, search->fd, err);
	if (code != RF_OK)
	{
		rf_checkpoint_close(*checkpoint);
		*checkpoint = NULL;
	}
	return code;
}

RfCode
rf_checkpoint_open_with(const char *directory, const RfReader *const *readers, size_t reader_count,
						RfMemory memory, RfCheckpoint **checkpoint, RfError *err)
{
	Search search = {.directory = directory, .readers = readers, .count = reader_count};
	RfCode code;

	*checkpoint = NULL;
	RF_TRY(rf_directory_open(directory, &search.fd, err));
	code = open_found(&search, memory, checkpoint, err);
	close(search.fd);
	return code;
}

RfCode
rf_checkpoint_open(const char *directory, RfMemory memory, RfCheckpoint **checkpoint, RfError *err)
{
	return rf_checkpoint_open_with(directory, NULL, 0, memory, checkpoint, err);
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

const char *
rf_checkpoint_file(const RfCheckpoint *checkpoint)
{
	return checkpoint->reader->file_name;
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
