/*
 * scan_plan.c - where the plan of a statement gets nodes that read ahead.
 *
 * The planner's work is done when the node comes in: nothing but the evaluation of expressions
 * moves. Two places are looked for in the finished plan.
 *   - A node that evaluates a call in its target list or in a condition, over what it scans, joins
 *     or aggregates: the node goes above it and evaluates target list and conditions from that one
 *     on in its stead, in the same order.
 *   - A node that evaluates a call over the rows of a child, where it can't be taken from it:
 *     arguments of aggregates and of functions that return sets, keys of a hash join, a function in
 *     FROM that takes a column of the table before it. The node goes between the two and passes the
 *     child's rows on.
 * Calls are evaluated as often, in the same order and in the same places as without the node; it
 * only lets them find their results (pg/batch.h). It stands aside where reading ahead of what is
 * asked for could be seen: see scan_walk.c, and struct RoformerPlace.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"

#include "pg/catalog.h"
#include "pg/scan.h"
#include "pg/support.h"
#include "scan_private.h"

const CustomScanMethods roformer_scan_methods = {
	.CustomName = ROFORMER_SCAN_NAME,
	.CreateCustomScanState = roformer_scan_create_state,
};

static planner_hook_type previous_planner_hook = NULL;

typedef struct Visit
{
	PlannedStmt *statement;
	int node_id; /* the last one given away */
} Visit;

static Plan *visit(Visit *visit_, Plan *plan, RoformerPlace place);

/* ---- is there something to do? --------------------------------------------------------------- */

static bool
plan_has_call(const PlannedStmt *statement)
{
	RoformerWalk walk = {statement, NULL, roformer_scan_has_call, NULL};
	ListCell *lc;

	if (roformer_scan_walk(statement->planTree, &walk))
		return true;
	foreach (lc, statement->subplans)
	{
		if (roformer_scan_walk(lfirst(lc), &walk))
			return true;
	}
	return false;
}

/* Would WHERE CURRENT OF find a row's place there, or further below, but not in the node above? */
static bool
hides_places(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
		case T_SubqueryScan:
		case T_IndexOnlyScan:
		case T_ForeignScan:
		case T_CustomScan:
			return !roformer_scan_knows_places(plan);
		default:
			return false;
	}
}

/* May rows of the plan be read ahead, there? */
static bool
can_read_ahead(const Visit *visit_, Plan *plan, const RoformerPlace *place)
{
	if (place->marked || (place->current_of && hides_places(plan)) ||
		!roformer_scan_is_quiet(plan, visit_->statement))
		return false;
	return !place->partial || (place->limit != NULL && place->certain) ||
		   roformer_scan_is_safe(plan, visit_->statement);
}

/*
 * The conditions of which the last can be taken from the node. Those of an inner join are all in
 * joinqual.
 */
static List **
conditions_of(Plan *plan)
{
	if (IsA(plan, NestLoop) || IsA(plan, HashJoin) || IsA(plan, MergeJoin))
	{
		Join *join = (Join *) plan;

		if (join->jointype == JOIN_INNER && plan->qual == NIL)
			return &join->joinqual;
	}
	return &plan->qual;
}

/*
 * A join looks no further than the first match where its conditions find one at most. With fewer of
 * them it has to.
 */
static void
note_moved(Plan *plan)
{
	if (IsA(plan, NestLoop) || IsA(plan, HashJoin) || IsA(plan, MergeJoin))
		((Join *) plan)->inner_unique = false;
}

/* ---- below a node that evaluates calls over its child ---------------------------------------- */

static List *
aggregate_calls(Node *node)
{
	List *aggregates = pull_var_clause(node, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
												 PVC_INCLUDE_PLACEHOLDERS);
	List *calls = NIL;
	ListCell *lc;

	foreach (lc, aggregates)
	{
		Aggref *aggregate = lfirst(lc);

		if (!IsA(aggregate, Aggref))
			continue;
		calls = list_concat_unique(calls, roformer_scan_calls((Node *) aggregate->args));
		calls = list_concat_unique(calls, roformer_scan_calls((Node *) aggregate->aggfilter));
	}
	return calls;
}

