/*
 * weights.h - tensors in files, as the readers of all formats describe them.
 */
#ifndef RF_WEIGHTS_H
#define RF_WEIGHTS_H

#include "reader.h"

/* Where a tensor's data lie: checkpoint->places is an array of these. */
typedef struct RfWeightPlace
{
	size_t file;             /* index in checkpoint->files */
	uint64_t offset;         /* of the first element, in the file */
	size_t row_size;         /* bytes of a row */
	const uint64_t *strides; /* [rank] in elements; NULL when the data are contiguous */
} RfWeightPlace;

typedef struct RfWeightEntry
{
	RfTensorDesc desc;
	RfWeightPlace place;
} RfWeightEntry;

/*
 * Reads and checks what checkpoint->files[file] says about its tensors. *entries [count] and what
 * they point to lie in the checkpoint's arena, in any order.
 */
typedef RfCode (*RfWeightsHeader)(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries,
								  size_t *count, RfError *err);

/* Names have 1 to RF_MAX_TENSOR_NAME bytes without control characters; the error has no origin. */
extern RfCode rf_weights_check_name(const char *file, const char *name, RfError *err);

/* By name (byte order), for qsort. */
extern int rf_weights_compare(const void *a, const void *b);

/* Makes entries, sorted by name, the checkpoint's tensors. */
extern RfCode rf_weights_publish(RfCheckpoint *checkpoint, const RfWeightEntry *entries,
								 size_t count, RfError *err);

/* Opens a checkpoint that is one file. */
extern RfCode rf_weights_open_single(RfCheckpoint *checkpoint, int directory, const char *name,
									 RfWeightsHeader read_header, RfError *err);

/* Opens a checkpoint whose index file maps tensors to shards. */
extern RfCode rf_weights_open_shards(RfCheckpoint *checkpoint, int directory, const char *name,
									 RfWeightsHeader read_header, RfError *err);

/* Reads rows, as RfReader's read. */
extern RfCode rf_weights_read(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows,
							  void *buffer, RfError *err);

#endif
