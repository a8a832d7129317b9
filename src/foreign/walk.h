/*
 * walk.h - looking at a file in a child process, and what the child reports.
 *
 * Whoever writes a file that overruns a library has overrun the child: what it reports is checked
 * by the parent as if it came from the file.
 */
#ifndef RF_WALK_H
#define RF_WALK_H

#include "../checkpoint/weights.h"

#define RF_WALK_MAX_PATH 1024
#define RF_WALK_MAX_DEPTH 16
#define RF_WALK_MAX_PIECES ((size_t) 1024 * 1024) /* of all tensors together */
#define RF_WALK_SECONDS 60                        /* of processor time */

/* The child's end. */
typedef struct RfWalk
{
	const char *file; /* its name, for messages */
	int fd;           /* of the file */
	uint64_t size;    /* of the file */
	int report;       /* where reports are written to */
} RfWalk;

/* A tensor as the file describes it: its data follow as one piece or several. */
typedef struct RfWalkTensor
{
	char path[RF_WALK_MAX_PATH]; /* parts separated by slashes */
	RfDtype dtype;
	int32_t rank;
	uint64_t shape[RF_MAX_RANK];
} RfWalkTensor;

extern RfCode rf_walk_report_tensor(RfWalk *walk, const RfWalkTensor *tensor, RfError *err);
/* Bytes [offset, offset + size) of the file are the next of the tensor reported last. */
extern RfCode rf_walk_report_piece(RfWalk *walk, uint64_t offset, uint64_t size, RfError *err);

/* Reports every tensor of the file. Runs in the child: needs to give nothing back. */
typedef RfCode (*RfWalker)(RfWalk *walk, RfError *err);

/* Appends "/" and part, or only part to an empty path; false when that gets too long. */
extern bool rf_walk_append(char *path, const char *part, size_t length);

/* What becomes of a tensor: the name that PyTorch's state dict has for it goes into name [size]. */
typedef bool (*RfWalkMapName)(const char *path, char *name, size_t size, RfVariableUse *use);

/* Lets a child walk through checkpoint->files[file]; for rf_weights_open_single. */
extern RfCode rf_walk_file(RfCheckpoint *checkpoint, size_t file, RfWalker walker,
						   RfWalkMapName map_name, RfWeightEntry **entries, size_t *count,
						   RfError *err);

/* The two ends by themselves, for whoever wants no child: write all reports, and take them. */
extern void rf_walk_report(RfWalk *walk, RfWalker walker);
extern RfCode rf_walk_collect(RfCheckpoint *checkpoint, size_t file, int report,
							  RfWalkMapName map_name, RfWeightEntry **entries, size_t *count,
							  RfError *err);

extern RfCode rf_hdf5_walk(RfWalk *walk, RfError *err);
extern RfCode rf_flax_walk(RfWalk *walk, RfError *err);
extern bool rf_hdf5_map_name(const char *path, char *name, size_t size, RfVariableUse *use);
extern bool rf_flax_map_name(const char *path, char *name, size_t size, RfVariableUse *use);

#endif
