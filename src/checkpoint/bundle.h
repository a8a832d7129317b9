/*
 * bundle.h - the parts of a TensorFlow checkpoint: bytes with a cursor, the table, names.
 */
#ifndef RF_BUNDLE_H
#define RF_BUNDLE_H

#include "weights.h"

/* Of the index file, which is read whole: that of a model of a thousand layers has 2 MB. */
#define RF_BUNDLE_MAX_INDEX ((size_t) 64 * 1024 * 1024)
#define RF_BUNDLE_MAX_KEY 1024

/* Bytes not yet read, [at, end). */
typedef struct RfBytes
{
	const unsigned char *at;
	const unsigned char *end;
} RfBytes;

/* These return false, and what they give is not set, where the bytes end too early. */
extern bool rf_bytes_varint(RfBytes *bytes, uint64_t *value); /* at most 64 bits */
extern bool rf_bytes_fixed32(RfBytes *bytes, uint32_t *value);
extern bool rf_bytes_take(RfBytes *bytes, uint64_t size, RfBytes *part);

/* The CRC-32C that a bundle stores, rotated so that one of bytes with a checksum in them is sound.
 */
extern uint32_t rf_bundle_checksum(uint32_t stored);

/* A value of a table with its key (not NUL-terminated), which lives until the next one. */
typedef RfCode (*RfTableVisit)(void *context, RfBytes key, RfBytes value, RfError *err);

/*
 * Visits every value of the table that file is, in order of their keys, of which none is twice.
 * Keys have at most RF_BUNDLE_MAX_KEY bytes.
 */
extern RfCode rf_table_read(const RfOpenFile *file, RfArena *scratch, RfTableVisit visit,
							void *context, RfError *err);

/*
 * The name that PyTorch's state dict has for a variable of the original code, into name [size].
 * false when it does not fit.
 */
extern bool rf_bundle_map_name(RfBytes variable, char *name, size_t size, RfVariableUse *use);

#endif
