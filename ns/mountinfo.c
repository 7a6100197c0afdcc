// SPDX-License-Identifier: GPL-2.0-only
/* Lines of /proc/PID/mountinfo, taken apart. */
#include "ns/mountinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/own.h"

static bool parse(char *line, struct ns_mountinfo *m)
{
	char *rest = strstr(line, " - "), *word[6], *source;
	unsigned major, minor;

	if (!rest ||
	    sscanf(line, "%" SCNu64 " %" SCNu64 " %u:%u ", &m->id, &m->parent, &major, &minor) != 4)
		return false;
	*rest = 0;
	rest += strlen(" - ");
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strsep(&line, " ");
		if (!word[i])
			return false;
	}
	m->dev = makedev(major, minor);
	m->root = word[3];
	m->at = word[4];
	m->propagation = line ? line : word[5] + strlen(word[5]);
	m->type = strsep(&rest, " ");
	source = strsep(&rest, " "); /* may be empty */
	m->options = strsep(&rest, " ");
	return source && m->options;
}

int ns_mountinfo_next(char **rest, struct ns_mountinfo *m)
{
	char *line;

	while ((line = strsep(rest, "\n")))
		if (*line)
			return parse(line, m) ? 1 : -EINVAL;
	return 0;
}

ssize_t ns_mountinfo_list(char *text, struct ns_mountinfo **list, struct err *e)
{
	size_t lines = 1, n = 0;
	int r;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	*list = calloc(lines, sizeof(**list));
	if (!*list)
		return err_set(e, ENOMEM, "out of memory for a list of %zu mounts", lines);
	while ((r = ns_mountinfo_next(&text, &(*list)[n])))
		n += r > 0;
	return (ssize_t)n;
}

static bool is_octal(const char *digits)
{
	return strspn(digits, "01234567") >= 3;
}

char *ns_mountinfo_unescape(char *field)
{
	char *to = field;

	for (const char *from = field; *from; to++)
		if (from[0] == '\\' && is_octal(from + 1)) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	*to = 0;
	return field;
}
