/*
 * unicode_fast.h - where the fast tokenizers' idea of Unicode differs from the slow ones'.
 */
#ifndef RF_TOKENIZER_UNICODE_FAST_H
#define RF_TOKENIZER_UNICODE_FAST_H

#include "unicode_class.h"

/* Sets RF_UNICODE_RECLASSED in the entries [0x110000] of all that differ. */
extern void rf_unicode_fast_mark(uint32_t *entries);
/* The lower case of a code point that differs. */
extern uint32_t rf_unicode_fast_lower(uint32_t code_point);

#endif
