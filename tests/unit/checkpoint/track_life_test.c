// SPDX-License-Identifier: GPL-2.0-only
/* The tracker, and processes that change: execve, fork, other mappings, other tracers, and everything at once. */
#include "churn.h"
#include "worker.h"

#include <sched.h>
#include <sys/ptrace.h>

static int maps_a_file(struct worker *w)
{
	char name[] = "/var/tmp/skep-test-XXXXXX";
	auto_fd int fd = mkstemp(name);

	unlink(name);
	next_word(w);
	if (ftruncate(fd, CR_PAGE_SIZE) || mmap(w->area, CR_PAGE_SIZE, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_FIXED, fd, 0) != w->area)
		return 2;
	w->area[0] = 55;
	next_word(w);
	return 0;
}

/* Where memory was that had been sent, there is a mapping that is not followed: its page is none of those that were sent. */
static void another_kind_of_mapping(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct cr_track_stats s = {0};
	struct err e = {0};
	struct cr_run one;
	struct lab l;

	begin(&l, "file", b, maps_a_file);
	one_round(&l);
	tell(&l, 'm');
	OK(cg_freeze(&l.cg, 30000, &e));
	one = (struct cr_run){(uint64_t)(uintptr_t)l.w.area, 1};
	OK(cr_track_final(l.t, (uint32_t)l.w.pid, &one, 1, to_store, &l.to, &s, &e));
	assert_int_equal(s.pages, 1);
	same_memory(&l.to, l.w.pid, (uint32_t)l.w.pid, &one, 1);
	end(&l);
}

static int replaces_itself(struct worker *w)
{
	char fd[12];

	next_word(w);
	snprintf(fd, sizeof(fd), "%d", w->done[1]);
	execl("/proc/self/exe", "quiet", "quiet", fd, NULL);
	return 2;
}

static int quiet_main(int done)
{
	char *m = filled();

	if (write(done, &m, sizeof(m)) != sizeof(m))
		return 1;
	for (;;)
		pause();
	return 0;
}

/* Other memory at the same addresses, perhaps: nothing of the old one counts. */
static void execve_begins_anew(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct lab l;

	begin(&l, "exec", b, replaces_itself);
	one_round(&l);
	tell(&l, 'x');
	if (b == CR_TRACK_UFFD) {
		assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES);
		one_round(&l);
		assert_int_equal(l.last.gone, 1);
		one_round(&l);
		assert_true(l.last.pages >= PAGES);
	} else {
		/* Where it has the same as before at the same address, it has it there already. */
		final_is_exact(&l.cg, l.t, &l.to);
		one_round(&l);
		one_round(&l);
	}
	assert_int_equal(l.last.untracked, 0);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	end(&l);
}

static int has_children(struct worker *w)
{
	pid_t pid;

	next_word(w);
	pid = fork();
	if (pid == 0) {
		w->area[0] = 77;
		for (;;)
			pause();
	}
	w->area[CR_PAGE_SIZE] = 78;
	next_word(w);
	kill(pid, SIGKILL);
	test_reap(pid);
	next_word(w);
	return 0;
}

static void fork_and_exit(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct lab l;

	begin(&l, "fork", b, has_children);
	one_round(&l);
	tell(&l, 'f');
	/* Before a round saw the child, and after. */
	assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES);
	one_round(&l);
	assert_int_equal(l.last.processes, 2);
	assert_int_equal(l.last.untracked, 0);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	tell(&l, 'k');
	one_round(&l);
	assert_int_equal(l.last.processes, 1);
	assert_int_equal(l.last.gone, 1);
	end(&l);
}

static int has_twin(struct worker *w)
{
	next_word(w);
	if (vfork() == 0) {
		/* Our parent stands still, and its memory is ours. */
		for (unsigned i = 0; i < 50; i++) {
			w->area[i * CR_PAGE_SIZE] = 99;
			next_word(w);
		}
		_exit(0);
	}
	next_word(w);
	return 0;
}

/* The child of a vfork(2) must not take the news of its parent's memory. */
static void a_twin_takes_no_news(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct lab l;

	begin(&l, "twin", b, has_twin);
	one_round(&l);
	for (int i = 0; i < 8; i++) {
		tell(&l, 'v');
		one_round(&l);
		assert_int_equal(l.last.processes, 2);
		/* Uffd does not follow the child; by soft-dirty all of it is news at first. */
		assert_int_equal(l.last.untracked, b == CR_TRACK_UFFD);
		if (b == CR_TRACK_UFFD)
			assert_int_equal(l.last.stop_ns, 0);
		if (b == CR_TRACK_UFFD || i > 0)
			assert_in_range(l.last.pages, 1, 2 * OWN_PAGES);
		tell(&l, 'w');
		final_is_exact(&l.cg, l.t, &l.to);
	}
	end(&l);
}

