/*
 * scan_safe.c - expressions that give a result for every row.
 *
 * What is evaluated for rows that may never be asked for must not fail. Only what is known not to
 * counts: columns, constants, what SQL has syntax for, functions that the server takes for
 * leakproof, and some more that are usual with texts. An argument that is the same for all rows may
 * be one that fails: then it has failed for the row before already.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/subscripting.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "scan_private.h"

/* ---- leaves ---------------------------------------------------------------------------------- */

bool
roformer_scan_is_leaf(const Node *node)
{
	return IsA(node, Var) || IsA(node, Aggref) || IsA(node, GroupingFunc) || IsA(node, WindowFunc);
}

static bool
contains_leaf_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (roformer_scan_is_leaf(node))
		return true;
	return expression_tree_walker(node, contains_leaf_walker, context);
}

bool
roformer_scan_contains_leaf(Node *node)
{
	return contains_leaf_walker(node, NULL);
}

/* ---- functions ------------------------------------------------------------------------------- */

static const Const *
known_constant(List *args, int index, Oid type)
{
	const Const *value = (const Const *) list_nth(args, index);

	if (!IsA(value, Const) || value->constisnull || value->consttype != type)
		return NULL;
	return value;
}

static bool
is_natural_number(List *args, int index)
{
	const Const *value = known_constant(args, index, INT4OID);

	return value != NULL && DatumGetInt32(value->constvalue) >= 0;
}

/* A divisor, or the number of a field. */
static bool
is_positive_number(List *args, int index)
{
	const Const *value = known_constant(args, index, INT4OID);

	return value != NULL && DatumGetInt32(value->constvalue) > 0;
}

/* An explicit cast cuts what is longer. */
static bool
is_explicit_cast(List *args)
{
	const Const *value = known_constant(args, 2, BOOLOID);

	return value != NULL && DatumGetBool(value->constvalue);
}

/* A pattern that ends in an escape character fails, but not for every text. */
static bool
is_like_pattern(List *args)
{
	const Const *value = known_constant(args, 1, TEXTOID);
	char *pattern = value == NULL ? NULL : TextDatumGetCString(value->constvalue);

	return pattern != NULL && (*pattern == '\0' || pattern[strlen(pattern) - 1] != '\\');
}

/* Are all arguments from the given one on the same for all rows? */
static bool
constant_from(List *args, int first)
{
	return !roformer_scan_contains_leaf((Node *) list_copy_tail(args, first));
}

/* Types whose values always have a text. Not json: what it holds need not be characters. */
static bool
has_plain_output(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case OIDOID:
		case UUIDOID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case JSONBOID:
			return true;
		default:
			return false;
	}
}

static bool
all_have_plain_output(List *args)
{
	ListCell *lc;

	foreach (lc, args)
	{
		if (!has_plain_output(exprType(lfirst(lc))))
			return false;
	}
	return true;
}

/*
 * Does the function give a result, whatever the row has? Those over json don't where a string has
 * \u0000; jsonb refuses that when it is made.
 */
