// SPDX-License-Identifier: GPL-2.0-only
/* Stages, a bar drawn by a child, and the account. */
#include "checkpoint/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "ns/fds.h"

#define BAR_MS	   100
#define JSON_MS	   500
#define BAR_WIDTH  24
#define LINE_BYTES 160

/* What the painter sees of us: written by one, read by the other, and a torn number is drawn for a tenth of a second. */
struct cr_canvas {
	volatile int stage;
	volatile uint64_t total, written_before, since;
};

static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static const char *const steps[] = {
#define X(name, word) [CR_STEP_##name] = word,
	CR_STEPS(X)
#undef X
};

const char *cr_step_to_str(enum cr_step step)
{
	return steps[step];
}

static void say(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One write: the painter's lines and ours do not mix. */
static void say(int fd, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0 && write(fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return;
}

/* What process pid has written so far, sendfile(2) included (proc_pid_io(5)). */
static uint64_t written(pid_t pid)
{
	auto_free char *text = NULL;
	struct err ignored = {0};
	char path[40];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	if (file_read_at(AT_FDCWD, path, 4096, &text, &ignored) < 0)
		return 0;
	at = strstr(text, "wchar: ");
	return at ? strtoull(at + 7, NULL, 10) : 0;
}

static void draw_bar(const struct cr_canvas *c, int fd, uint64_t bytes)
{
	uint64_t ns = log_now_ns() - c->since;
	char has[24], all[24], rate[24], bar[BAR_WIDTH + 1] = "";
	int full = 0;

	if (c->total) {
		full = (int)(bytes >= c->total ? BAR_WIDTH : bytes * BAR_WIDTH / c->total);
		memset(bar, '#', (size_t)full);
		memset(bar + full, '.', (size_t)(BAR_WIDTH - full));
		bar[BAR_WIDTH] = 0;
	}
	if (!c->total) {
		say(fd, "\r%-9s %5.1f s\033[K", steps[c->stage], (double)ns / 1e9);
		return;
	}
	say(fd, "\r%-9s [%s] %s of %s, %s/s\033[K", steps[c->stage], bar,
	    size_to_str(bytes, has, sizeof(has)), size_to_str(c->total, all, sizeof(all)),
	    size_to_str(ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0, rate, sizeof(rate)));
}

/* I draw until I am killed, or my parent is. */
static _Noreturn void paint(const struct cr_canvas *c, enum cr_progress_kind kind, int fd, pid_t us)
{
	struct err ignored = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ns_fds_close_others(&fd, 1, &ignored);
	while (getppid() == us) {
		uint64_t bytes;

		poll(NULL, 0, kind == CR_PROGRESS_BAR ? BAR_MS : JSON_MS);
		if (c->stage < 0)
			continue;
		bytes = more(written(us), c->written_before);
		if (kind == CR_PROGRESS_BAR)
			draw_bar(c, fd, bytes);
		else if (c->total)
			say(fd,
			    "{\"event\": \"bytes\", \"stage\": \"%s\", \"bytes\": %" PRIu64 "}\n",
			    steps[c->stage], bytes);
	}
	_exit(0);
}

static void start_painter(struct cr_progress *p)
{
	pid_t us = getpid();
	void *shared = mmap(NULL, sizeof(*p->canvas), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return;
	p->canvas = shared;
	p->canvas->stage = -1;
	fflush(NULL);
	p->painter = fork();
	if (p->painter == 0)
		paint(p->canvas, p->kind, p->fd, us);
}

static void forget(const struct cr_progress *p)
{
	if (p->dir && *p->dir >= 0 && unlinkat(*p->dir, CR_PROGRESS_FILE, 0) < 0 && errno != ENOENT)
		log_info("remove " CR_PROGRESS_FILE ": %s", strerror(errno));
}

/* For `migrate --status`. Not flushed: it dies with the migration. */
static void note(const struct cr_progress *p)
{
	auto_json json_t *j = NULL;
	auto_free char *text = NULL;
	struct err ignored = {0};
	json_int_t now = (json_int_t)time(NULL);
	json_int_t began = now - (json_int_t)((log_now_ns() - p->start) / 1000000000);

	if (!p->dir || *p->dir < 0 || p->stage < 0)
		return;
	if (p->stage == CR_STEP_CLEANUP) {
		forget(p);
		return;
	}
	j = json_pack("{s:i, s:i, s:I, s:I, s:s, s:I, s:I, s:o*}", "version", 1, "pid",
		      (int)getpid(), "began", began, "since",
		      now - (json_int_t)((log_now_ns() - p->since) / 1000000000), "stage",
		      steps[p->stage], "total", (json_int_t)p->total, "written_before",
		      (json_int_t)p->written_before, "report", cr_report_to_json(p->report));
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text || file_replace_volatile_at(*p->dir, CR_PROGRESS_FILE, text, strlen(text), 0600,
					      &ignored) < 0)
		log_info("the progress cannot be noted: %s", ignored.text);
}

int cr_progress_read(int dir, json_t **out, struct err *e)
{
	if (faccessat(dir, CR_PROGRESS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look for " CR_PROGRESS_FILE);
	if (json_load_at(dir, CR_PROGRESS_FILE, out, e) >= 0)
		return 1;
	/* It ended in this moment. */
	if (e->no != ENOENT)
		return -e->no;
	err_clear(e);
	return 0;
}

uint64_t cr_progress_sent(const json_t *progress)
{
	json_int_t before = json_integer_value(json_object_get(progress, "written_before"));
	json_int_t pid = json_integer_value(json_object_get(progress, "pid"));

	return before > 0 && pid > 0 && pid <= INT_MAX ? more(written((pid_t)pid), (uint64_t)before)
						       : 0;
}

void cr_progress_init(struct cr_progress *p, enum cr_progress_kind kind, int fd, const int *dir,
		      struct cr_report *report)
{
	*p = (struct cr_progress){
		.kind = kind, .fd = fd, .report = report, .stage = -1, .dir = dir};
	*report = (struct cr_report){0};
	p->start = log_now_ns();
	if (kind != CR_PROGRESS_NONE && fd >= 0)
		start_painter(p);
}

static void end_stage(struct cr_progress *p)
{
	struct cr_report *r = p->report;

	if (p->stage < 0)
		return;
	r->stage[p->stage].done = true;
	r->stage[p->stage].ns += log_now_ns() - p->since;
	if (p->kind == CR_PROGRESS_JSON)
		say(p->fd,
		    "{\"event\": \"stage done\", \"stage\": \"%s\", \"ns\": %" PRIu64
		    ", \"bytes\": %" PRIu64 "}\n",
		    steps[p->stage], r->stage[p->stage].ns, r->stage[p->stage].bytes);
	p->stage = -1;
}

void cr_progress_stage(struct cr_progress *p, enum cr_step step, uint64_t total_bytes)
{
	end_stage(p);
	p->since = log_now_ns();
	p->stage = (int)step;
	if (p->kind == CR_PROGRESS_JSON)
		say(p->fd, "{\"event\": \"stage\", \"stage\": \"%s\", \"total\": %" PRIu64 "}\n",
		    steps[step], total_bytes);
	p->total = total_bytes;
	p->written_before = total_bytes ? written(getpid()) : 0;
	note(p);
	if (!p->canvas)
		return;
	p->canvas->total = total_bytes;
	p->canvas->since = p->since;
	p->canvas->written_before = p->written_before;
	p->canvas->stage = (int)step;
}

void cr_progress_bytes(struct cr_progress *p, uint64_t bytes)
{
	if (p->stage < 0)
		return;
	p->report->stage[p->stage].bytes += bytes;
	p->report->bytes += bytes;
}

void cr_progress_round(struct cr_progress *p, unsigned number, const struct cr_round *round)
{
	if (p->kind == CR_PROGRESS_JSON)
		say(p->fd,
		    "{\"event\": \"round\", \"round\": %u, \"pages\": %" PRIu64
		    ", \"bytes\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"pending\": %" PRIu64
		    ", \"predicted_ns\": %" PRIu64 "}\n",
		    number, round->pages, round->bytes, round->ns, round->pending,
		    round->predicted_ns);
	note(p);
}

void cr_progress_done(struct cr_progress *p)
{
	if (p->start)
		p->report->total_ns = log_now_ns() - p->start;
	end_stage(p);
	p->start = 0;
	forget(p);
	p->dir = NULL;
	if (p->painter > 0) {
		kill(p->painter, SIGKILL);
		while (waitpid(p->painter, NULL, 0) < 0 && errno == EINTR)
			;
		if (p->kind == CR_PROGRESS_BAR)
			say(p->fd, "\r\033[K");
	}
	p->painter = 0;
	if (p->canvas)
		munmap(p->canvas, sizeof(*p->canvas));
	p->canvas = NULL;
}

static size_t put(char *text, size_t size, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static size_t put(char *text, size_t size, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + at, size - at, fmt, ap);
	va_end(ap);
	if (n < 0)
		return at;
	return (size_t)n < size - at ? at + (size_t)n : size - 1;
}

static size_t put_round(char *text, size_t size, size_t at, unsigned number,
			const struct cr_round *round)
{
	double seconds = (double)round->ns / 1e9;
	char bytes[24], left[24], rate[24];

	return put(text, size, at,
		   "  round %-2u %10.3f %10s   %s written since, %s a second: %" PRIu64
		   " ms frozen now\n",
		   number, seconds, size_to_str(round->bytes, bytes, sizeof(bytes)),
		   size_to_str(round->pending, left, sizeof(left)),
		   size_to_str(seconds > 0 ? (uint64_t)((double)round->pending / seconds) : 0, rate,
			       sizeof(rate)),
		   round->predicted_ns / 1000000);
}

size_t cr_report_to_text(const struct cr_report *r, char *text, size_t size)
{
	char bytes[24], after[24];
	size_t at = put(text, size, 0, "%-10s %10s %10s\n", "STAGE", "SECONDS", "SENT");

	for (int i = 0; i < CR_STEP_COUNT; i++) {
		if (!r->stage[i].done)
			continue;
		at = put(text, size, at, "%-10s %10.3f %10s\n", steps[i],
			 (double)r->stage[i].ns / 1e9,
			 r->stage[i].bytes ? size_to_str(r->stage[i].bytes, bytes, sizeof(bytes))
					   : "-");
		for (unsigned n = 0; i == CR_STEP_MEMORY && n < r->rounds; n++)
			at = put_round(text, size, at, n + 1, &r->round[n]);
	}
	at = put(text, size, at, "%-10s %10.3f %10s\n", "total", (double)r->total_ns / 1e9,
		 size_to_str(r->bytes, bytes, sizeof(bytes)));
	if (r->frozen_ns)
		at = put(text, size, at, "%s %.1f ms, mode %s\n",
			 strcmp(r->mode, "restart") != 0 ? "frozen" : "not running",
			 (double)r->frozen_ns / 1e6, r->mode);
	if (r->squeezed.before)
		at = put(text, size, at, "compressed %s to %s\n",
			 size_to_str(r->squeezed.before, bytes, sizeof(bytes)),
			 size_to_str(r->squeezed.after, after, sizeof(after)));
	if (r->tracker_why[0])
		at = put(text, size, at, "written memory was found by %s: %s\n", r->tracker,
			 r->tracker_why);
	return at;
}

static json_t *round_to_json(const struct cr_round *r)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "pages", (json_int_t)r->pages, "bytes",
			 (json_int_t)r->bytes, "ns", (json_int_t)r->ns, "pending",
			 (json_int_t)r->pending, "predicted_ns", (json_int_t)r->predicted_ns);
}

json_t *cr_report_to_json(const struct cr_report *r)
{
	auto_json json_t *stages = json_array();
	auto_json json_t *rounds = json_array();

	for (int i = 0; stages && i < CR_STEP_COUNT; i++)
		if (r->stage[i].done)
			json_array_append_new(stages,
					      json_pack("{s:s, s:I, s:I}", "stage", steps[i], "ns",
							(json_int_t)r->stage[i].ns, "bytes",
							(json_int_t)r->stage[i].bytes));
	for (unsigned i = 0; rounds && i < r->rounds; i++)
		json_array_append_new(rounds, round_to_json(&r->round[i]));
	if (!stages || !rounds)
		return NULL;
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:O, s:O, s:I, s:I, s:I, s:I, s:{s:I, s:I}}",
			 "version", 1, "mode", r->mode, "why", r->why, "tracker", r->tracker,
			 "tracker_why", r->tracker_why, "stages", stages, "rounds", rounds,
			 "frozen_ns", (json_int_t)r->frozen_ns, "total_ns", (json_int_t)r->total_ns,
			 "bytes", (json_int_t)r->bytes, "memory_bytes", (json_int_t)r->memory_bytes,
			 "compressed", "before", (json_int_t)r->squeezed.before, "after",
			 (json_int_t)r->squeezed.after);
}
