/*
 * cache_region.c - which parts of the cache's memory are taken.
 *
 * First fit over an array of the taken extents, sorted by offset. Holes are what lies between them,
 * so that neighbouring holes are one without further ado, and the bookkeeping is bounded: as many
 * extents as the directory has entries. It stands apart from the memory it describes: a copy can be
 * altered to learn what an eviction would gain before anything is evicted.
 *
 * Extents start and end at multiples of 64 KB: images stay clear of each other's pages, and holes
 * too small for any image don't arise.
 *
 * No locking here: the directory's lock guards the region, a copy belongs to whoever made it.
 */
#include "cache_private.h"

void
roformer_region_init(RoformerRegion *region, uint64 size)
{
	region->size = size - size % ROFORMER_REGION_UNIT;
	region->count = 0;
}

/* Takes size bytes; false when no hole is large enough. */
bool
roformer_region_alloc(RoformerRegion *region, uint64 size, uint64 *offset)
{
	uint64 start = 0;
	int i;

	if (size == 0 || size > region->size || region->count == ROFORMER_CACHE_ENTRIES)
		return false;
	size = TYPEALIGN64(ROFORMER_REGION_UNIT, size);

	for (i = 0; i < region->count; i++)
	{
		if (region->extents[i].offset - start >= size)
			break;
		start = region->extents[i].offset + region->extents[i].size;
	}
	if (region->size - start < size)
		return false;

	memmove(&region->extents[i + 1], &region->extents[i],
			(region->count - i) * sizeof(RoformerExtent));
	region->extents[i].offset = start;
	region->extents[i].size = size;
	region->count++;
	*offset = start;
	return true;
}

/* Gives back the extent that starts at offset; false when there is none. */
bool
roformer_region_free(RoformerRegion *region, uint64 offset)
{
	for (int i = 0; i < region->count; i++)
	{
		if (region->extents[i].offset != offset)
			continue;
		region->count--;
		memmove(&region->extents[i], &region->extents[i + 1],
				(region->count - i) * sizeof(RoformerExtent));
		return true;
	}
	return false;
}

uint64
roformer_region_used(const RoformerRegion *region)
{
	uint64 used = 0;

	for (int i = 0; i < region->count; i++)
		used += region->extents[i].size;
	return used;
}
