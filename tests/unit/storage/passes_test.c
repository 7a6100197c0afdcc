// SPDX-License-Identifier: GPL-2.0-only
/* Every way to change a tree between two passes of the stream, through an overlay as a container does it: the target must end up the same. */
#include "tests/unit/storage/same_tree.h"

#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "storage/overlay.h"

#define PAGE 4096

/* --- shorthand; d is a directory of the overlay, the row's own --- */

static int file(int d, const char *name)
{
	int fd = openat(d, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

/* pages of different content; seed tells versions apart */
static void put_pages(int fd, int from, int n, unsigned seed)
{
	char page[PAGE];

	for (int i = from; i < from + n; i++) {
		memset(page, (int)(seed + (unsigned)i * 7) & 0xff, PAGE);
		memcpy(page, &i, sizeof(i));
		memcpy(page + 8, &seed, sizeof(seed));
		assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
	}
}

static void make(int d, const char *name, int pages)
{
	auto_fd int fd = file(d, name);

	put_pages(fd, 0, pages, 1);
}

static void put_back_times(int d, const char *name, const struct stat *st)
{
	assert_int_equal(utimensat(d, name, (struct timespec[]){st->st_atim, st->st_mtim}, 0), 0);
}

static void *map(int d, const char *name, int pages)
{
	auto_fd int fd = file(d, name);
	void *p = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* --- content --- */

static void small_before(int d)
{
	tmp_write(d, "f", "12345");
	tmp_write(d, "g", "12345");
}

static void small_after(int d)
{
	struct stat st = tmp_stat(d, "f");

	tmp_write(d, "f", "54321");
	put_back_times(d, "f", &st);
	tmp_write(d, "new", "54321");
	put_back_times(d, "new", &st);
	assert_int_equal(renameat(d, "new", d, "g"), 0);
}

static void pages_before(int d)
{
	make(d, "f", 300);
	make(d, "middle", 100);
}

static void pages_after(int d)
{
	auto_fd int fd = file(d, "f"), middle = file(d, "middle");

	put_pages(fd, 3, 1, 2);
	put_pages(fd, 100, 80, 2);
	put_pages(fd, 299, 1, 2);
	assert_int_equal(pwrite(middle, "x", 1, 50 * PAGE + 77), 1);
	assert_int_equal(pwrite(middle, "x", 1, 60 * PAGE + PAGE - 1), 1);
}

static char *dirty, *clean, *large, *store_again;

static void mapped_before(int d)
{
	make(d, "dirty", 20);
	make(d, "clean", 20);
	make(d, "large", 4000);
	make(d, "store-again", 1);
	store_again = map(d, "store-again", 1);
	dirty = map(d, "dirty", 20);
	clean = map(d, "clean", 20);
	large = map(d, "large", 4000);
	dirty[5 * PAGE + 9] = 'a';
	clean[5 * PAGE + 9] = 'a';
	assert_int_equal(msync(clean, 20L * PAGE, MS_SYNC), 0);
	large[3999L * PAGE + 99] = 'a';
}

static void mapped_between(void)
{
	store_again[0] = 'x';
}

static void mapped_after(int d)
{
	(void)d;
	store_again[0] = 'y';
	dirty[5 * PAGE + 9] = 'b';
	clean[5 * PAGE + 9] = 'b';
	large[3999L * PAGE + 99] = 'b';
	large[99] = 'c';
}

static void sizes_before(int d)
{
	make(d, "shorter", 40);
	make(d, "emptied", 40);
	make(d, "longer", 40);
	make(d, "again", 40);
	tmp_write(d, "odd", "odd");
}

static void sizes_after(int d)
{
	auto_fd int shorter = file(d, "shorter"), emptied = file(d, "emptied"),
		    longer = file(d, "longer"), again = file(d, "again"), odd = file(d, "odd");

	assert_int_equal(ftruncate(shorter, 10 * PAGE + 17), 0);
	assert_int_equal(ftruncate(emptied, 0), 0);
	put_pages(longer, 40, 30, 1);
	assert_int_equal(ftruncate(again, 5), 0);
	assert_int_equal(ftruncate(again, 40L * PAGE), 0);
	assert_int_equal(pwrite(odd, "end", 3, 5000), 3);
}

static void holes_before(int d)
{
	auto_fd int sparse = file(d, "sparse"), filled = file(d, "filled");

	make(d, "punched", 64);
	put_pages(sparse, 10, 1, 1);
	put_pages(sparse, 200000, 1, 1);
	assert_int_equal(ftruncate(sparse, 1L << 30), 0);
	assert_int_equal(ftruncate(filled, 64L * PAGE), 0);
}

static void holes_after(int d)
{
	auto_fd int sparse = file(d, "sparse"), filled = file(d, "filled"),
		    punched = file(d, "punched");

	put_pages(sparse, 100000, 1, 1);
	assert_int_equal(
		fallocate(sparse, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10L * PAGE, PAGE), 0);
	assert_int_equal(fallocate(punched, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8L * PAGE,
				   40L * PAGE),
			 0);
	put_pages(filled, 3, 4, 1);
}

static void aio_before(int d)
{
	make(d, "f", 8);
}

static void aio_after(int d)
{
	static char page[PAGE] = "by aio";
	auto_fd int fd = file(d, "f");
	aio_context_t ctx = 0;
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PWRITE,
			  .aio_fildes = (unsigned)fd,
			  .aio_buf = (uint64_t)(uintptr_t)page,
			  .aio_nbytes = PAGE,
			  .aio_offset = 2L * PAGE};
	struct io_event done;

	assert_int_equal(syscall(SYS_io_setup, 1, &ctx), 0);
	assert_int_equal(syscall(SYS_io_submit, ctx, 1, (struct iocb *[]){&cb}), 1);
	assert_int_equal(syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL), 1);
	assert_int_equal(done.res, PAGE);
	syscall(SYS_io_destroy, ctx);
}

static void direct_before(int d)
{
	make(d, "f", 8);
}

static void direct_after(int d)
{
	static char page[PAGE] __attribute__((aligned(PAGE))) = "direct";
	auto_fd int fd = openat(d, "f", O_WRONLY | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, page, PAGE, PAGE), PAGE);
}

