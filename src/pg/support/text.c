/*
 * text.c - texts between the server's encoding and the engine's UTF-8, and positions in them.
 *
 * A position the engine gives counts code points; SQL's substr() counts characters of the server's
 * encoding. These are the same but for two kinds of databases: EUC_JIS_2004 has characters that
 * Unicode writes as a base and a combining mark (one character, two code points), and in SQL_ASCII
 * every byte is a character (several characters, one code point).
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/support.h"

const char *
roformer_text_to_utf8(const char *source, size_t source_length, size_t *length)
{
	char *utf8 = pg_server_to_any(source, (int) source_length, PG_UTF8);

	*length = utf8 == source ? source_length : strlen(utf8);
	return utf8;
}

bool
roformer_text_has_utf8(const char *source, size_t source_length)
{
	int encoding = GetDatabaseEncoding();
	int length = (int) source_length;
	Oid conversion;
	unsigned char *utf8;
	bool converted;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return encoding == PG_UTF8 || pg_verify_mbstr(PG_UTF8, source, length, true);
	conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(conversion))
		return false;
	utf8 = palloc_extended(source_length * MAX_CONVERSION_GROWTH + 1, MCXT_ALLOC_HUGE);
	converted = pg_do_encoding_conversion_buf(
					conversion, encoding, PG_UTF8, (unsigned char *) unconstify(char *, source),
					length, utf8, length * MAX_CONVERSION_GROWTH + 1, true) == length;
	pfree(utf8);
	return converted;
}

char *
roformer_utf8_to_cstring(const char *utf8, size_t length)
{
	char *converted = pg_any_to_server(utf8, (int) length, PG_UTF8);

	return converted == utf8 ? pnstrdup(utf8, length) : converted;
}

static void
check_text_size(size_t bytes)
{
	if (bytes > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("result of %zu bytes exceeds the maximum size of a text", bytes)));
}

text *
roformer_utf8_to_text(const char *utf8, size_t length)
{
	char *converted;
	size_t bytes;
	text *result;

	check_text_size(length);
	converted = pg_any_to_server(utf8, (int) length, PG_UTF8);
	bytes = converted == utf8 ? length : strlen(converted);
	check_text_size(bytes);
	result = palloc(VARHDRSZ + bytes);
	SET_VARSIZE(result, VARHDRSZ + bytes);
	memcpy(VARDATA(result), converted, bytes);
	if (converted != utf8)
		pfree(converted);
	return result;
}

static int32
count_utf8(const char *utf8)
{
	int32 count = 0;

	for (; *utf8 != '\0'; utf8 += pg_encoding_mblen(PG_UTF8, utf8))
		count++;
	return count;
}

/* Code points that the character's UTF-8 form has: conversions work character by character. */
static int32
count_code_points(const char *character, int bytes)
{
	char *utf8 = pg_server_to_any(character, bytes, PG_UTF8);
	int32 count;

	if (utf8 == character)
		return 1;
	count = count_utf8(utf8);
	pfree(utf8);
	return count;
}

static void
fill_positions(RoformerPositions *positions, const char *source, size_t source_length)
{
	bool bytewise = GetDatabaseEncoding() == PG_SQL_ASCII;
	const char *end = source + source_length;
	int32 code_points = 0;
	size_t i = 0;

	while (source < end)
	{
		int bytes = Min(pg_mblen(source), (int) (end - source));

		CHECK_FOR_INTERRUPTS();
		if (!bytewise)
		{
			positions->first_code_point[i] = code_points;
			code_points += count_code_points(source, bytes);
		}
		else if (((unsigned char) *source & 0xC0) == 0x80) /* within the code point begun before */
			positions->first_code_point[i] = code_points - 1;
		else
			positions->first_code_point[i] = code_points++;
		source += bytes;
		i++;
	}
	positions->first_code_point[i] = code_points;
}

/* As pg_mbstrlen_with_len(), which can't be canceled. */
static size_t
count_characters(const char *source, size_t source_length)
{
	const char *end = source + source_length;
	size_t count = 0;

	for (; source < end; source += pg_mblen(source))
	{
		CHECK_FOR_INTERRUPTS();
		count++;
	}
	return count;
}

void
roformer_positions_init(RoformerPositions *positions, const char *source, size_t source_length,
						const char *utf8, size_t utf8_length)
{
	size_t code_points = 0;

	*positions = (RoformerPositions){.identical = GetDatabaseEncoding() == PG_UTF8};
	if (positions->identical)
		return;
	for (size_t i = 0; i < utf8_length; i++)
		code_points += ((unsigned char) utf8[i] & 0xC0) != 0x80;
	positions->characters = count_characters(source, source_length);
	positions->identical = positions->characters == code_points;
	if (positions->identical)
		return;
	positions->first_code_point =
		palloc_extended((positions->characters + 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	fill_positions(positions, source, source_length);
}

/* The first character whose code points begin at code_point or later. */
static size_t
find_character(const RoformerPositions *positions, int32 code_point)
{
	size_t low = 0;
	size_t high = positions->characters;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (positions->first_code_point[middle] < code_point)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A span that begins or ends within a character gets the whole character. */
void
roformer_positions_map(const RoformerPositions *positions, int32 start, int32 length,
					   int32 *sql_start, int32 *sql_length)
{
	size_t first;
	size_t behind;

	if (positions->identical)
	{
		*sql_start = start + 1;
		*sql_length = length;
		return;
	}
	first = find_character(positions, start);
	if (first > 0 && positions->first_code_point[first] > start)
		first--;
	behind = find_character(positions, start + length);
	*sql_start = (int32) first + 1;
	*sql_length = behind > first ? (int32) (behind - first) : 0;
}
