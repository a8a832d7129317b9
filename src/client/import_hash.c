/*
 * import_hash.c - SHA-256, for the digest of a content.
 *
 * It is the server's function, as libpgcommon has it for programs: OpenSSL's where PostgreSQL was
 * built with that, PostgreSQL's own elsewhere.
 */
#include "postgres_fe.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

#include "import_hash.h"

StaticAssertDecl(IMPORT_DIGEST_TEXT == 2 * PG_SHA256_DIGEST_LENGTH + 1, "length of a digest");

static bool
update(void *context, const void *data, size_t size)
{
	return pg_cryptohash_update(context, data, size) == 0;
}

bool
import_hash_begin(ImportHash *hash)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	hash->hash = (RfHash){update, context};
	hash->failed = context == NULL || pg_cryptohash_init(context) < 0;
	return !hash->failed;
}

void
import_hash_bytes(ImportHash *hash, const void *data, size_t size)
{
	hash->failed = hash->failed || !update(hash->hash.context, data, size);
}

void
import_hash_file(ImportHash *hash, const RfFile *file)
{
	hash->failed = hash->failed || !rf_digest_file(&hash->hash, file);
}

void
import_hash_tensor(ImportHash *hash, const RfTensorDesc *tensor)
{
	hash->failed = hash->failed || !rf_digest_tensor(&hash->hash, tensor);
}

bool
import_hash_end(ImportHash *hash, char *digest)
{
	uint8 bytes[PG_SHA256_DIGEST_LENGTH];
	bool done = !hash->failed && pg_cryptohash_final(hash->hash.context, bytes, sizeof(bytes)) == 0;

	pg_cryptohash_free(hash->hash.context);
	for (size_t i = 0; done && i < sizeof(bytes); i++)
		snprintf(digest + 2 * i, 3, "%02x", bytes[i]);
	return done;
}
