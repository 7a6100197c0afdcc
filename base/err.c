// SPDX-License-Identifier: GPL-2.0-only
/* Filling and carrying struct err. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message is one line whatever was put into it: a name with a newline must not forge a second one. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
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
	one_line(e->text);
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
	one_line(e->text);
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
	one_line(e->text);
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
	one_line(e->hint);
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
