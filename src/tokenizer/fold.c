/*
 * fold.c - BertNormalizer of the fast tokenizers, without blanks around Chinese characters.
 *
 * Marks of a combining class are dropped as they come. What remains changes places only with what
 * stands on the same character, so that one character with its followers is all that is kept.
 */
#include "fold.h"

#define FOLLOWERS_LIMIT ((size_t) 1 << 20)

RfCode
rf_fold_finish(RfFold *fold, RfArena *arena, RfError *err)
{
	fold->folded.count = 0;
	if (fold->open.count == 0)
		return RF_OK;
	RF_TRY(rf_normalize(&fold->view->unicode, RF_NORMAL_STRIPPED, &fold->open, &fold->folded, arena,
						err));
	fold->open.count = 0;
	return RF_OK;
}

/* A clean character: one that begins something new ends what is open. */
static RfCode
strip(RfFold *fold, RfAtom atom, uint32_t entry, RfArena *arena, RfError *err)
{
	if (RF_UNICODE_CCC(entry) != 0)
	{
		if (RF_UNICODE_CATEGORY(entry) == RF_CATEGORY_MARK)
			return RF_OK;
		RF_FAIL_IF(fold->open.count >= FOLLOWERS_LIMIT, err, RF_LIMIT,
				   "text has more than %zu combining characters in a row", FOLLOWERS_LIMIT);
	}
	else
		RF_TRY(rf_fold_finish(fold, arena, err));
	if (entry & RF_UNICODE_ACCENTED)
		return rf_atoms_push(&fold->open, atom, arena, err);
	return rf_atoms_push(&fold->folded, atom, arena, err);
}

RfCode
rf_fold_add(RfFold *fold, RfAtom atom, RfArena *arena, RfError *err)
{
	uint32_t entry = rf_unicode_entry(&fold->view->unicode, atom.code_point);

	fold->folded.count = 0;
	switch (RF_UNICODE_CATEGORY(entry))
	{
		case RF_CATEGORY_CONTROL:
			return RF_OK;
		case RF_CATEGORY_SPACE:
			atom.code_point = ' ';
			entry = rf_unicode_entry(&fold->view->unicode, ' ');
			break;
		default:
			break;
	}
	if (fold->view->flags & RF_TOKENIZER_STRIP)
		return strip(fold, atom, entry, arena, err);
	return rf_atoms_push(&fold->folded, atom, arena, err);
}
