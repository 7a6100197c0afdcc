/* SPDX-License-Identifier: GPL-2.0-only */
/* The words on the command line: one table per verb drives parsing, help, completion and the manual. */
#pragma once

/*
 * Life: a struct ctl_command is static and const; ctl_parse() fills a struct ctl_line from argv, which borrows every string from it and
 * lives until the process ends. Handlers ask the line by option name; a name that is not in the verb's table aborts a debug
 * build, so that a table and its handler cannot drift apart.
 */

#include <stdbool.h>
#include <stddef.h>

struct err;
struct ctl_line;

struct ctl_option {
	const char *name;  /* long name without dashes */
	char letter;	   /* short form, or 0 */
	const char *arg;   /* NULL: a flag; else what the value is called in the help ("SIZE") */
	const char *help;  /* one line */
	const char *means; /* the option of the same table that this is another name for, or NULL */
};

/* How a verb is run: host words and what the front end gave it. Returns the process's exit code, or -errno with e filled. */
typedef int (*ctl_run)(struct ctl_line *line, struct err *e);

struct ctl_command {
	const char *name;
	const char *words;   /* "NAME [-- COMMAND...]" */
	const char *summary; /* one line */
	const char *examples[3];
	const struct ctl_option *const *tables; /* NULL-terminated list of option tables */
	int least, most;			/* how many words; most < 0: any number */
	ctl_run run;
	bool tail;	/* the first word after the name ends the options (exec NAME ls -l) */
	bool name_ends; /* the name ends them already (runc's ps NAME -ef) */
	bool hidden;
	const char *also; /* a second name ("delete" for destroy), or NULL */
};

struct ctl_front {
	const char *name; /* skepctl; what it was called by, where that is another one */
	const char *page; /* what its manual page, its examples and its version call it */
	const char *summary;
	const struct ctl_option *global;
	const struct ctl_command *const *commands; /* NULL-terminated */
	bool exit_codes; /* a failure's class is its exit code: the help lists them */
	bool as_runc; /* refuses in runc's words, takes its -name and --flag=false; nothing said at all asks for the help; usage in crun's form */
};

#define CTL_MOST_OPTIONS 128

struct ctl_line {
	const struct ctl_front *front;
	const struct ctl_command *command;
	struct {
		const struct ctl_option *
			option; /* never an alias for itself: `means` is kept to know the spelling */
		const char *value;
	} options[CTL_MOST_OPTIONS];
	int count;
	char **words;
	int nwords;
	bool help;
};

/*
 * Parses argv of a front end: global options, verb, its options and words. Errors are class USAGE, with a hint that names the nearest verb or
 * option when there is one. `--help` anywhere before `--`, or `help` in the place of the
 * verb, sets line->help and drops the checks; the flag `version` needs no verb.
 */
int ctl_parse(const struct ctl_front *front, int argc, char **argv, struct ctl_line *line,
	      struct err *e);

/* 1 or 0 by the words of Go's strconv.ParseBool(), which is how runc reads a flag's; -EINVAL for any other. */
int ctl_truth(const char *word);

/* The value of an option (an alias counts for what it means), NULL if not given; the last one wins. */
const char *ctl_value(const struct ctl_line *line, const char *name);
bool ctl_flag(const struct ctl_line *line, const char *name);

/* The n-th value of an option that may be repeated, NULL after the last; *spelled (may be NULL): the name that was typed. */
const char *ctl_value_nth(const struct ctl_line *line, const char *name, int n,
			  const char **spelled);

/* Finds an option of a verb or of the front's globals by long name; NULL if there is none. */
const struct ctl_option *ctl_option_find(const struct ctl_front *front,
					 const struct ctl_command *command, const char *name);
const struct ctl_command *ctl_command_find(const struct ctl_front *front, const char *name);
