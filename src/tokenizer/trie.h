/*
 * trie.h - byte strings to numbers: a double-array trie that is plain data.
 *
 * A node's child for a byte b is at index base ^ b, provided that this slot's parent is the node.
 * One step is therefore one load, and all children of a node lie in the same 256 slots. Node 0 is
 * the root; it is nobody's child, so that 0 also says "no such child". Keys are any bytes, 0
 * included. Offsets only: nodes and values can be copied anywhere.
 *
 * J. Aoe, An Efficient Digital Search Algorithm by Using a Double-Array Structure, IEEE TSE 15(9),
 * 1989; XOR in place of the sum as in S. Yata's Darts-clone.
 */
#ifndef RF_TOKENIZER_TRIE_H
#define RF_TOKENIZER_TRIE_H

#include "rf/memory.h"

#define RF_TRIE_ACCEPT 0x80000000u /* in base: a key ends here */
#define RF_TRIE_FREE UINT32_MAX    /* as parent: the slot is empty */

typedef struct RfTrieNode
{
	uint32_t base;
	uint32_t parent;
} RfTrieNode;

typedef struct RfTrie
{
	const RfTrieNode *nodes; /* [count] */
	const int32_t *values;   /* [count] meaningful where a key ends */
	size_t count;            /* a multiple of 256 */
} RfTrie;

typedef struct RfTrieKey
{
	const char *bytes;
	uint32_t length;
	int32_t value; /* 0 .. INT32_MAX */
} RfTrieKey;

/*
 * Builds a trie in arena; sorts keys by their bytes. Of equal keys the one with the greatest value
 * stays. Working memory is proportional to the keys and given back. RF_LIMIT beyond 2^30 nodes.
 * abort_fn may be NULL.
 */
extern RfCode rf_trie_build(RfTrieKey *keys, size_t count, const RfAbort *abort_fn, RfArena *arena,
							RfTrie *trie, RfError *err);

/* The value of a whole key, -1 when it is none. */
extern int32_t rf_trie_find(const RfTrie *trie, const char *bytes, size_t length);

/* The child of node for a byte, 0 when there is none. */
static inline uint32_t
rf_trie_step(const RfTrie *trie, uint32_t node, unsigned char byte)
{
	uint32_t child = (trie->nodes[node].base & ~RF_TRIE_ACCEPT) ^ byte;

	return trie->nodes[child].parent == node ? child : 0;
}

static inline bool
rf_trie_accepts(const RfTrie *trie, uint32_t node)
{
	return (trie->nodes[node].base & RF_TRIE_ACCEPT) != 0;
}

#endif
