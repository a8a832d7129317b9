/*
 * catalog_manage.c - rename_model, drop_model, grant_model, revoke_model.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "fmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/* ---- rename, drop ---------------------------------------------------------------------------- */

/* In the same order whoever renames what to what. */
static void
lock_names(const char *function, const char *a, const char *b)
{
	bool ordered = strcmp(a, b) <= 0;

	roformer_tables_lock_name(function, ordered ? a : b);
	roformer_tables_lock_name(function, ordered ? b : a);
}

static void
rename_model(const char *name, const char *new_name)
{
	Datum values[MODEL_COLUMNS] = {0};
	bool nulls[MODEL_COLUMNS] = {false};
	bool replaced[MODEL_COLUMNS] = {false};
	Relation relation;
	HeapTuple tuple;

	roformer_model_check_name(new_name);
	lock_names("roformer.rename_model()", name, new_name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	tuple = roformer_model_fetch_own(relation, name);
	roformer_model_check_free(relation, new_name);
	values[MODEL_NAME - 1] = CStringGetTextDatum(new_name);
	replaced[MODEL_NAME - 1] = true;
	CatalogTupleUpdate(
		relation, &tuple->t_self,
		heap_modify_tuple(tuple, RelationGetDescr(relation), values, nulls, replaced));
	table_close(relation, NoLock);
	roformer_tables_invalidate();
}

static void
drop_model(const char *name)
{
	Relation relation;
	HeapTuple tuple;
	RoformerModel model;

	roformer_tables_lock_name("roformer.drop_model()", name);
	relation = roformer_tables_open(ROFORMER_MODEL, RowExclusiveLock);
	tuple = roformer_model_fetch_own(relation, name);
	roformer_model_read(tuple, RelationGetDescr(relation), &model);
	roformer_store_delete(model.id);
	roformer_store_delete_rows(ROFORMER_MODEL_GRANT, model.id);
	CatalogTupleDelete(relation, &tuple->t_self);
	table_close(relation, NoLock);
	roformer_forget_at_commit(model.digest);
	roformer_tables_invalidate();
}

/* ---- grants ---------------------------------------------------------------------------------- */

static Oid
find_grantee(const char *role)
{
	return pg_strcasecmp(role, "public") == 0 ? ACL_ID_PUBLIC : get_role_oid(role, false);
}

/* The row of a grant, copied, or NULL. */
static HeapTuple
fetch_grant(Relation grants, int64 model_id, Oid grantee)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], GRANT_MODEL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	ScanKeyInit(&keys[1], GRANT_GRANTEE, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(grantee));
	return roformer_tables_fetch(grants, roformer_tables_key(ROFORMER_MODEL_GRANT), 2, keys);
}

static void
insert_grant(Relation grants, int64 model_id, Oid grantee)
{
	Datum values[GRANT_COLUMNS];
	bool nulls[GRANT_COLUMNS] = {false};

	values[GRANT_MODEL_ID - 1] = Int64GetDatum(model_id);
	values[GRANT_GRANTEE - 1] = ObjectIdGetDatum(grantee);
	CatalogTupleInsert(grants, heap_form_tuple(RelationGetDescr(grants), values, nulls));
}

/* Granting what is granted and revoking what is not change nothing, as with GRANT and REVOKE. */
static void
change_grant(const char *function, const char *name, const char *role, bool granted)
{
	Relation relation;
	Relation grants;
	HeapTuple before;
	int64 model_id;
	Oid grantee;

	roformer_tables_lock_name(function, name);
	relation = roformer_tables_open(ROFORMER_MODEL, AccessShareLock);
	model_id = DatumGetInt64(roformer_tables_value(roformer_model_fetch_own(relation, name),
												   MODEL_ID, RelationGetDescr(relation)));
	table_close(relation, AccessShareLock);
	grantee = find_grantee(role);

	grants = roformer_tables_open(ROFORMER_MODEL_GRANT, RowExclusiveLock);
	before = fetch_grant(grants, model_id, grantee);
	if (granted && !HeapTupleIsValid(before))
		insert_grant(grants, model_id, grantee);
	else if (!granted && HeapTupleIsValid(before))
		CatalogTupleDelete(grants, &before->t_self);
	table_close(grants, NoLock);
	roformer_tables_invalidate();
}

/* ---- SQL ------------------------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(roformer_rename_model);
PG_FUNCTION_INFO_V1(roformer_drop_model);
PG_FUNCTION_INFO_V1(roformer_grant_model);
PG_FUNCTION_INFO_V1(roformer_revoke_model);

Datum
roformer_rename_model(PG_FUNCTION_ARGS)
{
	rename_model(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

Datum
roformer_drop_model(PG_FUNCTION_ARGS)
{
	drop_model(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

Datum
roformer_grant_model(PG_FUNCTION_ARGS)
{
	change_grant("roformer.grant_model()", text_to_cstring(PG_GETARG_TEXT_PP(0)),
				 text_to_cstring(PG_GETARG_TEXT_PP(1)), true);
	PG_RETURN_VOID();
}

Datum
roformer_revoke_model(PG_FUNCTION_ARGS)
{
	change_grant("roformer.revoke_model()", text_to_cstring(PG_GETARG_TEXT_PP(0)),
				 text_to_cstring(PG_GETARG_TEXT_PP(1)), false);
	PG_RETURN_VOID();
}
