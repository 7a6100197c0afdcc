// SPDX-License-Identifier: GPL-2.0-only
/* Parsing a command line by tables. */
#include "ctl/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ctl/nearest.h"

/* Tables end with an option without a name. The globals count as one more table behind the verb's own. */
static const struct ctl_option *table_nth(const struct ctl_front *front,
					  const struct ctl_command *command, int n)
{
	if (command && command->tables)
		for (const struct ctl_option *const *t = command->tables; *t; t++)
			if (n-- == 0)
				return *t;
	return n == 0 ? front->global : NULL;
}

const struct ctl_option *ctl_option_find(const struct ctl_front *front,
					 const struct ctl_command *command, const char *name)
{
	const struct ctl_option *t;

	for (int n = 0; (t = table_nth(front, command, n)); n++)
		for (; t->name; t++)
			if (strcmp(t->name, name) == 0)
				return t;
	return NULL;
}

static const struct ctl_option *find_letter(const struct ctl_front *front,
					    const struct ctl_command *command, char letter)
{
	const struct ctl_option *t;

	for (int n = 0; (t = table_nth(front, command, n)); n++)
		for (; t->name; t++)
			if (t->letter == letter)
				return t;
	return NULL;
}

const struct ctl_command *ctl_command_find(const struct ctl_front *front, const char *name)
{
	for (const struct ctl_command *const *c = front->commands; *c; c++)
		if (strcmp((*c)->name, name) == 0 || ((*c)->also && strcmp((*c)->also, name) == 0))
			return *c;
	return NULL;
}

static int no_such_verb(const struct ctl_front *front, const char *word, struct err *e)
{
	const char *best = NULL;
	int distance = ctl_too_far(word);

	for (const struct ctl_command *const *c = front->commands; *c; c++)
		if (!(*c)->hidden)
			ctl_nearest(word, (*c)->name, &best, &distance);
	err_set(e, EINVAL, front->as_runc ? "No help topic for '%s'" : "there is no command %s",
		word);
	err_class(e, ERR_USAGE);
	if (best)
		return err_hint(e, "did you mean %s %s? (%s --help lists all)", front->name, best,
				front->name);
	return err_hint(e, "%s --help lists the commands", front->name);
}

static int no_such_option(const struct ctl_line *line, const char *word, struct err *e)
{
	const char *verb = line->command ? line->command->name : "";
	const struct ctl_option *t;
	const char *best = NULL;
	int distance = ctl_too_far(word);

	for (int n = 0; (t = table_nth(line->front, line->command, n)); n++)
		for (; t->name; t++)
			if (t->help || t->means)
				ctl_nearest(word, t->name, &best, &distance);
	if (line->front->as_runc)
		err_set(e, EINVAL, "flag provided but not defined: -%s", word);
	else
		err_set(e, EINVAL, "%s%s%s has no option --%s", line->front->name, *verb ? " " : "",
			verb, word);
	err_class(e, ERR_USAGE);
	if (best)
		return err_hint(e, "did you mean --%s?", best);
	return err_hint(e, "%s%s%s --help lists them", line->front->name, *verb ? " " : "", verb);
}

static int usage(struct err *e, const struct ctl_line *line, const char *what, const char *which)
{
	err_set(e, EINVAL, "%s%s", what, which);
	err_class(e, ERR_USAGE);
	return err_hint(e, "%s%s%s --help shows how", line->front->name, line->command ? " " : "",
			line->command ? line->command->name : "");
}

static int keep(struct ctl_line *line, const struct ctl_option *o, const char *value, struct err *e)
{
	if (line->count == CTL_MOST_OPTIONS)
		return usage(e, line, "too many options at --", o->name);
	line->options[line->count].option = o;
	line->options[line->count++].value = value;
	return 0;
}

