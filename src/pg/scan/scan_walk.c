/*
 * scan_walk.c - going through a finished plan, for which the server has no walker.
 *
 * A plan is read ahead of what is asked for, so two things must be known of it. It is quiet when
 * nobody can see that a row was read: no volatile function, no row written or locked. It is safe
 * when no row can be an error (scan_safe.c); where one can, rows must not be read that may never be
 * asked for.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "scan_private.h"

static bool walk_plan(Plan *plan, RoformerWalk *walk);

static bool
walk_plans(List *plans, RoformerWalk *walk)
{
	ListCell *lc;

	foreach (lc, plans)
	{
		if (walk_plan(lfirst(lc), walk))
			return true;
	}
	return false;
}

/* Once: CTEs that read one another twice would take twice as long each. */
static bool
walk_subplan(int plan_id, RoformerWalk *walk)
{
	if (bms_is_member(plan_id, walk->seen))
		return false;
	walk->seen = bms_add_member(walk->seen, plan_id);
	return walk_plan(list_nth(walk->statement->subplans, plan_id - 1), walk);
}

static bool
find_subplans(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) && walk_subplan(((SubPlan *) node)->plan_id, context))
		return true;
	return expression_tree_walker(node, find_subplans, context);
}

static bool
walk_expression(void *expression, RoformerWalk *walk)
{
	if (expression == NULL)
		return false;
	if (walk->visit_expression != NULL && walk->visit_expression(expression, walk->context))
		return true;
	return find_subplans(expression, walk);
}

static bool
walk_functions(List *functions, RoformerWalk *walk)
{
	ListCell *lc;

	foreach (lc, functions)
	{
		if (walk_expression(((RangeTblFunction *) lfirst(lc))->funcexpr, walk))
			return true;
	}
	return false;
}

static bool
walk_sample(TableSampleClause *sample, RoformerWalk *walk)
{
	return walk_expression(sample->args, walk) || walk_expression(sample->repeatable, walk);
}

static bool
walk_table_function(TableFunc *function, RoformerWalk *walk)
{
	return walk_expression(function, walk);
}

/* Expressions and plans of scans that not all nodes have. */
static bool
walk_scan(Plan *plan, RoformerWalk *walk)
{
	switch (nodeTag(plan))
	{
		case T_SampleScan:
			return walk_sample(((SampleScan *) plan)->tablesample, walk);
		case T_IndexScan:
			return walk_expression(((IndexScan *) plan)->indexqualorig, walk) ||
				   walk_expression(((IndexScan *) plan)->indexorderbyorig, walk);
		case T_IndexOnlyScan:
			return walk_expression(((IndexOnlyScan *) plan)->indexqual, walk) ||
				   walk_expression(((IndexOnlyScan *) plan)->indexorderby, walk);
		case T_BitmapIndexScan:
			return walk_expression(((BitmapIndexScan *) plan)->indexqualorig, walk);
		case T_BitmapHeapScan:
			return walk_expression(((BitmapHeapScan *) plan)->bitmapqualorig, walk);
		case T_TidScan:
			return walk_expression(((TidScan *) plan)->tidquals, walk);
		case T_TidRangeScan:
			return walk_expression(((TidRangeScan *) plan)->tidrangequals, walk);
		case T_SubqueryScan:
			return walk_plan(((SubqueryScan *) plan)->subplan, walk);
		case T_FunctionScan:
			return walk_functions(((FunctionScan *) plan)->functions, walk);
		case T_TableFuncScan:
			return walk_table_function(((TableFuncScan *) plan)->tablefunc, walk);
		case T_ValuesScan:
			return walk_expression(((ValuesScan *) plan)->values_lists, walk);
		case T_CteScan:
			return walk_subplan(((CteScan *) plan)->ctePlanId, walk);
		case T_ForeignScan:
			return walk_expression(((ForeignScan *) plan)->fdw_exprs, walk);
		case T_CustomScan:
			return walk_expression(((CustomScan *) plan)->custom_exprs, walk) ||
				   walk_plans(((CustomScan *) plan)->custom_plans, walk);
		default:
			return false;
	}
}

