/*
 * tokenize.c - a text to tokens: lower case, special literals, and the parts between them.
 *
 * The reference lower-cases the text outside special literals, finds literals in the result and
 * gives the parts between to the basic tokenizer. Here a cursor delivers the lower-cased text one
 * character at a time, so that nothing as long as the text is ever stored but the tokens. Lower
 * casing spares the shortest literal that matches at a position, cutting takes the longest: so do
 * the reference's two passes, and it shows when one special token begins with another.
 *
 * Most text is ASCII and has nothing special in it: such pieces go to WordPiece straight from the
 * text. Time is linear in the text: a position is looked at again only as far as the longest
 * literal reaches, or ASCII_PIECE_LIMIT bytes.
 */
#include "word_cut.h"

#include <string.h>

#include "rf/utf8.h"

/* Offsets and counts of characters are int32_t. */
#define MAX_TEXT_BYTES ((size_t) 1 << 30)
#define POLL_BYTES ((size_t) 16384)
#define ASCII_PIECE_LIMIT ((size_t) 4096)

/* A position in the lower-cased text. */
typedef struct Cursor
{
	size_t at;        /* bytes of the text that are used up */
	int32_t position; /* the same in code points */
	size_t literal;   /* up to this byte the text is a literal, which keeps its case */
	uint32_t pending; /* rest of a lower case of two characters, 0: none */
} Cursor;

typedef struct Scan
{
	RfTokenizerView view;
	const char *text;
	size_t length;
	Cursor cursor;
	bool words; /* jieba's words first */
	bool ascii; /* the block's tables for plain ASCII hold */
	RfWordCut word_cut;
	RfBasic basic;
	RfTokenSink *sink;
	RfError *err;
} Scan;

/*
 * The length in bytes of the shortest literal that stands at a byte of the text, 0: none does. The
 * fast tokenizers, which cut literals out of the raw text, take the longest.
 */
static size_t
match_raw_literal(const Scan *scan, size_t at)
{
	bool longest = (scan->view.flags & RF_TOKENIZER_IS_FAST) != 0;
	uint32_t node = 0;
	size_t length = 0;

	for (size_t i = at; i < scan->length && (length == 0 || longest); i++)
	{
		node = rf_trie_step(&scan->view.literals, node, (unsigned char) scan->text[i]);
		if (node == 0)
			break;
		if (rf_trie_accepts(&scan->view.literals, node))
			length = i + 1 - at;
	}
	return length;
}

/* The next character of the lower-cased text; false at its end and before invalid UTF-8. */
static bool
next_atom(const Scan *scan, Cursor *cursor, RfAtom *atom)
{
	const char *bytes = scan->text + cursor->at;
	uint32_t lower[RF_UNICODE_MAX_LOWER];
	size_t step;

	if (cursor->pending != 0)
	{
		*atom = (RfAtom){cursor->pending, cursor->position - 1, cursor->position};
		cursor->pending = 0;
		return true;
	}
	step = rf_utf8_decode(bytes, scan->length - cursor->at, &atom->code_point);
	if (step == 0)
		return false;
	if (scan->view.flags & RF_TOKENIZER_LOWER)
	{
		if (cursor->at >= cursor->literal &&
			scan->view.block->first[(unsigned char) bytes[0]] & RF_FIRST_OF_LITERAL)
			cursor->literal = cursor->at + match_raw_literal(scan, cursor->at);
		if (cursor->at >= cursor->literal)
		{
			if (rf_unicode_lower(&scan->view.unicode, atom->code_point, lower) > 1)
				cursor->pending = lower[1];
			atom->code_point = lower[0];
		}
	}
	atom->start = cursor->position++;
	atom->end = cursor->position;
	cursor->at += step;
	return true;
}

/*
 * Looks for the longest literal at *cursor in the lower-cased text. When there is one, *cursor is
 * moved behind it.
 */
