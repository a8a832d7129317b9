/*
 * scan_path.c - what is done while the planner looks at tables: parallel scans of small ones, and
 * how many rows there are before inference.
 *
 * The planner considers parallel workers for tables of some size (min_parallel_table_scan_size): a
 * small one is read in no time. Where each row goes through a model that is not what counts, so a
 * parallel scan is offered by the number of rows; the costs of inference decide whether it is
 * taken.
 *
 * The planner's rows of a scan are those that pass all its conditions. Where the node takes those
 * with inference from the scan, more rows come from there: how many is noted while the planner
 * knows, and asked for when its plan is finished, by table and rows. It is only shown.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"

#include "scan_private.h"

/* Fewer are not worth a worker, whatever the model. */
#define ROWS_OF_WORKER 32

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

/* A scan of a table with inference in its conditions. */
typedef struct NotedRows
{
	Oid relation;
	double passed; /* rows that pass all conditions */
	double before; /* rows that pass those without inference */
} NotedRows;

/* Of the statement being planned, in the planner's memory. */
static List *noted_rows = NIL;

static bool
can_be_parallel(const RelOptInfo *rel, const RangeTblEntry *entry)
{
	return rel->consider_parallel && rel->partial_pathlist == NIL &&
		   rel->rel_parallel_workers != 0 && rel->lateral_relids == NULL &&
		   entry->rtekind == RTE_RELATION && entry->tablesample == NULL &&
		   (entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_MATVIEW);
}

static void
offer_parallel_scan(PlannerInfo *root, RelOptInfo *rel, const RangeTblEntry *entry)
{
	int workers = (int) Min(max_parallel_workers_per_gather, rel->tuples / ROWS_OF_WORKER);

	if (workers < 1 || !can_be_parallel(rel, entry))
		return;
	if (roformer_scan_has_call((Node *) root->parse->targetList, NULL) ||
		roformer_scan_has_call((Node *) root->parse->jointree, NULL))
		add_partial_path(rel, create_seqscan_path(root, rel, NULL, workers));
}

/* ---- rows before inference ------------------------------------------------------------------- */

static void
note_rows(PlannerInfo *root, const RelOptInfo *rel, const RangeTblEntry *entry)
{
	List *without = NIL;
	NotedRows *noted;
	ListCell *lc;

	if (entry->rtekind != RTE_RELATION)
		return;
	foreach (lc, rel->baserestrictinfo)
	{
		RestrictInfo *condition = lfirst_node(RestrictInfo, lc);

		if (!roformer_scan_has_call((Node *) condition->clause, NULL))
			without = lappend(without, condition);
	}
	if (list_length(without) == list_length(rel->baserestrictinfo))
		return;
	noted = palloc(sizeof(NotedRows));
	noted->relation = entry->relid;
	noted->passed = rel->rows;
	noted->before =
		clamp_row_est(rel->tuples * clauselist_selectivity(root, without, 0, JOIN_INNER, NULL));
	noted_rows = lappend(noted_rows, noted);
}

List *
roformer_scan_note_rows(List *rows)
{
	List *previous = noted_rows;

	noted_rows = rows;
	return previous;
}

static Oid
scanned_relation(const Plan *plan, const PlannedStmt *statement)
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
		case T_ForeignScan:
			break;
		default:
			return InvalidOid;
	}
	if (((const Scan *) plan)->scanrelid == 0)
		return InvalidOid;
	return rt_fetch(((const Scan *) plan)->scanrelid, statement->rtable)->relid;
}

void
roformer_scan_restore_rows(Plan *plan, const PlannedStmt *statement)
{
	Oid relation = scanned_relation(plan, statement);
	const NotedRows *best = NULL;
	ListCell *lc;

	if (!OidIsValid(relation))
		return;
	foreach (lc, noted_rows)
	{
		const NotedRows *noted = lfirst(lc);

		if (noted->relation == relation && (best == NULL || noted->passed == plan->plan_rows))
			best = noted;
	}
	if (best != NULL && best->before > best->passed)
		plan->plan_rows = clamp_row_est(plan->plan_rows * best->before / best->passed);
}

/* ---- hook ------------------------------------------------------------------------------------ */

static void
look_at_relation(PlannerInfo *root, RelOptInfo *rel, Index index, RangeTblEntry *entry)
{
	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, index, entry);
	note_rows(root, rel, entry);
	offer_parallel_scan(root, rel, entry);
}

void
roformer_scan_init_paths(void)
{
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = look_at_relation;
}
