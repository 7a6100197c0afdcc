// SPDX-License-Identifier: GPL-2.0-only
/* A tree through a pipe and back: whole, in two passes, cut, and hostile. */
#include "tests/unit/storage/same_tree.h"

#include <signal.h>
#include <time.h>

#include "base/squeeze.h"
#include "storage/frame.h"

#define BASE  231072U
#define THERE 431072U

static void pass_over(int from, int to, struct st_manifest *sent, bool last,
		      struct st_stream_stats *stats)
{
	same_send((struct st_stream_pass){.dir = from, .id_base = BASE, .sent = sent, .last = last},
		  to, THERE, stats);
}

static void own(int dir, const char *name, uint32_t id)
{
	assert_int_equal(fchownat(dir, name, BASE + id, BASE + id, AT_SYMLINK_NOFOLLOW), 0);
}

/* user::rwx, user:ID:r-x, group::r-x, mask::r-x, other::r-x (struct posix_acl_xattr_entry) */
static size_t acl_for(uint8_t acl[44], uint32_t id)
{
	const uint32_t entries[11] = {2,	  0x70001, UINT32_MAX, 0x50002, id,	   0x50004,
				      UINT32_MAX, 0x50010, UINT32_MAX, 0x50020, UINT32_MAX};

	memcpy(acl, entries, 44);
	return 44;
}

