// SPDX-License-Identifier: GPL-2.0-only
/* Manual pages out of the tables. */
#include "ctl/manual.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "ctl/skepctl.h"

/* roff reads a dot or an apostrophe at the beginning of a line, and every backslash, as its own; a plain - becomes a hyphen that cannot be pasted. */
static void put_text(const char *text, FILE *out)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

/* Help begins with a small letter and ends without a dot. */
static void put_sentence(const char *text, FILE *out)
{
	char first[2] = {(char)toupper((unsigned char)*text), '\0'};

	if (!*text)
		return;
	put_text(first, out);
	put_text(text + 1, out);
	fputs(".\n", out);
}

/* "none, bar or json", "build: ...": a word that is typed stands first, and is typed as it is. */
static bool begins_with_value(const struct ctl_option *o)
{
	const char *end = o->help + strcspn(o->help, " ,:");

	return *end == ':' || (o->arg && (*end == ',' || strncmp(end, " or ", 4) == 0));
}

static void put_option(const struct ctl_option *o, FILE *out)
{
	if (!o->help)
		return;
	fputs(".TP\n", out);
	if (o->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", out);
	put_text(o->name, out);
	fputs("\\fR", out);
	if (o->arg) {
		fputs(" \\fI", out);
		put_text(o->arg, out);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	if (begins_with_value(o)) {
		put_text(o->help, out);
		fputs(".\n", out);
	} else {
		put_sentence(o->help, out);
	}
	if (o->means)
		fprintf(out, "The same as \\fB\\-\\-%s\\fR.\n", o->means);
}

static void put_options(const struct ctl_option *table, FILE *out)
{
	for (; table && table->name; table++)
		put_option(table, out);
}

static void put_examples(const struct ctl_command *c, FILE *out)
{
	size_t most = sizeof(c->examples) / sizeof(c->examples[0]);

	if (!c->examples[0])
		return;
	fputs(".PP\n.RS\n.nf\n", out);
	for (size_t i = 0; i < most && c->examples[i]; i++) {
		put_text(c->examples[i], out);
		fputc('\n', out);
	}
	fputs(".fi\n.RE\n", out);
}

static void put_command(const struct ctl_front *front, const struct ctl_command *c, FILE *out)
{
	fprintf(out, ".SS \"%s\"\n.B %s %s\n", c->name, front->name, c->name);
	if (c->tables && c->tables[0])
		fputs("[\\fIOPTIONS\\fR]\n", out);
	if (*c->words) {
		put_text(c->words, out);
		fputc('\n', out);
	}
	fputs(".PP\n", out);
	put_sentence(c->summary, out);
	if (c->also)
		fprintf(out, "Its other name is \\fB%s\\fR.\n", c->also);
	for (const struct ctl_option *const *t = c->tables; t && *t; t++)
		put_options(*t, out);
	put_examples(c, out);
}

/* In their order: there are few. */
static void put_exit_codes(FILE *out)
{
	static const struct {
		int code;
		const char *meaning;
	} codes[] = {{0, "all went well"},
#define X(name, number, text) {number, text},
		     ERR_CLASSES(X)
#undef X
	};

	for (int code = 0; code < 256; code++)
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			if (codes[i].code != code)
				continue;
			fprintf(out, ".TP\n.B %d\n", code);
			put_sentence(codes[i].meaning, out);
		}
}

void ctl_manual_write(const struct ctl_front *front, FILE *in, FILE *out)
{
	char line[1024], *mark;

	while (fgets(line, sizeof(line), in)) {
		if (strcmp(line, "@commands@\n") == 0) {
			for (const struct ctl_command *const *c = front->commands; *c; c++)
				if (!(*c)->hidden)
					put_command(front, *c, out);
		} else if (strcmp(line, "@options@\n") == 0) {
			put_options(front->global, out);
		} else if (strcmp(line, "@exit@\n") == 0) {
			put_exit_codes(out);
		} else if ((mark = strstr(line, "@version@"))) {
			fprintf(out, "%.*s%s%s", (int)(mark - line), line, SKEP_VERSION,
				mark + strlen("@version@"));
		} else {
			fputs(line, out);
		}
	}
}
