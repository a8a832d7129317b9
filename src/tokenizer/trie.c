/*
 * trie.c - building a double-array trie.
 *
 * Nodes are placed depth first: what follows a node mostly lies near it. Empty slots are a doubly
 * linked list. The many nodes with one child take the oldest of them and so fill the gaps; a node
 * with several children looks at the newest SEARCH_LIMIT and then starts a new block, which keeps
 * the time linear in the number of nodes.
 *
 * A dictionary can have millions of keys: sorting them polls for cancellation, which qsort can't.
 */
#include "trie.h"

#include <string.h>

#define BLOCK_SLOTS 256
#define SEARCH_LIMIT 48
#define MAX_SLOTS ((size_t) 1 << 30)
#define POLL_KEYS ((size_t) 32768) /* a few milliseconds */

/* Keys first .. last - 1 share their first depth bytes, which lead to node. */
typedef struct Subtree
{
	uint32_t first;
	uint32_t last;
	uint32_t depth;
	uint32_t node;
} Subtree;

typedef struct Builder
{
	RfArena scratch;
	RfTrieNode *nodes; /* [slots] */
	uint32_t *next;    /* [slots] list of empty slots, circular through slot 0 */
	uint32_t *previous;
	int32_t *values; /* [slots] */
	size_t slots;
	size_t capacity;
	const RfAbort *abort_fn;
	size_t until_poll; /* keys */
	RfError *err;
} Builder;

static int
compare_keys(const RfTrieKey *a, const RfTrieKey *b)
{
	int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);

	if (order != 0)
		return order;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return a->value < b->value ? -1 : a->value > b->value;
}

/* Called for each piece of work on count keys. */
static RfCode
poll(Builder *builder, size_t count)
{
	if (count < builder->until_poll)
	{
		builder->until_poll -= count;
		return RF_OK;
	}
	builder->until_poll = POLL_KEYS;
	RF_FAIL_IF(rf_abort_requested(builder->abort_fn), builder->err, RF_CANCELED,
			   "building a table of strings was canceled");
	return RF_OK;
}

/* Merges two sorted neighbours, from[0 .. middle - 1] and from[middle .. count - 1]. */
static RfCode
merge(Builder *builder, const RfTrieKey *from, size_t middle, size_t count, RfTrieKey *to)
{
	size_t left = 0;
	size_t right = middle;

	for (size_t i = 0; i < count; i++)
	{
		bool take_left =
			right == count || (left < middle && compare_keys(&from[left], &from[right]) <= 0);

		to[i] = take_left ? from[left++] : from[right++];
		if (i % POLL_KEYS == POLL_KEYS - 1)
			RF_TRY(poll(builder, POLL_KEYS));
	}
	return poll(builder, count % POLL_KEYS);
}

static RfCode
sort_keys(Builder *builder, RfTrieKey *keys, size_t count)
{
	RfArenaMark mark = rf_arena_mark(&builder->scratch);
	RfTrieKey *from = keys;
	RfTrieKey *to;

	RF_NEW(&builder->scratch, to, count, builder->err);
	for (size_t width = 1; width < count; width *= 2)
	{
		RfTrieKey *merged = to;

		for (size_t at = 0; at < count; at += 2 * width)
		{
			size_t length = count - at < 2 * width ? count - at : 2 * width;

			RF_TRY(merge(builder, from + at, length < width ? length : width, length, to + at));
		}
		to = from;
		from = merged;
	}
	if (from != keys)
		memcpy(keys, from, count * sizeof(*keys));
	rf_arena_rewind(&builder->scratch, mark);
	return RF_OK;
}

/* Drops all but the last of equal keys. Returns how many are left. */
static size_t
drop_equal_keys(RfTrieKey *keys, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
	{
		if (kept > 0 && keys[kept - 1].length == keys[i].length &&
			memcmp(keys[kept - 1].bytes, keys[i].bytes, keys[i].length) == 0)
			kept--;
		keys[kept++] = keys[i];
	}
	return kept;
}

static RfCode
grow_arrays(Builder *builder)
{
	size_t capacity = builder->capacity == 0 ? 4 * BLOCK_SLOTS : builder->capacity * 2;
	RfTrieNode *nodes;
	uint32_t *next;
	uint32_t *previous;
	int32_t *values;

	RF_FAIL_IF(capacity > MAX_SLOTS, builder->err, RF_LIMIT,
			   "strings need more than %zu trie nodes", MAX_SLOTS);
	RF_NEW(&builder->scratch, nodes, capacity, builder->err);
	RF_NEW(&builder->scratch, next, capacity, builder->err);
	RF_NEW(&builder->scratch, previous, capacity, builder->err);
	RF_NEW(&builder->scratch, values, capacity, builder->err);
	if (builder->slots > 0)
	{
		memcpy(nodes, builder->nodes, builder->slots * sizeof(*nodes));
		memcpy(next, builder->next, builder->slots * sizeof(*next));
		memcpy(previous, builder->previous, builder->slots * sizeof(*previous));
		memcpy(values, builder->values, builder->slots * sizeof(*values));
	}
	builder->nodes = nodes;
	builder->next = next;
	builder->previous = previous;
	builder->values = values;
	builder->capacity = capacity;
	return RF_OK;
}

