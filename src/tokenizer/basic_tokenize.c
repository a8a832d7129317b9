/*
 * basic_tokenize.c - BasicTokenizer of the reference, one piece at a time.
 *
 * The reference cleans, pads and normalises the whole text and then splits it at white space. All
 * of that is local to a piece: blanks neither compose nor reorder. A piece therefore goes through
 * normal form, comparison with the protected tokens, removal of accents and cutting at punctuation
 * by itself, and its words through WordPiece.
 *
 * A piece without blanks can be as long as the text. One longer than PIECE_LIMIT is worked off in
 * parts that end where normal forms can't interact; it is longer than any protected token.
 */
#include "basic_tokenize.h"

#include <string.h>

#include "rf/utf8.h"

#define PIECE_LIMIT ((size_t) 16384)
#define UNSTABLE_LIMIT ((size_t) 1 << 20)

void
rf_basic_init(RfBasic *basic, const RfTokenizerView *view, RfTokenSink *sink, RfArena *arena,
			  RfError *err)
{
	basic->view = view;
	basic->sink = sink;
	basic->arena = arena;
	basic->err = err;
	basic->block = (RfAtoms){basic->block_items, 0, RF_BASIC_INLINE_ATOMS};
	basic->piece = (RfAtoms){basic->piece_items, 0, RF_BASIC_INLINE_ATOMS};
	basic->spare = (RfAtoms){basic->spare_items, 0, RF_BASIC_INLINE_ATOMS};
	basic->traits = 0;
	basic->continued = false;
	rf_word_clear(&basic->word);
}

/* Whether a protected token consists of exactly these characters. */
static bool
is_protected(const RfBasic *basic, const RfAtoms *atoms)
{
	char bytes[RF_TOKENIZER_MAX_TOKEN_BYTES + RF_UTF8_MAX];
	size_t used = 0;

	for (size_t i = 0; i < atoms->count; i++)
	{
		used += rf_utf8_encode(atoms->items[i].code_point, bytes + used);
		if (used > RF_TOKENIZER_MAX_TOKEN_BYTES ||
			!(basic->view->block->first[(unsigned char) bytes[0]] & RF_FIRST_OF_PROTECTED))
			return false;
	}
	return rf_trie_find(&basic->view->protected, bytes, used) >= 0;
}

/* A word of never_split is a token as it is, any other goes through WordPiece. */
static RfCode
finish_word(RfBasic *basic)
{
	const RfTokenizerView *view = basic->view;
	RfWord *word = &basic->word;
	int32_t id;

	if (word->count == 0 || word->used > RF_TOKENIZER_MAX_TOKEN_BYTES ||
		(view->flags & RF_TOKENIZER_IS_FAST) ||
		!(view->block->first[(unsigned char) word->bytes[0]] & RF_FIRST_OF_PROTECTED) ||
		rf_trie_find(&view->protected, word->bytes, word->used) != 1)
		return rf_wordpiece_put(view, word, basic->sink);
	id = rf_trie_find(&view->vocab, word->bytes, word->used);
	if (id < 0)
		id = rf_trie_find(&view->literals, word->bytes, word->used);
	if (id < 0)
		id = view->block->special_ids[RF_SPECIAL_UNK];
	RF_TRY(rf_token_sink_put(basic->sink, id, word->start, word->end));
	rf_word_clear(word);
	return RF_OK;
}

/* The characters of a piece into words, cutting out punctuation or leaving all of it whole. */
static RfCode
cut_piece(RfBasic *basic, const RfAtoms *atoms, bool at_punctuation)
{
	for (size_t i = 0; i < atoms->count; i++)
	{
		const RfAtom *atom = &atoms->items[i];
		uint32_t entry = rf_unicode_entry(&basic->view->unicode, atom->code_point);

		if (!at_punctuation || RF_UNICODE_CATEGORY(entry) != RF_CATEGORY_PUNCTUATION)
		{
			rf_word_add(&basic->word, atom);
			continue;
		}
		RF_TRY(finish_word(basic));
		rf_word_add(&basic->word, atom);
		RF_TRY(finish_word(basic));
	}
	return RF_OK;
}

/*
 * Steps 7 and 8 of the piece. last: it ends here; a piece cut into parts is not protected.
 * Protected pieces, which the fast tokenizers don't know, are compared before accents are removed,
 * and once more after it. Without that
 * step a piece is in NFC already; otherwise NFC can only make a difference for tokens with accents
 * of their own.
 */
static RfCode
work_off_piece(RfBasic *basic, bool last)
{
	const RfUnicode *unicode = &basic->view->unicode;
	uint32_t flags = basic->view->flags;
	bool strip = (flags & RF_TOKENIZER_STRIP) && (basic->traits & RF_UNICODE_ACCENTED);
	bool compare = last && !basic->continued && !(flags & RF_TOKENIZER_IS_FAST);
	const RfAtoms *atoms = &basic->piece;
	bool whole = false;

	if (compare && strip && (flags & RF_TOKENIZER_ACCENTED) &&
		(basic->traits & RF_UNICODE_UNSTABLE))
	{
		RF_TRY(rf_normalize(unicode, RF_NORMAL_COMPOSED, &basic->piece, &basic->spare, basic->arena,
							basic->err));
		atoms = &basic->spare;
	}
	if (compare)
		whole = is_protected(basic, atoms);
	if (!whole && strip)
	{
		RF_TRY(rf_normalize(unicode, RF_NORMAL_STRIPPED, &basic->piece, &basic->spare, basic->arena,
							basic->err));
		atoms = &basic->spare;
		if (compare)
			whole = is_protected(basic, atoms);
	}
	return cut_piece(basic, atoms, !whole);
}

