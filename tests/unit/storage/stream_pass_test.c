// SPDX-License-Identifier: GPL-2.0-only
/* Passes of the stream over a tree that is in use, one difficulty at a time; passes_test.c has all ways of changing one. */
#include "tests/unit/storage/same_tree.h"
#include "tests/unit/storage/tmp_pages.h"

#include "base/squeeze.h"

/* What was changed at the same tick as the look at it, before and after it. */
static void same_tick(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a");

	for (int i = 0; i < 30; i++) {
		auto_manifest struct st_manifest *sent = st_manifest_new();
		auto_fd int b = tmp_mkdir(t->dir, "b");
		struct st_stream_pass pass = {.dir = a, .sent = sent};
		struct err e = {0};

		tmp_write(a, "f", "before");
		same_send(pass, b, 0, NULL);
		tmp_write(a, "f", "after!");
		pass.last = true;
		same_send(pass, b, 0, NULL);
		same_tree(a, b, "");
		assert_good(st_tree_remove(t->dir, "b", &e));
	}
}

/* A write that began before the pass looked and ends after it: ctime has moved at its beginning only. */
static void write_under_way(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_fd int fd = tmp_file(a, "f");
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct st_stream_pass pass = {.dir = a, .sent = sent};
	size_t size = 256UL << 20;
	struct stat old, st;
	pid_t pid;
	int status;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	old = tmp_stat(a, "f");
	pid = fork();
	if (pid == 0) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		memset(p, 'x', size);
		_exit(pwrite(fd, p, size, 0) == (ssize_t)size ? 0 : 1);
	}
	do
		st = tmp_stat(a, "f");
	while (st.st_ctim.tv_sec == old.st_ctim.tv_sec &&
	       st.st_ctim.tv_nsec == old.st_ctim.tv_nsec && waitpid(pid, &status, WNOHANG) == 0);
	same_send(pass, b, 0, NULL);
	waitpid(pid, &status, 0);
	pass.last = true;
	same_send(pass, b, 0, NULL);
	same_tree(a, b, "");
}

/* tmpfs notices no store into a mapped page. */
static void mapped_on_tmpfs(void **state)
{
	char path[] = "/dev/shm/skep-passes-XXXXXX";
	struct tmp_tree *t = *state;
	auto_fd int b = tmp_mkdir(t->dir, "b"), a = -EBADF;
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct st_stream_pass pass = {.sent = sent};
	struct err e = {0};
	char *p;

	assert_non_null(mkdtemp(path));
	a = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tmp_make(a, "f", 4);
	tmp_make(a, "g", 4);
	p = tmp_map(a, "f", 4);
	p[0] = 'a';
	tmp_let_ctimes_age();
	pass.dir = a;
	same_send(pass, b, 0, NULL);
	p[0] = 'b';
	pass.last = true;
	same_send(pass, b, 0, NULL);
	same_tree(a, b, "");
	munmap(p, 4L * TMP_PAGE);
	assert_good(st_tree_remove(AT_FDCWD, path, &e));
}

/* Of a large file, what changed: live and at last, and nothing when nothing did but the time. */
static void large_file(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct st_stream_pass pass = {.dir = a, .sent = sent};
	struct st_stream_stats stats;
	auto_fd int fd = tmp_file(a, "db");

	tmp_put_pages(fd, 0, 16384, 1);
	same_send(pass, b, 0, &stats);
	assert_int_equal(stats.bytes, 64L << 20);
	for (int round = 2; round < 5; round++) {
		for (int i = 0; i < 256; i++)
			tmp_put_pages(fd, i * 64 + round, 1, (unsigned)round);
		pass.last = round == 4;
		same_send(pass, b, 0, &stats);
		assert_int_equal(stats.bytes, 256L * TMP_PAGE);
		assert_true(stats.entries <= 2);
		same_tree(a, b, "");
	}
}

