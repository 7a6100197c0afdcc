// SPDX-License-Identifier: GPL-2.0-only
/* skepctl migrate: a container to another host, and finishing a move that was interrupted. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "checkpoint/journal.h"
#include "checkpoint/migrate.h"
#include "checkpoint/settle.h"
#include "ctl/migrate_status.h"
#include "ctl/preflight.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"
#include "ctl/words.h"

#define MOST_WORDS 32
#define MOST_TRIES 8

/* bit/s: of less than 8 no byte a second is left, which is no limit; and whoever says 1 means mbit. */
#define LEAST_RATE 64000

/* The command that reaches the other host, and the one it runs there: as words. */
struct commands {
	char rsh_text[1024], skepctl_text[1024];
	char *rsh[MOST_WORDS], *skepctl[MOST_WORDS];
};

static int split(const struct ctl_line *line, const char *option, char *buf, size_t size,
		 char **words, const char *const **out, struct err *e)
{
	const char *value = ctl_value(line, option), *why = "is empty";
	int n;

	if (!value)
		return 0;
	n = ctl_words(value, buf, size, words, MOST_WORDS, &why);
	if (n <= 0) {
		err_set(e, EINVAL, "--%s: '%.64s' %s", option, value, why);
		return err_class(e, ERR_VALUE);
	}
	*out = (const char *const *)words;
	return 0;
}

static int progress_kind(const struct ctl_line *line, enum cr_progress_kind *kind, struct err *e)
{
	static const char *const words[] = {
#define X(name, word) [CR_PROGRESS_##name] = word,
		CR_PROGRESS_KINDS(X)
#undef X
	};
	const char *value = ctl_value(line, "progress");

	*kind = isatty(STDERR_FILENO) && !ctl_flag(line, "quiet") ? CR_PROGRESS_BAR
								  : CR_PROGRESS_NONE;
	if (!value)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], value) == 0) {
			*kind = (enum cr_progress_kind)i;
			return 0;
		}
	err_set(e, EINVAL, "--progress: '%.64s' is not one of none, bar, json", value);
	return err_class(e, ERR_VALUE);
}

static int remote(const struct ctl_line *line, struct commands *c, struct cr_remote *r,
		  struct err *e)
{
	r->host = line->nwords > 1 ? line->words[1] : NULL;
	r->progress_fd = STDERR_FILENO;
	if (split(line, "rsh", c->rsh_text, sizeof(c->rsh_text), c->rsh, &r->rsh, e) < 0 ||
	    split(line, "remote", c->skepctl_text, sizeof(c->skepctl_text), c->skepctl, &r->skepctl,
		  e) < 0)
		return -e->no;
	return progress_kind(line, &r->progress, e);
}

/* Who reads events on standard error gets the account as the last of them. */
static int account(const struct ctl_line *line, enum cr_progress_kind progress,
		   const struct cr_report *report, struct err *e)
{
	bool whole = ctl_flag(line, "json");
	auto_json json_t *j = NULL;
	char text[2048];

	if (!whole && ctl_flag(line, "quiet"))
		return 0;
	if (!whole && progress != CR_PROGRESS_JSON) {
		cr_report_to_text(report, text, sizeof(text));
		fputs(text, stderr);
		return 0;
	}
	j = cr_report_to_json(report);
	if (j && !whole)
		j = json_pack("{s:s, s:o}", "event", "done", "report", j);
	if (!j)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(j, whole ? stdout : stderr, whole ? JSON_INDENT(2) : 0);
	fputc('\n', whole ? stdout : stderr);
	return 0;
}

static void done(const struct ctl_line *line, const char *fmt, const char *host)
{
	if (!ctl_flag(line, "json"))
		ctl_done(line, line->words[0], fmt, host);
}

static int finish(struct ctl_line *line, struct ct_system *s, const struct cr_remote *r,
		  struct err *e)
{
	struct cr_report report = {0};

	if (ctl_flag(line, "abort")) {
		if (cr_migrate_abort(s, r, e) < 0)
			return -e->no;
		done(line, "the migration is undone, it belongs to this host%s", "");
		return 0;
	}
	if (cr_migrate_continue(s, r, &report, e) < 0)
		return -e->no;
	done(line, "the migration is finished, the other host has it%s", "");
	return 0;
}

