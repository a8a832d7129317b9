/*
 * trigger_fire.c - classify_trigger, tag_trigger, embed_trigger: who may call them, and how.
 *
 * BEFORE INSERT OR UPDATE FOR EACH ROW computes as rows come; AFTER INSERT or AFTER UPDATE FOR EACH
 * STATEMENT with transition tables computes all rows of the statement in full batches.
 */
#include "trigger_private.h"

#include "utils/rel.h"

PG_FUNCTION_INFO_V1(roformer_classify_trigger);
PG_FUNCTION_INFO_V1(roformer_tag_trigger);
PG_FUNCTION_INFO_V1(roformer_embed_trigger);

typedef struct Firing
{
	const RoformerTriggerKind *kind;
	const TriggerData *trigger;
} Firing;

static void
add_context(void *arg)
{
	const Firing *firing = arg;
	const Trigger *trigger = firing->trigger->tg_trigger;

	errcontext("%s column \"%s\" of table \"%s\" for trigger \"%s\"", firing->kind->verb,
			   trigger->tgnargs > 1 ? trigger->tgargs[1] : "?",
			   RelationGetRelationName(firing->trigger->tg_relation), trigger->tgname);
}

static void
refuse_firing(const RoformerTriggerKind *kind, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"%s\" must be fired BEFORE INSERT OR UPDATE for each row, or AFTER "
					"INSERT or UPDATE for each statement with transition tables",
					kind->name),
			 errdetail("%s", detail)));
}

static void
check_statement(const RoformerTriggerKind *kind, const TriggerData *trigger)
{
	TriggerEvent event = trigger->tg_event;

	if (!TRIGGER_FIRED_AFTER(event))
		refuse_firing(kind, "It was fired for each statement, but not AFTER it.");
	if (!TRIGGER_FIRED_BY_INSERT(event) && !TRIGGER_FIRED_BY_UPDATE(event))
		refuse_firing(kind, "It was fired by another event.");
	if (trigger->tg_newtable == NULL)
		refuse_firing(kind, "The trigger has no transition table: add REFERENCING NEW TABLE AS "
							"name.");
	if (TRIGGER_FIRED_BY_UPDATE(event) && trigger->tg_oldtable == NULL)
		refuse_firing(kind, "For UPDATE the trigger needs both tables, to tell which rows have "
							"changed: add REFERENCING OLD TABLE AS name NEW TABLE AS name.");
}

static void
check_row(const RoformerTriggerKind *kind, const TriggerData *trigger)
{
	TriggerEvent event = trigger->tg_event;

	if (!TRIGGER_FIRED_BEFORE(event))
		refuse_firing(kind, "It was fired for each row, but not BEFORE it is written.");
	if (!TRIGGER_FIRED_BY_INSERT(event) && !TRIGGER_FIRED_BY_UPDATE(event))
		refuse_firing(kind, "It was fired by another event.");
}

static Datum
fire(FunctionCallInfo fcinfo, const RoformerTriggerKind *kind)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	ErrorContextCallback context;
	Firing firing = {kind, trigger};
	HeapTuple result = NULL;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"%s\" was not called by trigger manager", kind->name)));
	context.callback = add_context;
	context.arg = &firing;
	context.previous = error_context_stack;
	error_context_stack = &context;
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		check_row(kind, trigger);
		result = roformer_trigger_row(roformer_trigger_state(fcinfo, kind), trigger);
	}
	else
	{
		check_statement(kind, trigger);
		roformer_trigger_statement(roformer_trigger_state(fcinfo, kind), trigger);
	}
	error_context_stack = context.previous;
	return PointerGetDatum(result);
}

Datum
roformer_classify_trigger(PG_FUNCTION_ARGS)
{
	return fire(fcinfo, &roformer_classify_kind);
}

Datum
roformer_tag_trigger(PG_FUNCTION_ARGS)
{
	return fire(fcinfo, &roformer_tag_kind);
}

Datum
roformer_embed_trigger(PG_FUNCTION_ARGS)
{
	return fire(fcinfo, &roformer_embed_kind);
}