static void fill(int d)
{
	auto_fd int sub = tmp_mkdir(d, "sub");
	auto_fd int sparse = openat(d, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint8_t cap[24] = {1, 0, 0, 3, 0, 4}, acl[44];
	uint32_t root = BASE;

	own(d, ".", 0);
	own(d, "sub", 7);
	tmp_write(d, "plain", "hello");
	own(d, "plain", 1000);
	tmp_write(d, "caps", "x");
	own(d, "caps", 0);
	assert_int_equal(fchmodat(d, "caps", 04755, 0), 0);
	memcpy(cap + 20, &root, 4);
	{
		auto_fd int f = openat(d, "caps", O_RDONLY | O_CLOEXEC);

		assert_int_equal(fsetxattr(f, "security.capability", cap, sizeof(cap), 0), 0);
		assert_int_equal(fsetxattr(f, "user.note", "n", 1, 0), 0);
		assert_int_equal(fsetxattr(sub, "system.posix_acl_access", acl,
					   acl_for(acl, BASE + 1000), 0),
				 0);
		assert_int_equal(fsetxattr(sub, "trusted.overlay.opaque", "y", 1, 0), 0);
		assert_int_equal(fsetxattr(sub, "trusted.overlay.origin", "zz", 2, 0), 0);
	}
	assert_int_equal(linkat(d, "plain", sub, "linked", 0), 0);
	assert_int_equal(symlinkat("/nowhere", d, "link"), 0);
	own(d, "link", 5);
	assert_int_equal(mknodat(d, "whiteout", S_IFCHR, 0),
			 0); /* the host root's, as overlayfs makes it */
	assert_int_equal(mkfifoat(d, "fifo", 0640), 0);
	own(d, "fifo", 2);
	assert_int_equal(mknodat(d, "socket", S_IFSOCK | 0600, 0), 0);
	own(d, "socket", 2);
	assert_int_equal(pwrite(sparse, "end", 3, (1 << 20) - 3), 3);
	fsync(sparse);
	own(d, "sparse", 0);
	assert_int_equal(utimensat(d, "sub", (struct timespec[2]){{5, 6}, {7, 8}}, 0), 0);
}

static void carries_everything(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	struct st_stream_stats stats;
	struct stat st;
	uint8_t cap[24], acl[44], want[44];
	uint32_t id;
	char text[32] = "";

	fill(a);
	pass_over(a, b, NULL, true, &stats);
	assert_int_equal(stats.entries, 10);
	assert_true(stats.bytes < 65536);
	tmp_is(b, "plain", "hello");
	st = tmp_stat(b, "plain");
	assert_int_equal(st.st_uid, THERE + 1000);
	assert_int_equal(st.st_ino, tmp_stat(b, "sub/linked").st_ino);
	assert_int_equal(st.st_mtim.tv_sec, tmp_stat(a, "plain").st_mtim.tv_sec);
	assert_int_equal(st.st_mtim.tv_nsec, tmp_stat(a, "plain").st_mtim.tv_nsec);
	st = tmp_stat(b, "caps");
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	{
		auto_fd int f = openat(b, "caps", O_RDONLY | O_CLOEXEC);
		auto_fd int s = openat(b, "sub", O_RDONLY | O_CLOEXEC);

		assert_int_equal(fgetxattr(f, "security.capability", cap, sizeof(cap)), 24);
		memcpy(&id, cap + 20, 4);
		assert_int_equal(id, THERE);
		assert_int_equal(fgetxattr(s, "system.posix_acl_access", acl, sizeof(acl)), 44);
		acl_for(want, THERE + 1000);
		assert_memory_equal(acl, want, 44);
		assert_int_equal(fgetxattr(f, "user.note", text, sizeof(text)), 1);
		assert_int_equal(fgetxattr(s, "trusted.overlay.opaque", text, sizeof(text)), 1);
		assert_int_equal(fgetxattr(s, "trusted.overlay.origin", text, sizeof(text)), -1);
	}
	st = tmp_stat(b, "sub");
	assert_int_equal(st.st_mtim.tv_sec, 7);
	assert_int_equal(st.st_mtim.tv_nsec, 8);
	st = tmp_stat(b, "whiteout");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_true(S_ISFIFO(tmp_stat(b, "fifo").st_mode));
	assert_true(S_ISSOCK(tmp_stat(b, "socket").st_mode));
	assert_int_equal(readlinkat(b, "link", text, sizeof(text)), 8);
	assert_int_equal(tmp_stat(b, "link").st_uid, THERE + 5);
	st = tmp_stat(b, "sparse");
	assert_int_equal(st.st_size, 1 << 20);
	assert_true(st.st_blocks <= 16);
}

/* Here time itself is what is waited for: ctimes are trusted once the clock has moved on from them. */
static void let_ctimes_age(void)
{
	struct timespec left = {.tv_nsec = 80000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void second_pass_sends_the_difference(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b"), sub = -EBADF,
		    d = -EBADF;
	auto_manifest struct st_manifest *m = st_manifest_new();
	struct st_stream_stats stats;
	struct stat st;

	fill(a);
	d = tmp_mkdir(a, "becomes-file");
	own(a, "becomes-file", 0);
	tmp_write(d, "inner", "i");
	own(d, "inner", 0);
	let_ctimes_age();
	pass_over(a, b, m, false, &stats);
	assert_int_equal(stats.entries, 12);
	sub = tmp_mkdir(a, "sub");
	tmp_write(sub, "new", "new");
	own(sub, "new", 3);
	tmp_write(a, "caps", "y"); /* the same size */
	assert_int_equal(unlinkat(a, "fifo", 0), 0);
	assert_int_equal(unlinkat(a, "whiteout", 0), 0);
	assert_int_equal(fremovexattr(sub, "trusted.overlay.opaque"), 0);
	assert_int_equal(unlinkat(d, "inner", 0), 0);
	assert_int_equal(unlinkat(a, "becomes-file", AT_REMOVEDIR), 0);
	tmp_write(a, "becomes-file", "file now");
	own(a, "becomes-file", 0);
	pass_over(a, b, m, true, &stats);
	/* root, sub, new, caps, becomes-file: not the names of the hard-linked inode, which did not change */
	assert_int_equal(stats.entries, 5);
	assert_int_equal(stats.removed, 2);
	tmp_is(b, "sub/new", "new");
	tmp_is(b, "caps", "y");
	tmp_is(b, "becomes-file", "file now");
	assert_true(tmp_missing(b, "fifo"));
	assert_true(tmp_missing(b, "whiteout"));
	assert_int_equal(tmp_stat(b, "plain").st_ino, tmp_stat(b, "sub/linked").st_ino);
	st = tmp_stat(a, ".");
	assert_int_equal(tmp_stat(b, ".").st_mtim.tv_nsec, st.st_mtim.tv_nsec);
	{
		auto_fd int s = openat(b, "sub", O_RDONLY | O_CLOEXEC);

		assert_int_equal(fgetxattr(s, "trusted.overlay.opaque", NULL, 0), -1);
	}
}

static void tolerates_a_tree_that_changes(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_manifest struct st_manifest *m = st_manifest_new();
	char want[ST_DIGEST_SIZE], got[ST_DIGEST_SIZE], name[32];
	struct err e = {0};
	pid_t pid;
	int status;

	own(a, ".", 0);
	pid = fork();
	if (pid == 0) {
		assert_int_equal(setgid(BASE), 0);
		assert_int_equal(setuid(BASE), 0);
		for (unsigned i = 0;; i++) {
			int fd;

			snprintf(name, sizeof(name), "f%u", i * 7 % 200);
			if (i % 3 == 0) {
				unlinkat(a, name, 0);
				continue;
			}
			fd = openat(a, name, O_WRONLY | O_CREAT | (i % 5 ? O_APPEND : O_TRUNC),
				    0644);
			if (fd >= 0 && write(fd, name, strlen(name)) < 0)
				_exit(1);
			close(fd);
		}
	}
	for (int i = 0; i < 20; i++)
		pass_over(a, b, m, false, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pass_over(a, b, m, true, NULL);
	/* Owners differ by design: the same bases for the comparison. */
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (!tmp_missing(b, name))
			own(b, name, 0);
	}
	own(b, ".", 0);
	assert_good(st_tree_digest(a, want, &e));
	assert_good(st_tree_digest(b, got, &e));
	assert_string_equal(want, got);
}

static void refuses_a_stream_that_was_cut(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_fd int file = openat(t->dir, "stream", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct err e = {0};
	off_t size;

	fill(a);
	assert_good(st_stream_send_pass(
		&(struct st_stream_pass){.dir = a, .fd = file, .id_base = BASE}, NULL, &e));
	size = lseek(file, 0, SEEK_END);
	assert_int_equal(ftruncate(file, size - 5), 0);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(st_stream_receive(b, THERE, file, NULL, &e), -EPIPE);
}

/* A pipe, whose other end is still open, and says no more. */
static void gives_up_a_stream_that_went_silent(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int a = tmp_mkdir(t->dir, "a"), b = tmp_mkdir(t->dir, "b");
	auto_fd int file = openat(t->dir, "stream", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct err e = {0};
	char some[4096];
	ssize_t size;
	int fd[2];

	fill(a);
	assert_good(st_stream_send_pass(
		&(struct st_stream_pass){.dir = a, .fd = file, .id_base = BASE}, NULL, &e));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	size = pread(file, some, sizeof(some), 0);
	assert_true(size > 100);
	/* In the middle of a frame, and of its length. */
	for (ssize_t n = size - 5; n > 0; n = n > 2 ? 2 : 0) {
		assert_int_equal(write(fd[1], some, (size_t)n), n);
		assert_int_equal(st_stream_receive_within(b, THERE, fd[0], 100, NULL, &e), -EAGAIN);
		err_clear(&e);
	}
	close(fd[0]);
	close(fd[1]);
}

/* What a hostile sender writes: one entry of the given path, type, owner and link. */
static int receive_forged(int into, const char *path, uint32_t mode, uint32_t uid, uint64_t rdev,
			  const char *link, int hard, const char *before)
{
	auto_free struct st_frame *f = calloc(1, sizeof(*f));
	struct err e = {0}, got = {0};
	struct timespec now = {1, 1};
	char name[] = "/tmp/skep-forged-XXXXXX";
	auto_fd int file = mkostemp(name, O_CLOEXEC);
	int r;

	unlink(name);
	f->fd = file;
	f->e = &e;
	st_put_u8(f, ST_RECORD_START);
	st_put_u64(f, ST_MAGIC);
	for (int i = before ? 0 : 1; i < 2; i++) {
		const char *p = i ? path : before;

		st_put_u8(f, ST_RECORD_ENTRY);
		st_put_str(f, p, strlen(p));
		st_put_u32(f, i ? mode : S_IFLNK | 0777);
		st_put_u32(f, i ? uid : 0);
		st_put_u32(f, 0);
		st_put_u64(f, rdev);
		st_put_u64(f, 0);
		st_put_time(f, &now);
		st_put_time(f, &now);
		st_put_str(f, link, strlen(link));
		st_put_u8(f, i ? (uint8_t)hard : 0);
		st_put_u16(f, 0);
	}
	assert_int_equal(st_put_flush(f), 0);
	lseek(file, 0, SEEK_SET);
	r = st_stream_receive(into, THERE, file, NULL, &got);
	return r;
}

static void refuses_hostile_streams(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int b = tmp_mkdir(t->dir, "b");

	tmp_write(t->dir, "secret", "s");
	assert_int_equal(receive_forged(b, "../escaped", S_IFREG | 0644, 0, 0, "", 0, NULL),
			 -EINVAL);
	assert_int_equal(receive_forged(b, "/escaped", S_IFREG | 0644, 0, 0, "", 0, NULL), -EINVAL);
	assert_int_equal(receive_forged(b, "up/escaped", S_IFREG | 0644, 0, 0, "..", 0, "up"),
			 -ELOOP);
	assert_int_equal(receive_forged(b, "x", S_IFREG | 0644, 0, 0, "../secret", 1, NULL),
			 -EINVAL);
	assert_int_equal(receive_forged(b, "x", S_IFREG | 0644, 0, 0, "up/secret", 1, "up"),
			 -ELOOP);
	assert_int_equal(receive_forged(b, "mem", S_IFCHR | 0666, 0, 1ULL << 32 | 1, "", 0, NULL),
			 -EBADMSG);
	assert_int_equal(receive_forged(b, "x", S_IFREG | 0644, 70000, 0, "", 0, NULL), -EBADMSG);
	assert_true(tmp_missing(t->dir, "escaped"));
	assert_true(tmp_missing(b, "mem"));
}

/* One frame that says that it is packed. */
static int receive_packed(int into, uint32_t head, uint32_t becomes, const void *data, size_t len)
{
	auto_free struct st_frame *f = calloc(1, sizeof(*f));
	char name[] = "/tmp/skep-forged-XXXXXX";
	auto_fd int file = mkostemp(name, O_CLOEXEC);
	struct err e = {0};

	unlink(name);
	assert_int_equal(pwrite(file, &head, 4, 0), 4);
	assert_int_equal(pwrite(file, &becomes, 4, 4), 4);
	assert_int_equal(pwrite(file, data, len, 8), len);
	return st_stream_receive(into, THERE, file, NULL, &e);
}

static void refuses_hostile_packs(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int b = tmp_mkdir(t->dir, "b");
	auto_free uint8_t *zeroes = calloc(1, 1 << 20);
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, &e);
	const void *bomb;
	uint32_t n = (uint32_t)squeeze_pack(s, zeroes, 1 << 20, &bomb);

	assert_in_range(n, 10, 1000);
	/* More than a frame; called a frame, less than one, nothing. */
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, 1 << 20, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, ST_FRAME_MAX, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, 4096, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, 0, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, n, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, ST_FRAME_PACKED, 4096, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, UINT32_MAX, UINT32_MAX, bomb, n), -EBADMSG);
	/* A whole and good one, of zeroes: they are no records. And one that is cut. */
	n = (uint32_t)squeeze_pack(s, zeroes, 4096, &bomb);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, 4096, bomb, n), -EBADMSG);
	assert_int_equal(receive_packed(b, n | ST_FRAME_PACKED, 4096, bomb, n - 1), -EPIPE);
}

