/*
 * scan_build.c - putting the node into a finished plan.
 *
 * References of a finished plan are final: a node's expressions name columns of the tables it
 * scans, or of its children by OUTER_VAR and INNER_VAR. A node put above another one takes over its
 * target list and conditions; what only the other can evaluate (leaves) becomes the other's target
 * list, and the expressions refer to that by INDEX_VAR. The parent sees the same columns as before.
 *
 * Parameters are where they were: both nodes are told of all that the one was told of. InitPlans
 * go with the upper one, which is the first to be initialised and to be rescanned.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"

#include "pg/compat.h"

#include "scan_private.h"

int
roformer_scan_field(const CustomScan *scan, RoformerScanField field)
{
	return intVal(list_nth(scan->custom_private, field));
}

bool
roformer_scan_knows_places(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
			return true;
		case T_CustomScan:
			return ((const CustomScan *) plan)->methods == &roformer_scan_methods &&
				   roformer_scan_field((const CustomScan *) plan, ROFORMER_SCAN_PLACES);
		default:
			return false;
	}
}

/* ---- references ------------------------------------------------------------------------------ */

static Var *
column_reference(int varno, AttrNumber number, Expr *expression)
{
	return makeVar(varno, number, exprType((Node *) expression), exprTypmod((Node *) expression),
				   exprCollation((Node *) expression), 0);
}

/* Replaces leaves by references to a target list, which gets those it lacks. */
static Node *
replace_leaves(Node *node, void *context)
{
	List **targetlist = context;
	TargetEntry *entry;

	if (node == NULL)
		return NULL;
	if (!roformer_scan_is_leaf(node))
		return expression_tree_mutator(node, replace_leaves, context);
	entry = tlist_member((Expr *) node, *targetlist);
	if (entry == NULL)
	{
		entry = makeTargetEntry((Expr *) node, list_length(*targetlist) + 1, NULL, false);
		*targetlist = lappend(*targetlist, entry);
	}
	return (Node *) column_reference(INDEX_VAR, entry->resno, entry->expr);
}

List *
roformer_scan_refer(List *expressions, int from, int to)
{
	List *copy = copyObject(expressions);

	ChangeVarNodes((Node *) copy, from, to, 0);
	return copy;
}

/* A target list that passes on the columns of another. */
static List *
pass_columns(List *targetlist, int varno)
{
	List *passed = NIL;
	ListCell *lc;

	foreach (lc, targetlist)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst(lc));

		entry->expr = (Expr *) column_reference(varno, entry->resno, entry->expr);
		passed = lappend(passed, entry);
	}
	return passed;
}

/* ---- the node -------------------------------------------------------------------------------- */

static void
add_limit(CustomScan *scan, const RoformerPlace *place, bool filters)
{
	const Limit *limit = filters ? NULL : place->limit;
	List *fields = NIL;

	for (int field = 0; field < ROFORMER_SCAN_FIELDS; field++)
	{
		int value = 0;

		switch ((RoformerScanField) field)
		{
			case ROFORMER_SCAN_CALLS:
				value = list_length(scan->custom_exprs);
				break;
			case ROFORMER_SCAN_LIMITED:
				value = limit != NULL;
				break;
			case ROFORMER_SCAN_EAGER:
				value = place->eager || (limit != NULL && place->certain);
				break;
			case ROFORMER_SCAN_PLACES:
				value = place->current_of && roformer_scan_knows_places(scan->scan.plan.lefttree);
				break;
			case ROFORMER_SCAN_FIELDS:
				break;
		}
		fields = lappend(fields, makeInteger(value));
	}
	scan->custom_private = fields;
	if (limit == NULL)
		return;
	scan->custom_exprs = lappend(
		scan->custom_exprs, limit->limitOffset != NULL
								? copyObject(limit->limitOffset)
								: (Node *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
													 Int64GetDatum(0), false, FLOAT8PASSBYVAL));
	scan->custom_exprs = lappend(scan->custom_exprs, copyObject(limit->limitCount));
}

