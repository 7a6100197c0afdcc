// SPDX-License-Identifier: GPL-2.0-only
/* skep's notices and failures: for people on standard error, for the caller's programs in the file of --log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "ctl/oci.h"

static int log_fd = -EBADF; /* of --log, or -EBADF; open until the end */
static bool as_json;
static const char *program = "skep";

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static void now(char out[32])
{
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* The two forms that containerd's and Podman's readers know from runc. The caller's. */
static char *format(enum log_level level, const char *text)
{
	auto_json json_t *j = NULL;
	char *line = NULL;
	char time[32];

	now(time);
	if (as_json) {
		/* A byte of a path that is no UTF-8 must not cost the whole message. */
		j = json_pack("{s:s, s:s, s:s}", "level", level_words[level], "msg", text, "time",
			      time);
		if (!j)
			j = json_pack("{s:s, s:s, s:s}", "level", level_words[level], "msg",
				      "a message that is not UTF-8", "time", time);
		return j ? json_dumps(j, JSON_COMPACT) : NULL;
	}
	if (asprintf(&line, "time=\"%s\" level=%s msg=\"%s\"", time, level_words[level], text) < 0)
		return NULL;
	return line;
}

/* One write a line: several commands append to one file. */
static void to_file(enum log_level level, const char *text)
{
	auto_free char *line = log_fd >= 0 ? format(level, text) : NULL;
	size_t len;

	if (!line)
		return;
	len = strlen(line);
	line[len] = '\n'; /* in place of the 0 */
	if (write(log_fd, line, len + 1) < 0)
		fprintf(stderr, "%s: write the log: %s\n", program, strerror(errno));
}

static void sink(enum log_level level, const char *text)
{
	if (log_fd >= 0)
		to_file(level, text);
	else
		fprintf(stderr, "%s: %s%s\n", program, level == LOG_LEVEL_WARN ? "warning: " : "",
			text);
}

int ctl_oci_log_open(const struct ctl_line *line, struct err *e)
{
	const char *path = ctl_value(line, "log"), *form = ctl_value(line, "log-format");

	program = line->front->name;
	if (form && strcmp(form, "text") != 0 && strcmp(form, "json") != 0) {
		err_set(e, EINVAL, "--log-format: '%.40s' is not text or json", form);
		return err_class(e, ERR_VALUE);
	}
	as_json = form && strcmp(form, "json") == 0;
	log_to(sink, ctl_flag(line, "debug") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	if (!path || !*path)
		return 0;
	/* A FIFO that nobody reads must hold us neither now nor when it is full. */
	log_fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (log_fd >= 0)
		return 0;
	err_sys(e, "open the log %s", path);
	return e->no == ENXIO ? err_hint(e, "nobody reads there") : -e->no;
}

int ctl_oci_report(const struct ctl_line *line, const struct err *e)
{
	bool is_exec = line->command == &ctl_oci_exec;

	to_file(LOG_LEVEL_ERROR, e->text);
	fprintf(stderr, "%s: %s\n", line->front->name, e->text);
	if (e->hint[0])
		fprintf(stderr, "hint: %s\n", e->hint);
	/* As the library that runc parses its line with has it. */
	if (!line->command && e->class == ERR_USAGE && strncmp(e->text, "No help", 7) == 0)
		return 3;
	if (e->class == ERR_NOT_FOUND || e->class == ERR_NOT_RUNNABLE)
		return is_exec || line->command == &ctl_oci_run ? err_class_exit_code(e->class) : 1;
	return is_exec ? 255 : 1;
}
