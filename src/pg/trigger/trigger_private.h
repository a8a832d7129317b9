/*
 * trigger_private.h - what the files of the triggers share.
 *
 * A trigger computes what the SQL function over an array gives, for one row or for many; the
 * function is called through PostgreSQL's function manager, which keeps its session with the model
 * as long as the statement runs.
 */
#ifndef ROFORMER_TRIGGER_PRIVATE_H
#define ROFORMER_TRIGGER_PRIVATE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "nodes/execnodes.h"

/* Columns a trigger writes, at most. */
#define ROFORMER_TARGETS 2

typedef struct RoformerTriggerState RoformerTriggerState;

/* What one of the trigger functions does. */
typedef struct RoformerTriggerKind
{
	const char *name;      /* classify_trigger */
	const char *arguments; /* behind the model, for people */
	const char *verb;      /* classifying */
	int most_arguments;
	/* Chooses the SQL function and the types of the results, from the arguments. */
	void (*prepare)(RoformerTriggerState *state, char **arguments, int count);
	/* results [count * targets]: what texts [count] give, in the current context */
	void (*score)(RoformerTriggerState *state, Datum *texts, int count, Datum *results);
} RoformerTriggerKind;

/* A conversion of values of one type to another, or none where state is NULL. */
typedef struct RoformerCast
{
	ExprState *state;
	ExprContext *context;
} RoformerCast;

typedef struct RoformerTarget
{
	const char *name;
	AttrNumber number;
	Oid type;
	int32 typmod;
	Oid result_type; /* what the SQL function gives */
	RoformerCast cast;
} RoformerTarget;

/* Lives in fn_extra of the trigger's call site: for a statement. */
struct RoformerTriggerState
{
	const RoformerTriggerKind *kind;
	Oid trigger;
	Oid relation;
	MemoryContext context;
	const char *source_name;
	AttrNumber source;
	RoformerCast to_text;
	int target_count;
	RoformerTarget targets[ROFORMER_TARGETS];
	FmgrInfo function; /* (model, texts [, option]) */
	Datum model;
	bool has_option;
	Datum option;
	Oid set_type; /* of the rows of a function that returns a set */
};

/* ---- trigger_columns.c ----------------------------------------------------------------------- */

/* The state for this firing; ERROR when trigger and table don't fit. */
extern RoformerTriggerState *roformer_trigger_state(FunctionCallInfo fcinfo,
													const RoformerTriggerKind *kind);
/* The value in the other type; never for NULL. */
extern Datum roformer_cast(const RoformerCast *cast, Datum value);
/* ERROR when a target can't be NULL: domains are checked nowhere else. */
extern void roformer_trigger_check_null(const RoformerTriggerState *state);

/* ---- trigger_score.c ------------------------------------------------------------------------- */

extern const RoformerTriggerKind roformer_classify_kind;
extern const RoformerTriggerKind roformer_tag_kind;
extern const RoformerTriggerKind roformer_embed_kind;

/* Values for the target columns [count * targets] from texts [count], converted to their types. */
extern Datum *roformer_trigger_score(RoformerTriggerState *state, Datum *texts, int count);

/* ---- trigger_row.c, trigger_statement.c ------------------------------------------------------ */

extern HeapTuple roformer_trigger_row(RoformerTriggerState *state, TriggerData *trigger);
extern void roformer_trigger_statement(RoformerTriggerState *state, TriggerData *trigger);

#endif