static CustomScan *
make_node(Plan *child, List *targetlist, List *qual, List *calls, const RoformerPlace *place,
		  int *node_id)
{
	CustomScan *scan = makeNode(CustomScan);
	Plan *plan = &scan->scan.plan;

	plan->startup_cost = child->startup_cost;
	plan->total_cost = child->total_cost;
	plan->plan_rows = child->plan_rows;
	plan->plan_width = child->plan_width;
	roformer_take_disabled(plan, child);
	plan->parallel_aware = place->parallel; /* workers tell what they did */
	plan->parallel_safe = child->parallel_safe;
	plan->plan_node_id = ++*node_id;
	plan->targetlist = targetlist;
	plan->qual = qual;
	plan->lefttree = child;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
	if (ExecSupportsBackwardScan(child))
		scan->flags = CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	scan->custom_exprs = calls;
	scan->custom_scan_tlist = pass_columns(child->targetlist, OUTER_VAR);
	scan->methods = &roformer_scan_methods;
	add_limit(scan, place, qual != NIL);
	return scan;
}

Plan *
roformer_scan_below(Plan *child, List *calls, const RoformerPlace *place, int *node_id)
{
	List *served = roformer_scan_refer(calls, OUTER_VAR, INDEX_VAR);

	return (Plan *) make_node(child, pass_columns(child->targetlist, INDEX_VAR), NIL, served, place,
							  node_id);
}

/* ---- above a node ---------------------------------------------------------------------------- */

/* A Result that only computes goes: the node does the same. */
static bool
is_mere_projection(const Plan *plan)
{
	return IsA(plan, Result) && plan->lefttree != NULL && plan->qual == NIL &&
		   ((const Result *) plan)->resconstantqual == NULL;
}

static Plan *
replace_projection(Plan *plan, const RoformerPlace *place, int *node_id)
{
	List *targetlist = roformer_scan_refer(plan->targetlist, OUTER_VAR, INDEX_VAR);
	List *calls = roformer_scan_calls((Node *) targetlist);
	CustomScan *scan = make_node(plan->lefttree, targetlist, NIL, calls, place, node_id);
	Plan *above = &scan->scan.plan;

	above->startup_cost = plan->startup_cost;
	above->total_cost = plan->total_cost;
	above->plan_width = plan->plan_width;
	above->parallel_safe = plan->parallel_safe;
	above->initPlan = plan->initPlan;
	above->extParam = plan->extParam;
	above->allParam = plan->allParam;
	return above;
}

/* Target lists of the node that is relieved. */
typedef struct Moved
{
	List *before;
	List *after;
} Moved;

/*
 * A window's run condition compares its functions, which it names by their places in the target
 * list, with what is the same for all rows: it has no other column.
 */
static Node *
follow_columns(Node *node, void *context)
{
	const Moved *moved = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var *var = copyObject((Var *) node);
		TargetEntry *before = get_tle_by_resno(moved->before, var->varattno);
		TargetEntry *after = before == NULL ? NULL : tlist_member(before->expr, moved->after);

		if (after == NULL)
			elog(ERROR, "roformer: a window's run condition has an unknown column");
		var->varattno = after->resno;
		return (Node *) var;
	}
	return expression_tree_mutator(node, follow_columns, context);
}

static void
restore_run_condition(WindowAgg *plan, List *before)
{
	Moved moved = {before, plan->plan.targetlist};

	plan->runCondition = (List *) follow_columns((Node *) plan->runCondition, &moved);
}

Plan *
roformer_scan_above(Plan *plan, List **conditions, int keep, const RoformerPlace *place,
					int *node_id)
{
	List *rows = NIL;
	List *before = plan->targetlist;
	List *targetlist;
	List *moved;
	CustomScan *scan;
	Plan *above;

	if (is_mere_projection(plan))
		return replace_projection(plan, place, node_id);
	targetlist = (List *) replace_leaves((Node *) before, &rows);
	moved = (List *) replace_leaves((Node *) list_copy_tail(*conditions, keep), &rows);
	*conditions = list_truncate(*conditions, keep);
	plan->targetlist = rows;
	if (IsA(plan, WindowAgg))
		restore_run_condition((WindowAgg *) plan, before);
	scan = make_node(plan, targetlist, moved,
					 roformer_scan_calls((Node *) list_make2(targetlist, moved)), place, node_id);
	above = &scan->scan.plan;
	above->initPlan = plan->initPlan;
	plan->initPlan = NIL;
	plan->extParam = bms_copy(plan->allParam);
	plan->total_cost -= roformer_scan_inference_cost(plan, targetlist, moved);
	return above;
}
