/*
 * golden_model_files.h - models of the golden data, loaded the way the server loads them.
 */
#ifndef TEST_GOLDEN_MODEL_FILES_H
#define TEST_GOLDEN_MODEL_FILES_H

#include <jansson.h>

#include "golden_tokenizer_files.h"
#include "rf/engine.h"

/* The golden directory: environment variable ROFORMER_GOLDEN, else GOLDEN_DATA. */
extern const char *golden_directory(void);

typedef struct GoldenModel
{
	RfArena arena;
	char name[64];
	RfSpec spec;
	bool has_text; /* it has its tokenizer, dictionary included; if not, records' ids are all to go
					  by */
	void *image;
	size_t image_size;
	RfSession *session;
	RfModel view; /* of the same image, for the heads */
	RfEncoder encoder;
} GoldenModel;

/* false when no format of the weights is read; fails the test when loading goes wrong */
extern bool golden_model_open(GoldenModel *model, const char *name, const char *kernels);
/* The same in another precision than fp32. */
extern bool golden_model_open_in(GoldenModel *model, const char *name, const char *kernels,
								 RfPrecision precision);
/* The same for a model in another directory of models. */
extern bool golden_model_open_from(GoldenModel *model, const char *models, const char *name,
								   const char *kernels, RfPrecision precision);
extern void golden_model_close(GoldenModel *model);

/* One record's encoded row, without its padding. */
typedef struct GoldenRow
{
	uint32_t row_start[2];
	int32_t *input_ids;
	int32_t *token_type_ids;
	RfBatch batch;
} GoldenRow;

extern void golden_row_read(GoldenRow *row, const json_t *record, const char *ids_key);
extern void golden_row_free(GoldenRow *row);

/* Names of all models, sorted; NULL-terminated, to be freed with their array. */
extern char **golden_model_names(void);

#endif
