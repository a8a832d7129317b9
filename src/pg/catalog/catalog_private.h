/*
 * catalog_private.h - what the files of the model store share: its tables, rows and steps.
 */
#ifndef ROFORMER_CATALOG_PRIVATE_H
#define ROFORMER_CATALOG_PRIVATE_H

#include "postgres.h"

#include "access/genam.h"
#include "access/htup.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

#include "pg/catalog.h"

/* The longest name of a model, in bytes: as long as PostgreSQL's own names. */
#define ROFORMER_NAME_BYTES (NAMEDATALEN - 1)

/* One row of a tensor is one value of a table; a dump writes two characters a byte in at most 1 GB.
 */
#define ROFORMER_ROW_BYTES ((size_t) 256 * 1024 * 1024)

/* ---- catalog_tables.c ---------------------------------------------------------------------- */

typedef enum RoformerTable
{
	ROFORMER_MODEL,
	ROFORMER_MODEL_FILE,
	ROFORMER_MODEL_TENSOR,
	ROFORMER_MODEL_CHUNK,
	ROFORMER_MODEL_GRANT
} RoformerTable;
#define ROFORMER_TABLES (ROFORMER_MODEL_GRANT + 1)

/* Columns, as in sql/parts/00_schema.sql */
typedef enum RoformerModelColumn
{
	MODEL_ID = 1,
	MODEL_NAME,
	MODEL_OWNER,
	MODEL_DIGEST,
	MODEL_CREATED,
	MODEL_ARCHITECTURE,
	MODEL_TASK,
	MODEL_PARAMETERS,
	MODEL_LAYERS,
	MODEL_HIDDEN_SIZE,
	MODEL_VOCABULARY,
	MODEL_LABELS,
	MODEL_PRECISION,
	MODEL_BYTES,
	MODEL_DICTIONARY,
	MODEL_OPTIONS,
	MODEL_DEVIATIONS
} RoformerModelColumn;
#define MODEL_COLUMNS MODEL_DEVIATIONS

typedef enum RoformerFileColumn
{
	FILE_MODEL_ID = 1,
	FILE_NAME,
	FILE_DATA
} RoformerFileColumn;
#define FILE_COLUMNS FILE_DATA

typedef enum RoformerTensorColumn
{
	TENSOR_MODEL_ID = 1,
	TENSOR_NAME,
	TENSOR_DTYPE,
	TENSOR_SHAPE
} RoformerTensorColumn;
#define TENSOR_COLUMNS TENSOR_SHAPE

typedef enum RoformerChunkColumn
{
	CHUNK_MODEL_ID = 1,
	CHUNK_TENSOR,
	CHUNK_FIRST_ROW,
	CHUNK_DATA
} RoformerChunkColumn;
#define CHUNK_COLUMNS CHUNK_DATA

typedef enum RoformerGrantColumn
{
	GRANT_MODEL_ID = 1,
	GRANT_GRANTEE
} RoformerGrantColumn;
#define GRANT_COLUMNS GRANT_GRANTEE

extern Relation roformer_tables_open(RoformerTable table, LOCKMODE mode);
/* The index of a table's primary key. */
extern Oid roformer_tables_key(RoformerTable table);
/* The index over the names of models. */
extern Oid roformer_tables_name_key(void);
extern int64 roformer_tables_next_id(void);

/*
 * Until the end of the transaction nobody else changes what the name means, nor gives it a meaning.
 * Readers are not kept out. Also refuses where nothing can be written, naming the function.
 */
extern void roformer_tables_lock_name(const char *function, const char *name);
/* Tells every backend, once the transaction commits, that models have changed. */
extern void roformer_tables_invalidate(void);

/* A copy of the row with these keys in the index, which is unique; NULL when there is none. */
extern HeapTuple roformer_tables_fetch(Relation relation, Oid index, int count, ScanKey keys);
/* A value that must be there, though a superuser may have altered the table. */
extern Datum roformer_tables_value(HeapTuple tuple, int column, TupleDesc descriptor);

/* ---- catalog_model.c ----------------------------------------------------------------------- */

/* A copy of the model's row as it is now, NULL when there is none. */
extern HeapTuple roformer_model_fetch(Relation model, const char *name);
/* The same; ERROR 42704 when there is none, 42501 unless the current user owns it. */
extern HeapTuple roformer_model_fetch_own(Relation model, const char *name);
/* All but the options. */
extern void roformer_model_read(HeapTuple tuple, TupleDesc descriptor, RoformerModel *result);
extern void roformer_model_check_name(const char *name);
/* ERROR 42710 when the name is taken. */
extern void roformer_model_check_free(Relation model, const char *name);

/* ---- catalog_option.c ---------------------------------------------------------------------- */

