/*
 * scan_cost.c - what inference costs, for the planner.
 *
 * A call's cost follows from the arithmetic: 24 h^2 operations for each token and layer, and 4 h
 * for each pair of tokens (attention), for a model of hidden size h. cpu_operator_cost stands for
 * about as many of them as a core does while it evaluates a simple operator. Tokens are guessed
 * from the average width of the columns.
 *
 * Such costs would have the server compile expressions of plans that work on hundreds of rows
 * (JIT), which gains nothing where the time is spent in a model. So whether to compile is decided
 * by the cost without inference.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "jit/jit.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "pg/catalog.h"
#include "pg/compat.h"
#include "scan_private.h"

/* 141 MFLOP (3 layers of 256, 30 tokens) are the 10000 operators that the functions' COST says. */
#define OPERATIONS_OF_OPERATOR 14100.0
#define BYTES_OF_TOKEN 4
#define TOKENS_OF_TEXT 2
#define MOST_TOKENS 512
/* A context is read in windows of so many tokens, of which so many are new. */
#define TOKENS_OF_WINDOW 384
#define TOKENS_OF_STRIDE 256
#define ELEMENTS_OF_ARRAY 10

PG_FUNCTION_INFO_V1(roformer_inference_support);

/* ---- a call ---------------------------------------------------------------------------------- */

static int32
width_of_column(PlannerInfo *root, const Var *var)
{
	int32 width = 0;

	if (root != NULL && !IS_SPECIAL_VARNO(var->varno) && var->varno > 0 && var->varlevelsup == 0 &&
		var->varno < root->simple_rel_array_size)
	{
		const RangeTblEntry *entry = planner_rt_fetch(var->varno, root);

		if (entry->rtekind == RTE_RELATION)
			width = get_attavgwidth(entry->relid, var->varattno);
	}
	return width > 0 ? width : get_typavgwidth(var->vartype, var->vartypmod);
}

static double
estimate_bytes(PlannerInfo *root, Node *text)
{
	List *vars = pull_var_clause(text, PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
										   PVC_RECURSE_PLACEHOLDERS);
	double bytes = 0;
	ListCell *lc;

	if (IsA(text, Const) && !((Const *) text)->constisnull && ((Const *) text)->constlen == -1)
		return toast_raw_datum_size(((Const *) text)->constvalue);
	if (vars == NIL)
		return get_typavgwidth(exprType(text), -1);
	foreach (lc, vars)
		bytes += width_of_column(root, lfirst(lc));
	return bytes;
}

