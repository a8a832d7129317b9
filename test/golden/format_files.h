/*
 * format_files.h - the tensors of a model, written in each format that weights come in.
 *
 * TensorFlow and Flax are in no distribution: their files are written by the independent writers of
 * test/unit (bundle_file.h, flax_file.h, hdf5_file.h), under the names that Hugging Face's and the
 * authors' programs use.
 */
#ifndef TEST_GOLDEN_FORMAT_FILES_H
#define TEST_GOLDEN_FORMAT_FILES_H

#include "rf/checkpoint.h"

/* A tensor in memory, under the name of PyTorch's state dict. */
typedef struct FormatTensor
{
	char name[RF_MAX_TENSOR_NAME + 1];
	RfDtype dtype;
	int rank;
	uint64_t shape[RF_MAX_RANK];
	char *data;
	size_t size;
} FormatTensor;

typedef struct FormatTensors
{
	FormatTensor *tensors; /* [count] in order of their names */
	size_t count;
} FormatTensors;

/* All of an open checkpoint. */
extern void format_tensors_read(FormatTensors *tensors, RfCheckpoint *checkpoint);
extern void format_tensors_free(FormatTensors *tensors);

typedef struct Format
{
	const char *name;
	void (*write)(const char *directory, const FormatTensors *tensors);
} Format;

extern const Format formats[];
extern const size_t format_count;

#endif
