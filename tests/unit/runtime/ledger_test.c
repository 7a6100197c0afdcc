// SPDX-License-Identifier: GPL-2.0-only
/* The ledger: what is noted, in which order it is undone, what stays when undoing fails; who gives up a shared bridge. */
#include "place.h"

#include <net/if.h>
#include <sched.h>

#include "net/bridge.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/veth.h"

/* Each test on a host's network of its own. */
static int setup(void **state)
{
	return unshare(CLONE_NEWNET) ? -1 : place_setup(state);
}

static void new_ct(struct place *p, const char *id, struct ct *ct)
{
	*ct = (struct ct)CT_INIT;
	ok(ct_state_new(p->state, id, "create", ct, &e));
}

static void write_ledger(const struct ct *ct, const char *text)
{
	ok(file_replace_volatile_at(ct->dir, CT_LEDGER_FILE, text, strlen(text), 0600, &e));
}

static void has(const struct ct *ct, const char *wanted)
{
	auto_free char *text = NULL;
	struct err e = {0};

	/* One with nothing left to undo is gone. */
	if (file_try_read_at(ct->dir, CT_LEDGER_FILE, 65536, &text, &e) == -ENOENT)
		assert_string_equal("", wanted);
	else
		assert_string_equal(text, wanted);
}

static bool link_there(const char *name)
{
	return if_nametoindex(name) != 0;
}

static int collect(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	char *all = arg;
	size_t n = strlen(all);

	(void)e;
	snprintf(all + n, 256 - n, "%d=%s;", (int)kind, name);
	return 0;
}

static int refuse_second(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	int *count = arg;

	(void)kind;
	return ++*count == 2 ? err_set(e, EPERM, "%s", name) : 0;
}

static void walked_backwards(void **state)
{
	auto_ct struct ct ct = CT_INIT;
	char all[256] = "", want[256];
	struct err why = {0};
	int count = 0;

	new_ct(*state, "a", &ct);
	ok(ct_ledger_walk(ct.dir, collect, all, &e));
	assert_string_equal(all, "");
	ok(ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, "skep/a", &e));
	ok(ct_ledger_add(ct.dir, CT_LEDGER_LINK, "vx", &e));
	ok(ct_ledger_add(ct.dir, CT_LEDGER_ROUTE, "vx 10.0.0.1/32 -", &e));
	has(&ct, "cgroup skep/a\nlink vx\nroute vx 10.0.0.1/32 -\n");
	ok(ct_ledger_walk(ct.dir, collect, all, &e));
	snprintf(want, sizeof(want), "%d=vx 10.0.0.1/32 -;%d=vx;%d=skep/a;", CT_LEDGER_ROUTE,
		 CT_LEDGER_LINK, CT_LEDGER_CGROUP);
	assert_string_equal(all, want);
	assert_int_equal(ct_ledger_walk(ct.dir, refuse_second, &count, &why), -EPERM);
	assert_int_equal(count, 2);
}

static void taken_back(void **state)
{
	auto_ct struct ct ct = CT_INIT;

	new_ct(*state, "101", &ct);
	write_ledger(
		&ct,
		"cgroup skep/101\nroute sk1 192.0.2.7/32 up0\nlink sk1\nroute sk1 192.0.2.8/32 up0\n");
	ok(ct_ledger_drop(ct.dir, CT_LEDGER_ROUTE, "sk1 192.0.2.7/32 up0", &e));
	ok(ct_ledger_drop(ct.dir, CT_LEDGER_CGROUP, "sk1", &e));
	has(&ct, "cgroup skep/101\nlink sk1\nroute sk1 192.0.2.8/32 up0\n");
}

static void refuses_what_is_no_line(void **state)
{
	auto_ct struct ct ct = CT_INIT;
	char longest[600];
	struct err why = {0};

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	new_ct(*state, "a", &ct);
	assert_int_equal(ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, "a\nb", &why), -EINVAL);
	assert_int_equal(ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, "", &why), -EINVAL);
	assert_int_equal(ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, longest, &why), -EINVAL);
	has(&ct, "");
}

