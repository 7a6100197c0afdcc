// SPDX-License-Identifier: GPL-2.0-only
/* criu's configuration file, of which a container's checkpoint takes what does no harm. */
#include "checkpoint/bundle_conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "checkpoint/bundle.h"
#include "checkpoint/criu.h"
#include "runtime/spec.h"

#define ANNOTATION "org.criu.config"
#define MOST_BYTES 65536
#define WAIT_MS	   2000 /* for a file that nobody writes to */

enum kind {
	FLAG,	/* criu's alone, without a value */
	VALUE,	/* criu's alone, with one */
	MAYBE,	/* with or without */
	OPTION, /* a flag of struct cr_bundle */
	LOG,
	GROUPS,
};

static const struct {
	const char *name;
	enum kind kind;
	size_t at;
} known[] = {
	{"tcp-established", OPTION, offsetof(struct cr_bundle, tcp_established)},
	{"skip-in-flight", OPTION, offsetof(struct cr_bundle, tcp_skip_in_flight)},
	{"link-remap", OPTION, offsetof(struct cr_bundle, link_remap)},
	{"ext-unix-sk", OPTION, offsetof(struct cr_bundle, ext_unix_sk)},
	{"shell-job", OPTION, offsetof(struct cr_bundle, shell_job)},
	{"file-locks", OPTION, offsetof(struct cr_bundle, file_locks)},
	{"auto-dedup", OPTION, offsetof(struct cr_bundle, auto_dedup)},
	{"manage-cgroups", GROUPS, 0},
	{"log-file", LOG, 0},
	{"verbosity", MAYBE, 0},
	{"tcp-close", FLAG, 0},
	{"force-irmap", FLAG, 0},
	{"evasive-devices", FLAG, 0},
	{"weak-sysctls", FLAG, 0},
	{"display-stats", FLAG, 0},
	{"deprecated", FLAG, 0},
	{"skip-file-rwx-check", FLAG, 0},
	{"ghost-fiemap", FLAG, 0},
	{"allow-uprobes", FLAG, 0},
	{"mntns-compat-mode", FLAG, 0},
	{"tls", FLAG, 0},
	{"tls-no-cn-verify", FLAG, 0},
	{"tls-cacert", VALUE, 0},
	{"tls-cacrl", VALUE, 0},
	{"tls-cert", VALUE, 0},
	{"tls-key", VALUE, 0},
	{"ghost-limit", VALUE, 0},
	{"timeout", VALUE, 0},
	{"irmap-scan-path", VALUE, 0},
	{"skip-mnt", VALUE, 0},
	{"enable-fs", VALUE, 0},
	{"external", VALUE, 0},
	{"cpu-cap", MAYBE, 0},
	{"cgroup-props", VALUE, 0},
	{"cgroup-props-file", VALUE, 0},
	{"cgroup-dump-controller", VALUE, 0},
	{"lsm-profile", VALUE, 0},
	{"lsm-mount-context", VALUE, 0},
	{"pre-dump-mode", VALUE, 0},
	{"file-validation", VALUE, 0},
	{"libdir", VALUE, 0},
};

/* One line, taken apart in place. */
struct statement {
	char *word;
	char *value; /* NULL: none */
};

/* "some \"quoted\" words" # and a comment: the end of it, or NULL. */
static char *unquote(char *value)
{
	char *from = value + 1, *to = value;

	for (; *from && *from != '"'; from++) {
		if (from[0] == '\\' && from[1] == '"')
			from++;
		*to++ = *from;
	}
	if (!*from)
		return NULL;
	*to = 0;
	return from + 1;
}

static bool only_comment(const char *rest)
{
	rest += strspn(rest, " \t\r");
	return !*rest || *rest == '#';
}

/* 1: there is one; 0: an empty line or a comment; < 0: criu would not understand it, either. */
static int take_apart(char *line, struct statement *s)
{
	char *end, *rest;
	bool quoted;

	line += strspn(line, " \t\r");
	*s = (struct statement){.word = line};
	if (!*line || *line == '#')
		return 0;
	end = line + strspn(line, "abcdefghijklmnopqrstuvwxyz-");
	if (end == line || (*end && !strchr(" \t\r=", *end)))
		return -EINVAL;
	rest = end + strspn(end, " \t\r");
	rest += *rest == '=';
	rest += strspn(rest, " \t\r");
	*end = 0;
	if (!*rest || *rest == '#')
		return 1;
	s->value = rest;
	quoted = *rest == '"';
	end = quoted ? unquote(rest) : rest + strcspn(rest, " \t\r#");
	if (!end || !only_comment(end))
		return -EINVAL;
	if (!quoted)
		*end = 0;
	return 1;
}

static int refuse(const char *name, unsigned line, const char *what, const char *word,
		  struct err *e)
{
	err_set(e, EINVAL, "%s, line %u: %s '%.60s'", name, line, what, word);
	return err_class(e, ERR_CONFIG);
}

