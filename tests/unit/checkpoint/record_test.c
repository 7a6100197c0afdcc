// SPDX-License-Identifier: GPL-2.0-only
/* Control groups that a container made come back; a record from another host cannot lead out of them. Watched files are found. */
#include "tests/unit/runtime/place.h"

#include <sys/inotify.h>

#include "cgroups/delegate.h"
#include "cgroups/entry.h"
#include "checkpoint/record.h"
#include "checkpoint/watches.h"

#define ID_BASE 524288

struct lab {
	struct place *place;
	int images;
	struct cg cg;
	char group[96];
};

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));

	if (place_setup((void **)&l->place) < 0)
		return -1;
	l->images = open(l->place->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(l->group, sizeof(l->group), "skep-test-%d/record", getpid());
	ok(cg_create(l->group, &l->cg, &e));
	ok(cg_delegate(&l->cg, ID_BASE, ID_BASE, true, &e));
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	cg_close(&l->cg);
	ok(cg_destroy(l->group, 1000, &e));
	close(l->images);
	place_teardown((void **)&l->place);
	free(l);
	return 0;
}

static void make_group(const struct lab *l, const char *path, uid_t uid)
{
	assert_int_equal(mkdirat(l->cg.ct, path, 0755), 0);
	assert_int_equal(fchownat(l->cg.ct, path, uid, uid, 0), 0);
}

static void is_owned(const struct lab *l, const char *path, uid_t uid)
{
	struct stat st;

	assert_int_equal(fstatat(l->cg.ct, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, uid);
}

/* The mode of a machine without cgroup2 leaves nothing to note. */
static bool has_unified(const struct lab *l)
{
	if (l->cg.ct >= 0)
		return true;
	print_message("skip: no unified hierarchy\n");
	return false;
}

static void test_groups_come_back(void **state)
{
	struct lab *l = *state;
	struct ct ct = CT_INIT;
	struct ct_definition d = {.network = CT_NETWORK_PRIVATE, .net_count = 2};
	auto_record struct cr_record taken = {0}, loaded = {0};

	if (!has_unified(l))
		skip();
	make_group(l, "init.scope", ID_BASE);
	make_group(l, "system.slice", ID_BASE);
	make_group(l, "system.slice/empty.service", ID_BASE);
	make_group(l, "user", ID_BASE + 1000);
	snprintf(ct.s.cgroup, sizeof(ct.s.cgroup), "%s", l->group);
	snprintf(ct.s.terminal, sizeof(ct.s.terminal), "8803:1a");
	ct.s.id_base = ID_BASE;
	snprintf(d.nets[0].name, IFNAMSIZ, "eth0");
	snprintf(d.nets[1].name, IFNAMSIZ, "lan");
	ok(cr_record_take(&ct, &d, &taken, &e));
	snprintf(taken.ctty, sizeof(taken.ctty), "500:2f");
	ok(cr_record_save(l->images, &taken, &e));
	ok(cr_record_load(l->images, &loaded, &e));
	assert_string_equal(loaded.terminal, "8803:1a");
	assert_string_equal(loaded.ctty, "500:2f");
	assert_int_equal(loaded.net_count, 2);
	assert_string_equal(loaded.nets[1], "lan");
	assert_int_equal(loaded.id_base, ID_BASE);
	assert_int_equal(json_array_size(loaded.groups), 5);

	cg_close(&l->cg);
	ok(cg_destroy(l->group, 1000, &e));
	ok(cg_create(l->group, &l->cg, &e));
	ok(cg_delegate(&l->cg, ID_BASE, ID_BASE, true, &e));
	ok(cr_record_make_groups(&loaded, &l->cg, &e));
	is_owned(l, "init.scope", ID_BASE);
	is_owned(l, "system.slice/empty.service/cgroup.procs", ID_BASE);
	is_owned(l, "user", ID_BASE + 1000);
	is_owned(l, "user/cgroup.procs", ID_BASE + 1000);
	is_owned(l, "user/cgroup.max.depth", ID_BASE);
}

static void write_record(const struct lab *l, const char *text)
{
	ok(file_replace_volatile_at(l->images, CR_RECORD_FILE, text, strlen(text), 0600, &e));
}

#define RECORD(terminal, nets, groups)                                                      \
	"{\"version\": 1, \"id_base\": 7, \"terminal\": \"" terminal "\", \"nets\": [" nets \
	"], \"groups\": [" groups "]}"
#define GROUP(path) \
	"{\"path\": \"" path "\", \"uid\": 1, \"gid\": 1, \"controllers\": \"\", \"limits\": {}}"

static void test_hostile_records(void **state)
{
	static const char *const bad[] = {
		"{\"version\": 2, \"id_base\": 7}",
		RECORD("8803:1a,x", "", ""),
		RECORD("", "\"a/b\"", ""),
		RECORD("", "1", ""),
		RECORD("", "\"a\", \"b\", \"c\", \"d\", \"e\"", ""),
		RECORD("", "", GROUP("..")),
		RECORD("", "", GROUP("a/../../b")),
		RECORD("", "", GROUP("/etc")),
		RECORD("", "", GROUP("a//b")),
		RECORD("", "", "{\"path\": \"a\"}"),
		RECORD("", "", "1"),
	};
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_record struct cr_record r = {0};

		write_record(l, bad[i]);
		refused(cr_record_load(l->images, &r, &e), ERR_RESTORE);
	}
	write_record(l, "[]");
	refused(cr_record_load(l->images, &(struct cr_record){0}, &e), ERR_CONFIG);
	write_record(l, RECORD("8803:1a", "\"eth0\"", GROUP("") "," GROUP("a/b.slice")));
	auto_record struct cr_record r = {0};

	ok(cr_record_load(l->images, &r, &e));
	assert_int_equal(json_array_size(r.groups), 2);
}

static void note_path(const char *path, void *arg)
{
	snprintf(arg, 512, "%s", path);
}

/* A process that has a chroot for its root, and watches a file deep in it. */
static void test_watched_file(void **state)
{
	struct lab *l = *state;
	char root[128], found[512] = "", c;
	int ready[2];
	pid_t pid;

	snprintf(root, sizeof(root), "%s/root/usr/share/x", l->place->state);
	auto_fd int made = file_mkdirs_at(AT_FDCWD, root, 0755, &(struct err){0});

	assert_true(made >= 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	snprintf(root, sizeof(root), "%s/root", l->place->state);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chroot(root) < 0 ||
		    inotify_add_watch(inotify_init(), "/usr/share/x", IN_CREATE) < 0)
			_exit(1);
		close(ready[1]);
		while (pause())
			;
	}
	ok(cg_add(&l->cg, pid, true, &e));
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	ok(cr_watches_find(&l->cg, pid, note_path, found, &e));
	kill(pid, SIGKILL);
	place_reap(pid);
	assert_string_equal(found, "/usr/share/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_groups_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_watched_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
