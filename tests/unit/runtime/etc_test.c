// SPDX-License-Identifier: GPL-2.0-only
/* The three files of /etc: written, kept when changed, and never through a link of the container. */
#include "runtime/etc.h"

#include "tests/unit/runtime/place.h"

struct trees {
	int first, root; /* the template's root file system, the container's */
	struct ct_definition d;
	struct ct_conf conf;
};

static int open_tree(const struct place *p, const char *name)
{
	char path[256];

	place_path(p, name, path);
	return ok(file_mkdirs_at(AT_FDCWD, path, 0755, &e));
}

static void put(int root, const char *path, const char *text)
{
	auto_fd int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void has(int root, const char *path, const char *part)
{
	struct err e = {0};
	auto_free char *text = NULL;

	assert_true(file_read_at(root, path, 1 << 16, &text, &e) >= 0);
	if (!strstr(text, part))
		fail_msg("%s lacks '%s': %s", path, part, text);
}

static struct trees trees_open(const struct place *p)
{
	struct trees t = {.first = open_tree(p, "first"), .root = open_tree(p, "root")};

	assert_int_equal(mkdirat(t.first, "etc", 0755), 0);
	assert_int_equal(mkdirat(t.root, "etc", 0755), 0);
	ct_definition_init(&t.d, "web");
	t.d.id_base = 1000000;
	t.d.net_count = 1;
	ct_conf_init(&t.conf);
	ok(net_addr_parse("192.0.2.53", &t.conf.dns[0], &e));
	return t;
}

static void trees_close(struct trees *t)
{
	close(t->first);
	close(t->root);
}

static int write_all(struct trees *t)
{
	return ok(ct_etc_write(&t->d, &t->conf, t->first, t->root, &e));
}

static void files_are_made_and_belong_to_the_container(void **state)
{
	static const char *const names[] = {"etc/hostname", "etc/hosts", "etc/resolv.conf"};
	struct trees t = trees_open(*state);
	struct stat st, again;

	put(t.first, "etc/hosts", "127.0.0.1\tlocalhost\n");
	put(t.root, "etc/hosts", "127.0.0.1\tlocalhost\n");
	write_all(&t);
	has(t.root, "etc/hostname", "web\n");
	has(t.root, "etc/hosts", "127.0.1.1\tweb\n");
	has(t.root, "etc/resolv.conf", "nameserver 192.0.2.53\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(fstatat(t.root, names[i], &st, 0), 0);
		assert_int_equal(st.st_uid, 1000000);
		assert_int_equal(st.st_mode & 07777, 0644);
	}
	/* What is right already is not made anew. */
	write_all(&t);
	assert_int_equal(fstatat(t.root, names[2], &again, 0), 0);
	assert_int_equal(st.st_ino, again.st_ino);
	/* What has changed in the definition is followed while the file is as we wrote it. */
	snprintf(t.d.hostname, sizeof(t.d.hostname), "shop");
	ok(net_addr_parse("192.0.2.54", &t.conf.dns[0], &e));
	write_all(&t);
	has(t.root, "etc/hostname", "shop\n");
	has(t.root, "etc/hosts", "127.0.1.1\tshop\n");
	has(t.root, "etc/resolv.conf", "nameserver 192.0.2.54\n");
	trees_close(&t);
}

static void what_the_container_changed_is_its_own(void **state)
{
	struct trees t = trees_open(*state);
	struct err e = {0};
	auto_free char *text = NULL;

	write_all(&t);
	assert_true(file_read_at(t.root, "etc/hosts", 4096, &text, &e) >= 0);
	text = reallocarray(text, 1, strlen(text) + 20);
	assert_non_null(text);
	memcpy(text + strlen(text), "192.0.2.7\tfriend\n", 18);
	put(t.root, "etc/hosts", text);
	put(t.root, "etc/resolv.conf", "nameserver 203.0.113.1\n");
	snprintf(t.d.hostname, sizeof(t.d.hostname), "shop");
	write_all(&t);
	has(t.root, "etc/hosts", "192.0.2.7\tfriend\n");
	has(t.root, "etc/hosts", "127.0.1.1\tweb\n");
	has(t.root, "etc/resolv.conf", "nameserver 203.0.113.1\n");
	trees_close(&t);
}

static void no_link_is_followed(void **state)
{
	struct trees t = trees_open(*state);
	char outside[256];

	/* A file beside the root, which only the host may touch. */
	place_path(*state, "outside", outside);
	put(AT_FDCWD, outside, "host\n");
	assert_int_equal(symlinkat("../../outside", t.root, "etc/hostname"), 0);
	assert_int_equal(symlinkat(outside, t.root, "etc/hosts"), 0);
	assert_int_equal(mkfifoat(t.root, "etc/resolv.conf", 0644), 0);
	write_all(&t);
	has(AT_FDCWD, outside, "host\n");
	assert_int_equal(unlinkat(t.root, "etc/hostname", 0), 0);
	assert_int_equal(unlinkat(t.root, "etc/hosts", 0), 0);
	assert_int_equal(unlinkat(t.root, "etc/resolv.conf", 0), 0);
	assert_int_equal(unlinkat(t.root, "etc", AT_REMOVEDIR), 0);
	/* No /etc, or one that leads outside: nothing is written there. */
	write_all(&t);
	assert_int_equal(symlinkat("../../..", t.root, "etc"), 0);
	write_all(&t);
	place_path(*state, "hosts", outside);
	assert_int_equal(access(outside, F_OK), -1);
	trees_close(&t);
}

static void without_a_network_there_are_no_name_servers(void **state)
{
	struct trees t = trees_open(*state);

	t.d.net_count = 0;
	write_all(&t);
	has(t.root, "etc/hosts", "127.0.1.1\tweb\n");
	assert_int_equal(faccessat(t.root, "etc/resolv.conf", F_OK, 0), -1);
	trees_close(&t);
}

#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(files_are_made_and_belong_to_the_container),
		T(what_the_container_changed_is_its_own),
		T(no_link_is_followed),
		T(without_a_network_there_are_no_name_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
