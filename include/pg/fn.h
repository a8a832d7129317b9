/*
 * fn.h - what the SQL functions share: a call on one text, an array or a set, and its results.
 *
 * Every inference function exists for one text (T), for an array of texts that are computed as one
 * batch (T[]; a set of T where T is itself an array), and some for pairs of texts. The shapes are
 * dealt with once, here; a function says only what it does with n inputs.
 */
#ifndef ROFORMER_FN_H
#define ROFORMER_FN_H

#include "postgres.h"
#include "fmgr.h"

#include "pg/session.h"
#include "pg/support.h"
#include "rf/engine.h"

/* ---- fn_call.c ----------------------------------------------------------------------------- */

/* A text as it is stored, in the server's encoding, and as the engine reads it, in UTF-8. */
typedef struct RoformerText
{
	const char *source;
	size_t source_length; /* bytes */
	const char *utf8;     /* the same pointer where nothing had to be converted */
	size_t utf8_length;   /* bytes */
} RoformerText;

typedef struct RoformerCall
{
	FunctionCallInfo fcinfo;
	RoformerSession *session;
	MemoryContext scratch; /* arguments, arena; gone when the call ends, also by an error */
	RfArena arena;
	RfRun run;
	bool computed;    /* a batch went through the model: counts as a call */
	int first_option; /* number of the first argument behind the texts */
	int single;       /* number of the argument that is one text for all elements, 0: none is */
	size_t count;
	RfInput *inputs;     /* [count] */
	RoformerText *texts; /* [count] */
	RoformerText *pairs; /* [count], NULL where there are no second texts */
	bool *missing;       /* [count] false; to be set where an input gives no result: NULL */
} RoformerCall;

typedef struct RoformerFunction
{
	int options;   /* arguments behind the texts */
	bool separate; /* two texts are two inputs, not a pair */
	bool finds;    /* asks for what was computed ahead by itself */
	int single;    /* as in RoformerCall, for roformer_call_array */
	/* results[i] is what inputs[i] gives, palloc'd; called with one input at least */
	void (*run)(RoformerCall *call, Datum *results);
} RoformerFunction;

/* The elements of an array argument: results go where their texts stood, NULL stays NULL. */
typedef struct RoformerElements
{
	int count;
	int lower_bound;
	bool *nulls; /* [count] */
} RoformerElements;

/* f(model, text [, pair] [, options]) */
extern Datum roformer_call_text(FunctionCallInfo fcinfo, const RoformerFunction *function);
/* f(model, text[] [, pair[]] [, options]): an array with a result for each element */
extern Datum roformer_call_array(FunctionCallInfo fcinfo, const RoformerFunction *function);
/* the same as a set in the order of the elements */
extern Datum roformer_call_set(FunctionCallInfo fcinfo, const RoformerFunction *function);

/* The steps of the above, for functions whose result has a shape of its own. */
extern void roformer_call_begin(RoformerCall *call, FunctionCallInfo fcinfo, int options);
extern void roformer_call_read_array(RoformerCall *call, RoformerElements *elements);
extern void roformer_call_end(RoformerCall *call);

/* Has a plan node read the inputs ahead, so that they are computed with others (pg/batch.h)? */
extern void roformer_call_find(RoformerCall *call, const RfHoldOptions *options,
							   const RfInput *inputs, size_t count);

/* Maps the engine's positions in a text to those substr() understands. */
extern void roformer_call_positions(const RoformerText *text, RoformerPositions *positions);

/* ---- fn_span.c ----------------------------------------------------------------------------- */

/* Parts of a text, best asked for in the text's order. */
typedef struct RoformerSpans
{
	const RoformerText *text;
	RoformerPositions positions;
	int encoding;
	int32 character; /* the place that was looked at last, from 0 */
	size_t byte;
} RoformerSpans;

extern void roformer_spans_begin(RoformerSpans *spans, const RoformerText *text);
/* The part where the engine found something: its place as substr() counts, and what that gives. */
extern text *roformer_spans_cut(RoformerSpans *spans, int32 start, int32 length, int32 *sql_start,
								int32 *sql_length);

/* ---- fn_array.c ---------------------------------------------------------------------------- */

/* ERROR 54000 unless an array can have so many numbers; for whoever would rather know before. */
extern void roformer_array_check(size_t numbers);
extern Datum roformer_array_of_ints(const int32 *values, const bool *nulls, size_t count);
extern Datum roformer_array_of_reals(const float *values, size_t count);
/* values [rows,columns] */
extern Datum roformer_array_of_matrix(const float *values, size_t rows, size_t columns);
/* The same with a lower bound and rows of NULLs: values hold only the rows that are not. */
extern Datum roformer_array_of_rows(const float *values, size_t columns,
									const RoformerElements *elements);
/* Elements of any type; nulls may be NULL. */
extern Datum roformer_array_of_datums(Datum *values, bool *nulls, int count, int lower_bound,
									  Oid element_type);
/* The composite type a function returns, or of which it returns an array; release the result. */
extern TupleDesc roformer_array_row_type(FunctionCallInfo fcinfo);

/* ---- fn_task.c ----------------------------------------------------------------------------- */

/* ERROR 0A000, saying what the model is for, unless it has the head for the task. */
extern void roformer_task_require(const RoformerCall *call, RfTask task);
/* ERROR 0A000 'model "name" <refusal>', saying what the model is for. */
pg_noreturn extern void roformer_task_refuse(const RoformerCall *call, const char *refusal);

/* ---- fn_option.c --------------------------------------------------------------------------- */

typedef struct RoformerWord
{
	const char *word; /* NULL ends a list */
	int value;
} RoformerWord;

/* The value of the word in an argument; ERROR 22023, listing the words, for any other. */
extern int roformer_option_word(FunctionCallInfo fcinfo, int argument, const char *name,
								const RoformerWord *words);
/* An int argument; ERROR 22023 outside [low, high]. */
extern int32 roformer_option_integer(FunctionCallInfo fcinfo, int argument, const char *name,
									 int32 low, int32 high);
/* A double precision argument, likewise. */
extern double roformer_option_real(FunctionCallInfo fcinfo, int argument, const char *name,
								   double low, double high);

#endif