/* Puts one block of empty slots at the end of the array and of the list. */
static RfCode
add_block(Builder *builder)
{
	size_t first = builder->slots;

	if (builder->slots == builder->capacity)
		RF_TRY(grow_arrays(builder));
	builder->slots += BLOCK_SLOTS;
	for (size_t slot = first; slot < builder->slots; slot++)
	{
		builder->nodes[slot].base = 0;
		builder->nodes[slot].parent = RF_TRIE_FREE;
		builder->values[slot] = -1;
		if (slot == 0)
		{
			builder->next[0] = builder->previous[0] = 0;
			continue;
		}
		builder->next[slot] = 0;
		builder->previous[slot] = builder->previous[0];
		builder->next[builder->previous[0]] = (uint32_t) slot;
		builder->previous[0] = (uint32_t) slot;
	}
	return RF_OK;
}

static void
take_slot(Builder *builder, uint32_t slot, uint32_t parent)
{
	builder->nodes[slot].parent = parent;
	builder->next[builder->previous[slot]] = builder->next[slot];
	builder->previous[builder->next[slot]] = builder->previous[slot];
}

static bool
fits(const Builder *builder, uint32_t base, const unsigned char *labels, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		uint32_t slot = base ^ labels[i];

		if (slot == 0 || builder->nodes[slot].parent != RF_TRIE_FREE)
			return false;
	}
	return true;
}

static RfCode
find_base(Builder *builder, const unsigned char *labels, size_t count, uint32_t *base)
{
	uint32_t slot = count == 1 ? builder->next[0] : builder->previous[0];

	for (int tries = 0; slot != 0 && tries < SEARCH_LIMIT; tries++)
	{
		*base = slot ^ labels[0];
		if (fits(builder, *base, labels, count))
			return RF_OK;
		slot = builder->previous[slot];
	}
	*base = (uint32_t) builder->slots;
	return add_block(builder);
}

/* Gives node its value and its children slots; pushes the children's subtrees behind
 * stack[*height].
 */
static RfCode
place_children(Builder *builder, const RfTrieKey *keys, Subtree here, Subtree *stack,
			   size_t *height)
{
	unsigned char labels[256];
	size_t first_child = *height;
	size_t count = 0;
	uint32_t base;

	if (keys[here.first].length == here.depth)
	{
		builder->values[here.node] = keys[here.first].value;
		builder->nodes[here.node].base = RF_TRIE_ACCEPT;
		here.first++;
	}
	for (uint32_t i = here.first; i < here.last; i++)
	{
		unsigned char label = (unsigned char) keys[i].bytes[here.depth];

		if (count == 0 || labels[count - 1] != label)
		{
			labels[count++] = label;
			stack[(*height)++] = (Subtree){i, i, here.depth + 1, 0};
		}
		stack[*height - 1].last = i + 1;
	}
	if (count == 0)
		return RF_OK;
	RF_TRY(find_base(builder, labels, count, &base));
	builder->nodes[here.node].base |= base;
	for (size_t i = 0; i < count; i++)
	{
		stack[first_child + i].node = base ^ labels[i];
		take_slot(builder, base ^ labels[i], here.node);
	}
	return RF_OK;
}

/*
 * Open subtrees are disjoint ranges of keys, so that a stack of count entries is enough however
 * long the keys are.
 */
static RfCode
place_all(Builder *builder, const RfTrieKey *keys, size_t count)
{
	Subtree *stack;
	size_t height = 0;

	RF_TRY(add_block(builder));
	RF_NEW(&builder->scratch, stack, count, builder->err);
	if (count > 0)
		stack[height++] = (Subtree){0, (uint32_t) count, 0, 0};
	while (height > 0)
	{
		Subtree here = stack[--height];

		RF_TRY(poll(builder, 1));
		RF_TRY(place_children(builder, keys, here, stack, &height));
	}
	return RF_OK;
}

static RfCode
copy_result(const Builder *builder, RfArena *arena, RfTrie *trie)
{
	RfTrieNode *nodes;
	int32_t *values;

	RF_NEW(arena, nodes, builder->slots, builder->err);
	RF_NEW(arena, values, builder->slots, builder->err);
	memcpy(nodes, builder->nodes, builder->slots * sizeof(*nodes));
	memcpy(values, builder->values, builder->slots * sizeof(*values));
	trie->nodes = nodes;
	trie->values = values;
	trie->count = builder->slots;
	return RF_OK;
}

static RfCode
build(Builder *builder, RfTrieKey *keys, size_t count, RfArena *arena, RfTrie *trie)
{
	RF_TRY(sort_keys(builder, keys, count));
	RF_TRY(place_all(builder, keys, drop_equal_keys(keys, count)));
	return copy_result(builder, arena, trie);
}

RfCode
rf_trie_build(RfTrieKey *keys, size_t count, const RfAbort *abort_fn, RfArena *arena, RfTrie *trie,
			  RfError *err)
{
	Builder builder = {.abort_fn = abort_fn, .err = err};
	RfCode code;

	RF_FAIL_IF(count > INT32_MAX, err, RF_LIMIT, "%zu strings are too many for a trie", count);
	rf_arena_init(&builder.scratch, arena->memory);
	code = build(&builder, keys, count, arena, trie);
	rf_arena_free(&builder.scratch);
	return code;
}

int32_t
rf_trie_find(const RfTrie *trie, const char *bytes, size_t length)
{
	uint32_t node = 0;

	for (size_t i = 0; i < length; i++)
	{
		node = rf_trie_step(trie, node, (unsigned char) bytes[i]);
		if (node == 0)
			return -1;
	}
	return rf_trie_accepts(trie, node) ? trie->values[node] : -1;
}
