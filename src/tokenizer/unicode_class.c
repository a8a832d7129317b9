/*
 * unicode_class.c - the tables of unicode_class.h: categories from unicode_tables.h, case and
 * canonical equivalence from utf8proc.
 *
 * Any utf8proc that knows Unicode 14 or later gives the same tables. Only code points assigned in
 * Unicode 14 are asked about; their decompositions, combining classes and compositions can't change
 * (Unicode's stability policy); a lower case is taken only if it was assigned in Unicode 14 too,
 * since a later version may add a partner to an old letter but not re-pair old ones.
 *
 * Hangul syllables are computed (The Unicode Standard, section 3.12), not tabulated.
 */
#include "unicode_class.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "unicode_fast.h"
#include "unicode_tables.h"

#define HANGUL_S 0xAC00
#define HANGUL_L 0x1100
#define HANGUL_V 0x1161
#define HANGUL_T 0x11A7
#define HANGUL_L_COUNT 19
#define HANGUL_V_COUNT 21
#define HANGUL_T_COUNT 28
#define HANGUL_S_COUNT (HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT)

typedef struct Builder
{
	RfArena *arena;
	RfError *err;
	uint32_t *entries; /* [0x110000] one for each code point, unshared */
	uint32_t *records;
	size_t record_count;
	size_t record_capacity;
	RfComposition *compositions;
	size_t composition_count;
	size_t composition_capacity;
} Builder;