static bool
match_literal(const Scan *scan, Cursor *cursor, int32_t *id, RfAtom *span)
{
	const RfTrie *literals = &scan->view.literals;
	Cursor ahead = *cursor;
	char bytes[RF_UTF8_MAX];
	uint32_t node = 0;
	bool found = false;
	RfAtom atom;

	for (bool first = true; next_atom(scan, &ahead, &atom); first = false)
	{
		size_t count = rf_utf8_encode(atom.code_point, bytes);

		for (size_t i = 0; i < count; i++)
		{
			node = rf_trie_step(literals, node, (unsigned char) bytes[i]);
			if (node == 0)
				return found;
		}
		if (first)
			span->start = atom.start;
		if (rf_trie_accepts(literals, node))
		{
			found = true;
			*id = literals->values[node];
			span->end = atom.end;
			*cursor = ahead;
		}
	}
	return found;
}

static bool
may_begin_literal(const Scan *scan, uint32_t code_point)
{
	char bytes[RF_UTF8_MAX];

	rf_utf8_encode(code_point, bytes);
	return (scan->view.block->first[(unsigned char) bytes[0]] & RF_FIRST_OF_LITERAL) != 0;
}

static RfCode
fail_invalid(const Scan *scan)
{
	rf_error_set(scan->err, RF_INVALID, "text is not valid UTF-8");
	rf_error_detail(scan->err, "The first invalid byte is at offset %zu.", scan->cursor.at);
	return RF_INVALID;
}

/* The end of what stands before a literal, or of the text. */
static RfCode
end_part(Scan *scan, bool literal)
{
	if (scan->words)
		return rf_word_cut_finish(&scan->word_cut, literal);
	return rf_basic_finish(&scan->basic);
}

/* One character, or one literal, the long way. */
static RfCode
take_atom(Scan *scan)
{
	Cursor before = scan->cursor;
	RfAtom atom;
	int32_t id;

	if (!next_atom(scan, &scan->cursor, &atom))
		return fail_invalid(scan);
	if (!may_begin_literal(scan, atom.code_point) || !match_literal(scan, &before, &id, &atom))
		return scan->words ? rf_word_cut_add(&scan->word_cut, atom)
						   : rf_basic_add(&scan->basic, atom);
	scan->cursor = before;
	RF_TRY(end_part(scan, true));
	return rf_token_sink_put(scan->sink, id, atom.start, atom.end);
}

/* The pieces of an ASCII word of length bytes at a byte of the text, and their tokens. */
static RfCode
put_ascii_word(Scan *scan, size_t at, size_t length)
{
	int32_t position = scan->cursor.position + (int32_t) (at - scan->cursor.at);
	char folded[RF_WORDPIECE_MAX_CHARS];
	int32_t ids[RF_WORDPIECE_MAX_CHARS];
	uint16_t ends[RF_WORDPIECE_MAX_CHARS];
	size_t count = 0;
	int32_t start = position;

	if (length <= RF_WORDPIECE_MAX_CHARS)
	{
		for (size_t i = 0; i < length; i++)
			folded[i] = (char) scan->view.block->fold[(unsigned char) scan->text[at + i]];
		count = rf_wordpiece_match(&scan->view, folded, length, ids, ends);
	}
	if (count == 0)
		return rf_token_sink_put(scan->sink, scan->view.block->special_ids[RF_SPECIAL_UNK],
								 position, position + (int32_t) length);
	for (size_t i = 0; i < count; i++)
	{
		RF_TRY(rf_token_sink_put(scan->sink, ids[i], start, position + ends[i]));
		start = position + ends[i];
	}
	return RF_OK;
}

/* Where an ASCII piece that begins at at ends; at itself when it has to go the long way. */
static size_t
find_ascii_end(const Scan *scan, size_t at)
{
	const uint8_t *kinds = scan->view.block->ascii;
	size_t limit = scan->length - at > ASCII_PIECE_LIMIT ? at + ASCII_PIECE_LIMIT : scan->length;
	size_t end = at;

	while (end < limit && (kinds[(unsigned char) scan->text[end]] == RF_BYTE_WORD ||
						   kinds[(unsigned char) scan->text[end]] == RF_BYTE_PUNCTUATION))
		end++;
	if (end == scan->length || kinds[(unsigned char) scan->text[end]] == RF_BYTE_BLANK)
		return end;
	return at;
}

