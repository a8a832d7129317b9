/*
 * normalize.h - characters that know where they came from, and their canonical forms.
 */
#ifndef RF_TOKENIZER_NORMALIZE_H
#define RF_TOKENIZER_NORMALIZE_H

#include "unicode_class.h"

/* A character and the range of source characters it is an image of. */
typedef struct RfAtom
{
	uint32_t code_point;
	int32_t start;
	int32_t end;
} RfAtom;

/* A growing sequence; begins in memory of its owner, continues in an arena. */
typedef struct RfAtoms
{
	RfAtom *items;
	size_t count;
	size_t capacity;
} RfAtoms;

typedef enum RfNormalForm
{
	RF_NORMAL_COMPOSED, /* NFC */
	RF_NORMAL_STRIPPED  /* NFD without category Mn */
} RfNormalForm;

extern RfCode rf_atoms_grow(RfAtoms *atoms, RfArena *arena, RfError *err);

static inline RfCode
rf_atoms_push(RfAtoms *atoms, RfAtom atom, RfArena *arena, RfError *err)
{
	if (atoms->count == atoms->capacity)
		RF_TRY(rf_atoms_grow(atoms, arena, err));
	atoms->items[atoms->count++] = atom;
	return RF_OK;
}

/*
 * Replaces the contents of to by from in the given form; from is in the order of its sources. When
 * composing changes the number of characters, each of them is an image of all of from. Linear in
 * the length of from, however many combining marks follow each other.
 */
extern RfCode rf_normalize(const RfUnicode *unicode, RfNormalForm form, const RfAtoms *from,
						   RfAtoms *to, RfArena *arena, RfError *err);

#endif
