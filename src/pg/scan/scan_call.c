/*
 * scan_call.c - calls whose texts can be read ahead.
 *
 * The texts of rows that may never be asked for are evaluated, so nothing in their expressions may
 * fail (scan_safe.c). The model has to be the same for all rows. Everything else about a call is
 * its own business: it is evaluated where and when it always was.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "scan_private.h"

List *
roformer_scan_texts(const FuncExpr *call, RoformerBatchForm *form)
{
	const RoformerBatchFunction *function = roformer_batch_function(call->funcid);

	if (function == NULL || list_length(call->args) - function->options < 2)
		return NIL;
	*form = function->form;
	return list_copy_tail(
		list_truncate(list_copy(call->args), list_length(call->args) - function->options), 1);
}

static bool
is_served(const FuncExpr *call)
{
	RoformerBatchForm form;
	List *texts = roformer_scan_texts(call, &form);

	return texts != NIL && roformer_scan_never_fails((Node *) texts) &&
		   !contain_volatile_functions((Node *) texts) &&
		   roformer_scan_contains_leaf((Node *) texts) &&
		   !roformer_scan_contains_leaf(linitial(call->args)) &&
		   !contain_volatile_functions(linitial(call->args));
}

static bool
calls_walker(Node *node, void *context)
{
	List **calls = context;

	if (node == NULL || roformer_scan_is_leaf(node))
		return false;
	if (IsA(node, FuncExpr) && is_served((FuncExpr *) node))
		*calls = list_append_unique(*calls, node);
	return expression_tree_walker(node, calls_walker, context);
}

bool
roformer_scan_has_call(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && roformer_batch_function(((FuncExpr *) node)->funcid) != NULL)
		return true;
	return expression_tree_walker(node, roformer_scan_has_call, context);
}

List *
roformer_scan_calls(Node *node)
{
	List *calls = NIL;

	calls_walker(node, &calls);
	return calls;
}

bool
roformer_scan_same_pass(const FuncExpr *a, const FuncExpr *b)
{
	RoformerBatchForm a_form;
	RoformerBatchForm b_form;
	List *a_texts = roformer_scan_texts(a, &a_form);
	List *b_texts = roformer_scan_texts(b, &b_form);

	return a_form == b_form && equal(a_texts, b_texts) &&
		   equal(linitial(a->args), linitial(b->args));
}
