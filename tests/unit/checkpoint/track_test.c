// SPDX-License-Identifier: GPL-2.0-only
/* What the tracker of a container's memory gives, round by round. */
#include "worker.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/feat.h"
#include "base/file.h"
#include "base/proc.h"
#include "checkpoint/criu.h"

static void rounds_give_what_was_written(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct err e = {0};
	uint64_t pending;
	struct lab l;

	begin(&l, "counts", b, write_pages);
	OK(cr_track_pending(l.t, &pending, &e));
	assert_true(pending == UINT64_MAX);
	one_round(&l);
	assert_true(l.last.pages >= PAGES);
	assert_int_equal(l.last.fresh, l.last.pages);
	assert_int_equal(l.last.bytes, l.last.pages * CR_PAGE_SIZE);
	assert_int_equal(l.last.processes, 1);
	assert_int_equal(l.last.untracked, 0);
	one_round(&l);
	assert_in_range(l.last.pages, 0, OWN_PAGES);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	for (char c = 1; c <= 40; c++)
		tell(&l, c);
	OK(cr_track_pending(l.t, &pending, &e));
	if (b != CR_TRACK_CONTENT)
		assert_in_range(pending, 40, 40 + OWN_PAGES);
	one_round(&l);
	assert_in_range(l.last.pages, 40, 40 + OWN_PAGES);
	assert_in_range(l.last.dirty, 40, 40 + OWN_PAGES);
	for (char c = 1; c <= 5; c++)
		tell(&l, c);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 5, 5 + OWN_PAGES);
	assert_in_range(cr_track_memory(l.t), 100, 1 << 20);
	end(&l);
}

/* Also the second half of what the header says of final and left. */
static void left_names_what_final_gives(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	auto_free struct cr_run *needed = NULL, *left = NULL;
	struct cr_track_stats stats = {0};
	struct err e = {0};
	char page[CR_PAGE_SIZE];
	uint64_t sum = 0;
	struct lab l;
	size_t n;
	int count;

	begin(&l, "left", b, write_pages);
	one_round(&l);
	for (char c = 1; c <= 20; c++)
		tell(&l, c);
	OK(cg_freeze(&l.cg, 30000, &e));
	n = needed_of(l.w.pid, &needed);
	OK(count = cr_track_left(l.t, (uint32_t)l.w.pid, needed, n, &left, &e));
	for (int i = 0; i < count; i++)
		sum += left[i].npages;
	assert_in_range(sum, 20, 20 + OWN_PAGES);
	OK(cr_track_read(l.t, (uint32_t)l.w.pid, (uint64_t)(uintptr_t)l.w.area + 8 * CR_PAGE_SIZE,
			 1, page, &e));
	assert_int_equal(page[11], 8 % 251 + 2);
	assert_int_equal(page[12], 8 % 251 + 1);
	OK(cr_track_final(l.t, (uint32_t)l.w.pid, needed, n, to_store, &l.to, &stats, &e));
	assert_int_equal(stats.pages, sum);
	same_memory(&l.to, l.w.pid, (uint32_t)l.w.pid, needed, n);
	stats.pages = 0;
	OK(cr_track_final(l.t, (uint32_t)l.w.pid, needed, n, to_store, &l.to, &stats, &e));
	assert_int_equal(stats.pages, 0);
	end(&l);
}

static void wrong_questions(void **state)
{
	static const struct cr_run wrong[][2] = {
		{{4096, 0}, {8192, 1}},
		{{4097, 1}, {8192, 1}},
		{{4096, 2}, {8192, 1}},
		{{8192, 1}, {4096, 1}},
		{{1ull << 57, 1}, {1ull << 58, 1}},
		{{4096, 1ull << 52}, {1ull << 60, 1}},
		{{4096, UINT64_MAX}, {1ull << 60, 1}},
		{{0xfffffffffffff000, 1}, {0, 1}},
	};
	struct cr_run one = {4096, 1};
	struct cr_track_stats s = {0};
	struct cr_run *left;
	struct err e = {0};
	struct lab l;
	uint32_t id;
	char page[CR_PAGE_SIZE];

	(void)state;
	begin(&l, "wrong", CR_TRACK_UFFD, write_pages);
	id = (uint32_t)l.w.pid;
	one_round(&l);
	OK(cg_freeze(&l.cg, 30000, &e));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		err_clear(&e);
		assert_int_equal(cr_track_final(l.t, id, wrong[i], 2, to_store, &l.to, &s, &e),
				 -EINVAL);
		assert_int_equal(cr_track_left(l.t, id, wrong[i], 2, &left, &e), -EINVAL);
	}
	err_clear(&e);
	assert_int_equal(cr_track_final(l.t, 1u << 30, &one, 1, to_store, &l.to, &s, &e), -ESRCH);
	err_clear(&e);
	assert_int_equal(cr_track_final(l.t, id, &one, 1, to_store, &l.to, &s, &e), -EFAULT);
	err_clear(&e);
	assert_int_equal(cr_track_read(l.t, id, 4096, 1, page, &e), -EFAULT);
	err_clear(&e);
	assert_int_equal(cr_track_read(l.t, id, 0, CR_TRACK_BATCH + 1, page, &e), -EINVAL);
	end(&l);
}