/* Blanks and the ASCII piece behind them; *taken is false when that has to go the long way. */
static RfCode
take_ascii_piece(Scan *scan, bool *taken)
{
	const uint8_t *kinds = scan->view.block->ascii;
	size_t first = scan->cursor.at;
	size_t at = first;
	size_t end;

	while (at < scan->length && at - first < ASCII_PIECE_LIMIT &&
		   kinds[(unsigned char) scan->text[at]] == RF_BYTE_BLANK)
		at++;
	end = find_ascii_end(scan, at);
	*taken = end > first;
	while (at < end)
	{
		size_t word = at++;

		if (kinds[(unsigned char) scan->text[word]] == RF_BYTE_WORD)
			while (at < end && kinds[(unsigned char) scan->text[at]] == RF_BYTE_WORD)
				at++;
		RF_TRY(put_ascii_word(scan, word, at - word));
	}
	scan->cursor.position += (int32_t) (end - first);
	scan->cursor.at = end;
	return RF_OK;
}

static RfCode
take_next(Scan *scan)
{
	bool taken = false;

	if (scan->ascii && rf_basic_idle(&scan->basic) && scan->cursor.pending == 0 &&
		scan->cursor.at >= scan->cursor.literal)
		RF_TRY(take_ascii_piece(scan, &taken));
	return taken ? RF_OK : take_atom(scan);
}

RfCode
rf_tokenize_into(const RfTokenizer *tokenizer, const char *text, size_t length,
				 const RfAbort *abort_fn, RfArena *arena, RfTokenSink *sink, RfError *err)
{
	Scan scan;
	size_t next_poll = POLL_BYTES;

	RF_FAIL_IF(length > MAX_TEXT_BYTES, err, RF_LIMIT, "text has %zu bytes, more than %zu", length,
			   MAX_TEXT_BYTES);
	rf_tokenizer_view(tokenizer, &scan.view);
	scan.text = text;
	scan.length = length;
	scan.cursor = (Cursor){0};
	scan.sink = sink;
	scan.err = err;
	scan.words = (scan.view.flags & RF_TOKENIZER_JIEBA) != 0;
	/* They are made for the slow tokenizer. */
	scan.ascii = !scan.words && ((scan.view.flags ^ scan.view.block->flags) &
								 (RF_TOKENIZER_BASIC | RF_TOKENIZER_LOWER)) == 0;
	if (scan.words && tokenizer->jieba == NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "tokenizer needs a dictionary of Chinese words");
		rf_error_detail(err, "RoFormerTokenizer cuts words with jieba's dictionary first.");
		return RF_UNSUPPORTED;
	}
	rf_basic_init(&scan.basic, &scan.view, sink, arena, err);
	rf_word_cut_init(&scan.word_cut, tokenizer->jieba, abort_fn, &scan.basic);
	while (scan.cursor.at < length || scan.cursor.pending != 0)
	{
		if (scan.cursor.at >= next_poll)
		{
			RF_FAIL_IF(rf_abort_requested(abort_fn), err, RF_CANCELED, "tokenizing was canceled");
			next_poll = scan.cursor.at + POLL_BYTES;
		}
		RF_TRY(take_next(&scan));
	}
	RF_TRY(end_part(&scan, false));
	rf_token_sink_finish(sink);
	return RF_OK;
}

RfCode
rf_tokenize(const RfTokenizer *tokenizer, const char *text, size_t length, const RfAbort *abort_fn,
			RfArena *arena, RfTokens *tokens, RfError *err)
{
	RfTokenSink sink;

	RF_FAIL_IF(length > MAX_TEXT_BYTES, err, RF_LIMIT, "text has %zu bytes, more than %zu", length,
			   MAX_TEXT_BYTES);
	RF_TRY(rf_token_sink_init(&sink, length, SIZE_MAX, false, arena, err));
	RF_TRY(rf_tokenize_into(tokenizer, text, length, abort_fn, arena, &sink, err));
	*tokens = sink.tokens;
	return RF_OK;
}
