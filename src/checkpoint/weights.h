/*
 * weights.h - tensors in files, as the readers of all formats describe them.
 */
#ifndef RF_WEIGHTS_H
#define RF_WEIGHTS_H

#include "reader.h"

/* What becomes of a tensor by its name in formats that have other names than PyTorch. */
typedef enum RfVariableUse
{
	RF_VARIABLE_WEIGHT,
	RF_VARIABLE_TRANSPOSED, /* its matrix is [in, out] */
	RF_VARIABLE_LEFT_OUT    /* the optimizer's */
} RfVariableUse;

/* Bytes [offset, offset + size) of a file. */
typedef struct RfWeightPiece
{
	uint64_t offset;
	uint64_t size;
} RfWeightPiece;

/* Where a tensor's data lie: checkpoint->places is an array of these. */
typedef struct RfWeightPlace
{
	size_t file;                 /* index in checkpoint->files */
	uint64_t offset;             /* of the first element, in the file; 0 with pieces */
	const RfWeightPiece *pieces; /* the data, one behind the other; NULL: one piece at offset */
	size_t row_size;             /* bytes of a row */
	const uint64_t *strides;     /* [rank] in elements; NULL when the data are contiguous */
	uint32_t checksum;           /* CRC-32C of the data, which have no gaps */
	bool has_checksum;           /* that is still to be compared */
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

/*
 * Completes an entry whose data lie without gaps at place.offset: sets row_size. If the data are
 * those of the transposed matrix, desc's shape is the file's and is exchanged; anything but a
 * matrix is left as it is.
 */
extern RfCode rf_weights_lay_out(RfWeightEntry *entry, RfArena *arena, bool transposed,
								 RfError *err);

/* Bytes of an entry's data. */
extern uint64_t rf_weights_bytes(const RfWeightEntry *entry);

/* By name (byte order), for qsort. */
extern int rf_weights_compare(const void *a, const void *b);

/* Sorts entries by name; RF_CORRUPT when a name is there twice. */
extern RfCode rf_weights_sort(const char *file, RfWeightEntry *entries, size_t count, RfError *err);

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
