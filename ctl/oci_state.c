// SPDX-License-Identifier: GPL-2.0-only
/* skep state, list, ps: what there is. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"
#include "ctl/oci.h"
#include "ctl/report.h"
#include "runtime/members.h"

static int print_json(json_t *j, size_t flags, struct err *e)
{
	auto_free char *text = j ? json_dumps(j, flags) : NULL;

	if (!text)
		return err_set(e, ENOMEM, "out of memory for JSON");
	puts(text);
	return ctl_flush(e);
}

/* --format table or json; table if not given. */
static int wants_json(const struct ctl_line *line, struct err *e)
{
	const char *form = ctl_value(line, "format");

	if (!form || !strcmp(form, "table"))
		return 0;
	if (!strcmp(form, "json"))
		return 1;
	err_set(e, EINVAL, "--format: '%.40s' is not table or json", form);
	return err_class(e, ERR_VALUE);
}

/* Who made it: the owner of its state. */
static void owner_of(const struct ct *ct, char *out, size_t size)
{
	FILE *users;
	struct passwd *pw = NULL;
	struct stat st;

	if (fstat(ct->dir, &st) < 0)
		st.st_uid = 0;
	if (st.st_uid == 0) {
		snprintf(out, size, "root");
		return;
	}
	/* Not getpwuid(3): a static program would load whatever nsswitch.conf names, of another libc as may be, and has crashed there. */
	users = fopen("/etc/passwd", "re");
	while (users && (pw = fgetpwent(users)) && pw->pw_uid != st.st_uid)
		;
	if (users)
		fclose(users);
	if (pw)
		snprintf(out, size, "%s", pw->pw_name);
	else
		snprintf(out, size, "#%u", st.st_uid);
}

/* OCI's document, with what runc adds to it, in its order, and crun: the unit of systemd's. The caller's. */
static int describe(const struct ct *ct, json_t **out, struct err *e)
{
	auto_json json_t *j = NULL, *annotations = NULL;
	const char *unit = strchr(ct->s.scope, ':');
	char owner[64];

	if (ct_state_to_oci(ct, &j, e) < 0)
		return -e->no;
	owner_of(ct, owner, sizeof(owner));
	/* These two stand behind the root file system. */
	annotations = json_incref(json_object_get(j, "annotations"));
	(void)json_object_del(j, "annotations");
	(void)json_object_del(j, "created");
	if ((ct->s.rootfs[0] && json_object_set_new(j, "rootfs", json_string(ct->s.rootfs)) < 0) ||
	    json_object_set_new(j, "created", json_string(ct->s.created)) < 0 ||
	    (annotations && json_object_set(j, "annotations", annotations) < 0) ||
	    json_object_set_new(j, "owner", json_string(owner)) < 0 ||
	    (unit && json_object_set_new(j, "systemd-scope", json_string(unit + 1)) < 0))
		return err_set(e, ENOMEM, "out of memory for JSON");
	*out = take_ptr(&j);
	return 0;
}

static int run_state(struct ctl_line *line, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	auto_json json_t *j = NULL;
	int r = ctl_oci_open(line, NULL, &ct, e);

	if (r >= 0)
		r = ct_await_creator(&ct, e);
	if (r > 0) {
		ct_close(&ct);
		r = ctl_oci_open(line, NULL, &ct, e);
	}
	if (r < 0 || describe(&ct, &j, e) < 0)
		return -e->no;
	return print_json(j, JSON_INDENT(2), e);
}

struct listing {
	json_t *all; /* for JSON */
	bool quiet;
};

static const char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text ? text : "";
}

static int list_one(struct ct *ct, void *arg, struct err *e)
{
	struct listing *l = arg;
	auto_json json_t *j = NULL;

	if (l->quiet) {
		puts(ct->s.id);
		return 0;
	}
	if (describe(ct, &j, e) < 0)
		return -e->no;
	return json_array_append(l->all, j) < 0 ? err_set(e, ENOMEM, "out of memory for JSON") : 0;
}

static void print_row(const char *id, const char *pid, const char *status, const char *bundle,
		      const char *created, const char *owner, const int width[2])
{
	printf("%-*s  %-8s  %-8s  %-*s  %-20s  %s\n", width[0], id, pid, status, width[1], bundle,
	       created, owner);
}

static void print_table(const json_t *all)
{
	int width[2] = {2, 6};
	size_t i;
	json_t *j;

	json_array_foreach (all, i, j) {
		int id = (int)strlen(text_of(j, "id")), bundle = (int)strlen(text_of(j, "bundle"));

		width[0] = id > width[0] ? id : width[0];
		width[1] = bundle > width[1] ? bundle : width[1];
	}
	print_row("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", width);
	json_array_foreach (all, i, j) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d",
			 (int)json_integer_value(json_object_get(j, "pid")));
		print_row(text_of(j, "id"), pid, text_of(j, "status"), text_of(j, "bundle"),
			  text_of(j, "created"), text_of(j, "owner"), width);
	}
}