/* Calls that a function in FROM, on the inner side, makes of the outer side's columns. */
typedef struct Lateral
{
	NestLoop *join;
	List *calls;
} Lateral;

static Node *
param_to_outer(Node *node, void *context)
{
	NestLoop *join = context;
	ListCell *lc;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Param) || ((Param *) node)->paramkind != PARAM_EXEC)
		return expression_tree_mutator(node, param_to_outer, context);
	foreach (lc, join->nestParams)
	{
		NestLoopParam *param = lfirst(lc);

		if (param->paramno == ((Param *) node)->paramid)
			return copyObject((Node *) param->paramval);
	}
	return copyObject(node);
}

/* Of an expression that is made of parameters alone: others have columns of the inner side. */
static bool
add_lateral_calls(Node *expression, void *context)
{
	Lateral *lateral = context;
	ListCell *lc;

	if (IsA(expression, TargetEntry))
		expression = (Node *) ((TargetEntry *) expression)->expr;
	if (!IsA(expression, List))
	{
		if (!contain_var_clause(expression) && !contain_agg_clause(expression))
			lateral->calls = list_concat_unique(
				lateral->calls, roformer_scan_calls(param_to_outer(expression, lateral->join)));
		return false;
	}
	foreach (lc, (List *) expression)
		add_lateral_calls(lfirst(lc), context);
	return false;
}

static List *
lateral_calls(const Visit *visit_, NestLoop *join)
{
	Lateral lateral = {join, NIL};
	RoformerWalk walk = {visit_->statement, NULL, add_lateral_calls, &lateral};

	if (join->nestParams != NIL)
		roformer_scan_walk(join->join.plan.righttree, &walk);
	return lateral.calls;
}

/* Of the outer side's columns, on the way to a condition that can't be taken from the join. */
static List *
join_calls(const Visit *visit_, Plan *plan)
{
	List *calls = NIL;

	if (conditions_of(plan) == &plan->qual)
		calls = roformer_scan_calls((Node *) ((Join *) plan)->joinqual);
	if (IsA(plan, HashJoin))
		calls =
			list_concat_unique(calls, roformer_scan_calls((Node *) ((HashJoin *) plan)->hashkeys));
	if (IsA(plan, NestLoop))
		calls = list_concat_unique(calls, lateral_calls(visit_, (NestLoop *) plan));
	return calls;
}

/* What MERGE makes of the rows of its source, which are the inner ones there. */
static List *
merge_calls(const ModifyTable *plan)
{
	List *calls = NIL;
	ListCell *lists;

	foreach (lists, plan->mergeActionLists)
	{
		ListCell *lc;

		foreach (lc, (List *) lfirst(lists))
		{
			MergeAction *action = lfirst(lc);

			calls = list_concat_unique(calls, roformer_scan_calls(action->qual));
			calls = list_concat_unique(calls, roformer_scan_calls((Node *) action->targetList));
		}
	}
	return roformer_scan_refer(calls, INNER_VAR, OUTER_VAR);
}

static List *
calls_over_child(const Visit *visit_, Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ProjectSet:
			return roformer_scan_calls((Node *) plan->targetlist);
		case T_Agg:
			return aggregate_calls((Node *) list_make2(plan->targetlist, plan->qual));
		case T_Hash:
			return roformer_scan_calls((Node *) ((Hash *) plan)->hashkeys);
		case T_HashJoin:
		case T_MergeJoin:
		case T_NestLoop:
			return join_calls(visit_, plan);
		case T_ModifyTable:
			return merge_calls((const ModifyTable *) plan);
		default:
			return NIL;
	}
}

static bool
is_not_outer(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (roformer_scan_is_leaf(node))
		return !IsA(node, Var) || ((Var *) node)->varno != OUTER_VAR;
	return expression_tree_walker(node, is_not_outer, context);
}

