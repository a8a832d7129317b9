/*
 * cache_local.c - model images of this backend alone, where there is no shared cache.
 *
 * Same keys, same loader, same pins as in shared memory, so that nothing above knows the difference
 * but for memory and time: each session loads each model it uses. One NOTICE a session says how to
 * share instead.
 *
 * Copies stay for the next statement. Before another is loaded, unpinned ones go, least recently
 * used first, until at most LOCAL_COPIES - 1 and LOCAL_BYTES are left beside it; pinned ones are in
 * use by the running statement and always stay.
 */
#include "cache_private.h"

#include "access/parallel.h"
#include "rf/memory.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define LOCAL_COPIES 4
#define LOCAL_BYTES ((size_t) 1024 * 1024 * 1024)

struct RoformerLocalImage
{
	dlist_node node; /* in local_images */
	RoformerCacheKey key;
	char name[NAMEDATALEN];
	MemoryContext context; /* holds this struct and the image */
	char *image;           /* aligned to RF_ALIGNMENT */
	size_t size;
	bool doomed;
	uint32 pins;
	uint64 loads;
	uint64 hits;
	TimestampTz last_use;
};

static dlist_head local_images = DLIST_STATIC_INIT(local_images);

static void
free_local(RoformerLocalImage *local)
{
	dlist_delete(&local->node);
	MemoryContextDelete(local->context);
}

static RoformerLocalImage *
find_local(const RoformerCacheKey *key)
{
	dlist_iter iter;

	dlist_foreach(iter, &local_images)
	{
		RoformerLocalImage *local = dlist_container(RoformerLocalImage, node, iter.cur);

		if (!local->doomed && memcmp(&local->key, key, sizeof(*key)) == 0)
			return local;
	}
	return NULL;
}

/* Parallel workers leave it to their leader: a NOTICE of each would be one too many. */
static void
advise_sharing(void)
{
	static bool advised = false;

	if (advised || IsParallelWorker())
		return;
	advised = true;
	ereport(NOTICE,
			(errmsg("models are loaded into this session's private memory"),
			 roformer_shmem_is_preloaded()
				 ? errhint("Set roformer.cache_size to share one copy between all sessions.")
				 : errhint("Set shared_preload_libraries = 'roformer' and restart the server to "
						   "share one copy between all sessions.")));
}

/* The least recently used unpinned copy; NULL when all are in use. */
static RoformerLocalImage *
find_victim(void)
{
	RoformerLocalImage *victim = NULL;
	dlist_iter iter;

	dlist_foreach(iter, &local_images)
	{
		RoformerLocalImage *local = dlist_container(RoformerLocalImage, node, iter.cur);

		if (local->pins == 0 && (victim == NULL || local->last_use < victim->last_use))
			victim = local;
	}
	return victim;
}

static size_t
sum_sizes(void)
{
	size_t sum = 0;
	dlist_iter iter;

	dlist_foreach(iter, &local_images)
	{
		sum += dlist_container(RoformerLocalImage, node, iter.cur)->size;
	}
	return sum;
}

static void
make_room(size_t size)
{
	RoformerLocalImage *victim;

	while ((roformer_local_count() >= LOCAL_COPIES || sum_sizes() > LOCAL_BYTES ||
			size > LOCAL_BYTES - sum_sizes()) &&
		   (victim = find_victim()) != NULL)
		free_local(victim);
}

/*
 * The context hangs below the caller's until the image is complete, so that a load that fails
 * leaves nothing.
 */
static RoformerLocalImage *
load_local(const RoformerCacheKey *key, const char *name, const RoformerLoader *loader)
{
	size_t size = loader->size(loader->context);
	MemoryContext context;
	RoformerLocalImage *local;

	make_room(size);
	context = AllocSetContextCreate(CurrentMemoryContext, "roformer private model image",
									ALLOCSET_SMALL_SIZES);
	local = MemoryContextAllocZero(context, sizeof(RoformerLocalImage));
	local->key = *key;
	strlcpy(local->name, name, sizeof(local->name));
	local->context = context;
	local->size = size;
	local->image = (char *) TYPEALIGN(
		RF_ALIGNMENT, MemoryContextAllocHuge(context, add_size(size, RF_ALIGNMENT)));
	loader->fill(loader->context, local->image, size);
	local->loads = 1;

	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_tail(&local_images, &local->node);
	return local;
}

RoformerLocalImage *
roformer_local_pin(const RoformerCacheKey *key, const char *name, const RoformerLoader *loader)
{
	RoformerLocalImage *local = find_local(key);

	if (local != NULL)
		local->hits++;
	else
	{
		advise_sharing();
		local = load_local(key, name, loader);
	}
	local->pins++;
	local->last_use = GetCurrentTimestamp();
	return local;
}

void
roformer_local_unpin(RoformerLocalImage *local)
{
	local->last_use = GetCurrentTimestamp();
	if (--local->pins == 0 && local->doomed)
		free_local(local);
}

const void *
roformer_local_image(const RoformerLocalImage *local, size_t *size)
{
	*size = local->size;
	return local->image;
}

int
roformer_local_forget(Oid database, const uint8 *digest)
{
	int forgotten = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &local_images)
	{
		RoformerLocalImage *local = dlist_container(RoformerLocalImage, node, iter.cur);

		if (local->doomed || local->key.database != database ||
			memcmp(local->key.digest, digest, sizeof(local->key.digest)) != 0)
			continue;
		forgotten++;
		local->doomed = true;
		if (local->pins == 0)
			free_local(local);
	}
	return forgotten;
}

int
roformer_local_count(void)
{
	int count = 0;
	dlist_iter iter;

	dlist_foreach(iter, &local_images)
	{
		count++;
	}
	return count;
}

int
roformer_local_list(RoformerCacheRow *rows, int limit)
{
	int count = 0;
	dlist_iter iter;

	dlist_foreach(iter, &local_images)
	{
		RoformerLocalImage *local = dlist_container(RoformerLocalImage, node, iter.cur);
		RoformerCacheRow *row = &rows[count];

		if (count == limit)
			break;
		row->key = local->key;
		strlcpy(row->name, local->name, sizeof(row->name));
		row->state = local->doomed ? "dropped" : "ready";
		row->bytes = local->size;
		row->pins = local->pins;
		row->loads = local->loads;
		row->hits = local->hits;
		row->last_use = local->last_use;
		row->shared = false;
		count++;
	}
	return count;
}
