// SPDX-License-Identifier: GPL-2.0-only
/* Help out of the tables. */
#include "ctl/help.h"

#include <string.h>

#include "base/err.h"
#include "base/own.h"

#define OPTION_WIDTH 26
#define VERB_WIDTH   10

static void print_option(const struct ctl_option *o, FILE *out)
{
	char left[80];
	int n = snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");

	if (n > OPTION_WIDTH)
		fprintf(out, "  %s\n  %*s  %s\n", left, OPTION_WIDTH, "", o->help ? o->help : "");
	else
		fprintf(out, "  %-*s  %s\n", OPTION_WIDTH, left, o->help ? o->help : "");
}

/* An option without help is accepted for old habits and not shown. */
static void print_options(const char *title, const struct ctl_option *const *tables, FILE *out)
{
	bool any = false;

	for (; tables && *tables; tables++)
		for (const struct ctl_option *o = *tables; o->name; o++) {
			if (!o->help)
				continue;
			if (!any)
				fprintf(out, "\n%s\n", title);
			any = true;
			print_option(o, out);
		}
}

/* In the order of the codes: there are few. */
static void print_exit_codes(FILE *out)
{
	static const enum err_class classes[] = {
#define X(name, code, text) ERR_##name,
		ERR_CLASSES(X)
#undef X
	};

	fprintf(out, "\nexit codes:\n  %3d  done\n", 0);
	for (int code = 1; code < 256; code++)
		for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
			if (err_class_exit_code(classes[i]) == code)
				fprintf(out, "  %3d  %s\n", code, err_class_meaning(classes[i]));
	fprintf(out, "  exec and enter return the exit code of their program, 128 + N when "
		     "signal N ended it.\n");
}

void ctl_help_front(const struct ctl_front *front, FILE *out)
{
	const struct ctl_option *const globals[] = {front->global, NULL};

	fprintf(out, "%s - %s\n\n%s: %s %s\n\n", front->name, front->summary,
		front->as_runc ? "Usage" : "usage", front->name,
		front->as_runc ? "[OPTION...] COMMAND [OPTION...]" : "[OPTIONS] COMMAND ...");
	for (const struct ctl_command *const *c = front->commands; *c; c++)
		if (!(*c)->hidden)
			fprintf(out, "  %-*s  %s\n", VERB_WIDTH, (*c)->name, (*c)->summary);
	print_options("options of all commands:", globals, out);
	if (front->exit_codes)
		print_exit_codes(out);
	fprintf(out,
		"\n%s COMMAND --help shows a command's options and examples; man %s has the rest.\n",
		front->name, front->page);
}

/* In crun's form, argp(3)'s, the options stand in front of the command, wherever they are typed: the heading above them says where. */
static void print_usage(const struct ctl_front *front, const struct ctl_command *c, FILE *out)
{
	const char *options = c->tables && c->tables[0] ? " [OPTIONS]" : "";

	if (front->as_runc)
		fprintf(out, "Usage: %s [OPTION...] %s", front->name, c->name);
	else
		fprintf(out, "usage: %s %s%s", front->name, c->name, options);
	fprintf(out, "%s%s\n\n%s\n", *c->words ? " " : "", c->words, c->summary);
}

/* The tables' have the command's own name. */
static void print_example(const struct ctl_front *front, const char *example, FILE *out)
{
	size_t len = strlen(front->page);
	bool named = !strncmp(example, front->page, len) && example[len] == ' ';

	fprintf(out, "  %s%s\n", named ? front->name : "", named ? example + len : example);
}

void ctl_help_command(const struct ctl_front *front, const struct ctl_command *c, FILE *out)
{
	print_usage(front, c, out);
	if (c->also)
		fprintf(out, "(also: %s %s)\n", front->name, c->also);
	print_options(front->as_runc ? "options, behind the command:" : "options:", c->tables, out);
	for (size_t i = 0; i < sizeof(c->examples) / sizeof(c->examples[0]) && c->examples[i];
	     i++) {
		fputs(i ? "" : "\nexamples:\n", out);
		print_example(front, c->examples[i], out);
	}
	fprintf(out, "\n%s --help lists the commands and the options of all of them.\n",
		front->name);
}
