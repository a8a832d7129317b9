/*
 * cache_pin.c - acquiring images and letting them go, whatever happens in between.
 *
 * A pin hangs on a memory context of its user: however a statement ends, its contexts are reset,
 * and the pin with them. That also holds after an error (the transaction's locks are released
 * before its contexts are, and nothing in the cache throws under its lock), in subtransactions and
 * in parallel workers. A backend that exits through FATAL resets no contexts: a before_shmem_exit
 * callback walks the list of this backend's pins.
 *
 * While an image is being loaded, its pin is marked so: letting go then means to abandon the load.
 */
#include "cache_private.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

typedef enum PinState
{
	PIN_NOTHING, /* not yet acquired, or released */
	PIN_LOADING, /* shared, this backend is its loader */
	PIN_SHARED,
	PIN_LOCAL
} PinState;

struct RoformerPin
{
	dlist_node node; /* in pins, unless PIN_NOTHING */
	PinState state;
	int entry;                 /* in the directory: PIN_LOADING, PIN_SHARED */
	RoformerLocalImage *local; /* PIN_LOCAL */
	MemoryContextCallback callback;
};

static dlist_head pins = DLIST_STATIC_INIT(pins);

static void
hold(RoformerPin *pin, PinState state)
{
	pin->state = state;
	dlist_push_tail(&pins, &pin->node);
}

void
roformer_cache_release(RoformerPin *pin)
{
	PinState state = pin->state;

	if (state == PIN_NOTHING)
		return;
	pin->state = PIN_NOTHING;
	dlist_delete(&pin->node);
	if (state == PIN_LOADING)
		roformer_entry_abandon(pin->entry);
	else if (state == PIN_SHARED)
		roformer_entry_unpin(pin->entry);
	else
		roformer_local_unpin(pin->local);
}

static void
release_with_context(void *arg)
{
	roformer_cache_release(arg);
}

static void
release_at_exit(int code, Datum arg)
{
	while (!dlist_is_empty(&pins))
		roformer_cache_release(dlist_head_element(RoformerPin, node, &pins));
}

static RoformerPin *
create_pin(MemoryContext owner)
{
	static bool exit_callback_registered = false;
	RoformerPin *pin;

	if (!exit_callback_registered)
	{
		before_shmem_exit(release_at_exit, (Datum) 0);
		exit_callback_registered = true;
	}
	pin = MemoryContextAllocZero(owner, sizeof(RoformerPin));
	pin->state = PIN_NOTHING;
	pin->callback.func = release_with_context;
	pin->callback.arg = pin;
	MemoryContextRegisterResetCallback(owner, &pin->callback);
	return pin;
}

/* An error may be caught below owner's lifetime: the claim is given up at once, not with owner. */
static void
load_shared(RoformerPin *pin, const char *name, const RoformerLoader *loader)
{
	PG_TRY();
	{
		size_t size = loader->size(loader->context);
		void *memory = roformer_entry_place(pin->entry, name, size);

		loader->fill(loader->context, memory, size);
	}
	PG_CATCH();
	{
		roformer_cache_release(pin);
		PG_RE_THROW();
	}
	PG_END_TRY();
	roformer_entry_publish(pin->entry);
	pin->state = PIN_SHARED;
}

RoformerPin *
roformer_cache_acquire(const RoformerCacheKey *key, const char *name, const RoformerLoader *loader,
					   MemoryContext owner)
{
	RoformerPin *pin = create_pin(owner);

	if (roformer_cache_is_shared())
	{
		bool load;

		pin->entry = roformer_entry_pin(key, name, &load);
		hold(pin, load ? PIN_LOADING : PIN_SHARED);
		if (load)
			load_shared(pin, name, loader);
	}
	else
	{
		pin->local = roformer_local_pin(key, name, loader);
		hold(pin, PIN_LOCAL);
	}
	return pin;
}

const void *
roformer_pin_image(const RoformerPin *pin, size_t *size)
{
	Assert(pin->state == PIN_SHARED || pin->state == PIN_LOCAL);
	return pin->state == PIN_SHARED ? roformer_entry_image(pin->entry, size)
									: roformer_local_image(pin->local, size);
}

int
roformer_cache_forget(Oid database, const uint8 *digest)
{
	int forgotten = roformer_local_forget(database, digest);

	if (roformer_cache_is_shared())
		forgotten += roformer_entries_forget(database, digest, true);
	return forgotten;
}

int
roformer_cache_evict(Oid database, const uint8 *digest)
{
	int evicted = roformer_local_forget(database, digest);

	if (roformer_cache_is_shared())
		evicted += roformer_entries_forget(database, digest, false);
	return evicted;
}

/* Listed first, then judged, as gone() looks things up: the lists may change under it. */
void
roformer_cache_sweep(RoformerGone gone, bool shared)
{
	RoformerCacheRow *rows;
	int count = roformer_local_count();

	shared = shared && roformer_cache_is_shared();
	if (count == 0 && !shared)
		return;
	rows = palloc((count + ROFORMER_CACHE_ENTRIES) * sizeof(RoformerCacheRow));
	count = roformer_local_list(rows, count);
	if (shared)
		count += roformer_entries_list(rows + count);
	for (int i = 0; i < count; i++)
	{
		if (rows[i].key.database == MyDatabaseId && gone(rows[i].name, rows[i].key.digest))
			roformer_cache_forget(MyDatabaseId, rows[i].key.digest);
	}
	pfree(rows);
}
