// SPDX-License-Identifier: GPL-2.0-only
/* Every way to change a tree between two passes of the stream, through an overlay as a container does it: the target must end up the same. */
#include "tests/unit/storage/same_tree.h"
#include "tests/unit/storage/tmp_pages.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>

#include "storage/overlay.h"

/* --- d is a directory of the overlay, the row's own --- */

static void put_back_times(int d, const char *name, const struct stat *st)
{
	assert_int_equal(utimensat(d, name, (struct timespec[]){st->st_atim, st->st_mtim}, 0), 0);
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
	tmp_make(d, "f", 300);
	tmp_make(d, "middle", 100);
}

static void pages_after(int d)
{
	auto_fd int fd = tmp_file(d, "f"), middle = tmp_file(d, "middle");

	tmp_put_pages(fd, 3, 1, 2);
	tmp_put_pages(fd, 100, 80, 2);
	tmp_put_pages(fd, 299, 1, 2);
	assert_int_equal(pwrite(middle, "x", 1, 50 * TMP_PAGE + 77), 1);
	assert_int_equal(pwrite(middle, "x", 1, 60 * TMP_PAGE + TMP_PAGE - 1), 1);
}

static char *dirty, *clean, *large, *store_again;

static void mapped_before(int d)
{
	tmp_make(d, "dirty", 20);
	tmp_make(d, "clean", 20);
	tmp_make(d, "large", 4000);
	tmp_make(d, "store-again", 1);
	store_again = tmp_map(d, "store-again", 1);
	dirty = tmp_map(d, "dirty", 20);
	clean = tmp_map(d, "clean", 20);
	large = tmp_map(d, "large", 4000);
	dirty[5 * TMP_PAGE + 9] = 'a';
	clean[5 * TMP_PAGE + 9] = 'a';
	assert_int_equal(msync(clean, 20L * TMP_PAGE, MS_SYNC), 0);
	large[3999L * TMP_PAGE + 99] = 'a';
}

static void mapped_between(void)
{
	store_again[0] = 'x';
}

static void mapped_after(int d)
{
	(void)d;
	store_again[0] = 'y';
	dirty[5 * TMP_PAGE + 9] = 'b';
	clean[5 * TMP_PAGE + 9] = 'b';
	large[3999L * TMP_PAGE + 99] = 'b';
	large[99] = 'c';
}

static void sizes_before(int d)
{
	tmp_make(d, "shorter", 40);
	tmp_make(d, "emptied", 40);
	tmp_make(d, "longer", 40);
	tmp_make(d, "again", 40);
	tmp_write(d, "odd", "odd");
}

static void sizes_after(int d)
{
	auto_fd int shorter = tmp_file(d, "shorter"), emptied = tmp_file(d, "emptied"),
		    longer = tmp_file(d, "longer"), again = tmp_file(d, "again"),
		    odd = tmp_file(d, "odd");

	assert_int_equal(ftruncate(shorter, 10 * TMP_PAGE + 17), 0);
	assert_int_equal(ftruncate(emptied, 0), 0);
	tmp_put_pages(longer, 40, 30, 1);
	assert_int_equal(ftruncate(again, 5), 0);
	assert_int_equal(ftruncate(again, 40L * TMP_PAGE), 0);
	assert_int_equal(pwrite(odd, "end", 3, 5000), 3);
}

static void holes_before(int d)
{
	auto_fd int sparse = tmp_file(d, "sparse"), filled = tmp_file(d, "filled");

	tmp_make(d, "punched", 64);
	tmp_put_pages(sparse, 10, 1, 1);
	tmp_put_pages(sparse, 200000, 1, 1);
	assert_int_equal(ftruncate(sparse, 1L << 30), 0);
	assert_int_equal(ftruncate(filled, 64L * TMP_PAGE), 0);
}

static void holes_after(int d)
{
	auto_fd int sparse = tmp_file(d, "sparse"), filled = tmp_file(d, "filled"),
		    punched = tmp_file(d, "punched");

	tmp_put_pages(sparse, 100000, 1, 1);
	assert_int_equal(fallocate(sparse, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   10L * TMP_PAGE, TMP_PAGE),
			 0);
	assert_int_equal(fallocate(punched, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   8L * TMP_PAGE, 40L * TMP_PAGE),
			 0);
	tmp_put_pages(filled, 3, 4, 1);
}

static void aio_before(int d)
{
	tmp_make(d, "f", 8);
}

