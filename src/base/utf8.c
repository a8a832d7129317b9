/*
 * utf8.c - strict UTF-8 by hand: the tokenizer decodes every character of every text, and a
 * library call per character costs more than the decoding.
 */
#include "rf/utf8.h"

static bool
is_continuation(char byte)
{
	return ((unsigned char) byte & 0xC0) == 0x80;
}

size_t
rf_utf8_decode(const char *bytes, size_t length, uint32_t *code_point)
{
	const unsigned char *p = (const unsigned char *) bytes;

	if (length == 0)
		return 0;
	if (p[0] < 0x80)
	{
		*code_point = p[0];
		return 1;
	}
	if (p[0] >= 0xC2 && p[0] <= 0xDF && length >= 2 && is_continuation(bytes[1]))
	{
		*code_point = ((uint32_t) (p[0] & 0x1F) << 6) | (p[1] & 0x3F);
		return 2;
	}
	if ((p[0] & 0xF0) == 0xE0 && length >= 3 && is_continuation(bytes[1]) && is_continuation(bytes[2]))
	{
		uint32_t c = ((uint32_t) (p[0] & 0x0F) << 12) | ((uint32_t) (p[1] & 0x3F) << 6) | (p[2] & 0x3F);

		if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))
			return 0;
		*code_point = c;
		return 3;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4 && length >= 4 && is_continuation(bytes[1]) &&
		is_continuation(bytes[2]) && is_continuation(bytes[3]))
	{
		uint32_t c = ((uint32_t) (p[0] & 0x07) << 18) | ((uint32_t) (p[1] & 0x3F) << 12) |
					 ((uint32_t) (p[2] & 0x3F) << 6) | (p[3] & 0x3F);

		if (c < 0x10000 || c > 0x10FFFF)
			return 0;
		*code_point = c;
		return 4;
	}
	return 0;
}

size_t
rf_utf8_encode(uint32_t c, char *bytes)
{
	if (c < 0x80)
	{
		bytes[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		bytes[0] = (char) (0xC0 | (c >> 6));
		bytes[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		bytes[0] = (char) (0xE0 | (c >> 12));
		bytes[1] = (char) (0x80 | ((c >> 6) & 0x3F));
		bytes[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	bytes[0] = (char) (0xF0 | (c >> 18));
	bytes[1] = (char) (0x80 | ((c >> 12) & 0x3F));
	bytes[2] = (char) (0x80 | ((c >> 6) & 0x3F));
	bytes[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}

size_t
rf_utf8_valid_prefix(const char *bytes, size_t length)
{
	size_t at = 0;
	uint32_t c;

	while (at < length)
	{
		size_t step = rf_utf8_decode(bytes + at, length - at, &c);

		if (step == 0)
			break;
		at += step;
	}
	return at;
}

size_t
rf_utf8_length(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += !is_continuation(bytes[i]);
	return count;
}
