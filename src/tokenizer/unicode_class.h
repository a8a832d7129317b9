/*
 * unicode_class.h - what the tokenizers need to know of every code point, as one table.
 *
 * A tokenizer's block carries the table, so that cutting a text calls no library: two loads say
 * how a character is classified, and rare ones have a record with their lower case and canonical
 * decomposition. Categories are those of Unicode 14 (unicode_tables.h) whatever the library knows.
 */
#ifndef RF_TOKENIZER_UNICODE_CLASS_H
#define RF_TOKENIZER_UNICODE_CLASS_H

#include "rf/memory.h"

typedef enum RfCategory
{
	RF_CATEGORY_OTHER,
	RF_CATEGORY_CONTROL,     /* dropped: C* (unassigned too) and U+FFFD */
	RF_CATEGORY_SPACE,       /* becomes a blank: Zs, \t, \n, \r */
	RF_CATEGORY_LINE,        /* Zl, Zp: cuts like a blank */
	RF_CATEGORY_PUNCTUATION, /* P* and the ASCII symbols */
	RF_CATEGORY_MARK         /* Mn: dropped with accents */
} RfCategory;

/*
 * An entry of the table: index of the record (0: none) | combining class | category | flags.
 */
#define RF_UNICODE_RECORD(entry) ((entry) &0xFFFFu)
#define RF_UNICODE_CCC(entry) (((entry) >> 16) & 0xFFu)
#define RF_UNICODE_CATEGORY(entry) ((RfCategory) (((entry) >> 24) & 7u))
#define RF_UNICODE_IDEOGRAPH (1u << 27) /* what BERT takes for a Chinese character */
#define RF_UNICODE_BLANK (1u << 28)     /* white space to Python's str.split() */
/* May change in canonical composition, or change what stands before it; all others are stable. */
#define RF_UNICODE_UNSTABLE (1u << 29)
/* Changes in decomposition, is dropped with accents, or may change places with its neighbours. */
#define RF_UNICODE_ACCENTED (1u << 30)
/* The fast tokenizers see it otherwise: rf_unicode_fast_entry. */
#define RF_UNICODE_RECLASSED (1u << 31)

#define RF_UNICODE_PAGES (0x110000 / 256)
#define RF_UNICODE_MAX_LOWER 2
#define RF_UNICODE_MAX_DECOMPOSED 4

/* first + second compose to composed */
typedef struct RfComposition
{
	uint32_t first;
	uint32_t second;
	uint32_t composed;
} RfComposition;

typedef struct RfUnicode
{
	const uint16_t *pages;   /* [RF_UNICODE_PAGES] which 256 entries */
	const uint32_t *entries; /* [entry_count] */
	/* counts of what follows (lower case | decomposition << 8), lower case, decomposition */
	const uint32_t *records;
	const RfComposition *compositions; /* [composition_count] sorted by first, then second */
	size_t entry_count;
	size_t record_count;
	size_t composition_count;
	bool fast; /* as the fast tokenizers class characters, else as the slow ones do */
} RfUnicode;

/*
 * Makes the tables in arena from the library's data, to be used as the slow tokenizers do.
 * RF_UNSUPPORTED if that can't be Unicode's.
 */
extern RfCode rf_unicode_build(RfArena *arena, RfUnicode *unicode, RfError *err);

/* Writes the lower case of a code point (RF_UNICODE_MAX_LOWER at most); returns how many. */
extern size_t rf_unicode_lower(const RfUnicode *unicode, uint32_t code_point, uint32_t *lower);
/* Writes the full canonical decomposition (RF_UNICODE_MAX_DECOMPOSED at most); returns how many. */
extern size_t rf_unicode_decompose(const RfUnicode *unicode, uint32_t code_point,
								   uint32_t *decomposed);
/* The canonical composition of two code points, 0 when there is none. */
extern uint32_t rf_unicode_compose(const RfUnicode *unicode, uint32_t first, uint32_t second);

/* What a reclassed code point's entry is to the fast tokenizers. */
extern uint32_t rf_unicode_fast_entry(uint32_t code_point, uint32_t entry);

static inline uint32_t
rf_unicode_entry(const RfUnicode *unicode, uint32_t code_point)
{
	uint32_t entry =
		unicode->entries[(size_t) unicode->pages[code_point >> 8] * 256 + (code_point & 0xFF)];

	if ((entry & RF_UNICODE_RECLASSED) && unicode->fast)
		return rf_unicode_fast_entry(code_point, entry);
	return entry;
}

#endif
