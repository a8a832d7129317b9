/*
 * import_model.h - the model directory on this machine.
 */
#ifndef IMPORT_MODEL_H
#define IMPORT_MODEL_H

#include "import_hash.h"
#include "import_progress.h"
#include "rf/engine.h"

typedef struct ImportModel
{
	const char *directory;
	RfContent content;
	RfCheckpoint *checkpoint;
	const char *dictionary; /* the file it was read from; NULL: none */
	uint64_t file_bytes;
	uint64_t tensor_bytes; /* of the parameters */
} ImportModel;

/*
 * Reads and checks all but the bytes of tensors. dictionary NULL: that of python3-jieba, where the
 * model needs one and it is there. After a failure the model has what was found till then.
 */
extern RfCode import_model_open(ImportModel *model, const char *directory, const char *dictionary,
								RfError *err);
extern void import_model_close(ImportModel *model);

/* Whether its digest can be computed here: its dictionary is, where it needs one. */
extern bool import_model_is_whole(const ImportModel *model);

/* Rows of a parameter, and bytes of one. */
extern uint64_t import_model_rows(const ImportModel *model, size_t parameter);
extern size_t import_model_row_bytes(const ImportModel *model, size_t parameter);
extern RfCode import_model_read(const ImportModel *model, size_t parameter, uint64_t first,
								uint64_t rows, void *buffer, RfError *err);

/* Reads everything; digest has IMPORT_DIGEST_TEXT bytes. */
extern RfCode import_model_digest(const ImportModel *model, ImportProgress *progress, char *digest,
								  RfError *err);

#endif
