/*
 * scan_path.c - parallel scans of small tables.
 *
 * The planner considers parallel workers for tables of some size (min_parallel_table_scan_size): a
 * small one is read in no time. Where each row goes through a model that is not what counts, so a
 * parallel scan is offered by the number of rows; the costs of inference decide whether it is
 * taken.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"

#include "scan_private.h"

/* Fewer are not worth a worker, whatever the model. */
#define ROWS_OF_WORKER 32

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

static bool
contains_call(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && roformer_batch_function(((FuncExpr *) node)->funcid) != NULL)
		return true;
	return expression_tree_walker(node, contains_call, context);
}

static bool
can_be_parallel(const RelOptInfo *rel, const RangeTblEntry *entry)
{
	return rel->consider_parallel && rel->partial_pathlist == NIL &&
		   rel->rel_parallel_workers != 0 && rel->lateral_relids == NULL &&
		   entry->rtekind == RTE_RELATION && entry->tablesample == NULL &&
		   (entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_MATVIEW);
}

static void
offer_parallel_scan(PlannerInfo *root, RelOptInfo *rel, Index index, RangeTblEntry *entry)
{
	int workers = (int) Min(max_parallel_workers_per_gather, rel->tuples / ROWS_OF_WORKER);

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, index, entry);
	if (workers < 1 || !can_be_parallel(rel, entry))
		return;
	if (contains_call((Node *) root->parse->targetList, NULL) ||
		contains_call((Node *) root->parse->jointree, NULL))
		add_partial_path(rel, create_seqscan_path(root, rel, NULL, workers));
}

void
roformer_scan_init_paths(void)
{
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_parallel_scan;
}
