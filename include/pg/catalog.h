/*
 * catalog.h - models as rows of extension tables.
 *
 * _roformer.model         one row a model: name, owner, digest, options, summary columns
 * _roformer.model_file    its text files (config.json, vocab.txt, ...), bytes as they were
 * _roformer.model_tensor  its parameters: name, type, shape
 * _roformer.model_chunk   their bytes, whole rows, at most ROFORMER_CHUNK_BYTES a chunk
 * _roformer.model_grant   roles that may use it, 0 for PUBLIC
 *
 * Names are looked up with a fresh snapshot, as those of text search configurations are; contents
 * are read with the statement's snapshot where that sees them (src/pg/catalog/catalog_content.c).
 * Both work in parallel workers and on standbys and are not subject to the caller's rights on the
 * tables: rights on models are checked by roformer_catalog_check_use. Each content (load, replace)
 * gets a new id, never used again; what is cached is cached by digest.
 */
#ifndef ROFORMER_CATALOG_H
#define ROFORMER_CATALOG_H

#include "postgres.h"

#include "rf/engine.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#define ROFORMER_DIGEST_LENGTH 32 /* SHA-256 */
#define ROFORMER_CHUNK_BYTES (1024 * 1024)

/* Per-model defaults set by set_model_option; "unset" leaves the engine's or the setting's value. */
typedef struct RoformerModelOptions
{
	int max_length;	 /* 0: unset */
	int overflow;	 /* RfOverflow, -1: unset */
	int pooling;	 /* RfPooling, -1: unset */
	int precision;	 /* RoformerPrecisionSetting, -1: unset */
	RfTokenizerChoice tokenizer; /* RF_TOKENIZER_AS_NAMED: unset */
	int label_count; /* 0: unset */
	char **labels;	 /* server encoding */
} RoformerModelOptions;

typedef struct RoformerModel
{
	int64 id;
	char *name;
	Oid owner;
	uint8 digest[ROFORMER_DIGEST_LENGTH];
	bool has_dictionary;                      /* its tokenizer cuts Chinese words */
	uint8 dictionary[ROFORMER_DIGEST_LENGTH]; /* SHA-256 of that file of the model */
	RoformerModelOptions options;
	float4 agreement[RF_PRECISIONS]; /* with fp32, on the probe; NaN: not measured */
} RoformerModel;

/*
 * The model of that name, palloc'd in the current context; ERROR 42704, hinting at near names, when
 * there is none.
 */
extern RoformerModel *roformer_catalog_lookup(const char *name);
/* The same; NULL when there is none. */
extern RoformerModel *roformer_catalog_find(const char *name);
/* How often a model was looked up in this session, so that it can be seen whether one was. */
extern uint64 roformer_catalog_lookups(void);
/* The table whose invalidation tells that models have changed. */
extern Oid roformer_catalog_relation(void);

/* How large a model is, for the planner. */
typedef struct RoformerModelShape
{
	int layers;
	int hidden_size;
} RoformerModelShape;

/* False when there is no model of that name. Cached until a model changes. */
extern bool roformer_catalog_shape(const char *name, RoformerModelShape *shape);

/* ERROR 42501 unless the current user may compute with the model (owner, superuser, granted). */
extern void roformer_catalog_check_use(const RoformerModel *model);

/*
 * Counts the changes of any model this backend has been told of (cache invalidation): what was
 * looked up under another value may be outdated.
 */
extern uint64 roformer_catalog_generation(void);

/* Files, in the current memory context. */
extern RfFile *roformer_catalog_read_files(int64 model_id, size_t *count);
/* One of them; false when there is none of that name. */
extern bool roformer_catalog_read_file(int64 model_id, const char *name, RfFile *file);
/* The dictionary of a model that has one; ERROR XX001 unless it is what was stored. */
extern void roformer_catalog_read_dictionary(const RoformerModel *model, RfFile *file);
/* Tensors in order of their names (byte order). */
extern RfTensorDesc *roformer_catalog_read_tensors(int64 model_id, size_t *count);

/* All chunks of a model, tensor by tensor in name order, rows ascending. */
typedef struct RoformerChunkScan RoformerChunkScan;

typedef struct RoformerChunk
{
	int tensor; /* index into what roformer_catalog_read_tensors gave */
	uint64 first_row;
	uint64 rows;
	const void *data;
	size_t size;
} RoformerChunk;

extern RoformerChunkScan *roformer_catalog_begin_chunks(int64 model_id);
/* False at the end. The chunk's data is freed by the next call. */
extern bool roformer_catalog_next_chunk(RoformerChunkScan *scan, RoformerChunk *chunk);
extern void roformer_catalog_end_chunks(RoformerChunkScan *scan);

/*
 * Digest of a model's content: SHA-256 over what rf/digest.h lays out. Computed while a model is stored and again whenever it is read into an image, so that
 * damaged rows can't give wrong answers.
 */
typedef struct RoformerDigest RoformerDigest;

extern RoformerDigest *roformer_digest_begin(void);
extern void roformer_digest_file(RoformerDigest *digest, const RfFile *file);
extern void roformer_digest_tensor(RoformerDigest *digest, const RfTensorDesc *tensor);
extern void roformer_digest_bytes(RoformerDigest *digest, const void *data, size_t size);
extern void roformer_digest_end(RoformerDigest *digest, uint8 *result);
/* Instead of the end. */
extern void roformer_digest_free(RoformerDigest *digest);

/*
 * Called with the digest of each content that a transaction makes unreachable (at commit: dropped
 * or replaced; at abort: loaded), so that caches can forget it. Set by the session floor.
 */
typedef void (*RoformerForgetHook)(const uint8 *digest);
extern RoformerForgetHook roformer_catalog_forget_hook;

/*
 * How far lower precisions are from fp32: called with a model just stored, by check_model with texts
 * of its user; deviations [RF_PRECISIONS]. False when texts are not enough to compute such a model.
 * Set by the session floor.
 */
typedef bool (*RoformerProbeHook)(const RoformerModel *model, const RfInput *inputs, size_t count,
								  RfDeviation *deviations);
extern RoformerProbeHook roformer_catalog_probe_hook;

/* Share of decisions that must be those of fp32 before "auto" takes a precision. */
#define ROFORMER_ENOUGH_AGREEMENT 0.999f

extern void roformer_catalog_init(void); /* _PG_init: callbacks */

#endif
