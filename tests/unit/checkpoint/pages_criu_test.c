// SPDX-License-Identifier: GPL-2.0-only
/* A process through criu dump --lazy-pages and criu restore --lazy-pages with skep-pages: its memory afterwards is what it was. */
#include "tests/unit/checkpoint/pages_lab.h"

#include <pthread.h>
#include <sys/pidfd.h>

#include "cgroups/entry.h"
#include "checkpoint/criu.h"
#include "checkpoint/pages_serve.h"

/* --- the process: tests/pattern.c --- */

static pid_t victim; /* ended with a test that failed */

static pid_t start_process(const struct lab *l, int *file)
{
	char program[PATH_MAX];
	pid_t pid;

	lab_beside("../../pattern", program, sizeof(program));
	*file = openat(l->state, "result", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	pid = fork();
	if (pid == 0) {
		setsid();
		dup2(dup(*file), 3); /* which it may be: then not to be closed any more */
		/* criu would take along what we were started with */
		syscall(SYS_close_range, 4, ~0u, 0);
		execl(program, "pattern", "3", NULL);
		_exit(127);
	}
	victim = pid;
	return pid;
}

/* pid is our child. */
static void await(pid_t pid, int file, const char *word)
{
	char text[256];
	ssize_t n;

	/* A file has no event for this; the process is on its way. */
	for (int ms = 0; ms < DEADLINE_MS; ms += 2) {
		siginfo_t end = {0};
		bool ended = waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			     end.si_pid;

		n = pread(file, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		if (strstr(text, word))
			return;
		if (ended)
			break;
		poll(NULL, 0, 2);
	}
	fail_msg("the process said '%s'", text);
}

/* --- criu --- */

/* I am criu: what I restore is in the test's control group. */
static int enter_group(void *arg, struct err *e)
{
	struct lab *l = arg;

	return cg_add(&l->cg, getpid(), true, e);
}

/* Stops the process and makes its images, without its memory. Returns criu's pidfd: it waits for somebody to ask for the pages, which nobody does. */
static int dump(struct lab *l, pid_t pid, struct cr_criu *c)
{
	struct pollfd p = {.events = POLLIN};
	struct err e = {0};
	int status[2], pidfd;
	pid_t criu;
	char word;

	assert_int_equal(pipe2(status, O_CLOEXEC), 0);
	must(cr_criu_init(c, "dump", ERR_CHECKPOINT, l->images, &e));
	cr_criu_add(c, "--tree");
	cr_criu_add(c, "%d", pid);
	cr_criu_add(c, "--lazy-pages");
	cr_criu_add(c, "--address");
	cr_criu_add(c, "127.0.0.1");
	cr_criu_add(c, "--port");
	cr_criu_add(c, "%d", 20000 + getpid() % 20000);
	cr_criu_add(c, "--manage-cgroups=ignore");
	cr_criu_add(c, "--status-fd");
	cr_criu_add(c, "%d", cr_criu_pass(c, status[1]));
	must(pidfd = cr_criu_start(c, NULL, &criu, &e));
	close(status[1]);
	p.fd = status[0];
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	if (read(status[0], &word, 1) != 1) {
		struct err why = {0};

		cr_criu_wait(c, NULL, pidfd, &why);
		fail_msg("criu dump: %s", why.text);
	}
	close(status[0]);
	return pidfd;
}

static void kill_both(pid_t pid, int criu)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	pidfd_send_signal(criu, SIGKILL, NULL, 0);
	waitid(P_PIDFD, (id_t)criu, &info, WEXITED);
	close(criu);
	waitpid(pid, NULL, 0);
	victim = 0;
}

static pid_t restore(struct lab *l, struct err *e)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_free char *number = NULL;

	if (cr_criu_init(&c, "restore", ERR_RESTORE, l->images, e) < 0)
		return -e->no;
	cr_criu_add(&c, "--restore-detached");
	cr_criu_add(&c, "--restore-sibling");
	cr_criu_add(&c, "--manage-cgroups=ignore");
	cr_criu_add(&c, "--lazy-pages");
	cr_criu_add(&c, "--pidfile");
	cr_criu_add(&c, "pid");
	c.prepare = enter_group;
	c.prepare_arg = l;
	if (cr_criu_run(&c, NULL, e) < 0 || file_read_at(l->images, "pid", 32, &number, e) < 0)
		return -e->no;
	return (pid_t)atoi(number);
}

/* --- its pages --- */

struct copy {
	pid_t pid;
	struct cr_pages *here, *there;
	bool divide; /* between both */
	unsigned runs;
};

