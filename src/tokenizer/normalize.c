/*
 * normalize.c - canonical decomposition, ordering and composition (Unicode Standard Annex #15) of
 * characters with their sources.
 *
 * The library's own normalisation returns text only; positions in the original text need every
 * step done on characters that carry theirs.
 */
#include "normalize.h"

#include <string.h>

/* Runs of combining marks up to this long are sorted by insertion, longer ones by counting. */
#define INSERTION_LIMIT 32

RfCode
rf_atoms_grow(RfAtoms *atoms, RfArena *arena, RfError *err)
{
	size_t capacity;
	RfAtom *items;

	if (!rf_size_mul(atoms->capacity, 2, &capacity))
		return rf_error_memory(err, SIZE_MAX);
	if (capacity == 0)
		capacity = 64;
	RF_NEW(arena, items, capacity, err);
	if (atoms->count > 0)
		memcpy(items, atoms->items, atoms->count * sizeof(*items));
	atoms->items = items;
	atoms->capacity = capacity;
	return RF_OK;
}

static uint32_t
combining_class(const RfUnicode *unicode, uint32_t code_point)
{
	return RF_UNICODE_CCC(rf_unicode_entry(unicode, code_point));
}

static void
sort_by_insertion(const RfUnicode *unicode, RfAtom *run, size_t count)
{
	for (size_t i = 1; i < count; i++)
	{
		RfAtom atom = run[i];
		uint32_t ccc = combining_class(unicode, atom.code_point);
		size_t j = i;

		while (j > 0 && combining_class(unicode, run[j - 1].code_point) > ccc)
		{
			run[j] = run[j - 1];
			j--;
		}
		run[j] = atom;
	}
}

static RfCode
sort_by_counting(const RfUnicode *unicode, RfAtom *run, size_t count, RfArena *arena, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(arena);
	size_t next[257] = {0};
	RfAtom *sorted;

	RF_NEW(arena, sorted, count, err);
	for (size_t i = 0; i < count; i++)
		next[combining_class(unicode, run[i].code_point) + 1]++;
	for (int ccc = 1; ccc < 257; ccc++)
		next[ccc] += next[ccc - 1];
	for (size_t i = 0; i < count; i++)
		sorted[next[combining_class(unicode, run[i].code_point)]++] = run[i];
	memcpy(run, sorted, count * sizeof(*run));
	rf_arena_rewind(arena, mark);
	return RF_OK;
}

/* Stable sort by combining class of each run of characters whose class isn't 0. */
static RfCode
order_marks(const RfUnicode *unicode, RfAtoms *atoms, RfArena *arena, RfError *err)
{
	size_t at = 0;

	while (at < atoms->count)
	{
		size_t end = at;

		while (end < atoms->count && combining_class(unicode, atoms->items[end].code_point) != 0)
			end++;
		if (end - at > INSERTION_LIMIT)
			RF_TRY(sort_by_counting(unicode, atoms->items + at, end - at, arena, err));
		else
			sort_by_insertion(unicode, atoms->items + at, end - at);
		at = end + 1;
	}
	return RF_OK;
}

static RfCode
decompose_atoms(const RfUnicode *unicode, const RfAtoms *from, RfAtoms *to, RfArena *arena,
				RfError *err)
{
	uint32_t parts[RF_UNICODE_MAX_DECOMPOSED];

	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
	{
		RfAtom atom = from->items[i];
		size_t count = rf_unicode_decompose(unicode, atom.code_point, parts);

		for (size_t part = 0; part < count; part++)
		{
			atom.code_point = parts[part];
			RF_TRY(rf_atoms_push(to, atom, arena, err));
		}
	}
	return RF_OK;
}

static void
drop_marks(const RfUnicode *unicode, RfAtoms *atoms)
{
	size_t kept = 0;

	for (size_t i = 0; i < atoms->count; i++)
	{
		uint32_t entry = rf_unicode_entry(unicode, atoms->items[i].code_point);

		if (RF_UNICODE_CATEGORY(entry) != RF_CATEGORY_MARK)
			atoms->items[kept++] = atoms->items[i];
	}
	atoms->count = kept;
}

/*
 * Composes in place. A character composes with the last starter unless one of at least its own
 * class stands between them.
 */
static void
compose_atoms(const RfUnicode *unicode, RfAtoms *atoms)
{
	RfAtom *starter = NULL;
	uint32_t last_ccc = 0;
	size_t kept = 0;

	for (size_t i = 0; i < atoms->count; i++)
	{
		RfAtom atom = atoms->items[i];
		uint32_t ccc = combining_class(unicode, atom.code_point);

		if (starter != NULL && (starter == atoms->items + kept - 1 || last_ccc < ccc))
		{
			uint32_t composed = rf_unicode_compose(unicode, starter->code_point, atom.code_point);

			if (composed != 0)
			{
				starter->code_point = composed;
				continue;
			}
		}
		atoms->items[kept] = atom;
		if (ccc == 0)
			starter = atoms->items + kept;
		last_ccc = ccc;
		kept++;
	}
	atoms->count = kept;
}

/* One for one where the number of characters stayed the same, else each from all of them. */
static void
set_sources(const RfAtoms *from, RfAtoms *to)
{
	bool same = from->count == to->count;

	for (size_t i = 0; i < to->count; i++)
	{
		to->items[i].start = from->items[same ? i : 0].start;
		to->items[i].end = from->items[same ? i : from->count - 1].end;
	}
}

RfCode
rf_normalize(const RfUnicode *unicode, RfNormalForm form, const RfAtoms *from, RfAtoms *to,
			 RfArena *arena, RfError *err)
{
	RF_TRY(decompose_atoms(unicode, from, to, arena, err));
	RF_TRY(order_marks(unicode, to, arena, err));
	if (form == RF_NORMAL_STRIPPED)
	{
		drop_marks(unicode, to);
		return RF_OK;
	}
	compose_atoms(unicode, to);
	set_sources(from, to);
	return RF_OK;
}