/* This is the other host, and what it received is not a container yet. */
static int settle(struct ctl_line *line, const struct ct_host *h, struct err *e)
{
	err_clear(e);
	if (cr_settle_here(h, line->words[0], ctl_flag(line, "abort"), e) < 0)
		return -e->no;
	done(line,
	     ctl_flag(line, "abort") ? "what was received is removed%s" : "it is this host's%s",
	     "");
	return 0;
}

/* What is tried one after the other. */
struct tries {
	enum cr_mode mode[MOST_TRIES];
	size_t count;
};

static int add_try(struct tries *t, const char *option, const char *word, struct err *e)
{
	enum cr_mode mode;

	if (cr_mode_from_str(word, &mode, e) < 0)
		return err_wrap(e, "--%s", option);
	if (t->count == MOST_TRIES) {
		err_set(e, E2BIG, "--%s: more than %d modes", option, MOST_TRIES);
		return err_class(e, ERR_VALUE);
	}
	t->mode[t->count++] = mode;
	return 0;
}

static int read_tries(const struct ctl_line *line, struct tries *t, struct err *e)
{
	const char *mode = ctl_value(line, "mode"), *list = ctl_value(line, "fallback");
	char words[128], *save = NULL;

	if (mode || !list) {
		if (add_try(t, "mode", mode ? mode : "auto", e) < 0 || !list)
			return e->no ? -e->no : 0;
	}
	if ((size_t)snprintf(words, sizeof(words), "%s", list) >= sizeof(words)) {
		err_set(e, EINVAL, "--fallback: '%.64s...' is too long", list);
		return err_class(e, ERR_VALUE);
	}
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save))
		if (add_try(t, "fallback", w, e) < 0)
			return -e->no;
	if (t->count)
		return 0;
	err_set(e, EINVAL, "--fallback: '%s' names no mode", list);
	return err_class(e, ERR_VALUE);
}

static int read_bounds(const struct ctl_line *line, struct cr_migrate *how, struct err *e)
{
	const char *downtime = ctl_value(line, "max-downtime"), *rate = ctl_value(line, "bwlimit");
	const char *timeout = ctl_value(line, "timeout"), *compress = ctl_value(line, "compress");
	uint64_t bits = 0;
	int64_t ms = 0, seconds = -1;

	if (downtime && size_parse_number("--max-downtime", downtime, 1, 3600000, &ms, e) < 0)
		return err_hint(e, "milliseconds, without a unit: --max-downtime 200");
	if (rate && size_parse_rate("--bwlimit", rate, &bits, e) < 0)
		return -e->no;
	if (rate && bits < LEAST_RATE) {
		err_set(e, EINVAL, "--bwlimit: '%.64s' is less than 64kbit, the least there is",
			rate);
		err_hint(e, "a bare number is bits a second: 64kbit, 500mbit, 1gbit");
		return err_class(e, ERR_VALUE);
	}
	if (compress && squeeze_when_from_str(compress, &how->compress, e) < 0)
		return err_wrap(e, "--compress");
	if (timeout && size_parse_number("--timeout", timeout, 0, 86400, &seconds, e) < 0)
		return -e->no;
	how->stop_timeout_s = (int)seconds;
	how->max_downtime_ms = (uint64_t)ms;
	how->bound = downtime != NULL;
	how->bytes_per_s = bits / 8;
	return 0;
}

/* Until one succeeds, or fails in a way that another mode would, too. */
static int try_all(const struct ctl_line *line, struct ct_system *s, struct cr_migrate *how,
		   const struct tries *t, struct cr_report *report, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < t->count; i++) {
		how->mode = t->mode[i];
		r = cr_migrate(s, how, report, e);
		if (r >= 0 || i + 1 == t->count || !report->other_mode)
			break;
		log_warn("CT %s: %s; now in mode %s", line->words[0], e->text,
			 cr_mode_to_str(t->mode[i + 1]));
		err_clear(e);
	}
	return r;
}

/* What a checkpoint needs is nothing to one that is shut down. */
static void keep_restart(struct tries *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->mode[i] == CR_MODE_RESTART)
			t->mode[n++] = CR_MODE_RESTART;
	if (n)
		t->count = 1;
}

