// SPDX-License-Identifier: GPL-2.0-only
/* Splitting a value into words. */
#include "ctl/words.h"

#include <ctype.h>
#include <errno.h>

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

int ctl_words(const char *value, char *buf, size_t size, char **words, size_t most,
	      const char **why)
{
	const char *p = value;
	size_t n = 0, used = 0;

	while (isblank((unsigned char)*p))
		p++;
	while (*p) {
		char quote = '\0';

		if (n + 1 >= most)
			return refuse(why, "has too many words");
		words[n++] = buf + used;
		for (; *p && (quote || !isblank((unsigned char)*p)); p++) {
			if (quote ? *p == quote : *p == '"' || *p == '\'') {
				quote = quote ? '\0' : *p;
				continue;
			}
			if (*p == '\\' && p[1] && quote != '\'')
				p++;
			if (used + 1 >= size)
				return refuse(why, "is too long");
			buf[used++] = *p;
		}
		if (quote)
			return refuse(why, "has a quote that does not end");
		if (used >= size)
			return refuse(why, "is too long");
		buf[used++] = '\0';
		while (isblank((unsigned char)*p))
			p++;
	}
	words[n] = NULL;
	return (int)n;
}
