// SPDX-License-Identifier: GPL-2.0-only
/* Templates built, listed, kept while used, removed; half-made ones cleaned. */
#include "tests/unit/storage/tmp_tree.h"

#include <sys/wait.h>

#include "storage/build_busybox.h"
#include "storage/build_debian.h"
#include "storage/import.h"
#include "storage/template.h"

/* Names that are not the lock's. */
static int entries(int dir)
{
	struct st_tree_size size;
	struct err e = {0};

	assert_good(st_tree_measure(dir, &size, &e));
	return (int)size.inodes;
}

static void busybox_is_built_and_listed(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_template info, *list;
	auto_fd int root = -EBADF;
	char target[64] = "";

	assert_good(st_build_busybox(t->dir, "busybox", &e));
	root = st_template_open(t->dir, "busybox", &info, &e);
	assert_good(root);
	assert_string_equal(info.name, "busybox");
	assert_string_equal(info.init_path, "/sbin/init");
	assert_string_equal(info.stop_signal, "SIGQUIT");
	assert_true(info.size_bytes > 1 << 20);
	assert_int_equal(strncmp(info.content_id, "sha256:", 7), 0);
	assert_int_equal(strlen(info.content_id), 71);
	assert_int_equal(readlinkat(root, "sbin/init", target, sizeof(target)), 12);
	assert_int_equal(tmp_stat(root, "tmp").st_mode, S_IFDIR | 01777);
	assert_int_equal(tmp_stat(root, "etc/shadow").st_mode, S_IFREG | 0640);
	assert_int_equal(st_build_busybox(t->dir, "busybox", &e), -EEXIST);
	assert_int_equal(e.class, ERR_EXISTS);
	err_clear(&e);
	assert_good(st_build_busybox(t->dir, "another", &e));
	assert_int_equal(st_template_list(t->dir, &list, &e), 2);
	assert_string_equal(list[0].name, "another");
	/* The same content, built twice. */
	assert_string_equal(list[0].content_id, list[1].content_id);
	free(list);
}

static void a_failed_build_leaves_nothing(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};

	assert_int_equal(st_import_template(t->dir, "x", "/etc/hostname", NULL, &e) < 0, 1);
	assert_int_equal(entries(t->dir), 2); /* itself and the lock */
	err_clear(&e);
	assert_int_equal(st_build_debian(t->dir, "x", &(struct st_debian){.release = "3.1"}, &e),
			 -EINVAL);
	assert_int_equal(e.class, ERR_VALUE);
	err_clear(&e);
	assert_int_equal(st_build_busybox(t->dir, "../x", &e), -EINVAL);
	assert_int_equal(entries(t->dir), 2);
}

static void what_a_dead_builder_left_is_cleaned(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_template_build b = ST_TEMPLATE_BUILD_INIT;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (st_template_begin(t->dir, "x", &b, &e) < 0)
			_exit(1);
		tmp_write(b.root, "half", "made");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(entries(t->dir) > 2);
	assert_good(st_template_begin(t->dir, "x", &b, &e));
	st_template_abandon(&b);
	assert_int_equal(entries(t->dir), 2);
}

static int is_used(const char *name, char *who, size_t size, void *arg, struct err *e)
{
	(void)e;
	assert_string_equal(name, "busybox");
	snprintf(who, size, "101");
	return *(int *)arg;
}

static void is_kept_while_used(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	int used = 1;

	assert_good(st_build_busybox(t->dir, "busybox", &e));
	assert_int_equal(st_template_remove(t->dir, "busybox", is_used, &used, &e), -EBUSY);
	assert_non_null(strstr(e.text, "'101'"));
	err_clear(&e);
	used = 0;
	assert_good(st_template_remove(t->dir, "busybox", is_used, &used, &e));
	assert_int_equal(st_template_remove(t->dir, "busybox", is_used, &used, &e), -ENOENT);
	assert_int_equal(e.class, ERR_NO_TEMPLATE);
	/* Itself and the two locks. */
	assert_int_equal(entries(t->dir), 3);
}

static void a_directory_becomes_a_template(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_template info;
	char path[128];
	auto_fd int from = tmp_mkdir(t->dir, "from"), sbin = tmp_mkdir(from, "sbin");
	auto_fd int templates = tmp_mkdir(t->dir, "templates"), root = -EBADF;

	tmp_write(sbin, "init", "#!/bin/true\n");
	snprintf(path, sizeof(path), "%s/from", t->path);
	assert_good(st_import_template(templates, "mine", path, NULL, &e));
	root = st_template_open(templates, "mine", &info, &e);
	assert_good(root);
	assert_string_equal(info.init_path, "/sbin/init");
	assert_string_equal(info.stop_signal, "SIGTERM");
	tmp_is(root, "sbin/init", "#!/bin/true\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(busybox_is_built_and_listed),	   TEST(a_failed_build_leaves_nothing),
		TEST(what_a_dead_builder_left_is_cleaned), TEST(is_kept_while_used),
		TEST(a_directory_becomes_a_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
