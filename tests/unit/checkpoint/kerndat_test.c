// SPDX-License-Identifier: GPL-2.0-only
/* What criu knows about the kernel: made once, and taken by the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/criu.h"
#include "checkpoint/kerndat.h"
#include "runtime/system.h"

struct lab {
	char dir[64], root[80], state[80];
	struct ct_host h;
	int images, mount;
};

static void must(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s", e->text);
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const char *tmp = getenv("TMPDIR");
	struct err e = {0};

	snprintf(l->dir, sizeof(l->dir), "%.40s/skep-kerndat-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->root, sizeof(l->root), "%s/root", l->dir);
	snprintf(l->state, sizeof(l->state), "%s/state", l->dir);
	must(ct_host_init(&l->h, l->root, l->state, &e), &e);
	l->images = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->mount = -EBADF;
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	own_close_fd(&l->images);
	own_close_fd(&l->mount);
	file_remove_tree_at(AT_FDCWD, l->dir, &e);
	free(l);
	return 0;
}

static int count_cached(const struct lab *l)
{
	char path[100];
	auto_dir DIR *d = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "%s/.cache", l->state);
	d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));)
		n += !strncmp(entry->d_name, "criu.kdat-", 10);
	return n;
}

/* I am criu's process. */
static int attach(void *arg, struct err *e)
{
	struct lab *l = arg;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make a mount namespace");
	return l->mount < 0 ? 0 : cr_kerndat_attach(l->mount, e);
}

static void test_taken(void **state)
{
	struct lab *l = *state;
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_free char *log = NULL;
	struct err e = {0}, ignored = {0};
	struct statfs fs;
	bool keeps;

	assert_int_equal(statfs("/run", &fs), 0);
	keeps = fs.f_type == TMPFS_MAGIC;
	assert_int_equal(cr_kerndat_open(&l->h, &e), -ENOENT);
	assert_int_equal(e.no, 0);
	must(cr_kerndat_prepare(&l->h, &e), &e);
	must(cr_kerndat_prepare(&l->h, &e), &e); /* is there already */
	assert_int_equal(count_cached(l), keeps ? 0 : 1);
	l->mount = cr_kerndat_open(&l->h, &e);
	assert_true(keeps ? l->mount == -ENOENT : l->mount >= 0);
	must(cr_criu_init(&c, "check", ERR_CHECKPOINT, l->images, &e), &e);
	cr_criu_add(&c, "-v4");
	c.prepare = attach;
	c.prepare_arg = l;
	(void)cr_criu_run(&c, NULL, &ignored);
	must(file_read_at(l->images, "check.log", 1 << 20, &log, &e), &e);
	assert_non_null(strstr(log, "Loaded kdat cache from /run/criu.kdat"));
}

static void note_version(const struct lab *l, const char *text)
{
	char path[100], file[256] = "";
	auto_dir DIR *d = NULL;
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/.cache", l->state);
	d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));)
		if (!strncmp(entry->d_name, "criu.version-", 13))
			snprintf(file, sizeof(file), "%.255s", entry->d_name);
	assert_true(file[0]);
	must(file_replace_volatile_at(dirfd(d), file, text, strlen(text), 0600, &e), &e);
}

/* It is asked but once, and anew when it is another file. */
static void test_version(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	int version = cr_criu_version(&e);
	char other[100];
	FILE *script;

	assert_true(version > 0);
	assert_int_equal(cr_kerndat_version(&l->h, &e), version);
	note_version(l, "123456\n");
	assert_int_equal(cr_kerndat_version(&l->h, &e), 123456);
	note_version(l, "nonsense\n");
	assert_int_equal(cr_kerndat_version(&l->h, &e), version);
	snprintf(other, sizeof(other), "%s/criu", l->dir);
	script = fopen(other, "we");
	fputs("#!/bin/sh\necho Version: 9.8.7\n", script);
	fclose(script);
	assert_int_equal(chmod(other, 0755), 0);
	setenv("SKEP_CRIU", other, 1);
	assert_int_equal(cr_kerndat_version(&l->h, &e), 90807);
	unsetenv("SKEP_CRIU");
	assert_int_equal(cr_kerndat_version(&l->h, &e), version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_version, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