/* A torn line, one of a newer version, an empty one: the others are undone all the same. */
static void strange_lines(void **state)
{
	auto_ct struct ct ct = CT_INIT;
	char all[256] = "", want[64];

	new_ct(*state, "a", &ct);
	write_ledger(&ct, "cgroup skep-test-none/a\nteapot brown\n\ncgro\nlink \nlink skepnone");
	ok(ct_ledger_walk(ct.dir, collect, all, &e));
	snprintf(want, sizeof(want), "%d=skepnone;%d=skep-test-none/a;", CT_LEDGER_LINK,
		 CT_LEDGER_CGROUP);
	assert_string_equal(all, want);
	ok(ct_ledger_undo(ct.dir, false, &e));
	has(&ct, "");
	/* Again, of an empty file, and without any. */
	assert_int_equal(faccessat(ct.dir, CT_LEDGER_FILE, F_OK, 0), -1);
	write_ledger(&ct, "");
	ok(ct_ledger_undo(ct.dir, false, &e));
	assert_int_equal(unlinkat(ct.dir, CT_LEDGER_FILE, 0), 0);
	ok(ct_ledger_undo(ct.dir, false, &e));
}

/* A failure in the middle keeps its own line, and no other. */
static void goes_on_after_a_failure(void **state)
{
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	struct err why = {0};
	char path[64], lines[256];

	new_ct(*state, "a", &ct);
	snprintf(path, sizeof(path), "skep-test-%d/a", getpid());
	ok(cg_create(path, &cg, &e));
	snprintf(lines, sizeof(lines), "cgroup %s\nroute nonsense\nlink skepnone\n", path);
	write_ledger(&ct, lines);
	assert_int_equal(ct_ledger_undo(ct.dir, false, &why), -EINVAL);
	has(&ct, "route nonsense\n");
	cg_close(&cg);
	why = (struct err){0};
	assert_int_equal(cg_open(path, &cg, &why), -ENOENT);
}

static void link_is_removed(void **state)
{
	struct net_if ifc = {.name = "eth0", .mode = NET_MODE_ROUTED};
	auto_ct struct ct ct = CT_INIT;
	auto_fd int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	new_ct(*state, "a", &ct);
	snprintf(ifc.host_name, sizeof(ifc.host_name), "skeptest0");
	net_mac_from_seed("a", ifc.mac);
	ok(ct_ledger_add(ct.dir, CT_LEDGER_LINK, ifc.host_name, &e));
	ok(net_veth_pair(&ifc, netns, &e));
	assert_true(link_there("skeptest0"));
	ok(ct_ledger_undo(ct.dir, false, &e));
	assert_false(link_there("skeptest0"));
	has(&ct, "");
}

/* Who goes first leaves it to the other; who goes last takes it along. The operator's own stays. */
static void shared_bridge(void **state)
{
	auto_ct struct ct a = CT_INIT, b = CT_INIT;

	new_ct(*state, "a", &a);
	new_ct(*state, "b", &b);
	ok(ct_ledger_add(a.dir, CT_LEDGER_BRIDGE, "skeptbr", &e));
	ok(ct_ledger_add(b.dir, CT_LEDGER_BRIDGE, "skeptbr", &e));
	assert_int_equal(ok(net_bridge_ensure("skeptbr", NULL, 0, &e)), 1);
	ok(ct_ledger_undo(a.dir, false, &e));
	assert_true(link_there("skeptbr"));
	has(&a, "");
	has(&b, "bridge skeptbr\n");
	ok(ct_ledger_undo(b.dir, false, &e));
	assert_false(link_there("skeptbr"));
	has(&b, "");
}

/* Both at the same time: one of them must find itself to be the last. */
static void two_leave_a_bridge_at_once(void **state)
{
	struct place *p = *state;

	for (int round = 0; round < 20; round++) {
		struct ct ct[2] = {CT_INIT, CT_INIT};
		pid_t pids[2];

		new_ct(p, "a", &ct[0]);
		new_ct(p, "b", &ct[1]);
		for (int i = 0; i < 2; i++)
			ok(ct_ledger_add(ct[i].dir, CT_LEDGER_BRIDGE, "skeptbr", &e));
		ok(net_bridge_ensure("skeptbr", NULL, 0, &e));
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct err e = {0};

				_exit(ct_ledger_undo(ct[i].dir, false, &e) < 0);
			}
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(place_reap(pids[i]), 0);
		assert_false(link_there("skeptbr"));
		for (int i = 0; i < 2; i++) {
			ok(ct_delete(&ct[i], true, &e));
			ct_close(&ct[i]);
		}
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, place_teardown)
	const struct CMUnitTest tests[] = {
		T(walked_backwards),	    T(taken_back),
		T(refuses_what_is_no_line), T(strange_lines),
		T(goes_on_after_a_failure), T(link_is_removed),
		T(shared_bridge),	    T(two_leave_a_bridge_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