/* Packed frames among others: files of text and of noise, and a difference. */
static void packed(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, &e);
	struct st_stream_pass pass = {.dir = a, .sent = sent, .squeeze = s};
	struct st_stream_stats stats;
	auto_fd int noise = tmp_file(a, "noise"), text = tmp_file(a, "text");
	static uint64_t page[(1 << 20) / 8];

	for (size_t i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = (i + 1) * 0x9e3779b97f4a7c15ULL ^ (i * i * 0xc2b2ae3d27d4eb4fULL) << 7;
	assert_int_equal(pwrite(noise, page, sizeof(page), 0), sizeof(page));
	for (size_t i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = i / 100;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pwrite(text, page, sizeof(page), (off_t)(i * sizeof(page))),
				 sizeof(page));
	same_send(pass, b, 0, &stats);
	assert_int_equal(stats.bytes, 9L << 20);
	assert_in_range(stats.wire, 1 << 20, 2 << 20);
	same_tree(a, b, "");
	assert_int_equal(pwrite(text, "change", 6, 5 << 20), 6);
	pass.last = true;
	same_send(pass, b, 0, &stats);
	assert_in_range(stats.wire, 100, 4096);
	same_tree(a, b, "");
}

static int link_meanwhile(void *arg, size_t bytes, struct err *e)
{
	struct timespec old_enough = {.tv_nsec = 100000000};
	const int *dir = arg;

	(void)bytes;
	if (linkat(*dir, "a", *dir, "z/a-too", 0) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "link");
	nanosleep(&old_enough, NULL);
	return 0;
}

/* A name that comes while the pass is between the file and it: each is sent as a file of its own, and they must become one. */
static void linked_during_a_pass(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b"), z = tmp_mkdir(a, "z");
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct st_stream_pass pass = {
		.dir = a, .sent = sent, .pace = link_meanwhile, .pace_arg = &a};

	tmp_make(a, "a", 1);
	tmp_make(a, "m", 500);
	assert_true(z >= 0);
	same_send(pass, b, 0, NULL);
	assert_int_equal(tmp_stat(b, "z/a-too").st_nlink, 1);
	pass.last = true;
	same_send(pass, b, 0, NULL);
	same_tree(a, b, "");
}

/* overlayfs makes all whiteouts names of one inode: one more moves the ctime of all. */
static void one_more_whiteout(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_manifest struct st_manifest *sent = st_manifest_new();
	struct st_stream_pass pass = {.dir = a, .sent = sent};
	struct st_stream_stats stats;
	char name[16];

	assert_int_equal(mknodat(a, "w", S_IFCHR, 0), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		assert_int_equal(linkat(a, "w", a, name, 0), 0);
	}
	same_send(pass, b, 0, NULL);
	assert_int_equal(linkat(a, "w", a, "more", 0), 0);
	pass.last = true;
	same_send(pass, b, 0, &stats);
	assert_int_equal(stats.entries, 2);
	same_tree(a, b, "");
}

struct pace {
	size_t bytes, calls, stop_at;
};

static int count_bytes(void *arg, size_t bytes, struct err *e)
{
	struct pace *p = arg;

	assert_true(bytes <= 512 * 1024 + 4);
	p->bytes += bytes;
	return ++p->calls == p->stop_at ? err_set(e, ECANCELED, "stopped") : 0;
}

static void asks_before_it_writes(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), out = tmp_file(t->dir, "out"),
		    fd = tmp_file(a, "f");
	struct pace pace = {0};
	struct st_stream_pass pass = {
		.dir = a, .fd = out, .last = true, .pace = count_bytes, .pace_arg = &pace};
	struct err e = {0};

	tmp_put_pages(fd, 0, 1000, 1);
	assert_good(st_stream_send_pass(&pass, NULL, &e));
	assert_int_equal(pace.bytes, lseek(out, 0, SEEK_END));
	pace = (struct pace){.stop_at = 3};
	assert_int_equal(ftruncate(out, 0), 0);
	lseek(out, 0, SEEK_SET);
	assert_int_equal(st_stream_send_pass(&pass, NULL, &e), -ECANCELED);
	assert_int_equal(pace.calls, 3);
	assert_true(lseek(out, 0, SEEK_END) < (off_t)pace.bytes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_tick),
		TEST(write_under_way),
		TEST(mapped_on_tmpfs),
		TEST(large_file),
		TEST(packed),
		TEST(linked_during_a_pass),
		TEST(one_more_whiteout),
		TEST(asks_before_it_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
