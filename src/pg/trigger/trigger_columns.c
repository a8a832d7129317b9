/*
 * trigger_columns.c - a trigger's arguments and columns, checked when it first fires in a
 * statement, and conversions between the columns' types and those of the SQL functions.
 *
 * CREATE TRIGGER doesn't tell its function anything, so that mistakes show with the first row. A
 * source column must be text or become it implicitly (varchar, char, citext, a domain). A target
 * takes whatever an INSERT of the function's result would: the same type, a domain over it, or one
 * with an assignment cast (real[] to pgvector's vector); entities also become jsonb.
 */
#include "trigger_private.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/compat.h"

/* ---- conversions ----------------------------------------------------------------------------- */

Datum
roformer_cast(const RoformerCast *cast, Datum value)
{
	Datum result;
	bool is_null;

	if (cast->state == NULL)
		return value;
	cast->context->caseValue_datum = value;
	cast->context->caseValue_isNull = false;
	result = ExecEvalExpr(cast->state, cast->context, &is_null);
	if (is_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("conversion of a trigger's value gave null")));
	return result;
}

void
roformer_trigger_check_null(const RoformerTriggerState *state)
{
	for (int i = 0; i < state->target_count; i++)
	{
		if (get_typtype(state->targets[i].type) == TYPTYPE_DOMAIN)
			domain_check((Datum) 0, true, state->targets[i].type, NULL, NULL);
	}
}

static Node *
coerce_value(Node *value, Oid from, Oid to, int32 typmod, CoercionContext how)
{
	if (to == JSONBOID && !can_coerce_type(1, &from, &to, how))
		return (Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(value), InvalidOid,
									 InvalidOid, COERCE_EXPLICIT_CALL);
	return coerce_to_target_type(NULL, value, from, to, typmod, how, COERCE_IMPLICIT_CAST, -1);
}

/* False when there is no such conversion. In the current context. */
static bool
prepare_cast(Oid from, Oid collation, Oid to, int32 typmod, CoercionContext how, RoformerCast *cast)
{
	CaseTestExpr *value = makeNode(CaseTestExpr);
	Node *converted;

	value->typeId = from;
	value->typeMod = -1;
	value->collation = collation;
	cast->state = NULL;
	if (from == to && typmod < 0)
		return true;
	converted = coerce_value((Node *) value, from, to, typmod, how);
	if (converted == NULL)
		return false;
	if (converted == (Node *) value)
		return true;
	cast->state = ExecInitExpr(expression_planner((Expr *) converted), NULL);
	cast->context = CreateStandaloneExprContext();
	return true;
}

/* ---- columns --------------------------------------------------------------------------------- */

static Form_pg_attribute
find_column(Relation relation, const char *name)
{
	int number = SPI_fnumber(RelationGetDescr(relation), name);

	if (number <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" of table \"%s\" does not exist", name,
							   RelationGetRelationName(relation))));
	return TupleDescAttr(RelationGetDescr(relation), number - 1);
}

static void
prepare_source(RoformerTriggerState *state, const TriggerData *trigger)
{
	Form_pg_attribute column = find_column(trigger->tg_relation, state->source_name);

	state->source = column->attnum;
	if (column->attgenerated != '\0' && TRIGGER_FIRED_BEFORE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("generated column \"%s\" can't be read by a BEFORE trigger",
						state->source_name),
				 errdetail("Generated columns are computed after such triggers."),
				 errhint("Use a trigger AFTER INSERT or UPDATE for each statement, or a generated "
						 "column for the result.")));
	if (column->attgenerated == ROFORMER_GENERATED_VIRTUAL)
		ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
						errmsg("virtual generated column \"%s\" can't be read by a trigger",
							   state->source_name),
						errdetail("Transition tables don't have its values."),
						errhint("Make the column STORED.")));
	if (!prepare_cast(column->atttypid, column->attcollation, TEXTOID, -1, COERCION_IMPLICIT,
					  &state->to_text))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" is of type %s, not text", state->source_name,
							   format_type_be(column->atttypid))));
}

static void
prepare_target(RoformerTriggerState *state, const TriggerData *trigger, RoformerTarget *target)
{
	Form_pg_attribute column = find_column(trigger->tg_relation, target->name);

	target->number = column->attnum;
	target->type = column->atttypid;
	target->typmod = column->atttypmod;
	if (column->attgenerated != '\0')
		ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
						errmsg("generated column \"%s\" can't be set by a trigger", target->name)));
	if (target->number == state->source)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("column \"%s\" can't be both source and target", target->name)));
	if (!prepare_cast(target->result_type, get_typcollation(target->result_type), target->type,
					  target->typmod, COERCION_ASSIGNMENT, &target->cast))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is of type %s, which does not take %s", target->name,
						format_type_be(target->type), format_type_be(target->result_type)),
				 errhint("Give the column the type %s.", format_type_be(target->result_type))));
}

static void
check_targets(const RoformerTriggerState *state)
{
	if (state->target_count == 2 && state->targets[0].number == state->targets[1].number)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("column \"%s\" can't take two results", state->targets[0].name)));
}

/* ---- the state ------------------------------------------------------------------------------- */

static void
prepare_state(RoformerTriggerState *state, const TriggerData *trigger)
{
	const RoformerTriggerKind *kind = state->kind;
	char **arguments = trigger->tg_trigger->tgargs;
	int count = trigger->tg_trigger->tgnargs;

	if (count < 3 || count > kind->most_arguments)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("function \"%s\" was given %d arguments", kind->name, count),
						errhint("Its arguments are: %s.", kind->arguments)));
	state->model = CStringGetTextDatum(arguments[0]);
	state->source_name = pstrdup(arguments[1]);
	state->targets[0].name = pstrdup(arguments[2]);
	state->target_count = 1;
	kind->prepare(state, arguments, count);
	prepare_source(state, trigger);
	for (int i = 0; i < state->target_count; i++)
		prepare_target(state, trigger, &state->targets[i]);
	check_targets(state);
}

/*
 * A call site belongs to one trigger of one table, in PostgreSQL's executor; that it is so is
 * checked. Only a finished state is kept.
 */
RoformerTriggerState *
roformer_trigger_state(FunctionCallInfo fcinfo, const RoformerTriggerKind *kind)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	RoformerTriggerState *state = fcinfo->flinfo->fn_extra;
	MemoryContext context;
	MemoryContext caller;

	if (state != NULL && state->trigger == trigger->tg_trigger->tgoid &&
		state->relation == RelationGetRelid(trigger->tg_relation))
		return state;
	fcinfo->flinfo->fn_extra = NULL;
	context =
		AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "roformer trigger", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	state = palloc0(sizeof(*state));
	state->kind = kind;
	state->context = context;
	state->trigger = trigger->tg_trigger->tgoid;
	state->relation = RelationGetRelid(trigger->tg_relation);
	prepare_state(state, trigger);
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = state;
	return state;
}
