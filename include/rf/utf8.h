/*
 * utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef RF_UTF8_H
#define RF_UTF8_H

#include "rf/status.h"

#define RF_UTF8_MAX 4

/* Decodes one character of at most length bytes; returns its bytes, 0 when it is not valid UTF-8. */
extern size_t rf_utf8_decode(const char *bytes, size_t length, uint32_t *code_point);
/* Writes one code point (at most RF_UTF8_MAX bytes); returns the bytes written. */
extern size_t rf_utf8_encode(uint32_t code_point, char *bytes);
/* Bytes of the longest valid prefix: equal to length when all of it is valid. */
extern size_t rf_utf8_valid_prefix(const char *bytes, size_t length);
/* Code points in valid UTF-8. */
extern size_t rf_utf8_length(const char *bytes, size_t length);

#endif