/* A cut: blank, Chinese character, special literal, end of the text. */
static RfCode
end_piece(RfBasic *basic)
{
	if (basic->piece.count == 0 && !basic->continued)
		return RF_OK;
	if (basic->view->flags & RF_TOKENIZER_BASIC)
	{
		RF_TRY(work_off_piece(basic, true));
		RF_TRY(finish_word(basic));
	}
	else
	{
		RF_TRY(cut_piece(basic, &basic->piece, false));
		RF_TRY(rf_wordpiece_put(basic->view, &basic->word, basic->sink));
	}
	basic->piece.count = 0;
	basic->traits = 0;
	basic->continued = false;
	return RF_OK;
}

/* Works off what there is of a very long piece; the next character must not compose with it. */
static RfCode
end_part(RfBasic *basic)
{
	if (basic->view->flags & RF_TOKENIZER_BASIC)
		RF_TRY(work_off_piece(basic, false));
	else
		RF_TRY(cut_piece(basic, &basic->piece, false));
	basic->piece.count = 0;
	basic->traits = 0;
	basic->continued = true;
	return RF_OK;
}

/* Only text made to be absurd has so many characters of which none may be looked at by itself. */
static RfCode
check_unstable(const RfBasic *basic, const RfAtoms *atoms)
{
	RF_FAIL_IF(atoms->count >= UNSTABLE_LIMIT, basic->err, RF_LIMIT,
			   "text has more than %zu combining characters in a row", UNSTABLE_LIMIT);
	return RF_OK;
}

static RfCode
append(RfBasic *basic, RfAtom atom, uint32_t entry)
{
	uint32_t flags = basic->view->flags;

	if (flags & RF_TOKENIZER_STRIP)
	{
		/* A mark that will be dropped is waited for only where a protected token may have it. */
		if (RF_UNICODE_CATEGORY(entry) == RF_CATEGORY_MARK && RF_UNICODE_CCC(entry) != 0 &&
			!(flags & RF_TOKENIZER_ACCENTED))
			return RF_OK;
		RF_TRY(check_unstable(basic, &basic->piece));
	}
	if (basic->piece.count >= PIECE_LIMIT &&
		(!(flags & RF_TOKENIZER_STRIP) || !(entry & RF_UNICODE_UNSTABLE)))
		RF_TRY(end_part(basic));
	basic->traits |= entry & (RF_UNICODE_UNSTABLE | RF_UNICODE_ACCENTED);
	return rf_atoms_push(&basic->piece, atom, basic->arena, basic->err);
}

/* A clean character that is no blank goes to the piece, or is one by itself. */
static RfCode
place(RfBasic *basic, RfAtom atom, uint32_t entry)
{
	if (!(basic->view->flags & RF_TOKENIZER_IDEOGRAPHS) || !(entry & RF_UNICODE_IDEOGRAPH))
		return append(basic, atom, entry);
	RF_TRY(end_piece(basic));
	RF_TRY(append(basic, atom, entry));
	return end_piece(basic);
}

/*
 * NFC of the open block. It is made before Chinese characters are set apart, not after it as in the
 * reference: the result is the same, since none of them composes with anything.
 */
static RfCode
end_block(RfBasic *basic)
{
	const RfUnicode *unicode = &basic->view->unicode;
	const RfAtoms *atoms = &basic->block;

	if (atoms->count == 0)
		return RF_OK;
	if (atoms->count > 1 ||
		(rf_unicode_entry(unicode, atoms->items[0].code_point) & RF_UNICODE_UNSTABLE))
	{
		RF_TRY(rf_normalize(unicode, RF_NORMAL_COMPOSED, &basic->block, &basic->spare, basic->arena,
							basic->err));
		atoms = &basic->spare;
	}
	for (size_t i = 0; i < atoms->count; i++)
		RF_TRY(
			place(basic, atoms->items[i], rf_unicode_entry(unicode, atoms->items[i].code_point)));
	basic->block.count = 0;
	return RF_OK;
}

/* A stable character begins a new block, any other may change with what stands before it. */
static RfCode
compose(RfBasic *basic, RfAtom atom, uint32_t entry)
{
	if (!(entry & RF_UNICODE_UNSTABLE))
		RF_TRY(end_block(basic));
	RF_TRY(check_unstable(basic, &basic->block));
	return rf_atoms_push(&basic->block, atom, basic->arena, basic->err);
}

RfCode
rf_basic_add(RfBasic *basic, RfAtom atom)
{
	uint32_t flags = basic->view->flags;
	uint32_t entry = rf_unicode_entry(&basic->view->unicode, atom.code_point);

	if (!(flags & RF_TOKENIZER_BASIC))
		return entry & RF_UNICODE_BLANK ? end_piece(basic) : append(basic, atom, entry);
	switch (RF_UNICODE_CATEGORY(entry))
	{
		case RF_CATEGORY_CONTROL:
			return RF_OK;
		case RF_CATEGORY_SPACE:
		case RF_CATEGORY_LINE:
			return rf_basic_finish(basic);
		default:
			break;
	}
	if (flags & (RF_TOKENIZER_STRIP | RF_TOKENIZER_IS_FAST))
		return place(basic, atom, entry);
	return compose(basic, atom, entry);
}

RfCode
rf_basic_finish(RfBasic *basic)
{
	RF_TRY(end_block(basic));
	return end_piece(basic);
}