static double
count_elements(Node *texts)
{
	if (IsA(texts, ArrayExpr))
		return list_length(((ArrayExpr *) texts)->elements);
	if (IsA(texts, Const) && !((Const *) texts)->constisnull)
	{
		const ArrayType *array = DatumGetArrayTypeP(((Const *) texts)->constvalue);

		return Max(1, ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	}
	return ELEMENTS_OF_ARRAY;
}

/* Texts of an argument, and the bytes of one. */
static double
estimate_texts(PlannerInfo *root, Node *texts, double *bytes)
{
	double elements = exprType(texts) == TEXTARRAYOID ? count_elements(texts) : 1;

	*bytes += estimate_bytes(root, texts) / elements;
	return elements;
}

/* Is argument 2 a text too? A text that is the same for all rows may as well be an option. */
static bool
has_second_text(List *args)
{
	return list_length(args) > 2 &&
		   (exprType(lthird(args)) == TEXTARRAYOID ||
			(exprType(lthird(args)) == TEXTOID && roformer_scan_contains_leaf(lthird(args))));
}

/* Texts are arguments 1 and, for a pair, 2: any other behind them adds little. */
static double
estimate_operations(PlannerInfo *root, const FuncExpr *call, const RoformerModelShape *shape)
{
	const RoformerBatchFunction *function = roformer_batch_function(call->funcid);
	bool windows = function != NULL && function->form == ROFORMER_BATCH_ANSWERS;
	double h = shape->hidden_size;
	double bytes = 0;
	double rows = estimate_texts(root, lsecond(call->args), &bytes);
	double tokens;

	if (has_second_text(call->args))
		rows = Max(rows, estimate_texts(root, lthird(call->args), &bytes));
	tokens = TOKENS_OF_TEXT + bytes / BYTES_OF_TOKEN;
	if (windows && tokens > TOKENS_OF_WINDOW)
	{
		rows *= tokens / TOKENS_OF_STRIDE;
		tokens = TOKENS_OF_WINDOW;
	}
	tokens = Min(tokens, MOST_TOKENS);
	return rows * shape->layers * (24 * h * h * tokens + 4 * h * tokens * tokens);
}

static bool
estimate_cost(SupportRequestCost *request)
{
	List *args;
	Node *model;
	RoformerModelShape shape;

	if (request->node == NULL || !IsA(request->node, FuncExpr))
		return false;
	args = ((FuncExpr *) request->node)->args;
	if (list_length(args) < 2)
		return false;
	model = linitial(args);
	if (!IsA(model, Const) || ((Const *) model)->constisnull ||
		((Const *) model)->consttype != TEXTOID)
		return false;
	if (!roformer_catalog_shape(TextDatumGetCString(((Const *) model)->constvalue), &shape))
		return false;
	request->startup = 0;
	request->per_tuple = estimate_operations(request->root, (FuncExpr *) request->node, &shape) /
						 OPERATIONS_OF_OPERATOR * cpu_operator_cost;
	return true;
}

static bool
estimate_rows(SupportRequestRows *request)
{
	if (!IsA(request->node, FuncExpr) || list_length(((FuncExpr *) request->node)->args) < 2)
		return false;
	request->rows = count_elements(lsecond(((FuncExpr *) request->node)->args));
	return true;
}

/* The planner's support function of all inference functions. */
Datum
roformer_inference_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);
	bool answered = false;

	if (IsA(request, SupportRequestCost))
		answered = estimate_cost((SupportRequestCost *) request);
	else if (IsA(request, SupportRequestRows))
		answered = estimate_rows((SupportRequestRows *) request);
	PG_RETURN_POINTER(answered ? request : NULL);
}

/* ---- JIT ------------------------------------------------------------------------------------- */

static bool
add_call_cost(Node *node, void *context)
{
	Cost *per_row = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && roformer_batch_function(((FuncExpr *) node)->funcid) != NULL)
	{
		QualCost cost = {0};

		cost_qual_eval_node(&cost, node, NULL);
		*per_row += cost.per_tuple;
	}
	return expression_tree_walker(node, add_call_cost, context);
}

static Cost
cost_below(const Plan *plan)
{
	return (plan->lefttree == NULL ? 0 : plan->lefttree->total_cost) +
		   (plan->righttree == NULL ? 0 : plan->righttree->total_cost);
}

Cost
roformer_scan_inference_cost(const Plan *plan, List *targetlist, List *qual)
{
	Cost own = Max(0, plan->total_cost - cost_below(plan));
	Cost calls = 0;

	add_call_cost((Node *) targetlist, &calls);
	add_call_cost((Node *) qual, &calls);
	return own * calls / (calls + cpu_tuple_cost);
}

static bool
add_node_cost(Plan *plan, void *context)
{
	Cost *inference = context;

	*inference += roformer_scan_inference_cost(plan, plan->targetlist, plan->qual);
	return false;
}

void
roformer_scan_decide_jit(PlannedStmt *statement)
{
	Cost inference = 0;
	RoformerWalk walk = {statement, add_node_cost, NULL, &inference};

	if ((statement->jitFlags & PGJIT_PERFORM) == 0)
		return;
	roformer_scan_walk(statement->planTree, &walk);
	if (statement->planTree->total_cost - inference <= jit_above_cost)
		statement->jitFlags = PGJIT_NONE;
}
