/*
 * cache.h - model images shared by all backends, or private to this one without preload.
 *
 * Key: database, content digest, precision and kernel set. What models of all databases share, the
 * dictionary of Chinese words, has no database and no precision. The directory and the region the
 * images lie in are in main shared memory (roformer.cache_size); everything there is an offset.
 * States, locks and takeover are described in src/pg/cache/cache_directory.c.
 */
#ifndef ROFORMER_CACHE_H
#define ROFORMER_CACHE_H

#include "postgres.h"

#define ROFORMER_CACHE_NO_PRECISION (-1)

typedef struct RoformerCacheKey
{
	Oid database;
	int32 precision;  /* RfPrecision, ROFORMER_CACHE_NO_PRECISION */
	char kernels[16]; /* rf_kernels_name; the weights are packed for it */
	uint8 digest[32];
} RoformerCacheKey; /* no padding: compared with memcmp after being zeroed */

/* A pinned image. Valid until released; releasing is done once, by whoever acquired it. */
typedef struct RoformerPin RoformerPin;

extern const void *roformer_pin_image(const RoformerPin *pin, size_t *size);

/*
 * How a missing image comes to be. size() says how many bytes it needs; fill() writes it there.
 * Both run without any lock held and may throw; then nothing is left of the attempt.
 */
typedef struct RoformerLoader
{
	size_t (*size)(void *context);
	void (*fill)(void *context, void *memory, size_t size);
	void *context;
} RoformerLoader;

/*
 * Pins the image under key, loading it if need be; name is only for the cache view and messages.
 * Waits, and can be cancelled, while another backend loads it. ERROR 53200 when it can't fit
 * roformer.cache_size. The pin belongs to owner: it is released when that memory context is reset
 * or deleted.
 */
extern RoformerPin *roformer_cache_acquire(const RoformerCacheKey *key, const char *name,
										   const RoformerLoader *loader, MemoryContext owner);
extern void roformer_cache_release(RoformerPin *pin);

/*
 * Forgets all images of this database with that digest, also one that is being loaded; a pinned
 * one goes when its last pin does. Never throws. Returns how many there were.
 */
extern int roformer_cache_forget(Oid database, const uint8 *digest);

/* The same, but lets a load in progress finish: nothing is wrong with that content. */
extern int roformer_cache_evict(Oid database, const uint8 *digest);

/*
 * Forgets the images of the current database for which gone(name, digest) is true: the private
 * copies of this backend and, if shared is true, the shared ones as well. gone may throw.
 */
typedef bool (*RoformerGone)(const char *name, const uint8 *digest);
extern void roformer_cache_sweep(RoformerGone gone, bool shared);

/* Is there a shared cache (preloaded and cache_size > 0)? */
extern bool roformer_cache_is_shared(void);

/* _PG_init, while shared_preload_libraries are loaded: shared memory request and startup hooks */
extern void roformer_cache_init(void);

#endif