int ctl_truth(const char *word)
{
	static const char *const words[][6] = {{"0", "f", "F", "false", "FALSE", "False"},
					       {"1", "t", "T", "true", "TRUE", "True"}};

	for (int truth = 0; truth <= 1; truth++)
		for (size_t i = 0; i < ARRAY_SIZE(words[truth]); i++)
			if (strcmp(word, words[truth][i]) == 0)
				return truth;
	return -EINVAL;
}

/* 1 if a flag is set, 0 if not. It takes no word, but runc's take that behind a "=". */
static int read_flag(const struct ctl_line *line, const char *typed, const char *word,
		     struct err *e)
{
	int truth;

	if (!word)
		return 1;
	if (!line->front->as_runc)
		return usage(e, line, "a flag takes no value: ", typed);
	truth = ctl_truth(word);
	if (truth >= 0)
		return truth;
	err_set(e, EINVAL, "invalid boolean value \"%s\": %s", word, typed);
	return err_class(e, ERR_USAGE);
}

static const char *meant(const struct ctl_option *o)
{
	return o->means ? o->means : o->name;
}

/* The last one wins: one that is not set takes back those before. */
static int keep_flag(struct ctl_line *line, const struct ctl_option *o, int set, struct err *e)
{
	int left = 0;

	if (set)
		return set < 0 ? set : keep(line, o, "", e);
	for (int i = 0; i < line->count; i++)
		if (line->options[i].option->arg ||
		    strcmp(meant(line->options[i].option), meant(o)) != 0)
			line->options[left++] = line->options[i];
	line->count = left;
	return 0;
}

static int ask_help(struct ctl_line *line, int set)
{
	line->help = set > 0;
	return set;
}

/* What stands in front of "=". */
static bool copy_name(const char *word, char (*name)[64])
{
	size_t len = strcspn(word, "=");

	if (len >= sizeof(*name))
		return false;
	memcpy(*name, word, len);
	(*name)[len] = '\0';
	return true;
}

/* --name, --name=value, --name value; so many dashes. Returns how many words of argv it used. */
static int parse_long(struct ctl_line *line, char **argv, int dashes, struct err *e)
{
	const char *equals = strchr(argv[0], '='), *value = equals ? equals + 1 : NULL;
	const struct ctl_option *o;
	char name[64];
	int r;

	if (!copy_name(argv[0] + dashes, &name))
		return usage(e, line, "this is no option: ", argv[0]);
	if (strcmp(name, "help") == 0)
		return ask_help(line, read_flag(line, argv[0], value, e)) < 0 ? -e->no : 1;
	o = ctl_option_find(line->front, line->command, name);
	if (!o)
		return no_such_option(line, name, e);
	if (o->arg && !value && !argv[1])
		return usage(e, line, "a value is missing after --", name);
	if (!o->arg)
		r = keep_flag(line, o, read_flag(line, argv[0], value, e), e);
	else
		r = keep(line, o, value ? value : argv[1], e);
	return r < 0 ? r : o->arg && !value ? 2 : 1;
}

/* runc's options are as good with one dash, and it has no bundles of letters: what is a whole name is that, in place of `-e nv` for `-env`. */
static bool is_long_with_one_dash(const struct ctl_line *line, const char *word)
{
	char name[64];

	return line->front->as_runc && copy_name(word + 1, &name) && name[0] && name[1] &&
	       (strcmp(name, "help") == 0 || ctl_option_find(line->front, line->command, name));
}

/* -abc, -ovalue, -o value; with runc's -o=value, too. Returns how many words of argv it used. */
static int parse_short(struct ctl_line *line, char **argv, struct err *e)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct ctl_option *o = find_letter(line->front, line->command, *p);
		bool equals = p[1] == '=' && line->front->as_runc;
		const char *value = equals ? p + 2 : NULL;
		int r;

		if (!o && *p != 'h')
			return usage(e, line, "there is no such option: ", argv[0]);
		if (!o || !o->arg) {
			r = read_flag(line, argv[0], value, e);
			r = o ? keep_flag(line, o, r, e) : ask_help(line, r);
			if (r < 0 || value)
				return r < 0 ? r : 1;
			continue;
		}
		if (!p[1] && !argv[1])
			return usage(e, line, "a value is missing after ", argv[0]);
		r = keep(line, o, value ? value : p[1] ? p + 1 : argv[1], e);
		if (r < 0)
			return r;
		return p[1] ? 1 : 2;
	}
	return 1;
}

