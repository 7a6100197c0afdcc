// SPDX-License-Identifier: GPL-2.0-only
/* The list of findings, and how it is shown. */
#include "ctl/doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

static const char *const words[] = {
#define X(name, word) word,
	CTL_VERDICTS(X)
#undef X
};

/* Red and yellow mark what is wrong; green only the word that says that all is well. */
static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};

#define WIDTH  100
#define INDENT 12

void ctl_doctor_done(struct ctl_doctor *d)
{
	free(d->list);
	d->list = NULL;
	d->count = 0;
}

static struct ctl_finding *add(struct ctl_doctor *d)
{
	struct ctl_finding *list = reallocarray(d->list, d->count + 1, sizeof(*list));

	if (!list) {
		d->no_memory = true;
		return NULL;
	}
	d->list = list;
	return &list[d->count++];
}

void ctl_doctor_find(struct ctl_doctor *d, const char *part, enum ctl_verdict verdict,
		     const char *what, const char *remedy, const char *fmt, ...)
{
	struct ctl_finding *f = add(d);
	va_list ap;

	if (!f)
		return;
	f->part = part;
	f->verdict = verdict;
	snprintf(f->what, sizeof(f->what), "%s", what);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void ctl_doctor_find_err(struct ctl_doctor *d, const char *part, enum ctl_verdict verdict,
			 const char *what, const char *remedy, const struct err *e)
{
	ctl_doctor_find(d, part, verdict, what, e->hint[0] ? e->hint : remedy, "%s", e->text);
}

bool ctl_doctor_program(const char *name)
{
	const char *path = getenv("PATH");
	char full[512];

	for (const char *p = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; *p;) {
		size_t len = strcspn(p, ":");

		snprintf(full, sizeof(full), "%.*s/%s", (int)len, p, name);
		if (access(full, X_OK) == 0)
			return true;
		p += len + (p[len] == ':');
	}
	return false;
}

int ctl_doctor_nearest(const char *path, char *found, size_t size)
{
	snprintf(found, size, "%s", path);
	for (;;) {
		char *slash = strrchr(found, '/');
		int fd = open(found, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != ENOENT || !slash || !found[1])
			return -errno;
		slash[slash == found] = '\0';
	}
}

enum ctl_verdict ctl_doctor_verdict(const struct ctl_doctor *d)
{
	enum ctl_verdict worst = CTL_VERDICT_OK;

	for (size_t i = 0; i < d->count; i++)
		if (d->list[i].verdict > worst)
			worst = d->list[i].verdict;
	return worst;
}

static void print_word(enum ctl_verdict verdict, bool colour, FILE *out)
{
	fprintf(out, "  %s%-8s%s  ", colour ? colours[verdict] : "", words[verdict],
		colour ? "\033[0m" : "");
}

/* All that is well, in one paragraph of `WIDTH` columns. */
static void print_good(const struct ctl_doctor *d, const char *part, bool colour, FILE *out)
{
	size_t column = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct ctl_finding *f = &d->list[i];
		size_t len = strlen(f->what) + (f->text[0] ? strlen(f->text) + 1 : 0);

		if (f->verdict != CTL_VERDICT_OK || strcmp(f->part, part) != 0)
			continue;
		if (column == 0) {
			print_word(CTL_VERDICT_OK, colour, out);
			column = INDENT;
		} else if (column + 2 + len >= WIDTH) {
			fprintf(out, ",\n%*s", INDENT, "");
			column = INDENT;
		} else {
			column += (size_t)fprintf(out, ", ");
		}
		fprintf(out, "%s%s%s", f->what, f->text[0] ? " " : "", f->text);
		column += len;
	}
	if (column)
		fputc('\n', out);
}

/* What does not fit goes on below, at the same indentation; words are never cut. */
static void print_wrapped(const char *text, size_t column, size_t indent, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + len > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		fprintf(out, "%.*s", (int)len, text);
		column += len;
		text += len;
		if (*text == ' ') {
			text++;
			if (*text && column + 1 + strcspn(text, " ") <= WIDTH) {
				fputc(' ', out);
				column++;
			} else {
				column = WIDTH;
			}
		}
	}
	fputc('\n', out);
}

/* Several gaps with one remedy: it is said once, behind the last of them. */
static bool said_next(const struct ctl_doctor *d, size_t i)
{
	return i + 1 < d->count && strcmp(d->list[i].remedy, d->list[i + 1].remedy) == 0;
}

void ctl_doctor_print(const struct ctl_doctor *d, bool colour, FILE *out)
{
	for (size_t i = 0; i < d->count; i++) {
		const char *part = d->list[i].part;

		/* Findings of a part stand together: the first one of each prints all. */
		if (i > 0 && strcmp(d->list[i - 1].part, part) == 0)
			continue;
		fprintf(out, "%s\n", part);
		print_good(d, part, colour, out);
		for (size_t j = i; j < d->count && strcmp(d->list[j].part, part) == 0; j++) {
			const struct ctl_finding *f = &d->list[j];

			if (f->verdict == CTL_VERDICT_OK)
				continue;
			print_word(f->verdict, colour, out);
			fprintf(out, "%s: ", f->what);
			print_wrapped(f->text, INDENT + strlen(f->what) + 2, INDENT, out);
			if (f->remedy[0] && !said_next(d, j))
				fprintf(out, "%*s-> %s\n", INDENT, "", f->remedy);
		}
	}
}

json_t *ctl_doctor_to_json(const struct ctl_doctor *d)
{
	auto_json json_t *list = json_array();

	for (size_t i = 0; list && i < d->count; i++) {
		const struct ctl_finding *f = &d->list[i];

		if (json_array_append_new(list,
					  json_pack("{s:s, s:s, s:s, s:s, s:s}", "part", f->part,
						    "what", f->what, "verdict", words[f->verdict],
						    "text", f->text, "remedy", f->remedy)) < 0)
			return NULL;
	}
	return json_pack("{s:i, s:s, s:O}", "version", 1, "verdict", words[ctl_doctor_verdict(d)],
			 "findings", list);
}