/* The blocks BERT calls Chinese characters; later extensions and kana are not among them. */
static const uint32_t ideographs[][2] = {
	{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
	{0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0x2F800, 0x2FA1F},
};

/* str.isspace() of Python: Zs and the characters whose bidirectional class is WS, B or S. */
static const uint32_t blanks[][2] = {
	{0x09, 0x0D},     {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
	{0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

/* ASCII that BERT takes for punctuation although Unicode calls some of it symbols. */
static const uint32_t ascii_punctuation[][2] = {{33, 47}, {58, 64}, {91, 96}, {123, 126}};

static bool
is_hangul_syllable(uint32_t c)
{
	return c - HANGUL_S < HANGUL_S_COUNT;
}

static void
set_category(Builder *builder, uint32_t c, RfCategory category)
{
	builder->entries[c] = (builder->entries[c] & ~(7u << 24)) | (uint32_t) category << 24;
}

static void
set_flag(Builder *builder, const uint32_t (*ranges)[2], size_t count, uint32_t flag)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t c = ranges[i][0]; c <= ranges[i][1]; c++)
			builder->entries[c] |= flag;
}

static void
set_categories(Builder *builder)
{
	size_t count = sizeof(category_ranges) / sizeof(category_ranges[0]);

	for (size_t i = 0; i < count; i++)
	{
		uint32_t end = i + 1 < count ? category_ranges[i + 1] >> 3 : 0x110000;

		for (uint32_t c = category_ranges[i] >> 3; c < end; c++)
		{
			set_category(builder, c, (RfCategory) (category_ranges[i] & 7));
			if ((category_ranges[i] & 7) == RF_CATEGORY_MARK || is_hangul_syllable(c))
				builder->entries[c] |= RF_UNICODE_ACCENTED;
		}
	}
	set_category(builder, '\t', RF_CATEGORY_SPACE);
	set_category(builder, '\n', RF_CATEGORY_SPACE);
	set_category(builder, '\r', RF_CATEGORY_SPACE);
	set_category(builder, 0xFFFD, RF_CATEGORY_CONTROL);
	for (size_t i = 0; i < sizeof(ascii_punctuation) / sizeof(ascii_punctuation[0]); i++)
		for (uint32_t c = ascii_punctuation[i][0]; c <= ascii_punctuation[i][1]; c++)
			set_category(builder, c, RF_CATEGORY_PUNCTUATION);
	set_flag(builder, ideographs, sizeof(ideographs) / sizeof(ideographs[0]), RF_UNICODE_IDEOGRAPH);
	set_flag(builder, blanks, sizeof(blanks) / sizeof(blanks[0]), RF_UNICODE_BLANK);
}

/* Canonical decomposition of one code point; 0 when the library fails or gives too much. */
static size_t
decompose_one(uint32_t c, utf8proc_int32_t *parts)
{
	utf8proc_ssize_t count =
		utf8proc_decompose_char((utf8proc_int32_t) c, parts, RF_UNICODE_MAX_DECOMPOSED,
								UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL);

	return count >= 1 && count <= RF_UNICODE_MAX_DECOMPOSED ? (size_t) count : 0;
}

/* What count decomposed code points compose to, 0 when that is not one code point. */
static uint32_t
compose_all(const utf8proc_int32_t *parts, size_t count)
{
	utf8proc_int32_t buffer[RF_UNICODE_MAX_DECOMPOSED];

	memcpy(buffer, parts, count * sizeof(*parts));
	if (utf8proc_normalize_utf32(buffer, (utf8proc_ssize_t) count,
								 UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
		return 0;
	return (uint32_t) buffer[0];
}

static uint32_t
lower_one(const Builder *builder, uint32_t c)
{
	uint32_t lower = (uint32_t) utf8proc_tolower((utf8proc_int32_t) c);

	if (lower > 0x10FFFF || RF_UNICODE_CATEGORY(builder->entries[lower]) == RF_CATEGORY_CONTROL)
		return c;
	return lower;
}

/* Doubles an array of the builder; the old one stays in the arena until all of it is given back. */
static RfCode
reserve(Builder *builder, void **array, size_t count, size_t *capacity, size_t size)
{
	size_t grown = *capacity == 0 ? 4096 : *capacity * 2;
	void *copy;

	if (count < *capacity)
		return RF_OK;
	copy = rf_arena_alloc(builder->arena, grown, size);
	if (copy == NULL)
		return rf_error_memory(builder->err, grown * size);
	if (count > 0)
		memcpy(copy, *array, count * size);
	*array = copy;
	*capacity = grown;
	return RF_OK;
}

static RfCode
add_word(Builder *builder, uint32_t word)
{
	RF_TRY(reserve(builder, (void **) &builder->records, builder->record_count,
				   &builder->record_capacity, sizeof(*builder->records)));
	builder->records[builder->record_count++] = word;
	return RF_OK;
}

static RfCode
add_record(Builder *builder, uint32_t c, const uint32_t *lower, size_t lower_count,
		   const utf8proc_int32_t *parts, size_t part_count)
{
	RF_FAIL_IF(builder->record_count > RF_UNICODE_RECORD(UINT32_MAX), builder->err, RF_UNSUPPORTED,
			   "the Unicode library maps more characters than expected");
	builder->entries[c] |= (uint32_t) builder->record_count;
	RF_TRY(add_word(builder, (uint32_t) (lower_count | part_count << 8)));
	for (size_t i = 0; i < lower_count; i++)
		RF_TRY(add_word(builder, lower[i]));
	for (size_t i = 0; i < part_count; i++)
		RF_TRY(add_word(builder, (uint32_t) parts[i]));
	return RF_OK;
}

static RfCode
add_composition(Builder *builder, uint32_t c, const utf8proc_int32_t *parts, size_t count)
{
	uint32_t first = compose_all(parts, count - 1);
	uint32_t second = (uint32_t) parts[count - 1];

	RF_FAIL_IF(first == 0, builder->err, RF_UNSUPPORTED,
			   "the Unicode library composes U+%04X in an unknown way", (unsigned) c);
	RF_TRY(reserve(builder, (void **) &builder->compositions, builder->composition_count,
				   &builder->composition_capacity, sizeof(*builder->compositions)));
	builder->compositions[builder->composition_count++] = (RfComposition){first, second, c};
	builder->entries[second] |= RF_UNICODE_UNSTABLE;
	return RF_OK;
}

static RfCode
set_mappings(Builder *builder, uint32_t c)
{
	utf8proc_int32_t parts[RF_UNICODE_MAX_DECOMPOSED];
	size_t part_count = decompose_one(c, parts);
	uint32_t lower[RF_UNICODE_MAX_LOWER] = {lower_one(builder, c)};
	size_t lower_count = lower[0] != c;
	utf8proc_propval_t ccc = utf8proc_get_property((utf8proc_int32_t) c)->combining_class;

	RF_FAIL_IF(part_count == 0 || ccc < 0 || ccc > 255, builder->err, RF_UNSUPPORTED,
			   "the Unicode library decomposes U+%04X in an unknown way", (unsigned) c);
	if (c == 0x0130) /* the only unconditional mapping to more than one character */
	{
		lower[0] = 'i';
		lower[1] = 0x0307;
		lower_count = 2;
	}
	builder->entries[c] |= (uint32_t) ccc << 16;
	if (ccc != 0 || compose_all(parts, part_count) != c)
		builder->entries[c] |= RF_UNICODE_UNSTABLE;
	else if (part_count > 1)
		RF_TRY(add_composition(builder, c, parts, part_count));
	if (part_count == 1 && (uint32_t) parts[0] == c)
		part_count = 0;
	if (ccc != 0 || part_count > 0)
		builder->entries[c] |= RF_UNICODE_ACCENTED;
	if (lower_count + part_count > 0)
		RF_TRY(add_record(builder, c, lower, lower_count, parts, part_count));
	return RF_OK;
}

static int
compare_compositions(const void *left, const void *right)
{
	const RfComposition *a = left;
	const RfComposition *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->second < b->second ? -1 : a->second > b->second;
}

/* Stores equal pages once: most of the code space is a handful of them. */
static RfCode
share_pages(Builder *builder, uint16_t *pages, uint32_t **shared, size_t *shared_count)
{
	const size_t page_size = 256 * sizeof(uint32_t);
	size_t stored = 0;
	size_t same = 0;
	uint32_t *entries;

	RF_NEW(builder->arena, entries, 0x110000, builder->err);
	for (size_t page = 0; page < RF_UNICODE_PAGES; page++)
	{
		const uint32_t *here = builder->entries + page * 256;

		/* Equal pages mostly follow each other: same is still that of the page before. */
		if (stored == 0 || memcmp(entries + same * 256, here, page_size) != 0)
		{
			same = 0;
			while (same < stored && memcmp(entries + same * 256, here, page_size) != 0)
				same++;
		}
		if (same == stored)
			memcpy(entries + stored++ * 256, here, page_size);
		pages[page] = (uint16_t) same;
	}
	*shared = entries;
	*shared_count = stored * 256;
	return RF_OK;
}

static RfCode
fill_tables(Builder *builder)
{
	RF_NEW0(builder->arena, builder->entries, 0x110000, builder->err);
	set_categories(builder);
	RF_TRY(add_word(builder, 0)); /* record 0: nothing */
	for (uint32_t c = 'A'; c < 0x110000; c++)
		if (RF_UNICODE_CATEGORY(builder->entries[c]) != RF_CATEGORY_CONTROL &&
			!is_hangul_syllable(c))
			RF_TRY(set_mappings(builder, c));
	for (uint32_t c = HANGUL_V; c < HANGUL_V + HANGUL_V_COUNT; c++)
		builder->entries[c] |= RF_UNICODE_UNSTABLE;
	for (uint32_t c = HANGUL_T + 1; c < HANGUL_T + HANGUL_T_COUNT; c++)
		builder->entries[c] |= RF_UNICODE_UNSTABLE;
	rf_unicode_fast_mark(builder->entries);
	if (builder->composition_count > 0)
		qsort(builder->compositions, builder->composition_count, sizeof(*builder->compositions),
			  compare_compositions);
	return RF_OK;
}

RfCode
rf_unicode_build(RfArena *arena, RfUnicode *unicode, RfError *err)
{
	Builder builder = {.arena = arena, .err = err};
	uint16_t *pages;
	uint32_t *entries = NULL;

	RF_TRY(fill_tables(&builder));
	RF_NEW(arena, pages, RF_UNICODE_PAGES, err);
	RF_TRY(share_pages(&builder, pages, &entries, &unicode->entry_count));
	unicode->pages = pages;
	unicode->entries = entries;
	unicode->records = builder.records;
	unicode->record_count = builder.record_count;
	unicode->compositions = builder.compositions;
	unicode->composition_count = builder.composition_count;
	unicode->fast = false;
	return RF_OK;
}

size_t
rf_unicode_lower(const RfUnicode *unicode, uint32_t code_point, uint32_t *lower)
{
	uint32_t entry = rf_unicode_entry(unicode, code_point);
	const uint32_t *record = unicode->records + RF_UNICODE_RECORD(entry);
	size_t count = record[0] & 0xFF;

	if (count == 0)
	{
		bool reclassed = (entry & RF_UNICODE_RECLASSED) && unicode->fast;

		lower[0] = reclassed ? rf_unicode_fast_lower(code_point) : code_point;
		return 1;
	}
	memcpy(lower, record + 1, count * sizeof(*lower));
	return count;
}

static size_t
decompose_hangul(uint32_t c, uint32_t *decomposed)
{
	uint32_t index = c - HANGUL_S;
	uint32_t trailing = index % HANGUL_T_COUNT;

	decomposed[0] = HANGUL_L + index / (HANGUL_V_COUNT * HANGUL_T_COUNT);
	decomposed[1] = HANGUL_V + index / HANGUL_T_COUNT % HANGUL_V_COUNT;
	decomposed[2] = HANGUL_T + trailing;
	return trailing == 0 ? 2 : 3;
}

size_t
rf_unicode_decompose(const RfUnicode *unicode, uint32_t code_point, uint32_t *decomposed)
{
	const uint32_t *record;
	size_t count;

	if (is_hangul_syllable(code_point))
		return decompose_hangul(code_point, decomposed);
	record = unicode->records + RF_UNICODE_RECORD(rf_unicode_entry(unicode, code_point));
	count = record[0] >> 8;
	if (count == 0)
	{
		decomposed[0] = code_point;
		return 1;
	}
	memcpy(decomposed, record + 1 + (record[0] & 0xFF), count * sizeof(*decomposed));
	return count;
}

uint32_t
rf_unicode_compose(const RfUnicode *unicode, uint32_t first, uint32_t second)
{
	RfComposition wanted = {first, second, 0};
	size_t low = 0;
	size_t high = unicode->composition_count;

	if (first - HANGUL_L < HANGUL_L_COUNT && second - HANGUL_V < HANGUL_V_COUNT)
		return HANGUL_S +
			   ((first - HANGUL_L) * HANGUL_V_COUNT + (second - HANGUL_V)) * HANGUL_T_COUNT;
	if (is_hangul_syllable(first) && (first - HANGUL_S) % HANGUL_T_COUNT == 0 &&
		second - HANGUL_T - 1 < HANGUL_T_COUNT - 1)
		return first + (second - HANGUL_T);
	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		int order = compare_compositions(&unicode->compositions[middle], &wanted);

		if (order == 0)
			return unicode->compositions[middle].composed;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}
