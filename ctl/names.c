// SPDX-License-Identifier: GPL-2.0-only
/* One container or many. */
#include "ctl/names.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "ctl/report.h"
#include "ctl/target.h"

/* Each is a process that waits; what they have in common is the disk and the kernel's own locks. */
#define MOST_AT_ONCE 16

struct one {
	char name[65];
	int order;
};

struct many {
	struct one *list; /* owned */
	size_t count;
	bool boot; /* only those that start with the host */
	bool down; /* in the opposite order, those of one order side by side */
	ctl_for_one fn;
	enum err_class pointless;
};

static int take(struct ct_system *s, const struct err *broken, void *arg, struct err *e)
{
	struct many *m = arg;
	struct one *list;

	/* A broken one is taken, too: the verb says what is wrong with it. */
	if (m->boot && !broken && !s->d.autostart)
		return 0;
	list = reallocarray(m->list, m->count + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "out of memory for names");
	m->list = list;
	memcpy(list[m->count].name, s->d.name, sizeof(list->name));
	list[m->count++].order = broken ? 0 : s->d.order;
	return 0;
}

/* Those of the same order stay in that of their names: each has its number in the walk by its place. */
static void sort_by_order(struct many *m)
{
	for (size_t i = 1; i < m->count; i++) {
		struct one moved = m->list[i];
		size_t k = i;

		for (; k && m->list[k - 1].order > moved.order; k--)
			m->list[k] = m->list[k - 1];
		m->list[k] = moved;
	}
}

/* Does it to one of many. Returns its exit code. */
static int one_of_many(const struct ctl_line *line, const struct ct_host *h, char *name,
		       const struct many *m, bool asked_for)
{
	struct ctl_line one = *line;
	struct err e = {0};
	int r;

	one.words = &name;
	one.nwords = 1;
	r = m->fn(&one, h, name, &e);
	if (r >= 0)
		return r;
	if (!asked_for && m->pointless != ERR_SYSTEM && e.class == m->pointless) {
		log_info("%s: %s", name, e.text);
		return 0;
	}
	return ctl_report(&one, &e);
}

/* Starts a process that does it to that one. Returns 0, or, where none can be made, the exit code of having done it here. */
static int begin_one(const struct ctl_line *line, const struct ct_host *h, struct one *one,
		     const struct many *m, unsigned *at_work)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return one_of_many(line, h, one->name, m, false);
	if (pid > 0) {
		++*at_work;
		return 0;
	}
	/* Whoever ends us means all of us. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	int code = one_of_many(line, h, one->name, m, false);

	fflush(NULL);
	_exit(code);
}

/* Waits until one of them has ended. Returns its exit code. */
static int end_one(unsigned *at_work)
{
	int status = 0;

	while (wait(&status) < 0 && errno == EINTR)
		;
	--*at_work;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A host that goes down waits for the slowest of each order, not for one after the other. */
static int all_down(const struct ctl_line *line, const struct ct_host *h, const struct many *m)
{
	unsigned at_work = 0;
	int first = 0;

	for (size_t i = m->count; i-- > 0;) {
		bool last = i == 0 || m->list[i - 1].order != m->list[i].order;
		int code = begin_one(line, h, &m->list[i], m, &at_work);

		first = first ? first : code;
		while (at_work && (last || at_work == MOST_AT_ONCE)) {
			code = end_one(&at_work);
			first = first ? first : code;
		}
	}
	return first;
}

static int all(struct ctl_line *line, const struct ct_host *h, struct many *m, struct err *e)
{
	auto_free struct one *list = NULL;
	struct err why = {0};
	int first = 0, r;

	/* The host starts: whoever was making or removing something is dead. */
	if (m->boot && ct_system_sweep(h, &why) < 0)
		log_warn("%s", why.text);
	r = ct_system_each(h, take, m, e);
	list = m->list;
	if (r < 0)
		return r;
	if (m->boot || m->down)
		sort_by_order(m);
	if (m->down)
		return all_down(line, h, m);
	for (size_t i = 0; i < m->count; i++) {
		int code = one_of_many(line, h, list[i].name, m, false);

		first = first ? first : code;
	}
	return first;
}

static int check(const struct ctl_line *line, bool walk, struct err *e)
{
	if (walk && line->nwords)
		err_set(e, EINVAL, "all of them, or those that are named: which is it?");
	else if (!walk && !line->nwords)
		err_set(e, EINVAL, "%s needs the name of a container, or --all",
			line->command->name);
	else
		return 0;
	err_hint(e, "skepctl list shows them");
	return err_class(e, ERR_USAGE);
}

static int each(struct ctl_line *line, struct many m, struct err *e)
{
	bool walk = m.boot || ctl_flag(line, "all");
	struct ct_host h;
	int first = 0;

	if (check(line, walk, e) < 0 || ctl_host(line, &h, e) < 0)
		return -e->no;
	if (walk)
		return all(line, &h, &m, e);
	if (line->nwords == 1)
		return m.fn(line, &h, line->words[0], e);
	for (int i = 0; i < line->nwords; i++) {
		int code = one_of_many(line, &h, line->words[i], &m, true);

		first = first ? first : code;
	}
	return first;
}

int ctl_each_name(struct ctl_line *line, ctl_for_one fn, enum err_class pointless, struct err *e)
{
	bool boot = ctl_option_find(line->front, line->command, "boot") && ctl_flag(line, "boot");

	return each(line, (struct many){.boot = boot, .fn = fn, .pointless = pointless}, e);
}

int ctl_each_name_down(struct ctl_line *line, ctl_for_one fn, enum err_class pointless,
		       struct err *e)
{
	return each(line, (struct many){.down = true, .fn = fn, .pointless = pointless}, e);
}