extern void roformer_option_clear(RoformerModelOptions *options);
/* Options from the column of that name. */
extern void roformer_option_read(HeapTuple tuple, TupleDesc descriptor,
								 RoformerModelOptions *options);
/* ERROR 22023 unless a model with these labels can have the options; label_count 0: no labels. */
extern void roformer_option_check_labels(const char *model, const RoformerModelOptions *options,
										 int label_count);

/* ---- catalog_directory.c ------------------------------------------------------------------- */

/* The path behind load_model's argument, after checking that the user may read there. */
extern char *roformer_directory_resolve(const char *directory);

/* A model directory whose files are read and whose tensors are found, checked and open. */
typedef struct RoformerDirectory
{
	MemoryContext context; /* closes the checkpoint when it goes */
	RfContent content;
	RfCheckpoint *checkpoint;
} RoformerDirectory;

extern RoformerDirectory *roformer_directory_open(const char *path);
extern void roformer_directory_close(RoformerDirectory *directory);

/* ---- catalog_dictionary.c ------------------------------------------------------------------ */

/* Adds the dictionary that roformer.jieba_dictionary names, checked. */
extern void roformer_dictionary_read(RfContent *content);
/* SHA-256 of the dictionary. */
extern void roformer_dictionary_digest(const RfFile *file, uint8 *result);

/* ---- catalog_content.c --------------------------------------------------------------------- */

/* Bytes of one row of a tensor; ERROR XX001 or 54000 for a shape that can't be. */
extern size_t roformer_content_row_bytes(const RfTensorDesc *tensor);

/* ---- catalog_store.c ----------------------------------------------------------------------- */

/* What the row of a model has to say about what was stored. */
typedef struct RoformerStored
{
	int64 id;
	uint8 digest[ROFORMER_DIGEST_LENGTH];
	uint64 bytes;
	bool has_dictionary;
	uint8 dictionary[ROFORMER_DIGEST_LENGTH];
} RoformerStored;

/* A content being written under a new id: its chunks are put one after the other. */
typedef struct RoformerStore RoformerStore;

/* The rows that a chunk has. */
typedef struct RoformerPlace
{
	size_t parameter; /* index in content->match.parameters */
	uint64 first_row;
	uint64 rows;
	size_t size; /* of them, in bytes */
} RoformerPlace;

/*
 * Writes the rows of files and tensors. The content, checked, must live as long as the store; the
 * digest, just begun, is the store's from now on.
 */
extern RoformerStore *roformer_store_begin(const RfContent *content, RoformerDigest *digest);
/* What must be put next; false when all is there. */
extern bool roformer_store_next(const RoformerStore *store, RoformerPlace *place);
/* Writes the chunk that is next: data of its size, not toasted. */
extern void roformer_store_put(RoformerStore *store, bytea *data);
/* Once all is there; frees the store. */
extern void roformer_store_end(RoformerStore *store, RoformerStored *stored);
/* Instead of the end; what was written is the aborting transaction's to undo. */
extern void roformer_store_cancel(RoformerStore *store);
/* Rows in each chunk of a parameter but perhaps its last; 0 when it has no bytes. */
extern uint64 roformer_store_chunk_rows(const RfContent *content, size_t parameter);

/* Deletes files, tensors and chunks. */
extern void roformer_store_delete(int64 model_id);
/* Deletes the rows of a model in one of the tables whose key begins with its id. */
extern void roformer_store_delete_rows(RoformerTable table, int64 model_id);

/* ---- catalog_publish.c --------------------------------------------------------------------- */

/* Makes what was stored a new model of the current user. */
extern void roformer_publish_new(Relation model, const char *name, const RfContent *content,
								 const RoformerStored *stored);
/* Makes it the content of an existing one, whose row this is, and deletes the one before. */
extern void roformer_publish_replacement(Relation model, HeapTuple tuple, const RfContent *content,
										 const RoformerStored *stored);
/* ERROR 22023 when the options of the model of that row do not fit the content. */
extern void roformer_publish_check_options(Relation model, HeapTuple tuple, const char *name,
										   const RfContent *content);

/* ---- catalog_import.c ---------------------------------------------------------------------- */

extern void roformer_import_init(void); /* callbacks */

/* ---- catalog_deviation.c ------------------------------------------------------------------- */

/* Measures the deviations of a model just stored, without or with texts, and stores them. */
extern void roformer_deviation_measure(Relation model, const char *name, const RfInput *inputs,
									   size_t count);
/* Fills result->agreement from the column of the row. */
extern void roformer_deviation_read(HeapTuple tuple, TupleDesc descriptor, RoformerModel *result);

/* ---- catalog_forget.c ---------------------------------------------------------------------- */

extern void roformer_forget_init(void);
/* Contents for the forget hook at the end of this transaction. */
extern void roformer_forget_at_commit(const uint8 *digest);
extern void roformer_forget_at_abort(const uint8 *digest);

#endif
