/*
 * digest.h - what the digest of a model's content is computed over, whoever computes it.
 *
 * Every variable part is preceded by its length, all numbers are 64 bits little-endian:
 *
 *   file:   'f' length name length data
 *   tensor: 't' length name length dtype rank shape... bytes
 *
 * files first, then tensors, each in order of their names (byte order), so that no two contents
 * give the same bytes. The bytes of a tensor need no length: dtype and shape say it. The caller has
 * the hash function (SHA-256).
 */
#ifndef RF_DIGEST_H
#define RF_DIGEST_H

#include "rf/spec.h"
#include "rf/tensor.h"

/* Where the bytes go. update returns false when it failed; only its owner knows why. */
typedef struct RfHash
{
	bool (*update)(void *context, const void *data, size_t size);
	void *context;
} RfHash;

/* Both return false as soon as update does. */
extern bool rf_digest_file(const RfHash *hash, const RfFile *file);
/* Its description; the bytes follow directly. */
extern bool rf_digest_tensor(const RfHash *hash, const RfTensorDesc *tensor);

#endif
