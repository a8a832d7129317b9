/*
 * catalog_digest.c - SHA-256 over the content of a model.
 *
 * Every variable part is preceded by its length, all numbers are 64 bits little-endian:
 *
 *   file:   'f' length name length data
 *   tensor: 't' length name length dtype rank shape... bytes
 *
 * so that no two contents give the same bytes. The bytes of a tensor need no length: dtype and
 * shape say it.
 */
#include "catalog_private.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

StaticAssertDecl(ROFORMER_DIGEST_LENGTH == PG_SHA256_DIGEST_LENGTH, "length of a digest");

struct RoformerDigest
{
	pg_cryptohash_ctx *hash;
};

static void
fail(RoformerDigest *digest)
{
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
					errmsg("could not compute SHA-256: %s", pg_cryptohash_error(digest->hash))));
}

RoformerDigest *
roformer_digest_begin(void)
{
	RoformerDigest *digest = palloc(sizeof(RoformerDigest));

	digest->hash = pg_cryptohash_create(PG_SHA256);
	if (digest->hash == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (pg_cryptohash_init(digest->hash) < 0)
		fail(digest);
	return digest;
}

void
roformer_digest_bytes(RoformerDigest *digest, const void *data, size_t size)
{
	if (pg_cryptohash_update(digest->hash, data, size) < 0)
		fail(digest);
}

static void
add_number(RoformerDigest *digest, uint64 number)
{
	uint8 bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8) (number >> (8 * i));
	roformer_digest_bytes(digest, bytes, sizeof(bytes));
}

static void
add_counted(RoformerDigest *digest, const char *bytes, size_t length)
{
	add_number(digest, length);
	roformer_digest_bytes(digest, bytes, length);
}

void
roformer_digest_file(RoformerDigest *digest, const RfFile *file)
{
	roformer_digest_bytes(digest, "f", 1);
	add_counted(digest, file->name, strlen(file->name));
	add_counted(digest, file->data, file->size);
}

void
roformer_digest_tensor(RoformerDigest *digest, const RfTensorDesc *tensor)
{
	const char *dtype = rf_dtype_name(tensor->dtype);

	roformer_digest_bytes(digest, "t", 1);
	add_counted(digest, tensor->name, strlen(tensor->name));
	add_counted(digest, dtype, strlen(dtype));
	add_number(digest, tensor->rank);
	for (int i = 0; i < tensor->rank; i++)
		add_number(digest, tensor->shape[i]);
}

void
roformer_digest_end(RoformerDigest *digest, uint8 *result)
{
	if (pg_cryptohash_final(digest->hash, result, ROFORMER_DIGEST_LENGTH) < 0)
		fail(digest);
	pg_cryptohash_free(digest->hash);
	pfree(digest);
}
