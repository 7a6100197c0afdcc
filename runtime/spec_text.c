// SPDX-License-Identifier: GPL-2.0-only
/* Finding one value without parsing the others, and numbers that the parser cannot take. */
#include "runtime/spec_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From a quote to behind the one that closes the string; NULL: there is none. */
static char *behind_string(char *p)
{
	while ((p = strchr(p + 1, '"'))) {
		char *before = p;

		while (before[-1] == '\\')
			before--;
		if ((p - before) % 2 == 0)
			return p + 1;
	}
	return NULL;
}

static char *skip_space(char *p)
{
	while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
		p++;
	return p;
}

/* Of all that can stand in an object, only these matter to where it ends. */
static bool is_mark(char c)
{
	static const bool marks[256] = {
		[0] = true, ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true};

	return marks[(unsigned char)c];
}

static char *behind_brackets(char *p)
{
	size_t depth = 0;

	for (;; p++) {
		while (!is_mark(*p))
			p++;
		switch (*p) {
		case 0:
			return NULL;
		case '"':
			p = behind_string(p);
			if (!p)
				return NULL;
			p--;
			break;
		case '{':
		case '[':
			depth++;
			break;
		default:
			if (--depth == 0)
				return p + 1;
		}
	}
}

static char *behind_value(char *p)
{
	if (*p == '"')
		return behind_string(p);
	if (*p == '{' || *p == '[')
		return behind_brackets(p);
	while (*p && !strchr(",}] \n\t\r", *p))
		p++;
	return p;
}

/* From an object's brace to the value of the member, as far as it can be found without a mistake in the text. */
static char *find_member(char *p, const char *name)
{
	size_t len = strlen(name);

	if (*p != '{')
		return NULL;
	for (p = skip_space(p + 1); *p == '"'; p = skip_space(p + 1)) {
		char *key = p + 1, *behind = behind_string(p);
		bool found;

		if (!behind)
			return NULL;
		found = (size_t)(behind - 1 - key) == len && !memcmp(key, name, len);
		p = skip_space(behind);
		if (*p != ':')
			return NULL;
		p = skip_space(p + 1);
		if (found)
			return p;
		p = behind_value(p);
		p = p ? skip_space(p) : NULL;
		if (!p || *p != ',')
			return NULL;
	}
	return NULL;
}

char *ct_text_object(char *text, const char *outer, const char *inner, size_t *len)
{
	char *p = find_member(skip_space(text), outer), *behind;

	p = p ? find_member(p, inner) : NULL;
	if (!p || *p != '{')
		return NULL;
	behind = behind_brackets(p);
	*len = behind ? (size_t)(behind - p) : 0;
	return behind ? p : NULL;
}

static size_t string_length(const char *p)
{
	size_t n = 1;

	while (p[n] && p[n] != '"')
		n += p[n] == '\\' && p[n + 1] ? 2 : 1;
	return p[n] ? n + 1 : n;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Looks at each 19th character: a longer number has one there. */
static bool has_long_number(const char *text, size_t len)
{
	for (size_t i = 18; i < len; i += 19) {
		size_t from = i, to = i;

		if (!is_digit(text[i]))
			continue;
		while (from > 0 && is_digit(text[from - 1]))
			from--;
		while (is_digit(text[to]))
			to++;
		if (to - from >= 19)
			return true;
	}
	return false;
}

char *ct_text_fold(const char *text, size_t len, bool *needed)
{
	/* 19 digits may become 20 characters; a separator stands between two numbers. */
	size_t size = len + len / 16 + 32;
	char *out, *o;

	*needed = has_long_number(text, len);
	if (!*needed)
		return NULL;
	out = o = malloc(size);
	for (const char *p = text; out && *p;) {
		size_t n = 1;
		unsigned long long v;

		if (*p == '"') {
			n = string_length(p);
		} else if (strchr("-0123456789", *p)) {
			n += strspn(p + 1, "0123456789.eE+-");
			errno = 0;
			v = n >= 19 && n == strspn(p, "0123456789") ? strtoull(p, NULL, 10) : 0;
			if (!errno && v > INT64_MAX) {
				o += snprintf(o, size - (size_t)(o - out), "%" PRId64, (int64_t)v);
				p += n;
				continue;
			}
		}
		memcpy(o, p, n);
		o += n;
		p += n;
	}
	if (out)
		*o = 0;
	return out;
}
