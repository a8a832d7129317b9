/*
 * unicode_fast.c - how the fast tokenizers class the code points that unicode_fast_tables.h lists.
 *
 * The tables a tokenizer carries are the slow tokenizers'; the few entries that the fast ones see
 * otherwise are marked there and found here. None of these has a decomposition that counts.
 */
#include "unicode_fast.h"

/* Beyond the categories: nothing differs; no Chinese character. */
#define RF_FAST_SAME 7u
#define RF_FAST_WORD 6u

#include "unicode_fast_tables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void
rf_unicode_fast_mark(uint32_t *entries)
{
	for (size_t i = 0; i < COUNT(fast_ranges); i++)
	{
		uint32_t end = i + 1 < COUNT(fast_ranges) ? fast_ranges[i + 1] >> 3 : 0x110000;

		if ((fast_ranges[i] & 7) == RF_FAST_SAME)
			continue;
		for (uint32_t c = fast_ranges[i] >> 3; c < end; c++)
			entries[c] |= RF_UNICODE_RECLASSED;
	}
}

uint32_t
rf_unicode_fast_entry(uint32_t code_point, uint32_t entry)
{
	size_t low = 0;
	size_t high = COUNT(fast_ranges);
	uint32_t category;

	/* fast_ranges[low] begins at the code point or before it, fast_ranges[high] behind it */
	while (high - low > 1)
	{
		size_t middle = low + (high - low) / 2;

		if (fast_ranges[middle] >> 3 <= code_point)
			low = middle;
		else
			high = middle;
	}
	category = fast_ranges[low] & 7;
	entry &= ~(RF_UNICODE_RECORD(UINT32_MAX) | 7u << 24);
	if (category == RF_FAST_WORD)
		return (entry & ~RF_UNICODE_IDEOGRAPH) | (uint32_t) RF_CATEGORY_OTHER << 24;
	if (category == RF_CATEGORY_MARK)
		entry |= RF_UNICODE_ACCENTED;
	return entry | category << 24;
}

uint32_t
rf_unicode_fast_lower(uint32_t code_point)
{
	for (size_t i = 0; i < COUNT(fast_lower); i++)
		if (fast_lower[i][0] == code_point)
			return fast_lower[i][1];
	return code_point;
}
