/*
 * import_hash.h - SHA-256, for the digest of a content.
 */
#ifndef IMPORT_HASH_H
#define IMPORT_HASH_H

#include "rf/engine.h"

/* In hexadecimal, with the terminating NUL: as the view roformer.models shows it. */
#define IMPORT_DIGEST_TEXT 65

typedef struct ImportHash
{
	RfHash hash;
	bool failed; /* a call to it did; the result is none */
} ImportHash;

extern bool import_hash_begin(ImportHash *hash);
extern void import_hash_bytes(ImportHash *hash, const void *data, size_t size);
extern void import_hash_file(ImportHash *hash, const RfFile *file);
extern void import_hash_tensor(ImportHash *hash, const RfTensorDesc *tensor);
/* False when anything failed since the beginning, also for want of memory. */
extern bool import_hash_end(ImportHash *hash, char *digest);

#endif
