/*
 * word_cut.c - the word path of RoFormerTokenizer.
 *
 * A part of the text between special literals is cut into words by jieba, uncleaned. A word that is
 * in the vocabulary as it stands is a token; any other goes through the basic tokenizer by itself.
 * White space next to a literal belongs to no part. That shows only if the vocabulary has a token
 * of white space; otherwise none is kept waiting.
 *
 * The fast tokenizer cleans the part and removes accents before jieba sees it. Of a word that is
 * not in the vocabulary it sets Chinese characters apart, but no punctuation, and white space next
 * to literals stays.
 */
#include "word_cut.h"

#include "rf/utf8.h"

void
rf_word_cut_init(RfWordCut *cut, const RfJieba *jieba, const RfAbort *abort_fn, RfBasic *basic)
{
	*cut = (RfWordCut){.jieba = jieba,
					   .view = basic->view,
					   .abort_fn = abort_fn,
					   .basic = basic,
					   .fold = {.view = basic->view}};
}

/* A word that is not in the vocabulary, as the fast tokenizer cuts it. */
static RfCode
put_pieces(RfWordCut *cut, const RfAtom *atoms, size_t count)
{
	const RfTokenizerView *view = cut->view;
	RfWord *word = &cut->basic->word;

	for (size_t i = 0; i < count; i++)
	{
		uint32_t entry = rf_unicode_entry(&view->unicode, atoms[i].code_point);

		if (entry & RF_UNICODE_BLANK)
			continue;
		if (entry & RF_UNICODE_IDEOGRAPH)
			RF_TRY(rf_wordpiece_put(view, word, cut->basic->sink));
		rf_word_add(word, &atoms[i]);
		if (entry & RF_UNICODE_IDEOGRAPH)
			RF_TRY(rf_wordpiece_put(view, word, cut->basic->sink));
	}
	return rf_wordpiece_put(view, word, cut->basic->sink);
}

static RfCode
put_word(RfWordCut *cut, const RfAtom *atoms, size_t count, const char *bytes, size_t length)
{
	int32_t id = rf_trie_find(&cut->view->vocab, bytes, length);
	bool fast = (cut->view->flags & RF_TOKENIZER_IS_FAST) != 0;

	/* The fast tokenizer gives WordPiece these too, which takes no word as long as that. */
	if (fast && (id < 0 || count > RF_WORDPIECE_MAX_CHARS))
		return put_pieces(cut, atoms, count);
	if (id >= 0)
		return rf_token_sink_put(cut->basic->sink, id, atoms[0].start, atoms[count - 1].end);
	for (size_t i = 0; i < count; i++)
		RF_TRY(rf_basic_add(cut->basic, atoms[i]));
	return rf_basic_finish(cut->basic);
}

static RfCode
put_character(RfWordCut *cut, const RfAtom *atom)
{
	char bytes[RF_UTF8_MAX];
	size_t length = rf_utf8_encode(atom->code_point, bytes);

	return put_word(cut, atom, 1, bytes, length);
}

static RfCode
end_run(RfWordCut *cut)
{
	RfJiebaRun *run = &cut->run;
	size_t first = 0;

	if (run->count == 0)
		return RF_OK;
	RF_TRY(rf_jieba_run_cut(cut->jieba, run, cut->abort_fn, cut->basic->err));
	for (size_t i = 0; i < run->word_count; i++)
	{
		size_t end = run->ends[i];

		RF_TRY(put_word(cut, cut->atoms.items + first, end - first, run->bytes + run->starts[first],
						run->starts[end] - run->starts[first]));
		first = end;
	}
	rf_jieba_run_clear(run);
	cut->atoms.count = 0;
	return RF_OK;
}

static RfCode
put_blanks(RfWordCut *cut)
{
	for (size_t i = 0; i < cut->blanks.count; i++)
		RF_TRY(put_character(cut, &cut->blanks.items[i]));
	cut->blanks.count = 0;
	return RF_OK;
}

static RfCode
add_blank(RfWordCut *cut, RfAtom atom)
{
	RF_TRY(end_run(cut));
	if (cut->after_literal || !(cut->view->flags & RF_TOKENIZER_BLANKS))
		return RF_OK;
	return rf_atoms_push(&cut->blanks, atom, cut->basic->arena, cut->basic->err);
}

/* The next character that jieba sees. */
static RfCode
take_character(RfWordCut *cut, RfAtom atom)
{
	RfArena *arena = cut->basic->arena;
	RfError *err = cut->basic->err;

	if (rf_jieba_is_block(atom.code_point))
	{
		cut->after_literal = false;
		RF_TRY(put_blanks(cut));
		RF_TRY(rf_jieba_run_add(&cut->run, atom.code_point, arena, err));
		return rf_atoms_push(&cut->atoms, atom, arena, err);
	}
	if (rf_unicode_entry(&cut->view->unicode, atom.code_point) & RF_UNICODE_BLANK)
		return add_blank(cut, atom);
	cut->after_literal = false;
	RF_TRY(end_run(cut));
	RF_TRY(put_blanks(cut));
	return put_character(cut, &atom);
}

static RfCode
take_folded(RfWordCut *cut)
{
	for (size_t i = 0; i < cut->fold.folded.count; i++)
		RF_TRY(take_character(cut, cut->fold.folded.items[i]));
	return RF_OK;
}

RfCode
rf_word_cut_add(RfWordCut *cut, RfAtom atom)
{
	if (!(cut->view->flags & RF_TOKENIZER_IS_FAST))
		return take_character(cut, atom);
	RF_TRY(rf_fold_add(&cut->fold, atom, cut->basic->arena, cut->basic->err));
	return take_folded(cut);
}

RfCode
rf_word_cut_finish(RfWordCut *cut, bool literal)
{
	bool trim = literal && !(cut->view->flags & RF_TOKENIZER_IS_FAST);

	RF_TRY(rf_fold_finish(&cut->fold, cut->basic->arena, cut->basic->err));
	RF_TRY(take_folded(cut));
	RF_TRY(end_run(cut));
	cut->after_literal = trim;
	if (trim)
		cut->blanks.count = 0;
	return put_blanks(cut);
}
