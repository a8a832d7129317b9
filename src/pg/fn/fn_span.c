/*
 * fn_span.c - parts of a text: where they stand and what they are.
 *
 * A place moves forward from part to part, so that a text is walked once, however many there are.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/fn.h"

void
roformer_spans_begin(RoformerSpans *spans, const RoformerText *text)
{
	memset(spans, 0, sizeof(*spans));
	spans->text = text;
	spans->encoding = GetDatabaseEncoding();
	roformer_call_positions(text, &spans->positions);
}

static void
seek_character(RoformerSpans *spans, int32 character)
{
	const RoformerText *text = spans->text;

	if (character < spans->character)
		spans->character = spans->byte = 0;
	while (spans->character < character && spans->byte < text->source_length)
	{
		spans->byte += pg_encoding_mblen(spans->encoding, text->source + spans->byte);
		spans->character++;
	}
	spans->byte = Min(spans->byte, text->source_length);
}

text *
roformer_spans_cut(RoformerSpans *spans, int32 start, int32 length, int32 *sql_start,
				   int32 *sql_length)
{
	size_t first;

	roformer_positions_map(&spans->positions, start, length, sql_start, sql_length);
	seek_character(spans, *sql_start - 1);
	first = spans->byte;
	seek_character(spans, *sql_start - 1 + *sql_length);
	return cstring_to_text_with_len(spans->text->source + first, spans->byte - first);
}