/* What a try has found, in words or as JSON. mode: which would be taken; empty: none is left, or it does not run. */
static int tell_dry(const struct ctl_line *line, const char *host, const char *mode, int blockers,
		    json_t *list, struct err *e)
{
	const char *name = line->words[0];

	if (ctl_flag(line, "json"))
		return ctl_preflight_print(name, mode[0] ? mode : NULL, list ? list : json_array(),
					   e);
	if (e->no)
		return 0;
	if (blockers)
		ctl_done(line, name,
			 "it would be moved to %s in mode %s, which needs no checkpoint", host,
			 mode);
	else if (mode[0])
		ctl_done(line, name,
			 "it would be moved to %s in mode %s: nothing stands against it", host,
			 mode);
	else
		ctl_done(line, name, "could be migrated to %s: nothing stands against it", host);
	return 0;
}

/* As a migration would go now: what stands against the first mode, what the other host says, and the mode that is left. */
static int try_dry(struct ctl_line *line, struct ct_system *s, struct cr_migrate *how,
		   struct tries *t, struct err *e)
{
	struct cr_report report = {0};
	enum ct_system_status status;
	json_t *list = NULL;
	int blockers = 0;

	if (ct_system_status(s, &status, e) < 0)
		return -e->no;
	if (status == CT_SYSTEM_RUNNING && t->mode[0] != CR_MODE_RESTART)
		blockers = ctl_preflight(line, s, &list, e);
	if (blockers < 0)
		return blockers;
	if (blockers)
		keep_restart(t);
	if (try_all(line, s, how, t, &report, e) >= 0 && t->mode[0] != CR_MODE_RESTART)
		ctl_preflight_judge(blockers, e);
	if (e->no || status != CT_SYSTEM_RUNNING)
		report.mode[0] = 0;
	tell_dry(line, how->remote.host, report.mode, blockers, list, e);
	return -e->no;
}

static int move(struct ctl_line *line, struct ct_system *s, const struct cr_remote *r,
		struct err *e)
{
	struct cr_migrate how = {
		.remote = *r, .dry_run = ctl_flag(line, "dry-run"), .keep = ctl_flag(line, "keep")};
	struct tries tries = {.count = 0};
	struct cr_report report = {0};

	if (read_tries(line, &tries, e) < 0 || read_bounds(line, &how, e) < 0)
		return -e->no;
	if (how.dry_run)
		return try_dry(line, s, &how, &tries, e);
	if (try_all(line, s, &how, &tries, &report, e) < 0)
		return -e->no;
	if (account(line, r->progress, &report, e) < 0)
		return -e->no;
	done(line, "migrated to %s", r->host);
	return 0;
}

/* What an interrupted migration was given counts: nothing may seem to be heard that is not, least of all that it is only tried, or that nothing is deleted. */
static int check_finish(const struct ctl_line *line, struct err *e)
{
	static const char *const beginning[] = {"dry-run", "keep"};

	for (size_t i = 0; i < ARRAY_SIZE(beginning); i++) {
		if (!ctl_flag(line, beginning[i]))
			continue;
		err_set(e, EINVAL, "--%s belongs to the beginning of a migration, not to --%s",
			beginning[i], ctl_flag(line, "abort") ? "abort" : "continue");
		err_hint(e, "skepctl migrate %s --status tells what there is to be finished",
			 line->words[0]);
		return err_class(e, ERR_USAGE);
	}
	return 0;
}

static int check_words(const struct ctl_line *line, bool finishing, struct err *e)
{
	if (ctl_flag(line, "status") && (finishing || line->nwords != 1)) {
		err_set(e, EINVAL, "--status goes with the name alone");
		return err_class(e, ERR_USAGE);
	}
	if (ctl_flag(line, "abort") && ctl_flag(line, "continue")) {
		err_set(e, EINVAL, "--continue and --abort at once: which is it?");
		return err_class(e, ERR_USAGE);
	}
	if (finishing && check_finish(line, e) < 0)
		return -e->no;
	if (finishing || line->nwords == 2 || ctl_flag(line, "status"))
		return 0;
	err_set(e, EINVAL, "migrate needs the host to go to");
	err_hint(e, "skepctl migrate %s HOST", line->words[0]);
	return err_class(e, ERR_USAGE);
}

