/*
 * reader.h - what a format of weight files implements, and the checkpoint it fills.
 *
 * One file per format. A reader is found by the name of a file in the directory. Its open function
 * reads headers only and leaves the tensors, sorted by name, in the checkpoint; files it has opened
 * go into checkpoint->files at once, where rf_checkpoint_close finds them whatever happens next.
 */
#ifndef RF_READER_H
#define RF_READER_H

#include "directory.h"
#include "rf/checkpoint.h"

struct RfReader
{
	const char *file_name; /* whose presence chooses this reader */
	RfCode (*open)(RfCheckpoint *checkpoint, int directory, RfError *err);
	/* The rows are known to lie inside the tensor. */
	RfCode (*read)(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows,
				   void *buffer, RfError *err);
};

struct RfCheckpoint
{
	RfArena arena; /* holds all of this */
	const RfReader *reader;
	RfOpenFile *files; /* [file_count] open */
	size_t file_count;
	RfTensorDesc *tensors; /* [count] in order of their names */
	size_t count;
	void *places; /* [count] where the data are, in the reader's own terms */
};

extern const RfReader rf_safetensors_reader;
extern const RfReader rf_safetensors_index_reader;
extern const RfReader rf_torch_reader;
extern const RfReader rf_torch_index_reader;
extern const RfReader rf_bundle_reader;

#endif
