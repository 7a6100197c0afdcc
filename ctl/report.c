// SPDX-License-Identifier: GPL-2.0-only
/* Printing failures, warnings and good news, one line each. */
#include "ctl/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/path.h"

static const char *program = "skep";

static void sink(enum log_level level, const char *line)
{
	fprintf(stderr, "%s: %s%s\n", program, level <= LOG_LEVEL_WARN ? "warning: " : "", line);
}

void ctl_report_init(const struct ctl_front *front, bool verbose, bool debug)
{
	program = front->name;
	log_to(sink, debug ? LOG_LEVEL_DEBUG : verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
}

static bool is_name_character(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.+-/", c));
}

/* Whether text speaks of name already: as a whole word, so that "10" is not found in "10.0.0.1", nor in a path. */
static bool says(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p++)
		if ((p == text || !is_name_character(p[-1])) &&
		    (!p[len] || !is_name_character(p[len])))
			return true;
	return false;
}

/* The container that the command is about: verbs whose first word is one say so in their table. */
static const char *container(const struct ctl_line *line)
{
	if (!line->command || !line->nwords || !line->command->words ||
	    strncmp(line->command->words, "NAME", 4) != 0)
		return NULL;
	/* What is no name could forge a second line. */
	return path_name_ok(line->words[0]) ? line->words[0] : NULL;
}

int ctl_report(const struct ctl_line *line, const struct err *e)
{
	const char *name = container(line);

	program = line->front->name;
	if (name && e->class != ERR_USAGE && !says(e->text, name))
		fprintf(stderr, "%s: CT %s: %s\n", program, name, e->text);
	else
		fprintf(stderr, "%s: %s\n", program, e->text);
	if (e->hint[0])
		fprintf(stderr, "hint: %s\n", e->hint);
	return err_class_exit_code(e->class);
}

void ctl_done(const struct ctl_line *line, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (ctl_flag(line, "quiet"))
		return;
	printf("CT %s: ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

int ctl_flush(struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (!errno)
		errno = EIO;
	return err_sys(e, "write to standard output");
}