static bool
walk_join(Plan *plan, RoformerWalk *walk)
{
	if (walk_expression(((Join *) plan)->joinqual, walk))
		return true;
	switch (nodeTag(plan))
	{
		case T_MergeJoin:
			return walk_expression(((MergeJoin *) plan)->mergeclauses, walk);
		case T_HashJoin:
			return walk_expression(((HashJoin *) plan)->hashclauses, walk);
		default:
			return false;
	}
}

/* The same for all other nodes. */
static bool
walk_node(Plan *plan, RoformerWalk *walk)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			return walk_expression(((Result *) plan)->resconstantqual, walk);
		case T_ModifyTable:
			return walk_expression(((ModifyTable *) plan)->mergeActionLists, walk);
		case T_Append:
			return walk_plans(((Append *) plan)->appendplans, walk);
		case T_MergeAppend:
			return walk_plans(((MergeAppend *) plan)->mergeplans, walk);
		case T_BitmapAnd:
			return walk_plans(((BitmapAnd *) plan)->bitmapplans, walk);
		case T_BitmapOr:
			return walk_plans(((BitmapOr *) plan)->bitmapplans, walk);
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return walk_join(plan, walk);
		case T_Limit:
			return walk_expression(((Limit *) plan)->limitOffset, walk) ||
				   walk_expression(((Limit *) plan)->limitCount, walk);
		case T_WindowAgg:
			return walk_expression(((WindowAgg *) plan)->startOffset, walk) ||
				   walk_expression(((WindowAgg *) plan)->endOffset, walk);
		default:
			return walk_scan(plan, walk);
	}
}

static bool
walk_plan(Plan *plan, RoformerWalk *walk)
{
	if (plan == NULL)
		return false;
	if (walk->visit_plan != NULL && walk->visit_plan(plan, walk->context))
		return true;
	return walk_expression(plan->targetlist, walk) || walk_expression(plan->qual, walk) ||
		   walk_expression(plan->initPlan, walk) || walk_node(plan, walk) ||
		   walk_plan(plan->lefttree, walk) || walk_plan(plan->righttree, walk);
}

bool
roformer_scan_walk(Plan *plan, RoformerWalk *walk)
{
	return walk_plan(plan, walk);
}

/* ---- quiet and safe -------------------------------------------------------------------------- */

static bool
is_loud_plan(Plan *plan, void *context)
{
	return IsA(plan, ModifyTable) || IsA(plan, LockRows);
}

static bool
is_loud_expression(Node *expression, void *context)
{
	return contain_volatile_functions(expression);
}

bool
roformer_scan_is_quiet(Plan *plan, const PlannedStmt *statement)
{
	RoformerWalk walk = {statement, is_loud_plan, is_loud_expression, NULL};

	return !roformer_scan_walk(plan, &walk);
}

/* What other servers and other extensions do, nobody knows. */
static bool
is_risky_plan(Plan *plan, void *context)
{
	return IsA(plan, ForeignScan) || IsA(plan, CustomScan) || IsA(plan, TableFuncScan) ||
		   IsA(plan, Agg) || IsA(plan, WindowAgg);
}

static bool
is_risky_expression(Node *expression, void *context)
{
	return !roformer_scan_never_fails(expression);
}

bool
roformer_scan_is_safe(Plan *plan, const PlannedStmt *statement)
{
	RoformerWalk walk = {statement, is_risky_plan, is_risky_expression, NULL};

	return !roformer_scan_walk(plan, &walk);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool
note_node_id(Plan *plan, void *context)
{
	int *last = context;

	*last = Max(*last, plan->plan_node_id);
	return false;
}

int
roformer_scan_last_node_id(const PlannedStmt *statement)
{
	int last = 0;
	RoformerWalk walk = {statement, note_node_id, NULL, &last};

	roformer_scan_walk(statement->planTree, &walk);
	walk_plans(statement->subplans, &walk);
	return last;
}