/* A difference to `path`, of the given size, with one record of data or hole. */
static int receive_forged_patch(int into, const char *path, uint32_t mode, uint64_t size,
				enum st_record record, uint64_t at, uint64_t len)
{
	auto_free struct st_frame *f = calloc(1, sizeof(*f));
	struct err e = {0}, got = {0};
	struct timespec now = {1, 1};
	char name[] = "/tmp/skep-forged-XXXXXX";
	auto_fd int file = mkostemp(name, O_CLOEXEC);

	unlink(name);
	f->fd = file;
	f->e = &e;
	st_put_u8(f, ST_RECORD_START);
	st_put_u64(f, ST_MAGIC);
	st_put_u8(f, ST_RECORD_PATCH);
	st_put_str(f, path, strlen(path));
	st_put_u32(f, mode);
	st_put_u32(f, 0);
	st_put_u32(f, 0);
	st_put_u64(f, 0);
	st_put_u64(f, size);
	st_put_time(f, &now);
	st_put_time(f, &now);
	st_put_str(f, "", 0);
	st_put_u8(f, 0);
	st_put_u16(f, 0);
	st_put_u8(f, record);
	st_put_u64(f, at);
	if (record == ST_RECORD_HOLE)
		st_put_u64(f, len);
	else
		st_put_str(f, "evil", len);
	st_put_u8(f, ST_RECORD_FILE);
	st_put_u64(f, size);
	st_put_u8(f, ST_RECORD_END);
	st_put_u64(f, 1);
	st_put_u64(f, 0);
	st_put_u64(f, record == ST_RECORD_HOLE ? 0 : len);
	assert_int_equal(st_put_flush(f), 0);
	lseek(file, 0, SEEK_SET);
	return st_stream_receive(into, THERE, file, NULL, &got);
}

