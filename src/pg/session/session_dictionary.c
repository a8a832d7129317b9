/*
 * session_dictionary.c - the compiled dictionary of Chinese words, shared like a model's image.
 *
 * There is one for each content, named by the digest of the file: all models of all databases that
 * have the same words use the same block (17 MB for jieba's own). It is made from the rows of
 * whichever model asks for it first, after their digest was found to be right, so that it doesn't
 * matter whose they are. Nothing ever makes it wrong; it goes when room is needed.
 */
#include "session_private.h"

#include "pg/support.h"
#include "utils/memutils.h"

#define CACHE_NAME "jieba dictionary"

typedef struct DictionaryLoad
{
	const RoformerModel *model;
	MemoryContext context; /* all that the load needs; NULL as long as nothing was loaded */
	RfArena arena;
	void *block; /* [size] */
	size_t size;
} DictionaryLoad;

static size_t
compile_words(void *context)
{
	DictionaryLoad *load = context;
	MemoryContext caller;
	RfAbort abort_fn = roformer_abort();
	RfFile file;
	RfError err;

	load->context = AllocSetContextCreate(CurrentMemoryContext, "roformer dictionary load",
										  ALLOCSET_DEFAULT_SIZES);
	rf_arena_init(&load->arena, roformer_memory(load->context));
	caller = MemoryContextSwitchTo(load->context);
	roformer_catalog_read_dictionary(load->model, &file);
	roformer_check(rf_jieba_compile(file.data, file.size, &abort_fn, &load->arena, &load->block,
									&load->size, &err),
				   &err);
	MemoryContextSwitchTo(caller);
	return load->size;
}

static void
copy_words(void *context, void *memory, size_t size)
{
	DictionaryLoad *load = context;

	memcpy(memory, load->block, size);
}

/* Of no database: two with the same words have the same bytes. */
static void
make_key(const RoformerModel *model, RoformerCacheKey *key)
{
	memset(key, 0, sizeof(*key));
	key->database = InvalidOid;
	key->precision = ROFORMER_CACHE_NO_PRECISION;
	strlcpy(key->kernels, "jieba", sizeof(key->kernels));
	memcpy(key->digest, model->dictionary, sizeof(key->digest));
}

RoformerPin *
roformer_dictionary_pin(const RoformerModel *model, MemoryContext owner)
{
	DictionaryLoad load = {.model = model};
	RoformerLoader loader = {compile_words, copy_words, &load};
	RoformerCacheKey key;
	RoformerPin *pin;

	make_key(model, &key);
	pin = roformer_cache_acquire(&key, CACHE_NAME, &loader, owner);
	if (load.context != NULL)
		MemoryContextDelete(load.context);
	return pin;
}
