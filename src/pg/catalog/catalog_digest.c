/*
 * catalog_digest.c - SHA-256 over the content of a model, as include/rf/digest.h lays it out.
 */
#include "catalog_private.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

StaticAssertDecl(ROFORMER_DIGEST_LENGTH == PG_SHA256_DIGEST_LENGTH, "length of a digest");

struct RoformerDigest
{
	pg_cryptohash_ctx *context;
	RfHash hash; /* the same, in the engine's terms */
};

static void
fail(RoformerDigest *digest)
{
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
					errmsg("could not compute SHA-256: %s", pg_cryptohash_error(digest->context))));
}

static bool
update(void *context, const void *data, size_t size)
{
	return pg_cryptohash_update(context, data, size) == 0;
}

RoformerDigest *
roformer_digest_begin(void)
{
	RoformerDigest *digest = palloc(sizeof(RoformerDigest));

	digest->context = pg_cryptohash_create(PG_SHA256);
	if (digest->context == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (pg_cryptohash_init(digest->context) < 0)
		fail(digest);
	digest->hash = (RfHash){update, digest->context};
	return digest;
}

void
roformer_digest_bytes(RoformerDigest *digest, const void *data, size_t size)
{
	if (!update(digest->context, data, size))
		fail(digest);
}

void
roformer_digest_file(RoformerDigest *digest, const RfFile *file)
{
	if (!rf_digest_file(&digest->hash, file))
		fail(digest);
}

void
roformer_digest_tensor(RoformerDigest *digest, const RfTensorDesc *tensor)
{
	if (!rf_digest_tensor(&digest->hash, tensor))
		fail(digest);
}

void
roformer_digest_end(RoformerDigest *digest, uint8 *result)
{
	if (pg_cryptohash_final(digest->context, result, ROFORMER_DIGEST_LENGTH) < 0)
		fail(digest);
	roformer_digest_free(digest);
}

void
roformer_digest_free(RoformerDigest *digest)
{
	pg_cryptohash_free(digest->context);
	pfree(digest);
}
