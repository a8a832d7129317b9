/*
 * safetensors.h - headers of safetensors files, for the reader of one file and that of shards.
 */
#ifndef RF_SAFETENSORS_H
#define RF_SAFETENSORS_H

#include "reader.h"

/* Where a tensor's data lie: checkpoint->places is an array of these. */
typedef struct RfSafetensorsPlace
{
	size_t file;     /* index in checkpoint->files */
	uint64_t offset; /* in the file */
	size_t row_size; /* bytes of a row */
} RfSafetensorsPlace;

typedef struct RfSafetensorsEntry
{
	RfTensorDesc desc;
	RfSafetensorsPlace place;
} RfSafetensorsEntry;

/*
 * Reads and checks the header of checkpoint->files[file]. *entries [count] and the names in them
 * lie in the checkpoint's arena; order is that of the data.
 */
extern RfCode rf_safetensors_read_header(RfCheckpoint *checkpoint, size_t file,
										 RfSafetensorsEntry **entries, size_t *count, RfError *err);

/* By name (byte order), for qsort. */
extern int rf_safetensors_compare(const void *a, const void *b);

/* Makes entries, sorted by name, the checkpoint's tensors. */
extern RfCode rf_safetensors_publish(RfCheckpoint *checkpoint, const RfSafetensorsEntry *entries,
									 size_t count, RfError *err);

extern RfCode rf_safetensors_read(RfCheckpoint *checkpoint, size_t index, uint64_t first,
								  uint64_t rows, void *buffer, RfError *err);

#endif