static bool
function_never_fails(Oid function, List *args)
{
	switch (function)
	{
		case F_TEXTCAT:
		case F_LOWER_TEXT:
		case F_UPPER_TEXT:
		case F_INITCAP:
		case F_BTRIM_TEXT:
		case F_LTRIM_TEXT:
		case F_RTRIM_TEXT:
		case F_BTRIM_TEXT_TEXT:
		case F_LTRIM_TEXT_TEXT:
		case F_RTRIM_TEXT_TEXT:
		case F_LEFT:
		case F_RIGHT:
		case F_SUBSTR_TEXT_INT4:
		case F_SUBSTRING_TEXT_INT4:
		case F_REPLACE:
		case F_TRANSLATE:
		case F_TEXT_BPCHAR:
		case F_TEXT_NAME:
		case F_TEXT_LT:
		case F_TEXT_LE:
		case F_TEXT_GT:
		case F_TEXT_GE:
		case F_TEXTLEN:
		case F_LENGTH_TEXT:
		case F_CHAR_LENGTH_TEXT:
		case F_CHARACTER_LENGTH_TEXT:
		case F_OCTET_LENGTH_TEXT:
		case F_STRPOS:
		case F_POSITION_TEXT_TEXT:
		case F_STARTS_WITH:
		case F_JSONB_OBJECT_FIELD:
		case F_JSONB_OBJECT_FIELD_TEXT:
		case F_JSONB_ARRAY_ELEMENT:
		case F_JSONB_ARRAY_ELEMENT_TEXT:
		case F_JSONB_EXTRACT_PATH:
		case F_JSONB_EXTRACT_PATH_TEXT:
			return true;
		case F_CONCAT:
		case F_CONCAT_WS:
			return all_have_plain_output(args);
		case F_VARCHAR_VARCHAR_INT4_BOOL:
		case F_BPCHAR_BPCHAR_INT4_BOOL:
			return is_explicit_cast(args);
		case F_SUBSTR_TEXT_INT4_INT4:
		case F_SUBSTRING_TEXT_INT4_INT4:
			return is_natural_number(args, 2);
		case F_INT4MOD:
		case F_INT4DIV:
			return is_positive_number(args, 1);
		case F_SPLIT_PART:
			return is_positive_number(args, 2);
		case F_TEXTLIKE:
		case F_TEXTNLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
			return is_like_pattern(args);
		case F_TEXTREGEXEQ:
		case F_TEXTREGEXNE:
		case F_TEXTICREGEXEQ:
		case F_TEXTICREGEXNE:
		case F_NORMALIZE:
		case F_SUBSTRING_TEXT_TEXT:
		case F_REGEXP_REPLACE_TEXT_TEXT_TEXT:
		case F_REGEXP_REPLACE_TEXT_TEXT_TEXT_TEXT:
			return constant_from(args, 1);
		default:
			return get_func_leakproof(function);
	}
}

/* ---- expressions ----------------------------------------------------------------------------- */

/* Operators share their struct, whatever they are for. */
static bool
operator_never_fails(OpExpr *call)
{
	set_opfuncid(call);
	return !call->opretset && function_never_fails(call->opfuncid, call->args);
}

static bool
array_operator_never_fails(ScalarArrayOpExpr *call)
{
	set_sa_opfuncid(call);
	return function_never_fails(call->opfuncid, call->args);
}

/* An element that isn't there is NULL. */
static bool
element_never_fails(const SubscriptingRef *element)
{
	const SubscriptRoutines *routines = getSubscriptingRoutines(element->refcontainertype, NULL);

	return element->refassgnexpr == NULL && routines != NULL && routines->fetch_leakproof;
}

/* varchar[] to text[]: elements stay as they are. */
static bool
elements_are_relabeled(const ArrayCoerceExpr *cast)
{
	return IsA(cast->elemexpr, RelabelType) &&
		   IsA(((const RelabelType *) cast->elemexpr)->arg, CaseTestExpr);
}

/* The node by itself, without what is below it. */
static bool
node_never_fails(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_RelabelType:
		case T_CollateExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_CoalesceExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_RowExpr:
		case T_FieldSelect:
			return true;
		case T_ArrayExpr: /* of arrays, which need not fit together */
			return !((ArrayExpr *) node)->multidims;
		case T_ArrayCoerceExpr:
			return elements_are_relabeled((ArrayCoerceExpr *) node);
		case T_SubscriptingRef:
			return element_never_fails((SubscriptingRef *) node);
		case T_FuncExpr:
			return !((FuncExpr *) node)->funcretset && !((FuncExpr *) node)->funcvariadic &&
				   function_never_fails(((FuncExpr *) node)->funcid, ((FuncExpr *) node)->args);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return operator_never_fails((OpExpr *) node);
		case T_ScalarArrayOpExpr:
			return array_operator_never_fails((ScalarArrayOpExpr *) node);
		case T_MinMaxExpr: /* the types have comparisons that don't fail */
			return has_plain_output(exprType(node));
		case T_CoerceViaIO:
			return ((CoerceViaIO *) node)->resulttype == TEXTOID &&
				   has_plain_output(exprType((Node *) ((CoerceViaIO *) node)->arg));
		default:
			return false;
	}
}

/* Subqueries are the business of scan_walk.c, but their rows may come to be errors. */
static bool
may_fail_walker(Node *node, void *context)
{
	if (node == NULL || roformer_scan_is_leaf(node) || IsA(node, Const) || IsA(node, Param))
		return false;
	if (IsA(node, SubPlan))
		return true;
	if (!node_never_fails(node) && roformer_scan_contains_leaf(node))
		return true;
	return expression_tree_walker(node, may_fail_walker, context);
}

bool
roformer_scan_never_fails(Node *node)
{
	return !may_fail_walker(node, NULL);
}
