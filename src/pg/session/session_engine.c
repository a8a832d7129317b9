/*
 * session_engine.c - one engine session, with its workspace, for each image this backend uses.
 *
 * Call sites come and go with statements, and several of one statement usually name the same model
 * (classify and classify_score over one column): they share an engine session, which is used by one
 * of them at a time. It is opened by the first and closed with the last of its users; with it go
 * the workspace and the pin, so that an idle backend holds neither memory nor an image that could
 * make room for another.
 *
 * Images of dropped or replaced contents are forgotten here: at once by the backend that committed
 * the change; in private memory, and on standbys, when another backend hears of it.
 */
#include "session_private.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "pg/support.h"
#include "utils/memutils.h"

static dlist_head engines = DLIST_STATIC_INIT(engines);

/* ---- forgetting ------------------------------------------------------------------------------ */

/* Does the name no longer stand for the content? After a rename it doesn't: one load too many. */
static bool
is_gone(const char *name, const uint8 *digest)
{
	RoformerModel *model = roformer_catalog_find(name);

	return model == NULL || memcmp(model->digest, digest, ROFORMER_DIGEST_LENGTH) != 0;
}

static void
forget_content(const uint8 *digest)
{
	roformer_cache_forget(MyDatabaseId, digest);
}

void
roformer_session_init(void)
{
	roformer_catalog_forget_hook = forget_content;
	roformer_catalog_probe_hook = roformer_probe_model;
	roformer_startup_init();
}

/*
 * The hook runs where the change is committed. Private copies are out of its reach, and on a
 * standby changes arrive by replay: there each backend looks after the first invalidation it gets.
 * (On a primary that must not be done to shared images: they may be of a transaction still in
 * progress.)
 */
static void
sweep_after_changes(void)
{
	static uint64 swept_generation = 0;
	uint64 generation = roformer_catalog_generation();

	if (generation == swept_generation)
		return;
	roformer_cache_sweep(is_gone, RecoveryInProgress());
	swept_generation = generation;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void
make_key(const RoformerModel *model, RfPrecision precision, const RfKernels *kernels,
		 RoformerCacheKey *key)
{
	memset(key, 0, sizeof(*key));
	key->database = MyDatabaseId;
	key->precision = (int32) precision;
	strlcpy(key->kernels, rf_kernels_name(kernels), sizeof(key->kernels));
	memcpy(key->digest, model->digest, sizeof(key->digest));
}

/*
 * A drop that commits between our look at the catalog and our claim of the cache entry finds
 * nothing to forget: hence a second look after the image is there. (One that commits after that
 * look finds it.)
 */
static RoformerPin *
pin_image(const RoformerModel *model, const RoformerCacheKey *key, RfPrecision precision,
		  const RfKernels *kernels, MemoryContext owner)
{
	RoformerModelLoad load;
	RoformerLoader loader = roformer_load_prepare(&load, model, precision, kernels);
	RoformerPin *pin = roformer_cache_acquire(key, model->name, &loader, owner);

	if (load.context != NULL)
	{
		MemoryContextDelete(load.context);
		if (is_gone(model->name, model->digest))
			roformer_cache_forget(MyDatabaseId, model->digest);
	}
	return pin;
}

RoformerPin *
roformer_engine_pin(const RoformerModel *model, MemoryContext owner)
{
	const RfKernels *kernels = roformer_options_kernels();
	RfPrecision precision = roformer_options_precision(model, kernels);
	RoformerCacheKey key;

	sweep_after_changes();
	make_key(model, precision, kernels, &key);
	if (model->has_dictionary)
		roformer_dictionary_pin(model, owner);
	return pin_image(model, &key, precision, kernels, owner);
}

static RoformerEngine *
find_engine(const RoformerCacheKey *key, RfTokenizerChoice tokenizer)
{
	dlist_iter iter;

	dlist_foreach(iter, &engines)
	{
		RoformerEngine *engine = dlist_container(RoformerEngine, node, iter.cur);

		if (engine->tokenizer == tokenizer && memcmp(&engine->key, key, sizeof(*key)) == 0)
			return engine;
	}
	return NULL;
}

/* Memory and pins go with the engine's context. */
static void
open_session(RoformerEngine *engine, const RoformerModel *model, RoformerPin *image_pin)
{
	const void *block;
	size_t size;
	RfError err;

	block = roformer_pin_image(image_pin, &size);
	roformer_check(rf_session_open(block, size, roformer_memory(engine->context), roformer_abort(),
								   &engine->session, &err),
				   &err);
	rf_session_choose_tokenizer(engine->session, engine->tokenizer);
	if (!model->has_dictionary)
		return;
	block = roformer_pin_image(roformer_dictionary_pin(model, engine->context), &size);
	roformer_check(rf_session_set_dictionary(engine->session, block, size, &err), &err);
}

/* Below the caller's context until it is complete: a failure leaves neither memory nor a pin. */
static RoformerEngine *
create_engine(const RoformerModel *model, const RoformerCacheKey *key, RfPrecision precision,
			  const RfKernels *kernels)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "roformer engine session",
												  ALLOCSET_DEFAULT_SIZES);
	RoformerEngine *engine = MemoryContextAllocZero(context, sizeof(RoformerEngine));
	RoformerPin *pin = pin_image(model, key, precision, kernels, context);

	engine->key = *key;
	engine->tokenizer = model->options.tokenizer;
	engine->context = context;
	open_session(engine, model, pin);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_head(&engines, &engine->node);
	return engine;
}

/* Every open needs a close; the caller sees to it before anything can throw. */
RoformerEngine *
roformer_engine_open(const RoformerModel *model)
{
	const RfKernels *kernels = roformer_options_kernels();
	RfPrecision precision = roformer_options_precision(model, kernels);
	RoformerCacheKey key;
	RoformerEngine *engine;

	sweep_after_changes();
	make_key(model, precision, kernels, &key);
	engine = find_engine(&key, model->options.tokenizer);
	if (engine == NULL)
		engine = create_engine(model, &key, precision, kernels);
	engine->users++;
	return engine;
}

void
roformer_engine_close(RoformerEngine *engine)
{
	if (--engine->users > 0)
		return;
	dlist_delete(&engine->node);
	rf_session_close(engine->session);
	MemoryContextDelete(engine->context);
}