static int run_list(struct ctl_line *line, struct err *e)
{
	auto_json json_t *all = json_array();
	struct listing l = {.all = all, .quiet = ctl_flag(line, "quiet")};
	int json = wants_json(line, e);

	/* A default one is not there before the first container; one that is named is a mistake. */
	if (json >= 0 && ctl_flag(line, "root") && access(ctl_oci_root(line), F_OK) < 0)
		return err_sys(e, "open %s", ctl_oci_root(line));
	if (json < 0 || ct_each(ctl_oci_root(line), list_one, &l, e) < 0)
		return -e->no;
	if (l.quiet)
		return ctl_flush(e);
	if (json)
		return print_json(all, JSON_COMPACT, e);
	print_table(all);
	return ctl_flush(e);
}

#define PS_WORDS_MOST 32

/* The output of the host's ps with the options that were given, "-ef" without any, from its beginning. */
static FILE *ask_ps(const struct ctl_line *line, struct err *e)
{
	const char *argv[PS_WORDS_MOST + 2] = {"ps", "-ef"};
	auto_fd int out = memfd_create("skep-ps", MFD_CLOEXEC);
	char said[256];
	const struct proc_run run = {
		.argv = argv, .out = out, .said = said, .said_size = sizeof(said)};
	FILE *f;
	int r;

	if (out < 0) {
		err_sys(e, "make a memory file");
		return NULL;
	}
	for (int i = 1; i < line->nwords && i <= PS_WORDS_MOST; i++)
		argv[i] = line->words[i];
	r = proc_run(&run, e);
	if (r > 0)
		err_set(e, EINVAL, "ps: %.200s", said);
	if (r != 0)
		return NULL;
	f = fdopen(out, "r");
	if (f)
		take_fd(&out);
	else
		err_sys(e, "read what ps said");
	if (f)
		rewind(f);
	return f;
}

/* The n-th word of a line; NULL if it has fewer. */
static const char *word_nth(const char *text, int n)
{
	for (text += strspn(text, " "); n-- > 0; text += strspn(text, " "))
		text += strcspn(text, " \n");
	return *text && *text != '\n' ? text : NULL;
}

static bool is_one_of(const char *word, const pid_t *pids, int count)
{
	long pid = word ? strtol(word, NULL, 10) : 0;

	for (int i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The lines with one of our pids: columns are whatever the options ask for, one of them PID. */
static int print_ps(const struct ctl_line *line, const pid_t *pids, int count, struct err *e)
{
	auto_file FILE *f = ask_ps(line, e);
	auto_free char *text = NULL;
	const char *word = NULL;
	size_t size = 0;
	int column = -1;

	if (!f)
		return -e->no;
	while (getline(&text, &size, f) > 0) {
		if (column >= 0) {
			if (is_one_of(word_nth(text, column), pids, count))
				fputs(text, stdout);
			continue;
		}
		do
			word = word_nth(text, ++column);
		while (word && (strncmp(word, "PID", 3) != 0 || !strchr(" \n", word[3])));
		if (!word) {
			err_set(e, EINVAL, "ps shows no column PID with these options");
			return err_class(e, ERR_USAGE);
		}
		fputs(text, stdout);
	}
	return ctl_flush(e);
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static int run_ps(struct ctl_line *line, struct err *e)
{
	auto_json json_t *all = json_array();
	auto_ct struct ct ct = CT_INIT;
	auto_free pid_t *pids = NULL;
	int json = wants_json(line, e), count;

	if (json < 0 || ctl_oci_open(line, NULL, &ct, e) < 0)
		return -e->no;
	count = ct_members(&ct, &pids, e);
	if (count < 0)
		return count;
	qsort(pids, (size_t)count, sizeof(*pids), by_number);
	if (!json)
		return print_ps(line, pids, count, e);
	for (int i = 0; i < count; i++)
		if (json_array_append_new(all, json_integer(pids[i])) < 0)
			return err_set(e, ENOMEM, "out of memory for JSON");
	return print_json(all, JSON_COMPACT, e);
}

static const struct ctl_option form_options[] = {
	{.name = "format", .letter = 'f', .arg = "FORMAT", .help = "table or json"},
	{0},
};
static const struct ctl_option list_options[] = {
	{.name = "quiet", .letter = 'q', .help = "names only"},
	{0},
};
static const struct ctl_option *const list_tables[] = {form_options, list_options, NULL};
static const struct ctl_option *const ps_tables[] = {form_options, NULL};

const struct ctl_command ctl_oci_state = {
	.name = "state",
	.words = "CONTAINER",
	.summary = "print what a container is and does, as JSON",
	.examples = {"skep state web | jq -r .status"},
	.least = 1,
	.most = 1,
	.run = run_state,
};

const struct ctl_command ctl_oci_list = {
	.name = "list",
	.words = "",
	.summary = "list the containers",
	.examples = {"skep list", "skep list --format json"},
	.tables = list_tables,
	.run = run_list,
};

const struct ctl_command ctl_oci_ps = {
	.name = "ps",
	.words = "CONTAINER [PS OPTIONS...]",
	.summary = "list a container's processes as the host sees them",
	.examples = {"skep ps web", "skep ps --format json web", "skep ps web -o pid,rss,args"},
	.tables = ps_tables,
	.least = 1,
	.most = -1,
	.name_ends = true,
	.run = run_ps,
};
