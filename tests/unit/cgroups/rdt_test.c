// SPDX-License-Identifier: GPL-2.0-only
/* Groups of resctrl, by runtime-spec's rules (config-linux.md, "IntelRdt"). A directory stands for the file system: what the kernel puts into a new group is put there by the test. */
#include "fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cgroups/rdt.h"

static char place[64];
static int root = -EBADF;
static char noted[4][64];
static int n_noted;

static int note(void *arg, const char *path, struct err *e)
{
	struct stat st;

	(void)arg;
	(void)e;
	/* Before it is made. */
	assert_true(fstatat(root, path, &st, 0) < 0);
	snprintf(noted[n_noted++], sizeof(noted[0]), "%s", path);
	return 0;
}

static int drop(void *arg, const char *path, struct err *e)
{
	(void)arg;
	(void)path;
	(void)e;
	n_noted--;
	return 0;
}

static const struct cg_rdt_notes notes = {.note = note, .drop = drop};

static int setup(void **state)
{
	(void)state;
	snprintf(place, sizeof(place), "/tmp/skep-rdt.XXXXXX");
	assert_non_null(mkdtemp(place));
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n_noted = 0;
	return root < 0;
}

static int teardown(void **state)
{
	char cmd[128];
	pid_t pid = fork();

	(void)state;
	snprintf(cmd, sizeof(cmd), "%s", place);
	if (pid == 0) {
		execlp("rm", "rm", "-r", cmd, NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	close(root);
	return 0;
}

static void put(const char *path, const char *text)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void assert_text(const char *path, const char *text)
{
	auto_free char *there = NULL;
	struct err e = {0};

	OK(file_read_at(root, path, 4096, &there, &e));
	assert_string_equal(there, text);
}

static bool there_is(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, 0) == 0;
}

/* What the kernel does at a mkdir. */
static void fill(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/tasks", group);
	put(path, "");
	snprintf(path, sizeof(path), "%s/schemata", group);
	put(path, "");
	snprintf(path, sizeof(path), "%s/mon_groups", group);
	mkdirat(root, path, 0755);
}

static void without_a_name_the_group_is_the_containers(void **state)
{
	struct cg_rdt rdt = {.given = true, .l3 = "L3:0=f", .mb = "MB:0=20"};
	struct err e = {0};

	(void)state;
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	assert_true(there_is("web"));
	assert_int_equal(n_noted, 1);
	assert_string_equal(noted[0], "web");
	fill("web");
	OK(cg_rdt_write(root, &rdt, "web", &e));
	OK(cg_rdt_add(root, &rdt, "web", 77, &e));
	assert_text("web/schemata", "L3:0=f\nMB:0=20\n");
	assert_text("web/tasks", "77");
}

static void one_that_was_there_is_not_ours_to_remove(void **state)
{
	struct cg_rdt rdt = {.given = true};
	struct err e = {0};

	(void)state;
	mkdirat(root, "web", 0755);
	fill("web");
	put("web/schemata", "as it was");
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	assert_int_equal(n_noted, 0);
	/* None is given, none is written. */
	OK(cg_rdt_write(root, &rdt, "web", &e));
	assert_text("web/schemata", "as it was");
}

static void a_named_group_is_made_and_stays(void **state)
{
	char *lines[] = {"L2:0=f", "L3:1=7", NULL};
	struct cg_rdt rdt = {.given = true,
			     .clos = "gold",
			     .l3 = "L3:0=f\nMB:0=70",
			     .mb = "MB:0=20",
			     .schemata = lines};
	struct err e = {0};

	(void)state;
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	assert_true(there_is("gold") && !there_is("web"));
	assert_int_equal(n_noted, 0);
	fill("gold");
	OK(cg_rdt_write(root, &rdt, "web", &e));
	assert_text("gold/schemata", "L3:0=f\nMB:0=20\nL2:0=f\nL3:1=7\n");
}

static void a_named_group_that_is_there_must_be_the_same(void **state)
{
	static const struct {
		char *l3, *mb;
		bool fits;
	} cases[] = {
		{"L3:0=7f0;1=1f", NULL, true},	     {"L3:1=01F;0=7f0;", "MB:0=20;1=70", true},
		{NULL, "MB:1=70;0=20", true},	     {"L3:0=7f0", NULL, false},
		{"L3:0=7f0;1=1e", NULL, false},	     {"L3:0=7f0;1=1f;2=1", NULL, false},
		{NULL, "MB:0=20;1=46", false},	     {"L2:0=1", NULL, false},
		{"L3:0=7f0;1=1f", "MB:0=21", false}, {"nonsense", NULL, false},
		{"L3:0=7f0;1=", NULL, false},
	};

	(void)state;
	mkdirat(root, "gold", 0755);
	fill("gold");
	put("gold/schemata", "    MB:0= 20;1= 70\n    L3:0=7f0;1=01f\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cg_rdt rdt = {
			.given = true, .clos = "gold", .l3 = cases[i].l3, .mb = cases[i].mb};
		struct err e = {0};
		int r = cg_rdt_make(root, &rdt, "web", &notes, &e);

		if ((r >= 0) != cases[i].fits)
			fail_msg("case %zu: %s", i, e.text);
		if (r < 0)
			assert_int_equal(e.class, ERR_CONFIG);
	}
}