static int keep(char **into, const char *text, struct err *e)
{
	free(*into);
	*into = strdup(text);
	return *into ? 0 : err_set(e, ENOMEM, "out of memory for criu's words");
}

static int pass(const struct statement *s, struct cr_bundle_conf *conf, struct err *e)
{
	if (conf->n == CR_BUNDLE_CONF_WORDS)
		return err_set(e, E2BIG, "more than %d words for criu", CR_BUNDLE_CONF_WORDS);
	if (asprintf(&conf->words[conf->n], "--%s%s%s", s->word, s->value ? "=" : "",
		     s->value ? s->value : "") < 0)
		return err_set(e, ENOMEM, "out of memory for criu's words");
	conf->n++;
	return 0;
}

static int take(const struct statement *s, const char *name, unsigned line, struct cr_bundle *how,
		struct cr_bundle_conf *conf, struct err *e)
{
	size_t i = 0;
	bool wants, may;

	while (i < ARRAY_SIZE(known) && strcmp(s->word, known[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(known)) {
		refuse(name, line, "criu is not told by this file", s->word, e);
		return err_hint(e,
				"what it would change is skep's to say, or skep does not know it");
	}
	wants = known[i].kind == VALUE || known[i].kind == LOG || known[i].kind == GROUPS;
	may = wants || known[i].kind == MAYBE;
	if ((wants && (!s->value || !*s->value)) || (!may && s->value))
		return refuse(name, line, wants ? "there is no value for" : "there is a value for",
			      s->word, e);
	switch (known[i].kind) {
	case FLAG:
	case VALUE:
	case MAYBE:
		return pass(s, conf, e);
	case OPTION:
		*(bool *)((char *)how + known[i].at) = true;
		return 0;
	case LOG:
		return keep(&conf->log, s->value, e);
	case GROUPS:
		if (keep(&conf->groups, s->value, e) < 0)
			return -e->no;
		how->groups = conf->groups;
		return cr_bundle_judge(how, e) < 0 ? err_wrap(e, "%s, line %u", name, line) : 0;
	}
	return 0;
}

int cr_bundle_conf_parse(const char *text, const char *name, struct cr_bundle *how,
			 struct cr_bundle_conf *conf, struct err *e)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *line;
	unsigned n = 0;

	if (!copy)
		return err_set(e, ENOMEM, "%s: out of memory", name);
	while ((line = strsep(&rest, "\n"))) {
		struct statement s;
		int r = take_apart(line, &s);

		n++;
		if (r < 0)
			return refuse(name, n,
				      "this is no word of criu's, or more than one value:", s.word,
				      e);
		if (r > 0 && take(&s, name, n, how, conf, e) < 0)
			return -e->no;
	}
	return 0;
}

int cr_bundle_conf_load(const struct ct_spec *spec, struct cr_bundle *how,
			struct cr_bundle_conf *conf, struct err *e)
{
	static const char *const usual[] = {"/etc/criu/crun.conf", "/etc/criu/runc.conf"};
	const json_t *given = json_object_get(spec->annotations, ANNOTATION);
	const char *path = json_string_value(given);
	auto_free char *text = NULL;
	struct err why = {0};
	int r = -ENOENT;

	if (path && !*path)
		return 0;
	if (path)
		r = file_read_within_at(AT_FDCWD, path, MOST_BYTES, WAIT_MS, &text, &why);
	for (size_t i = 0; !path && r == -ENOENT && i < ARRAY_SIZE(usual); i++) {
		err_clear(&why);
		r = file_read_within_at(AT_FDCWD, usual[i], MOST_BYTES, WAIT_MS, &text, &why);
		if (r != -ENOENT)
			path = usual[i];
	}
	if (r == -ENOENT && !given)
		return 0;
	if (r >= 0 && strlen(text) != (size_t)r) {
		/* What is behind it would be left out, unnoticed. */
		err_set(e, EINVAL, "%s has a NUL byte", path);
		return err_class(e, ERR_CONFIG);
	}
	if (r >= 0)
		return cr_bundle_conf_parse(text, path, how, conf, e);
	*e = why;
	return given ? err_wrap(e, "annotation " ANNOTATION) : -e->no;
}

void cr_bundle_conf_add(struct cr_criu *c, const struct cr_bundle_conf *conf)
{
	/* Who names a log wants to read it, and with our own level a restore in which all goes well leaves it empty. A "verbosity" of the file's counts, as the later word. */
	if (conf->log)
		cr_criu_add(c, "-v4");
	for (unsigned i = 0; i < conf->n; i++)
		cr_criu_add(c, "%s", conf->words[i]);
	if (conf->log)
		cr_criu_set_log_name(c, conf->log);
}

void cr_bundle_conf_done(struct cr_bundle_conf *conf)
{
	for (unsigned i = 0; i < conf->n; i++)
		free(conf->words[i]);
	free(conf->log);
	free(conf->groups);
	*conf = (struct cr_bundle_conf){0};
}
