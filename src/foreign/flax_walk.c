/*
 * flax_walk.c - the arrays of a flax_model.msgpack, in the child process.
 *
 * Format: one MessagePack map, nested by the parts of names. A leaf is an extension of type 1 whose
 * bytes are the array [shape, name of the type, data], row-major. An array of more than 2^30 bytes
 * is a map with the key "__msgpack_chunked_array__", whose "shape" is that of the whole and whose
 * "chunks" are one-dimensional leaves, both as maps with the keys "0", "1" and so on.
 *
 * The file is mapped, so that libmsgpackc, which gives pointers into what it was given, needn't
 * have a copy of it: where it shrinks meanwhile, the child ends.
 *
 * Enforced: at most RF_WALK_MAX_DEPTH levels of names, keys that are strings, nothing behind the
 * map. Left out: leaves that are no arrays, arrays of types that no tensor here has.
 *
 * Source: flax/serialization.py; the MessagePack specification.
 */
#include <inttypes.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "walk.h"

#define ARRAY_TYPE 1
#define CHUNKED_KEY "__msgpack_chunked_array__"

typedef struct Walker
{
	RfWalk *walk;
	const char *data; /* the file */
	RfWalkTensor tensor;
	int depth;
	RfError *err;
} Walker;

/* A leaf: what its payload says. */
typedef struct Leaf
{
	msgpack_unpacked payload; /* owns what shape points to; to be destroyed */
	const msgpack_object *shape;
	RfDtype dtype;
	const char *data;
	uint64_t size;
} Leaf;

static const struct
{
	const char *name;
	RfDtype dtype;
} dtypes[] = {
	{"float32", RF_F32}, {"float16", RF_F16}, {"bfloat16", RF_BF16}, {"float64", RF_F64},
	{"int64", RF_I64},   {"int32", RF_I32},   {"int16", RF_I16},     {"int8", RF_I8},
	{"uint8", RF_U8},    {"bool", RF_BOOL},
};

static RfCode
fail(const Walker *walker, RfCode code, const char *what)
{
	return rf_error_set(walker->err, code, "\"%s\" in file \"%s\" %s", walker->tensor.path,
						walker->walk->file, what);
}

static bool
is_text(const msgpack_object *object, const char *text)
{
	return object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
		   memcmp(object->via.str.ptr, text, strlen(text)) == 0;
}

static bool
find_dtype(const msgpack_object *object, RfDtype *dtype)
{
	for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
	{
		if (is_text(object, dtypes[i].name))
		{
			*dtype = dtypes[i].dtype;
			return true;
		}
	}
	return false;
}

static const msgpack_object *
find_member(const msgpack_object *map, const char *key)
{
	for (uint32_t i = 0; i < map->via.map.size; i++)
	{
		if (is_text(&map->via.map.ptr[i].key, key))
			return &map->via.map.ptr[i].val;
	}
	return NULL;
}

/* Item i of an array, or of a map with the keys "0", "1" and so on; NULL where there is none. */
static const msgpack_object *
find_item(const msgpack_object *list, uint32_t i)
{
	char key[16];

	if (list->type == MSGPACK_OBJECT_ARRAY)
		return i < list->via.array.size ? &list->via.array.ptr[i] : NULL;
	snprintf(key, sizeof(key), "%" PRIu32, i);
	if (list->type != MSGPACK_OBJECT_MAP || i >= list->via.map.size)
		return NULL;
	/* They are written in order. */
	if (is_text(&list->via.map.ptr[i].key, key))
		return &list->via.map.ptr[i].val;
	return find_member(list, key);
}

static uint32_t
count_items(const msgpack_object *list)
{
	if (list->type == MSGPACK_OBJECT_ARRAY)
		return list->via.array.size;
	return list->type == MSGPACK_OBJECT_MAP ? list->via.map.size : 0;
}

