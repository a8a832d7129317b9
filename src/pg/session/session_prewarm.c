/*
 * session_prewarm.c - prewarm() and evict(): into the cache and out of it, without computing.
 */
#include "session_private.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(roformer_prewarm);
PG_FUNCTION_INFO_V1(roformer_evict);

/* prewarm(name) returns bigint: bytes of the image */
Datum
roformer_prewarm(PG_FUNCTION_ARGS)
{
	RoformerModel *model = roformer_catalog_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	RoformerPin *pin;
	size_t size;

	roformer_catalog_check_use(model);
	pin = roformer_engine_pin(model, CurrentMemoryContext);
	roformer_pin_image(pin, &size);
	roformer_cache_release(pin);
	PG_RETURN_INT64((int64) size);
}

/* evict(name) returns bool: was there an image? One in use goes with its last user. */
Datum
roformer_evict(PG_FUNCTION_ARGS)
{
	RoformerModel *model = roformer_catalog_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (!has_privs_of_role(GetUserId(), model->owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of model \"%s\"", model->name)));
	PG_RETURN_BOOL(roformer_cache_evict(MyDatabaseId, model->digest) > 0);
}