static void who_cannot_be_entered(void **state)
{
	struct err e = {0};
	struct lab l;

	(void)state;
	begin(&l, "traced", CR_TRACK_UFFD, write_pages);
	assert_int_equal(ptrace(PTRACE_SEIZE, l.w.pid, NULL, NULL), 0);
	one_round(&l);
	assert_int_equal(l.last.pages, 0);
	assert_int_equal(l.last.untracked, 1);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, l.w.pid, NULL, NULL), 0);
	test_reap(l.w.pid);
	assert_int_equal(ptrace(PTRACE_DETACH, l.w.pid, NULL, NULL), 0);
	OK(cg_freeze(&l.cg, 30000, &e));
	one_round(&l);
	assert_int_equal(l.last.untracked, 1);
	assert_int_equal(l.last.stop_ns, 0);
	OK(cg_thaw(&l.cg, 30000, &e));
	assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES);
	tell(&l, 1);
	/* Twice the same answer to a final is no proof for the next one: nobody watched. */
	assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES);
	one_round(&l);
	assert_int_equal(l.last.untracked, 0);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	end(&l);
}

static int in_own_namespace(struct worker *w)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 2;
	pid = fork();
	if (pid == 0) {
		next_word(w);
		_exit(0);
	}
	test_reap(pid);
	return 0;
}

static void ids_are_the_innermost(void **state)
{
	struct lab l;

	(void)state;
	begin(&l, "ids", CR_TRACK_UFFD, in_own_namespace);
	one_round(&l);
	assert_int_equal(l.last.processes, 2);
	assert_int_equal(l.to.count, 2);
	assert_int_equal(l.to.stores[0].id, l.w.pid);
	assert_int_equal(l.to.stores[1].id, 1);
	end(&l);
}

/* Everything at once, at random, while rounds go on. Every final is exact. */
static void churned(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	auto_track struct cr_track *t = NULL;
	struct cr_track_stats all = {0};
	struct target to = {0};
	struct err e = {0};
	uint64_t last = 0;
	pid_t pids[4];
	struct cg cg;

	need(b);
	test_make("churn", &cg);
	for (uintptr_t i = 0; i < 3; i++)
		pids[i] = test_spawn(&cg, test_churn, (void *)(i + (uintptr_t)getpid()));
	pids[3] = test_spawn(&cg, test_threads, (void *)99);
	print_message("seed %d\n", getpid());
	OK(cr_track_open(&cg, b, &t, &e));
	for (unsigned i = 0; i < (b == CR_TRACK_CONTENT ? 3 : 8); i++) {
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			OK(cr_track_round(t, to_store, &to, &all, &e));
			poll(NULL, 0, (int)(i * 7 % 11));
		}
		last += final_is_exact(&cg, t, &to);
	}
	print_message("rounds %lu pages (%lu dirty), finals %lu; gone %u, untracked %u of %u\n",
		      all.pages, all.dirty, last, all.gone, all.untracked, all.processes);
	/* Whoever came out of a visit with a wrong register would hardly live. */
	for (int i = 0; i < 4; i++) {
		int status = 0;

		if (waitpid(pids[i], &status, WNOHANG) != 0)
			fail_msg("process %d has ended with status %x", pids[i], (unsigned)status);
	}
	cr_track_close(&t);
	OK(cg_kill(&cg, &e));
	for (int i = 0; i < 4; i++)
		test_reap(pids[i]);
	target_done(&to);
	test_end(&cg);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		FOLLOWED(another_kind_of_mapping),
		FOLLOWED(execve_begins_anew),
		FOLLOWED(fork_and_exit),
		FOLLOWED(a_twin_takes_no_news),
		cmocka_unit_test(who_cannot_be_entered),
		cmocka_unit_test(ids_are_the_innermost),
		EACH(churned),
	};

	if (argc == 3 && !strcmp(argv[1], "churn"))
		return test_churn((void *)(uintptr_t)strtoull(argv[2], NULL, 10));
	if (argc == 3 && !strcmp(argv[1], "quiet"))
		return quiet_main(atoi(argv[2]));
	return cmocka_run_group_tests_name("track_life", tests, small_pages, test_clean);
}
