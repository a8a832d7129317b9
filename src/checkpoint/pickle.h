/*
 * pickle.h - plain values out of a pickle, without executing anything.
 */
#ifndef RF_PICKLE_H
#define RF_PICKLE_H

#include "directory.h"
#include "rf/tensor.h"

#define RF_PICKLE_MAX_BYTES ((uint64_t) 64 * 1024 * 1024)
#define RF_PICKLE_MAX_VALUES ((size_t) 4 * 1024 * 1024)
#define RF_PICKLE_MAX_STACK ((size_t) 64 * 1024)
#define RF_PICKLE_MAX_DEPTH 64
#define RF_PICKLE_MAX_STRING ((size_t) 64 * 1024)

typedef enum RfPickleKind
{
	RF_PICKLE_NONE,
	RF_PICKLE_BOOLEAN,
	RF_PICKLE_INTEGER,
	RF_PICKLE_STRING,
	RF_PICKLE_TUPLE,
	RF_PICKLE_LIST,
	RF_PICKLE_DICT,
	RF_PICKLE_GLOBAL,
	RF_PICKLE_CALL,      /* items: the function and its tuple of arguments */
	RF_PICKLE_PERSISTENT /* items: the id */
} RfPickleKind;

typedef enum RfPickleRole
{
	RF_PICKLE_ORDERED_DICT,
	RF_PICKLE_REBUILD_TENSOR,
	RF_PICKLE_REBUILD_PARAMETER,
	RF_PICKLE_STORAGE
} RfPickleRole;

/* A class or function that a pickle may name. */
typedef struct RfPickleGlobal
{
	const char *module;
	const char *name;
	RfPickleRole role;
	RfDtype dtype; /* of a storage */
} RfPickleGlobal;

typedef struct RfPickleContainer RfPickleContainer;

typedef struct RfPickleValue
{
	RfPickleKind kind;
	uint32_t count; /* bytes of a string, items of a tuple, call or persistent id */
	union
	{
		int64_t integer; /* also of a boolean */
		const char *string; /* valid UTF-8, NUL-terminated */
		const struct RfPickleValue *items;
		RfPickleContainer *container; /* of a list or dict */
		const RfPickleGlobal *global;
	};
} RfPickleValue;

struct RfPickleContainer
{
	RfPickleValue *items; /* of a dict: key, value, key, value */
	size_t count;
	size_t capacity;
};

/*
 * Reads the pickle that begins at *offset of file and ends before end; its values lie in the arena.
 * *offset is moved behind it.
 */
extern RfCode rf_pickle_read(const RfOpenFile *file, uint64_t *offset, uint64_t end, RfArena *arena,
							 RfPickleValue *value, RfError *err);

/* What a pickle may name; NULL for everything else. */
extern const RfPickleGlobal *rf_pickle_find_global(const char *module, const char *name);
/* The name of an opcode that protocols 0 to 5 have and this reader refuses, NULL for any other. */
extern const char *rf_pickle_refused_opcode(unsigned char opcode);

/* The value of a string key of a dict, NULL without it. */
extern const RfPickleValue *rf_pickle_get(const RfPickleValue *dict, const char *key);

#endif
