// SPDX-License-Identifier: GPL-2.0-only
/* The preflight as a whole: looks, looks again at what it found, and says it. */
#include "checkpoint/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/group.h"
#include "cgroups/member.h"
#include "checkpoint/preflight_look.h"
#include "runtime/compile.h"

/* It is looked again after 20, 40 ms, and for what may pass after 80, 160, 320: together about as long as a dump would try (dump.c). */
#define SURE_LOOKS    2
#define PASSING_LOOKS 5
#define FIRST_LOOK_MS 20

void cr_preflight_done(struct cr_preflight *p)
{
	free(p->list);
	*p = (struct cr_preflight){0};
}

char *cr_look_read(const struct cr_look_process *p, const char *file, size_t most)
{
	struct err gone = {0};
	char *text = NULL;

	return file_try_read_at(p->proc, file, most, &text, &gone) < 0 ? NULL : text;
}

const struct cr_look_process *cr_look_process(const struct cr_look *l, pid_t pid)
{
	size_t from = 0, to = l->process_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (l->processes[middle].pid == pid)
			return &l->processes[middle];
		if (l->processes[middle].pid < pid)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

const struct cr_look_process *cr_look_init(const struct cr_look *l)
{
	return cr_look_process(l, l->ct->s.pid);
}

const struct cr_look_mount *cr_look_mount(const struct cr_look *l, int id)
{
	for (size_t i = 0; i < l->mount_count; i++)
		if (l->mounts[i].id == id)
			return &l->mounts[i];
	return NULL;
}

bool cr_look_has_ns(const struct cr_look *l, uint64_t inode)
{
	for (size_t i = 0; i < l->process_count; i++)
		for (int k = 0; k < CR_LOOK_NS_COUNT; k++)
			if (l->processes[i].ns[k] == inode)
				return true;
	return false;
}

/* The deepest group of its path that is a unit: ".../user@0.service/app.slice/backup.service" is backup.service. */
static void find_unit(const struct cr_look_process *p, char unit[128])
{
	auto_free char *text = cr_look_read(p, "cgroup", 64 << 10);
	const char *line = text ? cg_member_path(text, "") : NULL;
	size_t n = line ? strlen(line) : 0;

	while (n) {
		const char *name = memrchr(line, '/', n);
		size_t len = name ? (size_t)(line + n - name - 1) : 0;

		if (!name)
			return;
		name++;
		if ((len > 8 && !strncmp(name + len - 8, ".service", 8)) ||
		    (len > 6 && !strncmp(name + len - 6, ".scope", 6))) {
			snprintf(unit, 128, "%.*s", (int)len, name);
			return;
		}
		n = (size_t)(name - 1 - line);
	}
}

/* Names of files and processes are the container's: the line stays one line, and can be written as JSON. */
static void make_line(char *text)
{
	auto_json json_t *utf8 = json_string(text);

	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f || (!utf8 && *c >= 0x80))
			*c = '?';
}

void cr_look_add(struct cr_look *l, const struct cr_look_process *p, const char *kind, bool passing,
		 const char *fix, const char *fmt, ...)
{
	struct cr_preflight *f = l->found;
	struct cr_blocker *b;
	va_list ap;

	if (f->count == CR_BLOCKERS_MOST) {
		f->more = true;
		return;
	}
	b = &f->list[f->count++];
	*b = (struct cr_blocker){
		.kind = kind, .passing = passing, .no = passing ? EAGAIN : EOPNOTSUPP};
	if (p) {
		b->pid = p->inner;
		memcpy(b->name, p->name, sizeof(b->name));
		find_unit(p, b->unit);
	}
	snprintf(b->fix, sizeof(b->fix), "%s", fix);
	va_start(ap, fmt);
	vsnprintf(b->what, sizeof(b->what), fmt, ap);
	va_end(ap);
	make_line(b->what);
	make_line(b->name);
}

static void look_close(struct cr_look *l)
{
	for (size_t i = 0; i < l->process_count; i++)
		own_close_fd(&l->processes[i].proc);
	for (size_t i = 0; i < l->text_count; i++)
		free(l->texts[i]);
	free(l->processes);
	free(l->mounts);
	free(l->texts);
	own_close_fd(&l->root);
	*l = (struct cr_look){.root = -EBADF};
}

/* With the monitor the other end of the console is gone, and criu cannot restore a terminal that was hung up. */
static void look_at_console(struct cr_look *l)
{
	const struct ct_state *s = &l->ct->s;
	struct pollfd ended = {.events = POLLIN};
	auto_fd int monitor = -EBADF;
	struct err why = {0};

	if (!s->terminal[0])
		return;
	monitor = s->monitor > 0 ? proc_open(s->monitor, s->monitor_start, &why) : -ESRCH;
	/* One that nobody has reaped yet still has its number. */
	ended.fd = monitor;
	if (monitor >= 0 && poll(&ended, 1, 0) == 0)
		return;
	cr_look_add(l, NULL, "console", false, "stop and start the container",
		    "its monitor was killed, and its console is gone");
}

