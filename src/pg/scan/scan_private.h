/*
 * scan_private.h - what the files of src/pg/scan share among themselves.
 *
 * The node's plan:
 *   lefttree         where its rows come from
 *   custom_scan_tlist the rows as they come: INDEX_VAR n is column n of the child
 *   targetlist, qual what the node evaluates of the plan node whose place it takes; a node that
 * only serves the one above passes its rows on custom_exprs     the calls it reads texts for, then
 * offset and count of a LIMIT above it custom_private   RoformerScanField
 */
#ifndef ROFORMER_SCAN_PRIVATE_H
#define ROFORMER_SCAN_PRIVATE_H

#include "postgres.h"

#include "access/parallel.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
#include "pg/batch.h"

#define ROFORMER_SCAN_NAME "RoformerBatch"

/* Numbers in custom_private. */
typedef enum RoformerScanField
{
	ROFORMER_SCAN_CALLS,   /* how many of custom_exprs are calls; a LIMIT's come behind */
	ROFORMER_SCAN_LIMITED, /* is there a LIMIT? */
	ROFORMER_SCAN_EAGER,   /* will all rows be asked for, or all that LIMIT takes? */
	ROFORMER_SCAN_PLACES,  /* may WHERE CURRENT OF ask where in its table a row is? */
	ROFORMER_SCAN_FIELDS
} RoformerScanField;

/* scan_plan.c */
extern const CustomScanMethods roformer_scan_methods;

extern int roformer_scan_field(const CustomScan *scan, RoformerScanField field);

/* ---- scan_call.c: the calls that can be served ----------------------------------------------- */

/* Is there a call of an inference function, served or not? A walker: context is not used. */
extern bool roformer_scan_has_call(Node *node, void *context);
/* Calls in a tree of expressions, not looking below aggregates and window functions. */
extern List *roformer_scan_calls(Node *node);
/* The texts of a call. */
extern List *roformer_scan_texts(const FuncExpr *call, RoformerBatchForm *form);
/* Do both compute the same texts with the same model? */
extern bool roformer_scan_same_pass(const FuncExpr *a, const FuncExpr *b);

/* ---- scan_safe.c: expressions ---------------------------------------------------------------- */

/* What only the node that evaluates it can: a column, an aggregate, a window function. */
extern bool roformer_scan_is_leaf(const Node *node);
extern bool roformer_scan_contains_leaf(Node *node);
/* Does it give a result for every row? */
extern bool roformer_scan_never_fails(Node *node);

/* ---- scan_walk.c: plan trees ----------------------------------------------------------------- */

typedef struct RoformerWalk
{
	const PlannedStmt *statement;
	/* Either may be NULL. True ends the walk. */
	bool (*visit_plan)(Plan *plan, void *context);
	bool (*visit_expression)(Node *expression, void *context);
	void *context;
	Bitmapset *seen; /* numbers of the subplans that were walked through */
} RoformerWalk;

/* All nodes below and including plan, with those of subplans they use, and their expressions. */
extern bool roformer_scan_walk(Plan *plan, RoformerWalk *walk);
/* Do its rows come without side effects? */
extern bool roformer_scan_is_quiet(Plan *plan, const PlannedStmt *statement);
/* Can no row of it be an error? */
extern bool roformer_scan_is_safe(Plan *plan, const PlannedStmt *statement);
extern int roformer_scan_last_node_id(const PlannedStmt *statement);

/* ---- scan_cost.c ----------------------------------------------------------------------------- */

/* Of a node's own cost, the part that calls in these have in what it does for a row. */
extern Cost roformer_scan_inference_cost(const Plan *plan, List *targetlist, List *qual);
/* Expressions are compiled if the plan's cost without inference says so. */
extern void roformer_scan_decide_jit(PlannedStmt *statement);

/* ---- scan_path.c ----------------------------------------------------------------------------- */

extern void roformer_scan_init_paths(void);
/* What is noted of rows is taken over, as for a statement in a statement; gives what there was. */
extern List *roformer_scan_note_rows(List *rows);
/* Rows of a scan whose conditions with inference were taken from it. */
extern void roformer_scan_restore_rows(Plan *plan, const PlannedStmt *statement);

/* ---- scan_build.c: the node in the plan ------------------------------------------------------ */

/* What is above a place in the plan, as far as it matters. */
typedef struct RoformerPlace
{
	bool partial;       /* not all rows may be asked for */
	bool eager;         /* all rows will be asked for before anything else happens */
	bool certain;       /* those that limit takes will be */
	bool marked;        /* positions are marked and restored */
	bool current_of;    /* WHERE CURRENT OF may look for a scan here */
	bool parallel;      /* runs in parallel workers */
	const Limit *limit; /* takes rows as they come from here */
} RoformerPlace;

/* Expressions with references to one input's columns, by from, as references to another's. */
extern List *roformer_scan_refer(List *expressions, int from, int to);
/* Does a node know where in a table each of its rows is, for WHERE CURRENT OF? */
extern bool roformer_scan_knows_places(const Plan *plan);
/* A node that passes on child's rows and reads ahead the texts of calls, which are over its rows.
 */
