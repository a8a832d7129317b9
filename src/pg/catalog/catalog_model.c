/*
 * catalog_model.c - the row of a model: finding it by name and who may do what with it.
 *
 * A name is looked up with a snapshot taken at that moment, as names of system objects are: a model
 * is found from the moment its load is committed, in any isolation level.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/formatting.h"
#include "utils/varlena.h"

/*
 * Near enough to be a slip of the finger, upper or lower case aside: one letter in three, rounded
 * up, so that two swapped letters count from four on; but not more than this.
 */
#define MAX_NAME_DISTANCE 3
#define MAX_NEAR_NAMES 3

HeapTuple
roformer_model_fetch(Relation model, const char *name)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	return roformer_tables_fetch(model, roformer_tables_name_key(), 1, &key);
}

static void
read_digest(const RoformerModel *model, Datum value, uint8 *digest)
{
	bytea *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != ROFORMER_DIGEST_LENGTH)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored digest of model \"%s\" is damaged", model->name)));
	memcpy(digest, VARDATA_ANY(bytes), ROFORMER_DIGEST_LENGTH);
}

void
roformer_model_read(HeapTuple tuple, TupleDesc descriptor, RoformerModel *result)
{
	Datum dictionary;
	bool null;

	memset(result, 0, sizeof(*result));
	result->id = DatumGetInt64(roformer_tables_value(tuple, MODEL_ID, descriptor));
	result->name = TextDatumGetCString(roformer_tables_value(tuple, MODEL_NAME, descriptor));
	result->owner = DatumGetObjectId(roformer_tables_value(tuple, MODEL_OWNER, descriptor));
	read_digest(result, roformer_tables_value(tuple, MODEL_DIGEST, descriptor), result->digest);
	dictionary = heap_getattr(tuple, MODEL_DICTIONARY, descriptor, &null);
	result->has_dictionary = !null;
	if (!null)
		read_digest(result, dictionary, result->dictionary);
	roformer_option_clear(&result->options);
	roformer_deviation_read(tuple, descriptor, result);
}

/* ---- unknown names --------------------------------------------------------------------------- */

typedef struct NearName
{
	char *name;
	int distance;
} NearName;

/* Keeps the nearest names, nearest first. Returns how many there are now. */
static int
insert_near(NearName *near, int count, char *name, int distance)
{
	int position = count;

	while (position > 0 && near[position - 1].distance > distance)
		position--;
	if (position == MAX_NEAR_NAMES)
		return count;
	if (count < MAX_NEAR_NAMES)
		count++;
	memmove(near + position + 1, near + position, (count - 1 - position) * sizeof(*near));
	near[position].name = name;
	near[position].distance = distance;
	return count;
}

static int
find_near_names(Relation model, const char *wanted, NearName *near)
{
	int length = strlen(wanted);
	int limit = Min(MAX_NAME_DISTANCE, (length + 2) / 3);
	const char *folded = asc_tolower(wanted, length);
	SysScanDesc scan;
	HeapTuple tuple;
	int count = 0;

	/* longer ones are no names, and too long for the comparison */
	if (length > ROFORMER_NAME_BYTES)
		return 0;
	scan = systable_beginscan(model, roformer_tables_name_key(), false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char *name =
			TextDatumGetCString(roformer_tables_value(tuple, MODEL_NAME, RelationGetDescr(model)));
		int distance;

		if (strlen(name) > ROFORMER_NAME_BYTES)
			continue;
		distance = varstr_levenshtein_less_equal(folded, length, asc_tolower(name, strlen(name)),
												 strlen(name), 1, 1, 1, limit, true);
		if (distance <= limit)
			count = insert_near(near, count, name, distance);
	}
	systable_endscan(scan);
	return count;
}

/* What is no name at all may be a whole text, where arguments were mixed up. */
static const char *
shorten(const char *name)
{
	int length = strlen(name);

	if (length <= ROFORMER_NAME_BYTES)
		return name;
	return psprintf("%.*s...", pg_mbcliplen(name, length, ROFORMER_NAME_BYTES), name);
}

static void
report_unknown(Relation model, const char *name)
{
	NearName near[MAX_NEAR_NAMES];
	int count = find_near_names(model, name, near);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
		appendStringInfo(&names, "%s\"%s\"",
						 i == 0           ? ""
						 : i == count - 1 ? " or "
										  : ", ",
						 near[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", shorten(name)),
			 count > 0 ? errhint("Perhaps you meant %s.", names.data)
					   : errhint("The view roformer.models lists the models; roformer.load_model "
								 "loads one.")));
}

/* ---- lookup ---------------------------------------------------------------------------------- */

RoformerModel *
roformer_catalog_find(const char *name)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, AccessShareLock);
	HeapTuple tuple = roformer_model_fetch(relation, name);
	RoformerModel *model = NULL;

	if (HeapTupleIsValid(tuple))
	{
		model = palloc(sizeof(RoformerModel));
		roformer_model_read(tuple, RelationGetDescr(relation), model);
		roformer_option_read(tuple, RelationGetDescr(relation), &model->options);
		heap_freetuple(tuple);
	}
	table_close(relation, AccessShareLock);
	return model;
}

static uint64 lookups = 0;

uint64
roformer_catalog_lookups(void)
{
	return lookups;
}

RoformerModel *
roformer_catalog_lookup(const char *name)
{
	RoformerModel *model = roformer_catalog_find(name);

	lookups++;
	if (model == NULL)
		report_unknown(roformer_tables_open(ROFORMER_MODEL, AccessShareLock), name);
	return model;
}

HeapTuple
roformer_model_fetch_own(Relation relation, const char *name)
{
	HeapTuple tuple = roformer_model_fetch(relation, name);
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		report_unknown(relation, name);
	owner = DatumGetObjectId(roformer_tables_value(tuple, MODEL_OWNER, RelationGetDescr(relation)));
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of model \"%s\"", name)));
	return tuple;
}

/* ---- rights ---------------------------------------------------------------------------------- */

static bool
is_granted(int64 model_id, Oid user)
{
	Relation grants = roformer_tables_open(ROFORMER_MODEL_GRANT, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool granted = false;

	ScanKeyInit(&key, GRANT_MODEL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(model_id));
	scan =
		systable_beginscan(grants, roformer_tables_key(ROFORMER_MODEL_GRANT), true, NULL, 1, &key);
	while (!granted && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid grantee =
			DatumGetObjectId(roformer_tables_value(tuple, GRANT_GRANTEE, RelationGetDescr(grants)));

		granted = grantee == ACL_ID_PUBLIC || has_privs_of_role(user, grantee);
	}
	systable_endscan(scan);
	table_close(grants, AccessShareLock);
	return granted;
}

void
roformer_catalog_check_use(const RoformerModel *model)
{
	Oid user = GetUserId();

	if (has_privs_of_role(user, model->owner) || is_granted(model->id, user))
		return;
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied for model \"%s\"", model->name),
					errhint("Its owner can give permission with roformer.grant_model.")));
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Any text that can be printed on one line: names are arguments, never parts of SQL. */
void
roformer_model_check_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME), errmsg("name of a model must not be empty")));
	if (length > ROFORMER_NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG), errmsg("name of a model is too long"),
						errdetail("It has %zu bytes; at most %d are possible.", length,
								  ROFORMER_NAME_BYTES)));
	for (const char *c = name; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
							errmsg("name of a model must not have control characters")));
	}
}

void
roformer_model_check_free(Relation model, const char *name)
{
	if (HeapTupleIsValid(roformer_model_fetch(model, name)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("model \"%s\" already exists", name),
				 errhint("roformer.replace_model gives a name new content.")));
}