/* l: how, and at what; what was read is gone afterwards. */
static int look_once(struct cr_look l, struct cr_preflight *p, struct err *e)
{
	uint64_t began = log_now_ns();
	int r;

	l.found = p;
	p->list = p->list ? p->list : calloc(CR_BLOCKERS_MOST, sizeof(*p->list));
	p->count = 0;
	p->more = false;
	if (!p->list)
		return err_set(e, ENOMEM, "look at the container: no memory");
	r = cr_look_read_processes(&l, e);
	if (r >= 0)
		r = cr_look_read_mounts(&l, e);
	if (r >= 0) {
		look_at_console(&l);
		cr_look_processes(&l);
		cr_look_mounts(&l);
		cr_look_fds(&l);
		cr_look_maps(&l);
		cr_look_links(&l);
		log_debug("preflight: %zu processes, %zu mounts, %zu blockers in %llu us",
			  l.process_count, l.mount_count, p->count,
			  (unsigned long long)(log_now_ns() - began) / 1000);
	}
	look_close(&l);
	return r;
}

static bool same(const struct cr_blocker *a, const struct cr_blocker *b)
{
	return !strcmp(a->kind, b->kind) && a->pid == b->pid && !strcmp(a->what, b->what);
}

/* Keeps of p what is in again, too. Returns how many of them may pass. */
static size_t keep_common(struct cr_preflight *p, const struct cr_preflight *again)
{
	size_t kept = 0, passing = 0;

	for (size_t i = 0; i < p->count; i++)
		for (size_t j = 0; j < again->count; j++)
			if (same(&p->list[i], &again->list[j])) {
				passing += p->list[i].passing;
				p->list[kept++] = p->list[i];
				break;
			}
	p->count = kept;
	return passing;
}

static void drop_passing(struct cr_preflight *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (!p->list[i].passing)
			p->list[kept++] = p->list[i];
	p->count = kept;
}

/*
 * A look at programs that run sees one file here and, a moment later, another one there; and a daemon that was just started still has the files of who started
 * it. What is not there every time was such a sight. What passes by its nature is looked at for longer; a dump does not ask for it, since it tries again itself.
 */
int cr_preflight(const struct ct *ct, const struct ct_definition *d, enum cr_preflight_for what_for,
		 struct cr_preflight *p, struct err *e)
{
	auto_preflight struct cr_preflight again = {0};
	auto_cg struct cg cg = CG_INIT;
	bool quickly = what_for == CR_PREFLIGHT_DUMP;
	const struct cr_look how = {.ct = ct,
				    .cg = &cg,
				    .caps = ct_compile_capabilities(d),
				    .quickly = quickly,
				    .root = -EBADF};
	size_t passing = 0;
	int ms = FIRST_LOOK_MS, r = ct_may(ct, CT_EVENT_SUSPEND, NULL, e);

	if (r >= 0)
		r = cg_open(ct->s.cgroup, &cg, e);
	if (r >= 0)
		r = look_once(how, p, e);
	if (r >= 0 && quickly)
		drop_passing(p);
	for (int looks = 0; r >= 0 && p->count && looks < (passing ? PASSING_LOOKS : SURE_LOOKS);
	     looks++, ms *= 2) {
		/* Nothing tells when a program has read its answer. */
		(void)poll(NULL, 0, ms);
		r = look_once(how, &again, e);
		passing = r < 0 ? 0 : keep_common(p, &again);
	}
	return r < 0 ? r : 0;
}

void cr_blocker_to_str(const struct cr_blocker *b, char *text, size_t size)
{
	if (!b->pid)
		snprintf(text, size, "%s; %s", b->what, b->fix);
	else if (b->unit[0])
		snprintf(text, size, "process %d (%s, unit %s) %s; %s", b->pid, b->name, b->unit,
			 b->what, b->fix);
	else
		snprintf(text, size, "process %d (%s) %s; %s", b->pid, b->name, b->what, b->fix);
}

int cr_preflight_judge(const struct cr_preflight *p, struct err *e)
{
	const struct cr_blocker *b = p->list;
	char who[256] = "it", more[64] = "";

	if (!p->count)
		return 0;
	if (b->pid && b->unit[0])
		snprintf(who, sizeof(who), "process %d (%s, unit %s)", b->pid, b->name, b->unit);
	else if (b->pid)
		snprintf(who, sizeof(who), "process %d (%s)", b->pid, b->name);
	if (p->count > 1)
		snprintf(more, sizeof(more), "; and %zu more (skepctl suspend --check)",
			 p->count - 1);
	if (b->pid)
		err_set(e, b->no, "%s %s%s", who, b->what, more);
	else
		err_set(e, b->no, "%s%s", b->what, more);
	err_hint(e, "%s", b->fix);
	return err_class(e, ERR_CHECKPOINT);
}

json_t *cr_preflight_to_json(const struct cr_preflight *p)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < p->count; i++) {
		const struct cr_blocker *b = &p->list[i];
		json_t *j = json_pack("{s:s, s:o, s:s?, s:s?, s:s, s:s}", "kind", b->kind, "pid",
				      b->pid ? json_integer(b->pid) : json_null(), "process",
				      b->pid ? b->name : NULL, "unit", b->unit[0] ? b->unit : NULL,
				      "what", b->what, "fix", b->fix);

		if (json_array_append_new(list, j) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