static RfCode
set_shape(Walker *walker, const msgpack_object *shape)
{
	uint32_t rank = count_items(shape);

	if (rank > RF_MAX_RANK)
		return fail(walker, RF_LIMIT, "has more than 8 dimensions");
	if (shape->type != MSGPACK_OBJECT_ARRAY && shape->type != MSGPACK_OBJECT_MAP)
		return fail(walker, RF_CORRUPT, "has no shape");
	walker->tensor.rank = (int32_t) rank;
	for (uint32_t i = 0; i < rank; i++)
	{
		const msgpack_object *size = find_item(shape, i);

		if (size == NULL || size->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
			return fail(walker, RF_CORRUPT, "has a shape that is not a list of sizes");
		walker->tensor.shape[i] = size->via.u64;
	}
	return RF_OK;
}

/* *known says whether the type is one that a tensor may have. */
static RfCode
read_leaf(const Walker *walker, const msgpack_object *object, Leaf *leaf, bool *known)
{
	const msgpack_object *items;
	size_t used = 0;

	msgpack_unpacked_init(&leaf->payload);
	if (msgpack_unpack_next(&leaf->payload, object->via.ext.ptr, object->via.ext.size, &used) !=
			MSGPACK_UNPACK_SUCCESS ||
		used != object->via.ext.size || leaf->payload.data.type != MSGPACK_OBJECT_ARRAY ||
		leaf->payload.data.via.array.size != 3)
		return fail(walker, RF_CORRUPT, "is not an array of shape, type and data");
	items = leaf->payload.data.via.array.ptr;
	if (items[1].type != MSGPACK_OBJECT_STR || items[2].type != MSGPACK_OBJECT_BIN)
		return fail(walker, RF_CORRUPT, "is not an array of shape, type and data");
	*known = find_dtype(&items[1], &leaf->dtype);
	leaf->shape = &items[0];
	leaf->data = items[2].via.bin.ptr;
	leaf->size = items[2].via.bin.size;
	return RF_OK;
}

static RfCode
report_data(const Walker *walker, const Leaf *leaf)
{
	if (leaf->size == 0)
		return RF_OK;
	return rf_walk_report_piece(walker->walk, (uint64_t) (leaf->data - walker->data), leaf->size,
								walker->err);
}

static RfCode
report_array(Walker *walker, const Leaf *leaf)
{
	walker->tensor.dtype = leaf->dtype;
	RF_TRY(set_shape(walker, leaf->shape));
	RF_TRY(rf_walk_report_tensor(walker->walk, &walker->tensor, walker->err));
	return report_data(walker, leaf);
}

static bool
is_array(const msgpack_object *object)
{
	return object != NULL && object->type == MSGPACK_OBJECT_EXT &&
		   object->via.ext.type == ARRAY_TYPE;
}

static RfCode
walk_leaf(Walker *walker, const msgpack_object *object)
{
	Leaf leaf;
	RfCode code;
	bool known;

	if (!is_array(object))
		return RF_OK;
	code = read_leaf(walker, object, &leaf, &known);
	if (code == RF_OK && known)
		code = report_array(walker, &leaf);
	msgpack_unpacked_destroy(&leaf.payload);
	return code;
}

/* The first one says which type they all have; the shape is that of the whole. */
static RfCode
report_chunk(Walker *walker, const Leaf *leaf, bool first)
{
	if (!first && leaf->dtype != walker->tensor.dtype)
		return fail(walker, RF_CORRUPT, "has chunks of different types");
	walker->tensor.dtype = leaf->dtype;
	if (first)
		RF_TRY(rf_walk_report_tensor(walker->walk, &walker->tensor, walker->err));
	return report_data(walker, leaf);
}

static RfCode
walk_chunk(Walker *walker, const msgpack_object *chunk, bool first)
{
	Leaf leaf;
	RfCode code;
	bool known;

	if (!is_array(chunk))
		return fail(walker, RF_CORRUPT, "has a chunk that is no array");
	code = read_leaf(walker, chunk, &leaf, &known);
	if (code == RF_OK)
		code = known ? report_chunk(walker, &leaf, first)
					 : fail(walker, RF_CORRUPT, "has a chunk of an unknown type");
	msgpack_unpacked_destroy(&leaf.payload);
	return code;
}

static RfCode
walk_chunked(Walker *walker, const msgpack_object *map)
{
	const msgpack_object *shape = find_member(map, "shape");
	const msgpack_object *chunks = find_member(map, "chunks");

	if (shape == NULL || chunks == NULL)
		return fail(walker, RF_CORRUPT, "is an array in chunks without shape or chunks");
	RF_TRY(set_shape(walker, shape));
	for (uint32_t i = 0; i < count_items(chunks); i++)
		RF_TRY(walk_chunk(walker, find_item(chunks, i), i == 0));
	return RF_OK;
}

static RfCode walk_map(Walker *walker, const msgpack_object *map);

static RfCode
append_key(Walker *walker, const msgpack_object *key)
{
	const char *text = key->via.str.ptr;
	size_t length = key->via.str.size;

	if (key->type != MSGPACK_OBJECT_STR)
		return fail(walker, RF_CORRUPT, "has a key that is not a string");
	if (length == 0) /* text may be NULL then */
		text = "";
	if (memchr(text, '\0', length) != NULL || !rf_walk_append(walker->tensor.path, text, length))
		return fail(walker, RF_LIMIT, "has a key that is too long or has zero bytes");
	return RF_OK;
}

static RfCode
walk_member(Walker *walker, const msgpack_object_kv *member)
{
	const msgpack_object *value = &member->val;

	RF_TRY(append_key(walker, &member->key));
	if (value->type != MSGPACK_OBJECT_MAP)
		return walk_leaf(walker, value);
	if (find_member(value, CHUNKED_KEY) != NULL)
		return walk_chunked(walker, value);
	return walk_map(walker, value);
}

static RfCode
walk_map(Walker *walker, const msgpack_object *map)
{
	size_t length = strlen(walker->tensor.path);

	if (walker->depth == RF_WALK_MAX_DEPTH)
		return fail(walker, RF_LIMIT, "has maps nested too deeply");
	walker->depth++;
	for (uint32_t i = 0; i < map->via.map.size; i++)
	{
		RF_TRY(walk_member(walker, &map->via.map.ptr[i]));
		walker->tensor.path[length] = '\0';
	}
	walker->depth--;
	return RF_OK;
}

static RfCode
report_unpack(const RfWalk *walk, msgpack_unpack_return result, size_t used, RfError *err)
{
	if (result == MSGPACK_UNPACK_NOMEM_ERROR)
		return rf_error_set(err, RF_LIMIT, "file \"%s\" is nested too deeply or claims too much",
							walk->file);
	if (result == MSGPACK_UNPACK_SUCCESS)
		return rf_error_set(err, RF_CORRUPT, "file \"%s\" has unused bytes at its end, from %zu",
							walk->file, used);
	return rf_error_set(err, RF_CORRUPT, "file \"%s\" is not MessagePack, or cut off", walk->file);
}

static RfCode
walk_data(Walker *walker)
{
	RfWalk *walk = walker->walk;
	msgpack_unpacked all;
	msgpack_unpack_return result;
	size_t used = 0;
	RfCode code;

	msgpack_unpacked_init(&all);
	result = msgpack_unpack_next(&all, walker->data, walk->size, &used);
	if (result != MSGPACK_UNPACK_SUCCESS || used != walk->size)
		code = report_unpack(walk, result, used, walker->err);
	else if (all.data.type != MSGPACK_OBJECT_MAP)
		code = rf_error_set(walker->err, RF_CORRUPT, "file \"%s\" does not hold a map of names",
							walk->file);
	else
		code = walk_map(walker, &all.data);
	msgpack_unpacked_destroy(&all);
	return code;
}

RfCode
rf_flax_walk(RfWalk *walk, RfError *err)
{
	Walker walker = {.walk = walk, .err = err};
	void *data;
	RfCode code;

	RF_FAIL_IF(walk->size == 0, err, RF_CORRUPT, "file \"%s\" is empty", walk->file);
	data = mmap(NULL, walk->size, PROT_READ, MAP_PRIVATE, walk->fd, 0);
	RF_FAIL_IF(data == MAP_FAILED, err, RF_NO_MEMORY, "could not map file \"%s\"", walk->file);
	walker.data = data;
	code = walk_data(&walker);
	munmap(data, walk->size);
	return code;
}