static int check_words(struct ctl_line *line, struct err *e)
{
	const struct ctl_command *c = line->command;
	bool fits = line->nwords >= c->least && (c->most < 0 || line->nwords <= c->most);

	if (line->help || fits)
		return 0;
	if (line->front->as_runc) {
		err_set(e, EINVAL, "\"%s\" requires %s %d argument(s)", c->name,
			c->least == c->most ? "exactly" : "a minimum of", c->least);
		err_class(e, ERR_USAGE);
		return err_hint(e, "%s %s --help shows them", line->front->name, c->name);
	}
	if (line->nwords < c->least) {
		err_set(e, EINVAL, "%s needs: %s", c->name, c->words);
		err_class(e, ERR_USAGE);
		return err_hint(e, "%s %s --help shows examples", line->front->name, c->name);
	}
	return usage(e, line, "one word too many: ", line->words[c->most]);
}

int ctl_parse(const struct ctl_front *front, int argc, char **argv, struct ctl_line *line,
	      struct err *e)
{
	int i = 1;

	memset(line, 0, sizeof(*line));
	line->front = front;
	line->words = argv + argc; /* the NULL behind argv, until there is a word */
	while (i < argc) {
		char *word = argv[i];
		bool is_option = word[0] == '-' && word[1];
		int r;

		if (strcmp(word, "--") == 0) {
			line->words = argv;
			for (i++; i < argc; i++)
				argv[line->nwords++] = argv[i];
			break;
		}
		if (is_option) {
			r = word[1] == '-'			? parse_long(line, argv + i, 2, e)
			    : is_long_with_one_dash(line, word) ? parse_long(line, argv + i, 1, e)
								: parse_short(line, argv + i, e);
			if (r < 0)
				return r;
			i += r;
			continue;
		}
		if (!line->command && strcmp(word, "help") == 0) {
			line->help = true;
			i++;
			continue;
		}
		if (!line->command) {
			line->command = ctl_command_find(front, word);
			if (!line->command)
				return no_such_verb(front, word, e);
			i++;
			continue;
		}
		/* Words are packed at the front of argv: what stood there has been read. */
		line->words = argv;
		argv[line->nwords++] = word;
		i++;
		if (line->command->name_ends || (line->command->tail && line->nwords > 1)) {
			if (line->nwords == 1 && i < argc && strcmp(argv[i], "--") == 0)
				i++;
			for (; i < argc; i++)
				argv[line->nwords++] = argv[i];
		}
	}
	if (line->nwords)
		argv[line->nwords < argc ? line->nwords : argc] = NULL;
	if (!line->command) {
		if (line->help || ctl_flag(line, "version") || front->as_runc)
			return 0;
		return usage(e, line, "a command is missing", "");
	}
	return check_words(line, e);
}

const char *ctl_value_nth(const struct ctl_line *line, const char *name, int n,
			  const char **spelled)
{
	assert(!line->command || ctl_option_find(line->front, line->command, name));
	for (int i = 0; i < line->count; i++) {
		if (strcmp(meant(line->options[i].option), name) != 0 || n-- > 0)
			continue;
		if (spelled)
			*spelled = line->options[i].option->name;
		return line->options[i].value;
	}
	return NULL;
}

const char *ctl_value(const struct ctl_line *line, const char *name)
{
	const char *last = NULL, *v;

	for (int n = 0; (v = ctl_value_nth(line, name, n, NULL)); n++)
		last = v;
	return last;
}

bool ctl_flag(const struct ctl_line *line, const char *name)
{
	return ctl_value(line, name) != NULL;
}