/* The sink gives up in the middle of a round: what it did not take comes in the final. */
static void a_sink_that_fails(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct cr_track_stats s = {0};
	struct err e = {0};
	struct lab l;

	begin(&l, "sink", b, write_pages);
	l.to.fail_after = 3;
	assert_int_equal(cr_track_round(l.t, to_store, &l.to, &s, &e), -EPIPE);
	assert_string_equal(e.text, "the test's sink is full");
	assert_true(s.pages > 0 && s.pages < PAGES);
	assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES - s.pages);
	/* And in a later one: these pages are protected again, and had been sent before. */
	one_round(&l);
	for (char c = 1; c <= 20; c++)
		tell(&l, c);
	l.to.fail_after = 1;
	err_clear(&e);
	assert_int_equal(cr_track_round(l.t, to_store, &l.to, &s, &e), -EPIPE);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 20, 20 + OWN_PAGES);
	end(&l);
}

static int odd_memory(struct worker *w)
{
	char *sparse = mmap(NULL, 1ull << 40, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sparse == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < 8; i++)
		sparse[i << 37] = 1;
	next_word(w);
	mprotect(w->area, MEMORY / 2, PROT_NONE);
	next_word(w);
	return 0;
}

static unsigned long status_kb(pid_t pid, const char *key)
{
	char path[48], line[256];
	auto_file FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			return strtoul(line + strlen(key), NULL, 10);
	fail_msg("%s has no %s", path, key);
	return 0;
}

/* A terabyte with holes costs nothing, neither time nor page tables; and what may not be read is read. */
static void holes_and_inaccessible_pages(void **state)
{
	unsigned long tables;
	struct lab l;

	(void)state;
	begin(&l, "odd", CR_TRACK_UFFD, odd_memory);
	tables = status_kb(l.w.pid, "VmPTE:");
	one_round(&l);
	one_round(&l);
	assert_in_range(l.last.ns, 0, 20000000000ull);
	assert_in_range(status_kb(l.w.pid, "VmPTE:"), tables, tables + 100);
	tell(&l, 'n');
	one_round(&l);
	final_is_exact(&l.cg, l.t, &l.to);
	cr_track_close(&l.t);
	/* From nothing: all of the inaccessible half has to be read in the final. */
	target_done(&l.to);
	{
		struct err e = {0};

		OK(cr_track_open(&l.cg, CR_TRACK_UFFD, &l.t, &e));
	}
	assert_true(final_is_exact(&l.cg, l.t, &l.to) >= PAGES);
	end(&l);
}

static int count_in(pid_t pid, const char *file, const char *text)
{
	char path[48], line[512];
	auto_file FILE *f = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, "VmFlags:", 8) && strstr(line, text);
	return n;
}

static int count_fds(pid_t pid)
{
	auto_dir DIR *d = NULL;
	char path[48];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	return n;
}

static void no_trace_remains(void **state)
{
	struct lab l;
	int fds;

	(void)state;
	begin(&l, "trace", CR_TRACK_UFFD, write_pages);
	fds = count_fds(l.w.pid);
	one_round(&l);
	assert_true(count_in(l.w.pid, "smaps", " uw") > 0);
	assert_int_equal(count_fds(l.w.pid), fds);
	cr_track_close(&l.t);
	assert_int_equal(count_in(l.w.pid, "smaps", " uw"), 0);
	tell(&l, 1);
	end(&l);
}

static int direct_io(struct worker *w)
{
	char name[] = "/var/tmp/skep-test-XXXXXX";
	auto_fd int made = mkstemp(name), fd = open(name, O_RDONLY | O_DIRECT);

	unlink(name);
	if (fd < 0)
		return 2;
	for (;;) {
		unsigned char c = (unsigned char)next_word(w);

		w->area[(size_t)c * CR_PAGE_SIZE]++;
	}
	return made;
}

/* What a device may still be writing into goes once more, in the next round or in the final. */
static void direct_io_is_given_twice(void **state)
{
	struct lab l;

	(void)state;
	begin(&l, "direct", CR_TRACK_UFFD, direct_io);
	one_round(&l);
	one_round(&l);
	assert_true(l.last.pages >= PAGES);
	one_round(&l);
	assert_in_range(l.last.pages, 0, 2 * OWN_PAGES);
	for (char c = 0; c < 30; c++)
		tell(&l, c);
	one_round(&l);
	assert_in_range(l.last.pages, 30, 30 + OWN_PAGES);
	one_round(&l);
	assert_in_range(l.last.pages, 30, 30 + OWN_PAGES);
	for (char c = 0; c < 30; c++)
		tell(&l, c);
	one_round(&l);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 30, 30 + OWN_PAGES);
	end(&l);
}