static int copy_process(const struct cr_pagemap *map, void *arg, struct err *e)
{
	static uint8_t data[CR_PAGES_RUN_MOST * 4096];
	struct copy *c = arg;

	for (size_t i = 0; i < map->count; i++) {
		const struct cr_page_run *run = &map->runs[i];
		struct cr_pages *to = c->divide && c->runs++ % 2 ? c->there : c->here;

		if (!(run->flags & CR_PAGE_LAZY))
			continue;
		for (uint64_t done = 0; done < run->npages;) {
			uint64_t left = run->npages - done, vaddr = run->vaddr + done * PAGE;
			int n = cr_pages_read_process(
				c->pid, vaddr,
				(uint32_t)(left < CR_PAGES_RUN_MOST ? left : CR_PAGES_RUN_MOST),
				data, e);

			if (n <= 0)
				return e->no ? -e->no : err_set(e, EIO, "no page there");
			if (cr_pages_put(to, map->id, vaddr, (uint64_t)n, data, e) < 0)
				return -e->no;
			done += (uint64_t)n;
		}
	}
	return 0;
}

struct source {
	pthread_t thread;
	struct cr_pages *pages;
	int fd, r;
	struct cr_pages_served served;
};

static int give(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg, struct err *e)
{
	struct source *s = arg;
	uint32_t n = 0;
	int r = 1;

	while (r > 0 && n < npages) {
		r = cr_pages_get(s->pages, id, vaddr + n * PAGE, (uint8_t *)data + n * PAGE, e);
		n += r > 0;
	}
	return r < 0 ? r : (int)n;
}

static void *serve(void *arg)
{
	struct source *s = arg;
	struct err e = {0};

	s->r = cr_pages_serve(s->fd, s->fd, give, NULL, s, &s->served, &e);
	close(s->fd);
	return NULL;
}

static void start_source(struct lab *l, struct source *s, struct cr_pages *pages)
{
	int pair[2];

	*s = (struct source){.pages = pages};
	lab_source(l, pair);
	s->fd = pair[0];
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

/* --- both ways --- */

static void move(struct lab *l, bool divide)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_pages struct cr_pages *there = NULL;
	struct copy copy = {.here = l->store, .divide = divide};
	struct cr_pages_report report;
	struct cr_pages_need need;
	struct source source;
	struct err e = {0};
	int file, criu;
	pid_t pid;

	pid = start_process(l, &file);
	must(cr_pages_new(1ul << 30, &there, &e));
	copy.there = there;
	await(pid, file, "ready");
	copy.pid = pid;
	criu = dump(l, pid, &c);
	must(cr_pagemap_each(l->images, copy_process, &copy, &e));
	kill_both(pid, criu);
	must(cr_pages_check(l->store, l->images, &need, &e));
	assert_true(need.lazy >= PATTERN_COUNT - PATTERN_COUNT / 100);
	assert_int_equal(need.missing * CR_PAGE_BYTES, cr_pages_bytes(there));
	assert_int_equal(need.missing > 0, divide);
	if (divide)
		start_source(l, &source, there);
	lab_start(l);
	if (divide)
		close(l->source[1]);
	pid = restore(l, &e);
	lab_must(pid > 0, &e, "restore", __LINE__);
	kill(pid, SIGUSR1);
	report = lab_report(l);
	assert_int_equal(report.resident, 1);
	assert_int_equal(report.fetched, need.missing);
	assert_true(report.pushed > 0);
	await(pid, file, "ready compared");
	kill(pid, SIGUSR1);
	assert_int_equal(lab_end_of(pid), 0);
	if (divide) {
		pthread_join(source.thread, NULL);
		assert_int_equal(source.r, 0);
		assert_true(source.served.zeroes > 0);
	}
	assert_int_equal(cr_pages_wait(l->state, DEADLINE_MS, &e), 0);
	close(file);
}

static void test_stored(void **state)
{
	if (!*state)
		skip();
	move(*state, false);
}

static void test_divided(void **state)
{
	if (!*state)
		skip();
	move(*state, true);
}

/* A test that has no criu is skipped, each by itself. */
static int set_up(void **state)
{
	char program[256];
	struct err e = {0};

	if (cr_criu_find(program, &e) < 0) {
		print_message("skip: %s\n", e.text);
		*state = NULL;
		return 0;
	}
	return lab_set_up(state);
}

static int tear_down(void **state)
{
	if (victim)
		kill(victim, SIGKILL);
	victim = 0;
	return *state ? lab_tear_down(state) : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_divided, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