extern Plan *roformer_scan_below(Plan *child, List *calls, const RoformerPlace *place,
								 int *node_id);
/*
 * A node that evaluates the target list of plan and the last of its conditions, from number keep
 * on; plan is left with what these need.
 */
extern Plan *roformer_scan_above(Plan *plan, List **conditions, int keep,
								 const RoformerPlace *place, int *node_id);

/* ---- scan_exec.c, scan_column.c: the node at work -------------------------------------------- */

typedef struct RoformerScanState RoformerScanState;

/* Where the batch's rows are read. */
typedef enum RoformerScanPointer
{
	ROFORMER_SCAN_NEXT,    /* the row to be returned next */
	ROFORMER_SCAN_CURRENT, /* the row being evaluated */
	ROFORMER_SCAN_AHEAD    /* texts */
} RoformerScanPointer;

/* A column of texts: what the calls over the same texts share. */
typedef struct RoformerScanColumn
{
	RoformerColumn column; /* first */
	RoformerScanState *scan;
	List *texts;           /* [1..2] expressions */
	List *texts_state;     /* [1..2] ExprState */
	Bitmapset *attributes; /* columns of the rows that the texts are made of, from 1 */
	RfInput inputs[2];     /* of the row read last */
	List *functions;       /* Oids */

	/* of all rows whose texts were read */
	double stored_bytes; /* in the attributes */
	double text_bytes;   /* in the texts made of them */
	/* of those in the portion being read */
	double portion_tokens; /* estimated from portion_bytes, of texts */
	double portion_bytes;
} RoformerScanColumn;

/* What EXPLAIN ANALYZE tells, of one process. */
typedef struct RoformerScanCounts
{
	uint64 rows; /* read from the child in batches */
	uint64 disk; /* bytes of the largest batch that did not fit work_mem */
	RfRunStats work;
	RfPrecision precision;
	char kernels[16]; /* "": nothing was computed */
} RoformerScanCounts;

struct RoformerScanState
{
	CustomScanState css;         /* first */
	RoformerScanColumn *columns; /* [column_count] */
	int column_count;
	List *limit; /* ExprState of offset and count, or NIL */
	bool single; /* one row after the other: see scan_exec.c */
	bool places; /* ROFORMER_SCAN_PLACES */

	MemoryContext batch_context; /* what belongs to the batch; reset with each */
	MemoryContextCallback callback;
	Tuplestorestate *rows; /* [row_count] of the batch; read by RoformerScanPointer */
	int row_count;
	ItemPointerData *tids; /* [row_count] where the rows are, in the batch's context, if places */
	int tid_room;
	int next;        /* row to be returned next */
	int batch_limit; /* rows that the next batch may have */
	bool ended;      /* the child has no more rows */
	bool at_end;     /* and that was said */

	bool started; /* since the last rescan */
	int64 bound;  /* rows that are asked for at most, -1: unknown */
	int64 taken;  /* rows returned */
	double tokens_of_byte;

	TupleTableSlot *row;        /* as it is in rows: the one being evaluated */
	TupleTableSlot *ahead_row;  /* and one whose texts are read ahead */
	TupleTableSlot *ahead_slot; /* that, for expressions */
	ExprContext *ahead_context;

	uint64 rows_read;
	uint64 disk;                 /* as in RoformerScanCounts */
	RoformerScanCounts *shared;  /* [worker_count] in the parallel query's memory; NULL: none */
	RoformerScanCounts *workers; /* [worker_count] copy of that */
	int worker_count;
	RoformerScanCounts before; /* this worker's place when it was started */
};

extern Node *roformer_scan_create_state(CustomScan *scan);

extern void roformer_scan_open_columns(RoformerScanState *state);
/* What a batch should have. */
extern double roformer_scan_batch_tokens(void);
extern double roformer_scan_batch_bytes(void);
/*
 * Of the row in slot the estimated tokens (of the column that has most) and the bytes of all texts
 * are added.
 */
extern void roformer_scan_measure(const RoformerScanState *state, TupleTableSlot *slot,
								  double *tokens, double *bytes);
/* The pointer's next row of the batch, which is there, in the slot row. */
extern TupleTableSlot *roformer_scan_fetch(RoformerScanState *state, RoformerScanPointer pointer,
										   TupleTableSlot *row);
/* The values of row in slot, which is valid as long as row is. */
extern TupleTableSlot *roformer_scan_show(TupleTableSlot *row, TupleTableSlot *slot);
extern void roformer_scan_learn_tokens(RoformerScanState *state);

/* ---- scan_explain.c -------------------------------------------------------------------------- */

/* Tells the leader, if this is a worker, what was done. */
extern void roformer_scan_publish(RoformerScanState *state);
extern Size roformer_scan_estimate_shared(CustomScanState *node, ParallelContext *context);
extern void roformer_scan_init_shared(CustomScanState *node, ParallelContext *context,
									  void *shared);
extern void roformer_scan_attach_shared(CustomScanState *node, shm_toc *toc, void *shared);
extern void roformer_scan_shutdown(CustomScanState *node);
extern void roformer_scan_explain(CustomScanState *node, List *ancestors, struct ExplainState *es);

#endif
