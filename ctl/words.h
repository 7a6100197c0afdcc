/* SPDX-License-Identifier: GPL-2.0-only */
/* A command in one option's value, split into words: "ssh -p 22", "/sbin/init --debug". */
#pragma once

#include <stddef.h>

/*
 * Words end at blanks; quotes of both kinds keep blanks; a backslash keeps what follows it (not within '...'). No shell is involved. Writes each
 * word with its NUL into buf, one behind the other, and points words[] at them, the last one NULL: at most `most` pointers. Returns how many words there are,
 * or -EINVAL with *why: "has too many words".
 */
int ctl_words(const char *value, char *buf, size_t size, char **words, size_t most,
	      const char **why);