/* process_vm_writev(2) out of a page that is missing: the page it writes to is pinned until we bring the other one. */
struct transfer {
	pid_t to;
	uint64_t vaddr;
	char *from;
	int uffd;
	pthread_t thread;
};

static void *write_across(void *arg)
{
	struct transfer *x = arg;
	struct iovec here = {x->from, CR_PAGE_SIZE}, there = {(void *)x->vaddr, CR_PAGE_SIZE};

	return (void *)(intptr_t)process_vm_writev(x->to, &here, 1, &there, 1, 0);
}

static void begin_transfer(struct transfer *x, pid_t to, const char *page)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.range = {.len = CR_PAGE_SIZE},
				      .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffd_msg msg;
	struct pollfd p;

	*x = (struct transfer){.to = to, .vaddr = (uint64_t)(uintptr_t)page};
	x->from = mmap(NULL, CR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	x->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (uint64_t)(uintptr_t)x->from;
	assert_int_equal(ioctl(x->uffd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(x->uffd, UFFDIO_REGISTER, &reg), 0);
	assert_int_equal(pthread_create(&x->thread, NULL, write_across, x), 0);
	p = (struct pollfd){.fd = x->uffd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(read(x->uffd, &msg, sizeof(msg)), sizeof(msg));
}

static void end_transfer(struct transfer *x)
{
	static char news[CR_PAGE_SIZE];
	struct uffdio_copy copy = {.dst = (uint64_t)(uintptr_t)x->from,
				   .src = (uint64_t)(uintptr_t)news,
				   .len = sizeof(news)};
	void *written;

	memset(news, 0x5a, sizeof(news));
	assert_int_equal(ioctl(x->uffd, UFFDIO_COPY, &copy), 0);
	assert_int_equal(pthread_join(x->thread, &written), 0);
	assert_int_equal((intptr_t)written, CR_PAGE_SIZE);
	close(x->uffd);
	munmap(x->from, CR_PAGE_SIZE);
}

/*
 * A page is pinned before a round and written after it, by no access of the process: its protection says nothing. Uffd finds it in a process with a descriptor opened O_DIRECT (in
 * another one it does not: seen, track.h says so); soft-dirty finds it by itself.
 */
static void a_transfer_across_a_round(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct transfer x;
	struct lab l;

	begin(&l, "transfer", b, b == CR_TRACK_UFFD ? direct_io : write_pages);
	one_round(&l);
	one_round(&l);
	for (int i = 0; i < 2; i++) {
		begin_transfer(&x, l.w.pid, l.w.area + (size_t)(10 + i) * CR_PAGE_SIZE);
		one_round(&l);
		end_transfer(&x);
		/* In the next round, or without any. */
		if (i)
			one_round(&l);
		final_is_exact(&l.cg, l.t, &l.to);
	}
	end(&l);
}

/* The descriptor of one is enough: what it has registered nobody can ask. */
static int has_io_uring(struct worker *w)
{
	static char params[120]; /* struct io_uring_params */
	auto_fd int ring = (int)syscall(SYS_io_uring_setup, 4, params);

	if (ring < 0)
		w->area = NULL;
	while (w->area)
		next_word(w);
	next_word(w);
	return 0;
}

/* Its registered buffers stay pinned for as long as it likes: all of its memory goes in the final. */
static void an_io_uring_leaves_nothing_certain(void **state)
{
	const enum cr_track_backend b = (enum cr_track_backend)(uintptr_t)*state;
	struct transfer x;
	struct lab l;

	begin(&l, "ring", b, has_io_uring);
	if (!l.w.area) {
		end(&l);
		print_message("skip: no io_uring\n");
		skip();
	}
	one_round(&l);
	begin_transfer(&x, l.w.pid, l.w.area + 10 * CR_PAGE_SIZE);
	for (int i = 0; i < 3; i++)
		one_round(&l);
	end_transfer(&x);
	final_is_exact(&l.cg, l.t, &l.to);
	end(&l);
}

/* A daemon in a session of its own that counts in a file, as long as its memory is what it was. */
static int counts(void *arg)
{
	volatile unsigned long *count = arg;
	char *m = filled();

	setsid();
	for (;;) {
		for (unsigned i = 0; i < PAGES; i++)
			if (m[(size_t)i * CR_PAGE_SIZE + 4000] != (char)(i % 251 + 1))
				return 1;
		count[0]++;
		poll(NULL, 0, 1);
	}
	return 0;
}

/* With nothing open that leads out of it. */
static int counts_alone(void *arg)
{
	/* criu restores it, and ends. */
	prctl(PR_SET_PDEATHSIG, 0);
	close_range(0, ~0u, 0);
	open("/dev/null", O_RDWR);
	dup(0);
	dup(0);
	return counts(arg);
}

static void wait_count(const volatile unsigned long *count)
{
	unsigned long then = count[0];
	unsigned looks = 0;

	while (count[0] == then)
		assert_true(test_again(&looks));
}

static void criu(const char *dir, const char *const *words)
{
	char program[256], said[4096] = "";
	const char *argv[24] = {program,
				words[0],
				"-D",
				dir,
				"-o",
				"log",
				"-v4",
				"--manage-cgroups=ignore",
				"--network-lock",
				"skip"};
	struct proc_run run = {.argv = argv, .said = said, .said_size = sizeof(said)};
	struct err e = {0};
	int n = 10, r;

	OK(cr_criu_find(program, &e));
	for (int i = 1; words[i]; i++)
		argv[n++] = words[i];
	r = proc_run(&run, &e);
	if (r != 0)
		fail_msg("criu %s gave %d, see %s/log: %s %s", words[0], r, dir, said, e.text);
}

/* criu dumps and restores a process that is being followed; what its parasite wrote is dirty, and the final after it is exact. */
static void criu_does_not_mind(void **state)
{
	char dir[] = "/var/tmp/skep-test-XXXXXX", file[64], number[16];
	const char *const dump[] = {"dump", "-t", number, "--leave-stopped", NULL};
	const char *const restore[] = {"restore", "-d", NULL};
	auto_free struct cr_run *needed = NULL;
	auto_track struct cr_track *t = NULL;
	struct cr_track_stats s = {0};
	volatile unsigned long *count;
	struct target to = {0};
	struct err e = {0};
	auto_fd int fd = -EBADF;
	struct cg cg;
	pid_t pid;
	size_t n;

	(void)state;
	if (cr_criu_find((char[256]){0}, &e) < 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/count", dir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, CR_PAGE_SIZE), 0);
	count = mmap(NULL, CR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	test_make("criu", &cg);
	pid = test_spawn(&cg, counts_alone, (void *)count);
	snprintf(number, sizeof(number), "%d", pid);
	wait_count(count);
	OK(cr_track_open(&cg, CR_TRACK_UFFD, &t, &e));
	OK(cr_track_round(t, to_store, &to, &s, &e));
	criu(dir, dump);
	assert_true(count_in(pid, "smaps", " uw") > 0);
	n = needed_of(pid, &needed);
	s = (struct cr_track_stats){0};
	OK(cr_track_final(t, (uint32_t)pid, needed, n, to_store, &to, &s, &e));
	print_message("after criu's dump the final gives %lu pages\n", s.pages);
	assert_in_range(s.pages, 0, 3 * OWN_PAGES);
	same_memory(&to, pid, (uint32_t)pid, needed, n);
	kill(pid, SIGKILL);
	test_reap(pid);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what criu leaves behind is ours to reap */
	criu(dir, restore);
	kill(pid, SIGCONT); /* criu brings back that it was left stopped */
	wait_count(count);
	kill(pid, SIGKILL);
	test_reap(pid);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	cr_track_close(&t);
	target_done(&to);
	test_end(&cg);
	munmap((void *)count, CR_PAGE_SIZE);
	OK(file_remove_tree_at(AT_FDCWD, dir, &e));
}

static void supported_here(void **state)
{
	struct err e = {0};

	(void)state;
	/* Asked in another way. */
	assert_int_equal(cr_track_supported(CR_TRACK_UFFD, &e) >= 0,
			 feat_has(FEAT_UFFD_WP) && feat_has(FEAT_PAGEMAP_SCAN));
	assert_int_equal(cr_track_supported(CR_TRACK_SOFT_DIRTY, &e) >= 0,
			 feat_has(FEAT_SOFT_DIRTY));
	assert_string_equal(cr_track_backend_to_str(CR_TRACK_CONTENT), "content");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(supported_here),
		EACH(rounds_give_what_was_written),
		EACH(left_names_what_final_gives),
		EACH(a_sink_that_fails),
		cmocka_unit_test(wrong_questions),
		cmocka_unit_test(holes_and_inaccessible_pages),
		cmocka_unit_test(no_trace_remains),
		cmocka_unit_test(direct_io_is_given_twice),
		FOLLOWED(a_transfer_across_a_round),
		FOLLOWED(an_io_uring_leaves_nothing_certain),
		cmocka_unit_test(criu_does_not_mind),
	};

	return cmocka_run_group_tests_name("track", tests, small_pages, test_clean);
}