/* Where another command is taking it just now; empty: nowhere. */
static void look_ahead(const struct ct_host *h, const char *name, char *host, size_t size)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct cr_journal j;
	struct err none = {0};

	host[0] = 0;
	if (ct_system_open(h, name, NULL, &s, &none) >= 0 &&
	    cr_journal_load(s.dir, &j, &none) > 0 && j.point != CR_POINT_RECEIVING)
		snprintf(host, size, "%s", j.host);
}

/* Locked. It may be gone when whoever had the lock is done with it. */
static int open_to_move(const struct ct_host *h, const char *name, struct ct_system *s,
			struct err *e)
{
	char host[256];

	look_ahead(h, name, host, sizeof(host));
	if (ctl_system(h, name, "migrate", s, e) >= 0)
		return 0;
	if (e->class != ERR_NO_SUCH_CT || !host[0])
		return -e->no;
	err_clear(e);
	err_set(e, ENOENT, "it is not here any more: it has just been migrated to %s", host);
	return err_class(e, ERR_NO_SUCH_CT);
}

static int run(struct ctl_line *line, struct err *e)
{
	bool finishing = ctl_flag(line, "continue") || ctl_flag(line, "abort");
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct cr_remote r = {0};
	struct commands commands;
	struct ct_host h;

	/* A link that breaks is a failure to be handled, not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	if (check_words(line, finishing, e) < 0 || remote(line, &commands, &r, e) < 0 ||
	    ctl_host(line, &h, e) < 0)
		return -e->no;
	if (ctl_flag(line, "status"))
		return ctl_system(&h, line->words[0], NULL, &s, e) < 0
			       ? -e->no
			       : ctl_migrate_status(line, &s, e);
	if (open_to_move(&h, line->words[0], &s, e) < 0)
		return finishing && e->class == ERR_IN_DOUBT ? settle(line, &h, e) : -e->no;
	return finishing ? finish(line, &s, &r, e) : move(line, &s, &r, e);
}

static const struct ctl_option options[] = {
	{.name = "mode",
	 .arg = "MODE",
	 .help = "auto, live, precopy, content, hybrid, postcopy, suspend or restart: how its memory goes, if it runs (auto)"},
	{.name = "fallback",
	 .arg = "MODES",
	 .help = "what is tried when a mode cannot be: a list like live,suspend,restart"},
	{.name = "max-downtime",
	 .arg = "MS",
	 .help = "in the modes precopy and content: give up, and let it run here, when it would stand still for longer (300 is the aim without it)"},
	{.name = "bwlimit",
	 .arg = "RATE",
	 .help = "of all that is sent while it runs, as 500mbit (64kbit at least): files and memory together"},
	{.name = "compress",
	 .arg = "WHEN",
	 .help = "what is sent: auto, when the link is slower than that; zstd, always; none (auto)"},
	{.name = "timeout",
	 .letter = 't',
	 .arg = "SECONDS",
	 .help = "in mode restart alone: how long it may take to end by itself"},
	{.name = "rsh",
	 .arg = "COMMAND",
	 .help = "what reaches the other host, called as ssh is: COMMAND HOST skepctl ... (ssh)"},
	{.name = "remote",
	 .arg = "COMMAND",
	 .help = "what skepctl is there: \"skepctl --root /srv/skep\" (skepctl)"},
	{.name = "dry-run",
	 .letter = 'n',
	 .help = "only check whether it could be done, and in which mode"},
	{.name = "keep", .help = "do not delete it here; it cannot start here, either"},
	{.name = "continue",
	 .help = "finish an interrupted migration: it goes on there, or here if the other host never took it"},
	{.name = "abort",
	 .help = "undo an interrupted migration: this host keeps it, if the other never took it"},
	{.name = "status", .help = "how far the migration is that another command is at"},
	{.name = "progress", .arg = "KIND", .help = "none, bar or json, on standard error"},
	{.name = "json", .letter = 'j', .help = "print stages and times as JSON"},
	{.name = "online", .help = NULL}, /* vzmigrate's words for what is our default */
	{.name = "live", .help = NULL},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_migrate = {
	.name = "migrate",
	.words = "NAME [HOST]",
	.summary = "move a container to another host, running",
	.examples = {"skepctl migrate 101 host2", "skepctl migrate --dry-run web host2",
		     "skepctl migrate --max-downtime 200 --fallback hybrid,suspend web host2"},
	.tables = tables,
	.least = 1,
	.most = 2,
	.run = run,
};
