// SPDX-License-Identifier: GPL-2.0-only
/* Filling and carrying struct err. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How many bytes follow this one in UTF-8. */
static int followers(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

void err_one_line(char *s)
{
	int expected = 0;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];

		if (c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0 && !expected)) {
			*s = ' ';
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			*s++ = ' ';
			*s = ' ';
		}
		expected = c >= 0x80 && c < 0xc0 && expected ? expected - 1 : followers(c);
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			expected = 0;
	}
}

int err_set(struct err *e, int no, const char *fmt, ...)
{
	va_list ap;

	if (e->no)
		return -e->no;
	e->no = no > 0 ? no : EIO;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	err_one_line(e->text);
	return -e->no;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int no = errno > 0 ? errno : EIO;
	va_list ap;
	size_t n;

	if (e->no)
		return -e->no;
	e->no = no;
	if (no == ENOSPC || no == EDQUOT)
		e->class = ERR_NO_SPACE;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(no));
	err_one_line(e->text);
	return -no;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t n;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	err_one_line(e->text);
	return -e->no;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e->hint[0])
		return -e->no;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	err_one_line(e->hint);
	return -e->no;
}

int err_class(struct err *e, enum err_class class)
{
	if (e->class == ERR_SYSTEM)
		e->class = class;
	return -e->no;
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

static const struct {
	int exit_code;
	const char *name;
	const char *meaning;
} classes[] = {
#define X(name, code, text) [ERR_##name] = {code, #name, text},
	ERR_CLASSES(X)
#undef X
};

int err_class_exit_code(enum err_class class)
{
	return classes[class].exit_code;
}

const char *err_class_to_str(enum err_class class)
{
	return classes[class].name;
}

const char *err_class_meaning(enum err_class class)
{
	return classes[class].meaning;
}