/* Those whose texts are made of the child's columns alone. */
static List *
over_outer(List *calls)
{
	List *outer = NIL;
	ListCell *lc;

	foreach (lc, calls)
	{
		RoformerBatchForm form;

		if (!is_not_outer((Node *) roformer_scan_texts(lfirst(lc), &form), NULL))
			outer = lappend(outer, lfirst(lc));
	}
	return outer;
}

static void
serve_over_child(Visit *visit_, Plan *plan, const RoformerPlace *place)
{
	List *calls;

	if (plan->lefttree == NULL)
		return;
	calls = over_outer(calls_over_child(visit_, plan));
	if (calls != NIL && can_read_ahead(visit_, plan->lefttree, place))
		plan->lefttree = roformer_scan_below(plan->lefttree, calls, place, &visit_->node_id);
}

/* ---- above a node that evaluates calls itself ------------------------------------------------ */

/* Does the node evaluate a target list of its own, which can be taken from it? */
static bool
can_be_relieved(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_TableFuncScan:
		case T_ValuesScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
		case T_Group:
		case T_Agg:
		case T_Gather:
		case T_GatherMerge:
			return true;
		case T_Result:
			return plan->lefttree != NULL;
		case T_WindowAgg:
			return plan->qual == NIL;
		case T_ForeignScan:
			return ((const ForeignScan *) plan)->operation == CMD_SELECT && !plan->async_capable;
		default:
			return false;
	}
}

static bool
shares_pass(const FuncExpr *call, List *others)
{
	ListCell *lc;

	foreach (lc, others)
	{
		if (roformer_scan_same_pass(call, lfirst(lc)))
			return true;
	}
	return false;
}

static bool
share_passes(List *calls, List *others)
{
	ListCell *lc;

	foreach (lc, calls)
	{
		if (!shares_pass(lfirst(lc), others))
			return false;
	}
	return true;
}

/*
 * How many of the conditions stay where they are. What comes behind a condition with a call is
 * evaluated for the rows that pass it; that goes into the same node only if it needs no pass of its
 * own through a model, else one above it collects these rows.
 */
static int
conditions_to_keep(List *conditions, List *calls)
{
	int keep = list_length(conditions);

	for (int i = keep - 1; i >= 0; i--)
	{
		List *earlier = roformer_scan_calls(list_nth(conditions, i));

		if (earlier == NIL)
			continue;
		if (!share_passes(calls, earlier))
			break;
		calls = list_concat_unique(calls, earlier);
		keep = i;
	}
	return keep;
}

/* Can rows be read ahead of the node once it is relieved of target list and last conditions? */
static bool
can_relieve(Visit *visit_, Plan *plan, List **conditions, int keep, const RoformerPlace *place)
{
	List *all = *conditions;
	List *targetlist = plan->targetlist;
	RoformerPlace above = *place;
	bool result;

	if (keep < list_length(all))
		above.limit = NULL;
	*conditions = list_truncate(list_copy(all), keep);
	plan->targetlist = NIL;
	result = can_read_ahead(visit_, plan, &above);
	*conditions = all;
	plan->targetlist = targetlist;
	return result;
}

/*
 * As many as conditions_to_keep says, else, where those can't be evaluated ahead, none that has a
 * call. -1: the node can't be relieved.
 */
static int
choose_conditions(Visit *visit_, Plan *plan, List **conditions, List *calls,
				  const RoformerPlace *place)
{
	int keep = conditions_to_keep(*conditions, calls);
	int without = 0;

	if (calls == NIL && keep == list_length(*conditions))
		return -1;
	if (can_relieve(visit_, plan, conditions, keep, place))
		return keep;
	while (without < keep && roformer_scan_calls(list_nth(*conditions, without)) == NIL)
		without++;
	if (without < keep && can_relieve(visit_, plan, conditions, without, place))
		return without;
	return -1;
}