/* --- names --- */

static void links_before(int d)
{
	make(d, "one", 30);
	assert_int_equal(linkat(d, "one", d, "other", 0), 0);
	make(d, "alone", 30);
	make(d, "loses-a", 30);
	assert_int_equal(linkat(d, "loses-a", d, "loses-b", 0), 0);
	make(d, "untouched", 30);
	assert_int_equal(linkat(d, "untouched", d, "untouched-2", 0), 0);
	make(d, "parts", 3);
	assert_int_equal(linkat(d, "parts", d, "parts-2", 0), 0);
	make(d, "will-join", 3);
}

static void links_after(int d)
{
	auto_fd int other = file(d, "other");

	put_pages(other, 7, 1, 2);
	assert_int_equal(linkat(d, "alone", d, "a-new-name", 0), 0);
	assert_int_equal(linkat(d, "alone", d, "z-new-name", 0), 0);
	assert_int_equal(unlinkat(d, "loses-a", 0), 0);
	assert_int_equal(unlinkat(d, "parts", 0), 0);
	make(d, "parts", 4);
	assert_int_equal(unlinkat(d, "will-join", 0), 0);
	assert_int_equal(linkat(d, "parts-2", d, "will-join", 0), 0);
}

static void moves_before(int d)
{
	auto_fd int a = tmp_mkdir(d, "a"), b = tmp_mkdir(d, "b"), deep = tmp_mkdir(a, "deep");

	make(deep, "f", 3);
	make(a, "log", 100);
	make(a, "goes", 3);
	tmp_write(b, "x", "x");
}

static void moves_after(int d)
{
	auto_fd int a = tmp_mkdir(d, "a"), b = tmp_mkdir(d, "b");

	assert_int_equal(renameat(a, "goes", b, "came"), 0);
	assert_int_equal(renameat(a, "log", a, "log.1"), 0);
	make(a, "log", 2);
	assert_int_equal(renameat(a, "deep", b, "deeper"), 0);
	assert_int_equal(renameat(d, "a", d, "c"), 0);
	assert_int_equal(renameat(d, "b", d, "a"), 0);
}

