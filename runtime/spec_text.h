/* SPDX-License-Identifier: GPL-2.0-only */
/* A config's text before it is parsed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The value of a member of an object that is a member of the top object ("linux", "seccomp"), when it is an object: its first character, and its length in *len. NULL when
 * it is not there, or the text is not what we expect it to be, on which only the parser has the last word. In a text that the parser takes the span is
 * exactly what the parser takes for the value.
 */
char *ct_text_object(char *text, const char *outer, const char *inner, size_t *len);

/*
 * jansson has signed numbers only and gives up on 18446744073709551615, which is how the others write RLIM_INFINITY. In the copy that this returns (the caller's; NULL: no
 * memory) numbers over INT64_MAX are their two's complement; where they are legal at all (rlimits, seccomp arguments) the reader casts them back. *needed
 * false: there are none, and the result is NULL.
 */
char *ct_text_fold(const char *text, size_t len, bool *needed);