static Plan *
relieve(Visit *visit_, Plan *plan, const RoformerPlace *place)
{
	List **conditions = conditions_of(plan);
	List *calls = roformer_scan_calls((Node *) plan->targetlist);
	int keep = choose_conditions(visit_, plan, conditions, calls, place);
	RoformerPlace below = *place;
	bool moved;
	Plan *above;

	if (keep < 0)
		return plan;
	if (keep < list_length(*conditions))
		below.limit = NULL;
	moved = keep < list_length(*conditions);
	if (moved)
		note_moved(plan);
	above = roformer_scan_above(plan, conditions, keep, place, &visit_->node_id);
	if (above->lefttree != plan)
		return above;
	above->lefttree = relieve(visit_, plan, &below);
	if (moved && above->lefttree == plan)
		roformer_scan_restore_rows(plan, visit_->statement);
	return above;
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* Has every row of the outer side a place in the result? */
static bool
fills_outer(const Join *join)
{
	return join->jointype == JOIN_LEFT || join->jointype == JOIN_ANTI ||
		   join->jointype == JOIN_FULL;
}

/* What the node is for those that are below it (for a join's inner side: place_inside). */
static RoformerPlace
place_below(const Plan *plan, RoformerPlace place)
{
	static const RoformerPlace all_rows = {.eager = true};
	bool parallel = place.parallel;

	switch (nodeTag(plan))
	{
		case T_Limit:
			place.certain = !place.partial;
			place.partial |= ((const Limit *) plan)->limitCount != NULL;
			place.eager = false;
			place.limit = ((const Limit *) plan)->limitCount != NULL &&
								  ((const Limit *) plan)->limitOption == LIMIT_OPTION_COUNT
							  ? (const Limit *) plan
							  : NULL;
			return place;
		case T_Append:
			return place;
		case T_Result:
		case T_SubqueryScan:
			if (plan->qual != NIL)
				place.limit = NULL;
			return place;
		case T_Gather:
		case T_GatherMerge:
			place.parallel = true;
			place.partial = place.marked = place.current_of = false;
			return place;
		case T_ModifyTable:
		case T_Hash:
		case T_Sort:
			place = all_rows;
			break;
		case T_Agg:
			if (((const Agg *) plan)->aggstrategy == AGG_PLAIN ||
				((const Agg *) plan)->aggstrategy == AGG_HASHED)
				place = all_rows;
			break;
		case T_WindowAgg: /* may end before its child */
			if (((const WindowAgg *) plan)->runCondition != NIL)
			{
				place.partial = true;
				place.eager = false;
			}
			break;
		case T_MergeJoin:
			place.partial = true;
			break;
		case T_HashJoin: /* may take one row, and no more where the inner side has none */
			place.eager &= fills_outer((const Join *) plan);
			break;
		default:
			break;
	}
	place.limit = NULL;
	place.marked = place.current_of = false;
	place.parallel = parallel;
	return place;
}

static RoformerPlace
place_inside(const Plan *plan, RoformerPlace below)
{
	if (IsA(plan, MergeJoin))
		below.marked = true;
	if (IsA(plan, NestLoop))
	{
		const Join *join = (const Join *) plan;

		if (join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI)
		{
			below.partial = true;
			below.eager = false;
		}
	}
	return below;
}

static void
visit_list(Visit *visit_, List *plans, RoformerPlace place)
{
	ListCell *lc;

	foreach (lc, plans)
		lfirst(lc) = visit(visit_, lfirst(lc), place);
}

/*
 * A LIMIT takes fewer rows from a plan behind others than from the first, and may take none.
 * Asynchronous plans come before all others.
 */
static void
visit_append(Visit *visit_, Append *append, RoformerPlace below)
{
	ListCell *lc;

	below.certain &= append->nasyncplans == 0;
	foreach (lc, append->appendplans)
	{
		lfirst(lc) = visit(visit_, lfirst(lc), below);
		below.certain = false;
	}
}

static void
visit_children(Visit *visit_, Plan *plan, RoformerPlace below)
{
	switch (nodeTag(plan))
	{
		case T_SubqueryScan:
			((SubqueryScan *) plan)->subplan =
				visit(visit_, ((SubqueryScan *) plan)->subplan, below);
			break;
		case T_Append:
			visit_append(visit_, (Append *) plan, below);
			break;
		case T_MergeAppend:
			visit_list(visit_, ((MergeAppend *) plan)->mergeplans, below);
			break;
		default:
			break;
	}
	plan->lefttree = visit(visit_, plan->lefttree, below);
	plan->righttree = visit(visit_, plan->righttree, place_inside(plan, below));
}

static Plan *
visit(Visit *visit_, Plan *plan, RoformerPlace place)
{
	RoformerPlace below;

	if (plan == NULL)
		return NULL;
	below = place_below(plan, place);
	visit_children(visit_, plan, below);
	serve_over_child(visit_, plan, &below);
	return can_be_relieved(plan) ? relieve(visit_, plan, &place) : plan;
}

/*
 * WHERE CURRENT OF looks for the scan of its cursor from the top of the plan, and finds the node in
 * its place (scan_exec.c). A cursor that says FOR UPDATE keeps positions of its own. Loops over
 * queries are cursors too: what may be run in parts isn't planned for parallel workers.
 */
static void
add_nodes(PlannedStmt *statement, int cursor_options)
{
	Visit visit_ = {statement, roformer_scan_last_node_id(statement)};
	bool cursor = (cursor_options & CURSOR_OPT_FAST_PLAN) != 0;
	RoformerPlace top = {
		.partial = cursor || (cursor_options & CURSOR_OPT_PARALLEL_OK) == 0,
		.current_of = cursor && statement->rowMarks == NIL,
	};
	RoformerPlace subplan = {.partial = true};
	ListCell *lc;

	statement->planTree = visit(&visit_, statement->planTree, top);
	foreach (lc, statement->subplans)
		lfirst(lc) = visit(&visit_, lfirst(lc), subplan);
}

/*
 * Calls without columns and parameters are evaluated while the statement is planned. A plan that is
 * kept (a prepared statement, an expression of PL/pgSQL) is made anew once models have changed.
 */
static void
add_dependency(PlannedStmt *statement)
{
	statement->relationOids =
		list_append_unique_oid(statement->relationOids, roformer_catalog_relation());
}

static PlannedStmt *
plan_with_nodes(Query *query, const char *query_string, int cursor_options,
				ParamListInfo bound_params)
{
	uint64 lookups = roformer_catalog_lookups();
	PlannedStmt *statement;

	if (previous_planner_hook != NULL)
		statement = previous_planner_hook(query, query_string, cursor_options, bound_params);
	else
		statement = standard_planner(query, query_string, cursor_options, bound_params);
	if (roformer_catalog_lookups() != lookups)
		add_dependency(statement);
	if (!plan_has_call(statement))
		return statement;
	roformer_scan_decide_jit(statement);
	if (roformer_enable_batch_scan)
		add_nodes(statement, cursor_options);
	return statement;
}

/* A function that is evaluated while a statement is planned may plan others. */
static PlannedStmt *
plan_statement(Query *query, const char *query_string, int cursor_options,
			   ParamListInfo bound_params)
{
	List *outer = roformer_scan_note_rows(NIL);
	PlannedStmt *statement;

	PG_TRY();
	{
		statement = plan_with_nodes(query, query_string, cursor_options, bound_params);
	}
	PG_FINALLY();
	{
		roformer_scan_note_rows(outer);
	}
	PG_END_TRY();
	return statement;
}

void
roformer_scan_init(void)
{
	RegisterCustomScanMethods(&roformer_scan_methods);
	previous_planner_hook = planner_hook;
	planner_hook = plan_statement;
	roformer_scan_init_paths();
}
