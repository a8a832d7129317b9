/*
 * catalog_shape.c - how large models are, remembered: the planner asks many times for a statement.
 */
#include "catalog_private.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"

#define REMEMBERED_MODELS 16

typedef struct Remembered
{
	char name[ROFORMER_NAME_BYTES + 1];
	uint64 generation;
	bool exists;
	RoformerModelShape shape;
} Remembered;

static Remembered remembered[REMEMBERED_MODELS];
static int remembered_count;

static bool
read_shape(const char *name, RoformerModelShape *shape)
{
	Relation relation = roformer_tables_open(ROFORMER_MODEL, AccessShareLock);
	TupleDesc descriptor = RelationGetDescr(relation);
	HeapTuple tuple = roformer_model_fetch(relation, name);
	bool exists = HeapTupleIsValid(tuple);

	if (exists)
	{
		shape->layers = DatumGetInt32(roformer_tables_value(tuple, MODEL_LAYERS, descriptor));
		shape->hidden_size =
			DatumGetInt32(roformer_tables_value(tuple, MODEL_HIDDEN_SIZE, descriptor));
		heap_freetuple(tuple);
	}
	table_close(relation, AccessShareLock);
	return exists;
}

/* Of more models than there is room for, any may go. */
static Remembered *
place_of(const char *name)
{
	static int next = 0;

	for (int i = 0; i < remembered_count; i++)
	{
		if (strcmp(remembered[i].name, name) == 0)
			return &remembered[i];
	}
	if (remembered_count < REMEMBERED_MODELS)
		return &remembered[remembered_count++];
	next = (next + 1) % REMEMBERED_MODELS;
	return &remembered[next];
}

bool
roformer_catalog_shape(const char *name, RoformerModelShape *shape)
{
	uint64 generation = roformer_catalog_generation();
	Remembered *place;

	if (strlen(name) > ROFORMER_NAME_BYTES)
		return false;
	place = place_of(name);
	if (strcmp(place->name, name) != 0 || place->generation != generation)
	{
		place->name[0] = '\0'; /* nothing, should reading fail */
		place->exists = read_shape(name, &place->shape);
		place->generation = generation;
		strlcpy(place->name, name, sizeof(place->name));
	}
	*shape = place->shape;
	return place->exists;
}
