/*
 * catalog_tables.c - finding, opening, locking and invalidating the tables of the model store.
 *
 * The tables are found by name in the schema roformer and their OIDs kept until a relation cache
 * invalidation concerns one of them (DROP EXTENSION, REINDEX CONCURRENTLY, ...), so that an
 * extension dropped and created again in the same session works.
 *
 * Every change of a model invalidates the relation cache entry of _roformer.model. That reaches all
 * backends when the change commits (replay on standbys included) and this one at its next command,
 * and counts up the generation.
 *
 * Locks: whoever changes a model, or gives a name a meaning, holds a lock on the name (an object
 * lock in class _roformer.model, object the name's hash) until its transaction ends. Different
 * names don't wait for each other, but for the rare equal hashes. Readers take no such lock.
 */
#include "catalog_private.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/sinval.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#define SCHEMA "_roformer"

typedef struct TableOids
{
	Oid tables[ROFORMER_TABLES];
	Oid keys[ROFORMER_TABLES];
	Oid name_key;
	Oid sequence;
	bool known;
} TableOids;

static const char *const table_names[ROFORMER_TABLES] = {
	[ROFORMER_MODEL] = "model",
	[ROFORMER_MODEL_FILE] = "model_file",
	[ROFORMER_MODEL_TENSOR] = "model_tensor",
	[ROFORMER_MODEL_CHUNK] = "model_chunk",
	[ROFORMER_MODEL_GRANT] = "model_grant",
};

static const char *const key_names[ROFORMER_TABLES] = {
	[ROFORMER_MODEL] = "model_pkey",
	[ROFORMER_MODEL_FILE] = "model_file_pkey",
	[ROFORMER_MODEL_TENSOR] = "model_tensor_pkey",
	[ROFORMER_MODEL_CHUNK] = "model_chunk_pkey",
	[ROFORMER_MODEL_GRANT] = "model_grant_pkey",
};

static const int table_columns[ROFORMER_TABLES] = {
	[ROFORMER_MODEL] = MODEL_COLUMNS,
	[ROFORMER_MODEL_FILE] = FILE_COLUMNS,
	[ROFORMER_MODEL_TENSOR] = TENSOR_COLUMNS,
	[ROFORMER_MODEL_CHUNK] = CHUNK_COLUMNS,
	[ROFORMER_MODEL_GRANT] = GRANT_COLUMNS,
};

static TableOids oids;
static uint64 generation = 1;

static Oid
find_relation(Oid schema, const char *name)
{
	Oid relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", SCHEMA, name),
				 errhint("Create the extension in this database: CREATE EXTENSION roformer;")));
	return relation;
}

static void
look_up_tables(TableOids *found)
{
	Oid schema = get_namespace_oid(SCHEMA, true);

	for (int i = 0; i < ROFORMER_TABLES; i++)
	{
		found->tables[i] = find_relation(schema, table_names[i]);
		found->keys[i] = find_relation(schema, key_names[i]);
	}
	found->name_key = find_relation(schema, "model_name_key");
	found->sequence = find_relation(schema, "model_id_seq");
	found->known = true;
}

/* A look-up may itself hear of invalidations, which would find nothing to forget yet. */
static const TableOids *
find_tables(void)
{
	while (!oids.known)
	{
		uint64 before = SharedInvalidMessageCounter;
		TableOids found;

		look_up_tables(&found);
		if (SharedInvalidMessageCounter == before)
			oids = found;
	}
	return &oids;
}

/* With no OIDs known nothing was looked up since the last change, but a session may hold it still.
 */
static void
note_invalidation(Datum arg, Oid relation)
{
	if (!OidIsValid(relation) || !oids.known || relation == oids.tables[ROFORMER_MODEL])
		generation++;
	if (!OidIsValid(relation) || relation == oids.name_key || relation == oids.sequence)
		oids.known = false;
	for (int i = 0; i < ROFORMER_TABLES; i++)
	{
		if (relation == oids.tables[i] || relation == oids.keys[i])
			oids.known = false;
	}
}

uint64
roformer_catalog_generation(void)
{
	return generation;
}

void
roformer_catalog_init(void)
{
	CacheRegisterRelcacheCallback(note_invalidation, (Datum) 0);
	roformer_forget_init();
	roformer_import_init();
}

/* A library newer or older than the objects in this database must not read past their columns. */
static void
check_version(Relation relation, RoformerTable table)
{
	if (RelationGetNumberOfAttributes(relation) != table_columns[table])
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the extension in this database is of another version than its "
							   "library"),
						errdetail("Table \"%s.%s\" has %d columns, not %d.", SCHEMA,
								  table_names[table], RelationGetNumberOfAttributes(relation),
								  table_columns[table]),
						errhint("Run ALTER EXTENSION roformer UPDATE.")));
}

Relation
roformer_tables_open(RoformerTable table, LOCKMODE mode)
{
	Relation relation = table_open(find_tables()->tables[table], mode);

	check_version(relation, table);
	return relation;
}

Oid
roformer_catalog_relation(void)
{
	return find_tables()->tables[ROFORMER_MODEL];
}

Oid
roformer_tables_key(RoformerTable table)
{
	return find_tables()->keys[table];
}

Oid
roformer_tables_name_key(void)
{
	return find_tables()->name_key;
}

static int64
largest_id(void)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, AccessShareLock);
	Relation index = index_open(roformer_tables_key(ROFORMER_MODEL), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(relation, index, NULL, 0, NULL);
	HeapTuple tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	int64 id = 0;

	if (HeapTupleIsValid(tuple))
		id = DatumGetInt64(roformer_tables_value(tuple, MODEL_ID, RelationGetDescr(relation)));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return id;
}

/* Logical replication brings rows, but not the state of sequences. */
int64
roformer_tables_next_id(void)
{
	int64 largest = largest_id();
	int64 id;

	do
	{
		CHECK_FOR_INTERRUPTS();
		id = nextval_internal(find_tables()->sequence, false);
	} while (id <= largest);
	return id;
}

void
roformer_tables_lock_name(const char *function, const char *name)
{
	Oid model = find_tables()->tables[ROFORMER_MODEL];

	PreventCommandIfReadOnly(function);
	LockDatabaseObject(model, hash_bytes((const unsigned char *) name, (int) strlen(name)), 0,
					   ExclusiveLock);
}

void
roformer_tables_invalidate(void)
{
	CacheInvalidateRelcacheByRelid(find_tables()->tables[ROFORMER_MODEL]);
	/* what follows in this command sees the change */
	CommandCounterIncrement();
}

HeapTuple
roformer_tables_fetch(Relation relation, Oid index, int count, ScanKey keys)
{
	SysScanDesc scan = systable_beginscan(relation, index, true, NULL, count, keys);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

Datum
roformer_tables_value(HeapTuple tuple, int column, TupleDesc descriptor)
{
	bool null = true;
	Datum value = 0;

	if (column <= descriptor->natts)
		value = heap_getattr(tuple, column, descriptor, &null);
	if (null)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("column %d of a row of the model store is missing", column)));
	return value;
}