static void aio_after(int d)
{
	static char page[TMP_PAGE] = "by aio";
	auto_fd int fd = tmp_file(d, "f");
	aio_context_t ctx = 0;
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PWRITE,
			  .aio_fildes = (unsigned)fd,
			  .aio_buf = (uint64_t)(uintptr_t)page,
			  .aio_nbytes = TMP_PAGE,
			  .aio_offset = 2L * TMP_PAGE};
	struct io_event done;

	assert_int_equal(syscall(SYS_io_setup, 1, &ctx), 0);
	assert_int_equal(syscall(SYS_io_submit, ctx, 1, (struct iocb *[]){&cb}), 1);
	assert_int_equal(syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL), 1);
	assert_int_equal(done.res, TMP_PAGE);
	syscall(SYS_io_destroy, ctx);
}

static void direct_before(int d)
{
	tmp_make(d, "f", 8);
}

static void direct_after(int d)
{
	static char page[TMP_PAGE] __attribute__((aligned(TMP_PAGE))) = "direct";
	auto_fd int fd = openat(d, "f", O_WRONLY | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, page, TMP_PAGE, TMP_PAGE), TMP_PAGE);
}

/* --- names --- */

static void links_before(int d)
{
	tmp_make(d, "one", 30);
	assert_int_equal(linkat(d, "one", d, "other", 0), 0);
	tmp_make(d, "alone", 30);
	tmp_make(d, "loses-a", 30);
	assert_int_equal(linkat(d, "loses-a", d, "loses-b", 0), 0);
	tmp_make(d, "untouched", 30);
	assert_int_equal(linkat(d, "untouched", d, "untouched-2", 0), 0);
	tmp_make(d, "parts", 3);
	assert_int_equal(linkat(d, "parts", d, "parts-2", 0), 0);
	tmp_make(d, "will-join", 3);
}

static void links_after(int d)
{
	auto_fd int other = tmp_file(d, "other");

	tmp_put_pages(other, 7, 1, 2);
	assert_int_equal(linkat(d, "alone", d, "a-new-name", 0), 0);
	assert_int_equal(linkat(d, "alone", d, "z-new-name", 0), 0);
	assert_int_equal(unlinkat(d, "loses-a", 0), 0);
	assert_int_equal(unlinkat(d, "parts", 0), 0);
	tmp_make(d, "parts", 4);
	assert_int_equal(unlinkat(d, "will-join", 0), 0);
	assert_int_equal(linkat(d, "parts-2", d, "will-join", 0), 0);
}

static void moves_before(int d)
{
	auto_fd int a = tmp_mkdir(d, "a"), b = tmp_mkdir(d, "b"), deep = tmp_mkdir(a, "deep");

	tmp_make(deep, "f", 3);
	tmp_make(a, "log", 100);
	tmp_make(a, "goes", 3);
	tmp_write(b, "x", "x");
}

static void moves_after(int d)
{
	auto_fd int a = tmp_mkdir(d, "a"), b = tmp_mkdir(d, "b");

	assert_int_equal(renameat(a, "goes", b, "came"), 0);
	assert_int_equal(renameat(a, "log", a, "log.1"), 0);
	tmp_make(a, "log", 2);
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
		auto_fd int fd = tmp_file(d, *n);

		tmp_put_pages(fd, 0, 2, 1);
		if (!strcmp(*n, "changed") || !strcmp(*n, "removed"))
			assert_int_equal(fsetxattr(fd, "user.a", "1", 1, 0), 0);
	}
	assert_int_equal(fsetxattr(dir, "user.a", "1", 1, 0), 0);
	tmp_write(dir, "inner", "i");
}

static void attributes_after(int d)
{
	auto_fd int set = tmp_file(d, "set"), changed = tmp_file(d, "changed"),
		    removed = tmp_file(d, "removed"), acl = tmp_file(d, "acl"),
		    dir = tmp_mkdir(d, "dir");
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
	tmp_let_ctimes_age();
	w->sent = st_manifest_new();
	pass = (struct st_stream_pass){.dir = w->upper, .sent = w->sent};
	same_send(pass, w->target, 0, &w->live);
	mapped_between();
	tmp_let_ctimes_age();
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

	munmap(dirty, 20L * TMP_PAGE);
	munmap(clean, 20L * TMP_PAGE);
	munmap(store_again, TMP_PAGE);
	munmap(large, 4000L * TMP_PAGE);
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
	assert_true(w->live.bytes > 4600L * TMP_PAGE);
	assert_true(w->last.bytes < 600L * TMP_PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),      cmocka_unit_test(pages),
		cmocka_unit_test(mapped),     cmocka_unit_test(sizes),
		cmocka_unit_test(holes),      cmocka_unit_test(aio),
		cmocka_unit_test(direct),     cmocka_unit_test(links),
		cmocka_unit_test(moves),      cmocka_unit_test(types),
		cmocka_unit_test(attributes), cmocka_unit_test(template),
		cmocka_unit_test(whole_tree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
