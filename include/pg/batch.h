/*
 * batch.h - texts that a plan node has read ahead, and the calls that are about to ask for them.
 *
 * A node that has read a batch of rows (src/pg/scan) offers their columns of texts here. A call of
 * an inference function on one text looks here first: when its text is that of the row the node is
 * at, the texts of the rows behind go through the model with it, and the calls of these rows find
 * them done. Neither side knows of the other; a call that finds nothing computes by itself, and
 * whatever it finds is what it would have computed. So it does not matter for any result who
 * offers what, or whether a row that is read ahead is ever asked for.
 */
#ifndef ROFORMER_BATCH_H
#define ROFORMER_BATCH_H

#include "postgres.h"

#include "lib/ilist.h"
#include "rf/engine.h"

/* ---- batch_function.c ------------------------------------------------------------------------ */

/* A function that looks here. */
typedef enum RoformerBatchForm
{
	ROFORMER_BATCH_TEXTS,    /* a text, or a pair */
	ROFORMER_BATCH_SEPARATE, /* two texts that are two inputs */
	ROFORMER_BATCH_ANSWERS,  /* a question and a context */
	ROFORMER_BATCH_CHOICES   /* a prompt and an array of choices: an input for each */
} RoformerBatchForm;

typedef struct RoformerBatchFunction
{
	const char *symbol;
	int options; /* arguments behind the texts */
	RoformerBatchForm form;
} RoformerBatchFunction;

/* What is known of the SQL function; NULL when it is none of these, or a form for arrays. */
extern const RoformerBatchFunction *roformer_batch_function(Oid function);

/* ---- batch_column.c -------------------------------------------------------------------------- */

#define ROFORMER_MODELS_OF_COLUMN 4

/* What was computed ahead with one model, in one way. */
typedef struct RoformerAhead
{
	const RfSession *engine; /* only to be compared */
	RfHoldOptions options;
	RfHeld *held;      /* NULL: nothing */
	uint64 covered;    /* rows that were computed ahead */
	uint64 asked;      /* rows that asked for the model */
	uint64 last_asked; /* number of the row that asked last */
} RoformerAhead;

/* Instead of a row's inputs: what was read of the batch is enough to be computed at once. */
#define ROFORMER_BATCH_ENOUGH (-1)

typedef struct RoformerColumn RoformerColumn;

struct RoformerColumn
{
	dlist_node node;
	bool offered;

	/* the owner's: whose texts they are */
	const Oid *functions; /* [function_count] whose calls are served */
	int function_count;
	RoformerBatchForm form; /* of all these */
	MemoryContext context;  /* reset between batches by the owner */
	/*
	 * Reads the inputs of a row of the batch, all or none (a NULL, no UTF-8), and says how many:
	 * *inputs are valid until the next row is read, their texts (in the current context) as long as
	 * the portion. Rows are read one after the other, from the one that is being evaluated to the
	 * last, or to where ROFORMER_BATCH_ENOUGH is said instead: there the next portion begins.
	 */
	int (*read)(RoformerColumn *column, int row, RfInput **inputs);

	/* the owner's, while it is offered */
	int rows;      /* of the batch */
	int row;       /* that is being evaluated */
	uint64 number; /* of that row among those of all batches, from 1 */

	/* batch_column.c's */
	MemoryContext portion; /* texts that were read, and these two arrays; NULL: none yet */
	RfInput *inputs;       /* [count] of the rows from first_row to before end_row */
	size_t count;
	size_t room;
	int first_row;
	int end_row;
	int *places; /* [end_row - first_row + 1] where a row's inputs begin */
	bool failed; /* a text of this portion can't be computed: its row will say so */
	RoformerAhead ahead[ROFORMER_MODELS_OF_COLUMN];
	int ahead_count;
	RfRunStats work;   /* all of it, since the column was made */
	uint64 work_bytes; /* of texts it was done for */
	int32 limit;       /* tokens of a text that is cut, as it was done last; 0: unknown */
	RfPrecision precision;
	const RfKernels *kernels; /* that it was last done with */
};

/* Offers a batch, whose first row is being evaluated. */
extern void roformer_batch_offer(RoformerColumn *column, int rows);
/* Ends it, before the column's context is reset. Fine when nothing is offered. */
extern void roformer_batch_withdraw(RoformerColumn *column);

/* A call that is about to compute. */
typedef struct RoformerAsk
{
	Oid function;
	RfSession *engine;
	RfRun *run;
	RfHoldOptions options;
	const RfInput *inputs;
	size_t count;
} RoformerAsk;

/*
 * What is held for the call; NULL when it has to compute. Batches and times of work done here are
 * added to run->stats: rows are counted by the calls themselves.
 */
extern const RfHeld *roformer_batch_find(const RoformerAsk *ask);

/* ---- batch_memory.c -------------------------------------------------------------------------- */

/* Lets malloc keep the memory of one batch for the next, from the first call on in a process. */
extern void roformer_batch_keep_memory(void);

#endif