static void a_name_alone_is_of_a_group_that_is_there(void **state)
{
	struct cg_rdt rdt = {.given = true, .clos = "gold"};
	struct err e = {0};

	(void)state;
	assert_int_equal(cg_rdt_make(root, &rdt, "web", &notes, &e), -ENOENT);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_false(there_is("gold"));
	err_clear(&e);
	mkdirat(root, "gold", 0755);
	fill("gold");
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	OK(cg_rdt_add(root, &rdt, "web", 5, &e));
	assert_text("gold/tasks", "5");
}

static void the_root_is_a_group_too(void **state)
{
	struct cg_rdt rdt = {.given = true, .clos = "/", .monitor = true};
	struct err e = {0};

	(void)state;
	put("tasks", "");
	mkdirat(root, "mon_groups", 0755);
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	assert_string_equal(noted[0], "mon_groups/web");
	put("mon_groups/web/tasks", "");
	OK(cg_rdt_add(root, &rdt, "web", 6, &e));
	assert_text("tasks", "6");
	assert_text("mon_groups/web/tasks", "6");
}

static void a_monitoring_group_is_the_containers(void **state)
{
	struct cg_rdt rdt = {.given = true, .clos = "gold", .cmt = true};
	struct err e = {0};

	(void)state;
	mkdirat(root, "gold", 0755);
	fill("gold");
	OK(cg_rdt_make(root, &rdt, "web", &notes, &e));
	assert_int_equal(n_noted, 1);
	assert_string_equal(noted[0], "gold/mon_groups/web");
	assert_true(there_is("gold/mon_groups/web"));
}

static void names(void **state)
{
	(void)state;
	assert_true(cg_rdt_name_ok("gold"));
	assert_false(cg_rdt_name_ok(""));
	assert_false(cg_rdt_name_ok(".."));
	assert_false(cg_rdt_name_ok("a/b"));
	assert_false(cg_rdt_name_ok("mon_groups"));
	assert_false(cg_rdt_name_ok("a\nb"));
}

/* Without a descriptor nobody knows whether there is a resctrl: the ledger must keep the line. */
static void who_cannot_look_has_removed_nothing(void **state)
{
	struct rlimit before, none;
	struct err e = {0};

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(cg_rdt_remove("web", &e), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_name_the_group_is_the_containers),
		T(one_that_was_there_is_not_ours_to_remove),
		T(a_named_group_is_made_and_stays),
		T(a_named_group_that_is_there_must_be_the_same),
		T(a_name_alone_is_of_a_group_that_is_there),
		T(the_root_is_a_group_too),
		T(a_monitoring_group_is_the_containers),
		cmocka_unit_test(names),
		cmocka_unit_test(who_cannot_look_has_removed_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
