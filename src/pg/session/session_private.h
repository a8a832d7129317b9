/*
 * session_private.h - what the files of src/pg/session share among themselves.
 */
#ifndef ROFORMER_SESSION_PRIVATE_H
#define ROFORMER_SESSION_PRIVATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "pg/cache.h"
#include "pg/catalog.h"
#include "pg/session.h"
#include "rf/engine.h"

/* ---- session_options.c: what settings and the model's options come to ------------------------ */

/* The settings a session depends on, as they were when it was resolved. */
typedef struct RoformerSettings
{
	int precision;
	int max_length;
	int overflow;
	int batch_tokens;
	char kernels[16];
} RoformerSettings;

extern void roformer_settings_read(RoformerSettings *settings);
extern bool roformer_settings_unchanged(const RoformerSettings *settings);

extern RfPrecision roformer_options_precision(const RoformerModel *model,
											  const RfKernels *kernels);
extern const RfKernels *roformer_options_kernels(void);
extern RfRunOptions roformer_options_run(const RoformerModel *model);

/* ---- session_load.c: from the catalog's rows to an image ------------------------------------- */

typedef struct RoformerModelLoad
{
	const RoformerModel *model;
	RfPrecision precision;
	const RfKernels *kernels;
	MemoryContext context; /* all that the load needs; NULL as long as nothing was loaded */
	RfArena arena;
	RfFile *files; /* [file_count] */
	size_t file_count;
	RfTensorDesc *tensors; /* [tensor_count] */
	size_t tensor_count;
	RfSpec spec;
	RfMatch match;
	RfImagePlan *plan;
} RoformerModelLoad;

/* The loader of model's image; load is its context. Delete load->context when it is not NULL. */
extern RoformerLoader roformer_load_prepare(RoformerModelLoad *load, const RoformerModel *model,
											RfPrecision precision, const RfKernels *kernels);

/* ---- session_dictionary.c: the words that tokenizers share ----------------------------------- */

/* The compiled dictionary of a model that has one, pinned for the lifetime of owner. */
extern RoformerPin *roformer_dictionary_pin(const RoformerModel *model, MemoryContext owner);

/* ---- session_probe.c: lower precisions against fp32 ------------------------------------------ */

/* The catalog's probe hook. */
extern bool roformer_probe_model(const RoformerModel *model, const RfInput *inputs, size_t count,
								 RfDeviation *deviations);

/* ---- session_engine.c: engine sessions by what this backend computes with ---------- */

typedef struct RoformerEngine
{
	dlist_node node;
	RoformerCacheKey key;
	RfTokenizerChoice tokenizer;
	MemoryContext context; /* this struct, the pins, the engine session and its workspace */
	RfSession *session;
	int users;
} RoformerEngine;

/* The model's image as the settings want it, pinned for the lifetime of owner. */
extern RoformerPin *roformer_engine_pin(const RoformerModel *model, MemoryContext owner);

extern RoformerEngine *roformer_engine_open(const RoformerModel *model);
extern void roformer_engine_close(RoformerEngine *engine);

/* ---- session_startup.c ----------------------------------------------------------------------- */

extern void roformer_startup_init(void); /* while shared_preload_libraries are loaded */

#endif
