/*
 * support.h - where PostgreSQL meets the engine: errors, memory, cancellation, text, settings.
 */
#ifndef ROFORMER_SUPPORT_H
#define ROFORMER_SUPPORT_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "pg/compat.h"

#include "rf/memory.h"
#include "rf/status.h"

/* ---- report.c ------------------------------------------------------------------------------ */

/* ereport(ERROR) with SQLSTATE, detail, hint and context from an engine error. Never returns. */
pg_noreturn extern void roformer_report_error(const RfError *err);

/* Throws unless code is RF_OK. */
static inline void
roformer_check(RfCode code, const RfError *err)
{
	if (unlikely(code != RF_OK))
		roformer_report_error(err);
}

/* Called when the engine was canceled, before that is thrown; set by the statistics, never throws.
 */
typedef void (*RoformerCanceledHook)(void);
extern RoformerCanceledHook roformer_canceled_hook;

/*
 * Any text of the engine for a message: valid in the server's encoding, with "?" for what is not
 * UTF-8 or can't be converted. palloc'd.
 */
extern char *roformer_report_text(const char *utf8);

/* ---- memory.c ------------------------------------------------------------------------------ */

/* Allocates in context; NULL instead of an error when out of memory; blocks may exceed 1 GB. */
extern RfMemory roformer_memory(MemoryContext context);

/* Requested once a cancel, a timeout or a shutdown is pending for this backend. */
extern RfAbort roformer_abort(void);

/* ---- text.c -------------------------------------------------------------------------------- */

/*
 * The UTF-8 form of a text in the server's encoding; *length in bytes. Is source itself (terminated
 * or not, as it is) where nothing had to be converted, else palloc'd and NUL-terminated. ERROR
 * 22021 where the database's encoding is SQL_ASCII and the bytes are not valid UTF-8.
 */
extern const char *roformer_text_to_utf8(const char *source, size_t source_length, size_t *length);

/* Can it be converted, without an error? */
extern bool roformer_text_has_utf8(const char *source, size_t source_length);

/* The other way; palloc'd. ERROR 22P05 for a character the server's encoding lacks. */
extern text *roformer_utf8_to_text(const char *utf8, size_t length);
extern char *roformer_utf8_to_cstring(const char *utf8, size_t length);

/*
 * Positions in code points of the UTF-8 form, from 0, to positions in characters of the server's
 * encoding, from 1 (they differ in encodings with characters that Unicode writes as two, and where
 * every byte is a character).
 */
typedef struct RoformerPositions
{
	bool identical;
	size_t characters;       /* 0 when identical */
	int32 *first_code_point; /* [characters + 1], NULL when identical */
} RoformerPositions;

extern void roformer_positions_init(RoformerPositions *positions, const char *source,
									size_t source_length, const char *utf8,
									size_t utf8_length);
extern void roformer_positions_map(const RoformerPositions *positions, int32 start, int32 length,
								   int32 *sql_start, int32 *sql_length);

/* ---- settings.c ---------------------------------------------------------------------------- */

/* What a setting or a model's option in tokens may say at most. */
#define ROFORMER_MAX_TOKENS (1024 * 1024)

extern int roformer_cache_size;         /* MB, roformer.cache_size */
extern char *roformer_kernels;          /* roformer.kernels */
extern int roformer_precision;          /* roformer.precision: RoformerPrecisionSetting */
extern int roformer_max_length;         /* tokens, 0: the model's own; roformer.max_length */
extern int roformer_overflow;           /* RfOverflow, ROFORMER_OVERFLOW_UNSET; roformer.overflow */
extern int roformer_batch_tokens;       /* 0: the engine's choice; roformer.batch_tokens */
extern bool roformer_enable_batch_scan; /* roformer.enable_batch_scan */
extern char *roformer_jieba_dictionary; /* path; "": that of python3-jieba */
extern char *roformer_prewarm_models;   /* models to load at start; roformer.prewarm */

/* Nobody gave roformer.overflow a value: the model's option counts, then truncate. */
#define ROFORMER_OVERFLOW_UNSET (-1)

typedef enum RoformerPrecisionSetting
{
	ROFORMER_PRECISION_AUTO,
	ROFORMER_PRECISION_FP32,
	ROFORMER_PRECISION_BF16,
	ROFORMER_PRECISION_INT8
} RoformerPrecisionSetting;

/* The value of a word the settings of that name take, -1 for any other. */
extern int roformer_settings_find_precision(const char *word);
extern int roformer_settings_find_overflow(const char *word);

extern void roformer_settings_define(void); /* _PG_init */

/* ---- prewarm_list.c ------------------------------------------------------------------------ */

typedef struct RoformerPrewarmName
{
	char database[NAMEDATALEN];
	char model[NAMEDATALEN];
} RoformerPrewarmName;

/* The elements of roformer.prewarm, palloc'd; NIL with *complaint, a sentence, when it is wrong. */
extern List *roformer_prewarm_parse(const char *value, const char **complaint);

#endif
