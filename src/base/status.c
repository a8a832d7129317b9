/*
 * status.c - filling an RfError.
 */
#include "rf/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What does not fit (length is what snprintf returned) ends in "..." at a UTF-8 boundary. */
static void
clip(char *buffer, size_t size, int length)
{
	if (length < 0)
		buffer[0] = '\0';
	else if ((size_t) length >= size)
	{
		size_t end = size - 4;

		while (end > 0 && ((unsigned char) buffer[end] & 0xC0) == 0x80)
			end--;
		memcpy(buffer + end, "...", 4);
	}
}

__attribute__((format(printf, 3, 0))) static void
format_clipped(char *buffer, size_t size, const char *fmt, va_list args)
{
	clip(buffer, size, vsnprintf(buffer, size, fmt, args));
}

static void
clear_error(RfError *err, RfCode code)
{
	err->code = code;
	err->os_error = 0;
	err->offset = RF_NO_OFFSET;
	err->origin[0] = '\0';
	err->message[0] = '\0';
	err->detail[0] = '\0';
	err->hint[0] = '\0';
}

RfCode
rf_error_set(RfError *err, RfCode code, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	clear_error(err, code);
	va_start(args, fmt);
	format_clipped(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return code;
}

void
rf_error_detail(RfError *err, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return;
	va_start(args, fmt);
	format_clipped(err->detail, sizeof(err->detail), fmt, args);
	va_end(args);
}

void
rf_error_hint(RfError *err, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return;
	va_start(args, fmt);
	format_clipped(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
}

void
rf_error_origin(RfError *err, const char *origin, uint64_t offset)
{
	if (err == NULL)
		return;
	clip(err->origin, sizeof(err->origin),
		 snprintf(err->origin, sizeof(err->origin), "%s", origin));
	err->offset = offset;
}

RfCode
rf_error_os(RfError *err, int os_errno, const char *fmt, ...)
{
	RfCode code = (os_errno == ENOENT || os_errno == ENOTDIR) ? RF_NOT_FOUND : RF_IO;
	va_list args;

	if (err == NULL)
		return code;
	clear_error(err, code);
	err->os_error = os_errno;
	va_start(args, fmt);
	format_clipped(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return code;
}

RfCode
rf_error_memory(RfError *err, size_t size)
{
	rf_error_set(err, RF_NO_MEMORY, "out of memory");
	rf_error_detail(err, "Failed on request of size %zu.", size);
	return RF_NO_MEMORY;
}