static void refuses_hostile_differences(void **state)
{
	struct tmp_tree *t = *state;
	auto_fd int b = tmp_mkdir(t->dir, "b"), dir = tmp_mkdir(b, "dir");
	const uint32_t file = S_IFREG | 0644;

	tmp_write(t->dir, "secret", "secret");
	tmp_write(b, "mine", "mine and more");
	assert_int_equal(symlinkat("../secret", b, "link"), 0);
	assert_int_equal(symlinkat("..", b, "up"), 0);
	assert_int_equal(mkfifoat(b, "fifo", 0600), 0);
	assert_true(dir >= 0);
	assert_int_equal(receive_forged_patch(b, "link", file, 6, ST_RECORD_DATA, 0, 4), -ELOOP);
	assert_int_equal(receive_forged_patch(b, "up/secret", file, 6, ST_RECORD_DATA, 0, 4),
			 -ELOOP);
	assert_int_equal(receive_forged_patch(b, "../secret", file, 6, ST_RECORD_DATA, 0, 4),
			 -EINVAL);
	assert_int_equal(receive_forged_patch(b, "none", file, 6, ST_RECORD_DATA, 0, 4), -ENOENT);
	assert_int_equal(receive_forged_patch(b, "fifo", file, 6, ST_RECORD_DATA, 0, 4), -EBADMSG);
	assert_int_equal(receive_forged_patch(b, "dir", file, 6, ST_RECORD_DATA, 0, 4), -EISDIR);
	assert_int_equal(receive_forged_patch(b, "mine", S_IFIFO | 0644, 6, ST_RECORD_DATA, 0, 4),
			 -EBADMSG);
	assert_int_equal(receive_forged_patch(b, "", S_IFDIR | 0755, 6, ST_RECORD_DATA, 0, 4),
			 -EBADMSG);
	assert_int_equal(receive_forged_patch(b, "mine", file, 6, ST_RECORD_DATA, 4, 4), -EBADMSG);
	assert_int_equal(receive_forged_patch(b, "mine", file, 6, ST_RECORD_HOLE, 4, 4), -EBADMSG);
	assert_int_equal(receive_forged_patch(b, "mine", file, 6, ST_RECORD_HOLE, 1, UINT64_MAX),
			 -EBADMSG);
	tmp_is(t->dir, "secret", "secret");
	/* And an honest one, with a hole that is as large as a file can be. */
	assert_int_equal(receive_forged_patch(b, "mine", file, 6, ST_RECORD_DATA, 0, 4), 0);
	tmp_is(b, "mine", "evil a");
	assert_int_equal(
		receive_forged_patch(b, "mine", file, 1ULL << 40, ST_RECORD_HOLE, 0, 1ULL << 40),
		0);
	assert_true(tmp_stat(b, "mine").st_blocks <= 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(carries_everything),
		TEST(second_pass_sends_the_difference),
		TEST(tolerates_a_tree_that_changes),
		TEST(refuses_a_stream_that_was_cut),
		TEST(gives_up_a_stream_that_went_silent),
		TEST(refuses_hostile_streams),
		TEST(refuses_hostile_differences),
		TEST(refuses_hostile_packs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