static void types_before(int d)
{
	auto_fd int dir = tmp_mkdir(d, "dir-to-file"), sub = tmp_mkdir(dir, "sub");

	tmp_write(sub, "f", "f");
	tmp_write(d, "file-to-dir", "f");
	tmp_write(d, "file-to-link", "f");
	assert_int_equal(symlinkat("there", d, "link-moves"), 0);
	assert_int_equal(symlinkat("there", d, "link-to-file"), 0);
	assert_int_equal(mkfifoat(d, "fifo-to-socket", 0600), 0);
	assert_int_equal(mknodat(d, "device", S_IFCHR | 0600, makedev(1, 3)), 0);
	assert_int_equal(mknodat(d, "stays", S_IFBLK | 0600, makedev(7, 200)), 0);
}

static void types_after(int d)
{
	auto_fd int dir = openat(d, "dir-to-file", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int was_file = -EBADF;
	struct err e = {0};

	assert_good(st_tree_remove(d, "dir-to-file", &e));
	tmp_write(d, "dir-to-file", "now");
	for (const char *const *n =
		     (const char *const[]){"file-to-dir", "file-to-link", "link-moves",
					   "link-to-file", "fifo-to-socket", "device", NULL};
	     *n; n++)
		assert_int_equal(unlinkat(d, *n, 0), 0);
	was_file = tmp_mkdir(d, "file-to-dir");
	tmp_write(was_file, "inner", "i");
	assert_int_equal(symlinkat("away", d, "file-to-link"), 0);
	assert_int_equal(symlinkat("where", d, "link-moves"), 0);
	tmp_write(d, "link-to-file", "now");
	assert_int_equal(mknodat(d, "fifo-to-socket", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(mknodat(d, "device", S_IFCHR | 0600, makedev(1, 5)), 0);
}

/* --- attributes --- */

static void attributes_before(int d)
{
	auto_fd int dir = tmp_mkdir(d, "dir");

	for (const char *const *n = (const char *const[]){"mode", "owner", "set", "changed",
							  "removed", "acl", "times", NULL};
	     *n; n++) {
		auto_fd int fd = file(d, *n);

		put_pages(fd, 0, 2, 1);
		if (!strcmp(*n, "changed") || !strcmp(*n, "removed"))
			assert_int_equal(fsetxattr(fd, "user.a", "1", 1, 0), 0);
	}
	assert_int_equal(fsetxattr(dir, "user.a", "1", 1, 0), 0);
	tmp_write(dir, "inner", "i");
}

static void attributes_after(int d)
{
	auto_fd int set = file(d, "set"), changed = file(d, "changed"),
		    removed = file(d, "removed"), acl = file(d, "acl"), dir = tmp_mkdir(d, "dir");
	/* user::rw-, user:1000:r--, group::r--, mask::r--, other::r-- */
	static const uint8_t value[] = {2,   0,	  0,   0,   1,	 0,   6,  0,   255, 255, 255,
					255, 2,	  0,   4,   0,	 232, 3,  0,   0,   4,	 0,
					4,   0,	  255, 255, 255, 255, 16, 0,   4,   0,	 255,
					255, 255, 255, 32,  0,	 4,   0,  255, 255, 255, 255};

	assert_int_equal(fchmodat(d, "mode", 04711, 0), 0);
	assert_int_equal(fchownat(d, "owner", 33, 44, 0), 0);
	assert_int_equal(fsetxattr(set, "user.new", "n", 1, 0), 0);
	assert_int_equal(fsetxattr(changed, "user.a", "2", 1, 0), 0);
	assert_int_equal(fremovexattr(removed, "user.a"), 0);
	assert_int_equal(fsetxattr(acl, "system.posix_acl_access", value, sizeof(value), 0), 0);
	assert_int_equal(utimensat(d, "times", (struct timespec[]){{5, 6}, {7, 8}}, 0), 0);
	assert_int_equal(fchmod(dir, 01777), 0);
	assert_int_equal(fremovexattr(dir, "user.a"), 0);
}

/* --- what overlayfs makes of the template --- */

static void template_in(int lower)
{
	auto_fd int opaque = tmp_mkdir(lower, "opaque"), moved = tmp_mkdir(lower, "moved"),
		    sub = tmp_mkdir(moved, "sub"), etc = tmp_mkdir(lower, "etc");

	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "gone-%d", i);
		tmp_write(lower, name, "template");
	}
	tmp_write(lower, "appended", "template");
	tmp_write(lower, "mode", "template");
	tmp_write(lower, "back", "template");
	tmp_write(opaque, "old", "template");
	tmp_write(sub, "f", "template");
	tmp_write(etc, "copied-up", "template");
}

static void template_before(int d)
{
	for (int i = 0; i < 10; i++) {
		char name[32];

		snprintf(name, sizeof(name), "gone-%d", i);
		assert_int_equal(unlinkat(d, name, 0), 0);
	}
	assert_int_equal(unlinkat(d, "back", 0), 0);
}

static void template_after(int d)
{
	auto_fd int appended = openat(d, "appended", O_WRONLY | O_APPEND | O_CLOEXEC),
		    opaque = -EBADF;
	auto_fd int etc = tmp_mkdir(d, "etc"), f = openat(etc, "copied-up", O_WRONLY | O_CLOEXEC);
	struct err e = {0};

	assert_int_equal(write(appended, "+", 1), 1);
	assert_int_equal(write(f, "T", 1), 1);
	assert_int_equal(fchmodat(d, "mode", 0600, 0), 0);
	assert_int_equal(unlinkat(d, "gone-15", 0), 0);
	tmp_write(d, "back", "again");
	assert_good(st_tree_remove(d, "opaque", &e));
	opaque = tmp_mkdir(d, "opaque");
	tmp_write(opaque, "new", "new");
	assert_int_equal(renameat(d, "moved", d, "moved-away"), 0);
}

/* --- all of them in one tree, for there is one clock to wait for --- */

static const struct way {
	const char *name;
	void (*before)(int d), (*after)(int d);
} ways[] = {
	{"small", small_before, small_after},
	{"pages", pages_before, pages_after},
	{"mapped", mapped_before, mapped_after},
	{"sizes", sizes_before, sizes_after},
	{"holes", holes_before, holes_after},
	{"aio", aio_before, aio_after},
	{"direct", direct_before, direct_after},
	{"links", links_before, links_after},
	{"moves", moves_before, moves_after},
	{"types", types_before, types_after},
	{"attributes", attributes_before, attributes_after},
	{"template", template_before, template_after},
};

struct world {
	struct tmp_tree t;
	int upper, target, overlay;
	struct st_manifest *sent;
	struct st_stream_stats live, last;
};

/* Here time itself is what is waited for: a file's ctime counts from two seconds on. */
static void let_ctimes_age(void)
{
	struct timespec left = {.tv_sec = 2, .tv_nsec = 200000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void each_way(struct world *w, bool after)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		auto_fd int d = tmp_mkdir(w->overlay, ways[i].name);

		(after ? ways[i].after : ways[i].before)(d);
	}
}

static int setup(void **state)
{
	struct tmp_tree *t;
	struct world *w = calloc(1, sizeof(*w));
	auto_fd int lower = -EBADF, in = -EBADF, layer = -EBADF, work = -EBADF;
	struct st_stream_pass pass = {0};
	struct err e = {0};

	if (tmp_tree_setup((void **)&t) < 0)
		return -1;
	w->t = *t;
	free(t);
	lower = tmp_mkdir(w->t.dir, "lower");
	in = tmp_mkdir(lower, "template");
	template_in(in);
	layer = tmp_mkdir(w->t.dir, "layer");
	w->upper = tmp_mkdir(layer, "upper");
	work = tmp_mkdir(layer, "work");
	w->target = tmp_mkdir(w->t.dir, "target");
	w->overlay = st_overlay_mount((int[]){lower}, 1, w->upper, work, -1, false, &e);
	if (w->overlay < 0)
		fail_msg("%s", e.text);
	each_way(w, false);
	let_ctimes_age();
	w->sent = st_manifest_new();
	pass = (struct st_stream_pass){.dir = w->upper, .sent = w->sent};
	same_send(pass, w->target, 0, &w->live);
	mapped_between();
	let_ctimes_age();
	same_send(pass, w->target, 0, NULL);
	each_way(w, true);
	pass.last = true;
	same_send(pass, w->target, 0, &w->last);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct tmp_tree *t = calloc(1, sizeof(*t));

	munmap(dirty, 20L * PAGE);
	munmap(clean, 20L * PAGE);
	munmap(store_again, PAGE);
	munmap(large, 4000L * PAGE);
	close(w->overlay);
	close(w->upper);
	close(w->target);
	st_manifest_free(w->sent);
	*t = w->t;
	free(w);
	return tmp_tree_teardown((void **)&t);
}

static void same_way(struct world *w, const char *name)
{
	auto_fd int a = openat(w->upper, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int b = openat(w->target, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(a >= 0);
	if (b < 0)
		fail_msg("%s: not there", name);
	same_tree(a, b, name);
}

#define WAY(name)                        \
	static void name(void **state)   \
	{                                \
		same_way(*state, #name); \
	}
WAY(small)
WAY(pages)
WAY(mapped)
WAY(sizes)
WAY(holes)
WAY(aio)
WAY(direct)
WAY(links)
WAY(moves)
WAY(types)
WAY(attributes)
WAY(template)

static void whole_tree(void **state)
{
	struct world *w = *state;

	same_tree(w->upper, w->target, "");
	/* The first pass sent 4,600 pages, and what was renamed goes again; of the rest it is pages, not files. */
	assert_true(w->live.bytes > 4600L * PAGE);
	assert_true(w->last.bytes < 600L * PAGE);
}

/* --- cases that need a tree of their own --- */

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
	auto_fd int fd = file(a, "f");
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
	make(a, "f", 4);
	make(a, "g", 4);
	p = map(a, "f", 4);
	p[0] = 'a';
	let_ctimes_age();
	pass.dir = a;
	same_send(pass, b, 0, NULL);
	p[0] = 'b';
	pass.last = true;
	same_send(pass, b, 0, NULL);
	same_tree(a, b, "");
	munmap(p, 4L * PAGE);
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
	auto_fd int fd = file(a, "db");

	put_pages(fd, 0, 16384, 1);
	same_send(pass, b, 0, &stats);
	assert_int_equal(stats.bytes, 64L << 20);
	for (int round = 2; round < 5; round++) {
		for (int i = 0; i < 256; i++)
			put_pages(fd, i * 64 + round, 1, (unsigned)round);
		pass.last = round == 4;
		same_send(pass, b, 0, &stats);
		assert_int_equal(stats.bytes, 256L * PAGE);
		assert_true(stats.entries <= 2);
		same_tree(a, b, "");
	}
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

	make(a, "a", 1);
	make(a, "m", 500);
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
	auto_fd int a = tmp_mkdir(t->dir, "a"), out = file(t->dir, "out"), fd = file(a, "f");
	struct pace pace = {0};
	struct st_stream_pass pass = {
		.dir = a, .fd = out, .last = true, .pace = count_bytes, .pace_arg = &pace};
	struct err e = {0};

	put_pages(fd, 0, 1000, 1);
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
	const struct CMUnitTest shared[] = {
		cmocka_unit_test(small),      cmocka_unit_test(pages),
		cmocka_unit_test(mapped),     cmocka_unit_test(sizes),
		cmocka_unit_test(holes),      cmocka_unit_test(aio),
		cmocka_unit_test(direct),     cmocka_unit_test(links),
		cmocka_unit_test(moves),      cmocka_unit_test(types),
		cmocka_unit_test(attributes), cmocka_unit_test(template),
		cmocka_unit_test(whole_tree),
	};
	const struct CMUnitTest own[] = {
		TEST(same_tick),
		TEST(write_under_way),
		TEST(mapped_on_tmpfs),
		TEST(large_file),
		TEST(linked_during_a_pass),
		TEST(one_more_whiteout),
		TEST(asks_before_it_writes),
	};

	return cmocka_run_group_tests(shared, setup, teardown) +
	       cmocka_run_group_tests(own, NULL, NULL);
}
