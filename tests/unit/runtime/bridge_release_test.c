// SPDX-License-Identifier: GPL-2.0-only
/* The last container lets go of the bridge, also where the kernel has not taken away the links of dead ones yet. */
#include "runtime/bridge_release.h"

#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/log.h"
#include "net/bridge.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/veth.h"
#include "runtime/bridge_claim.h"
#include "runtime/ledger.h"
#include "runtime/net_place.h"
#include "runtime/network.h"
#include "tests/unit/runtime/place.h"

static int net_setup(void **state)
{
	struct err e = {0};

	if (unshare(CLONE_NEWNET) || net_loopback_up(-1, &e) < 0)
		return -1;
	return place_setup(state);
}

static bool is_there(const char *name)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	struct err why = {0};

	ok(net_nl_open(&nl, -1, &e));
	return net_link_get(&nl, name, &info, &why) >= 0;
}

/* A port whose other end does not go: as of a container that ended a moment ago, or of somebody else's. */
static void make_port(int netns, const char *seed, const char *name, const char *inner,
		      char host[IFNAMSIZ])
{
	struct net_if ifc = {.mode = NET_MODE_BRIDGE};

	snprintf(ifc.name, sizeof(ifc.name), "%s", inner);
	snprintf(ifc.alias, sizeof(ifc.alias), "%s", name);
	snprintf(ifc.bridge, sizeof(ifc.bridge), "skepT");
	net_if_host_name(seed, ifc.host_name);
	ok(net_veth_create(&ifc, netns, &e));
	snprintf(host, IFNAMSIZ, "%s", ifc.host_name);
}

static void claim(const char *state_root, const char *id, struct ct *ct)
{
	ok(ct_state_new(state_root, id, "test", ct, &e));
	ok(ct_ledger_add(ct->dir, CT_LEDGER_BRIDGE, "skepT", &e));
}

static int release(const struct ct *ct)
{
	return ok(ct_bridge_release(ct->dir, "skepT", &e));
}

static void a_dead_containers_link_goes_with_the_bridge(void **state)
{
	struct place *p = *state;
	auto_fd int netns = ok(net_netns_create(&e));
	struct ct a = CT_INIT;
	char seed[128], port[IFNAMSIZ];

	claim(p->state, "a", &a);
	ok(net_bridge_ensure("skepT", NULL, 0, &e));
	snprintf(seed, sizeof(seed), "%s/gone/0", p->state);
	make_port(netns, seed, "gone", "eth0", port);
	assert_true(is_there(port));
	release(&a);
	assert_false(is_there(port));
	assert_false(is_there("skepT"));
	ct_close(&a);
}

static void anothers_port_stays_and_keeps_the_bridge(void **state)
{
	struct place *p = *state;
	auto_fd int netns = ok(net_netns_create(&e));
	struct ct a = CT_INIT;
	uint64_t shortest = UINT64_MAX;
	char port[IFNAMSIZ];

	ok(net_bridge_ensure("skepT", NULL, 0, &e));
	/* Of a container of another state directory that has the same name. */
	make_port(netns, "/elsewhere/a/0", "a", "eth0", port);
	/* It will not go by itself, so it is not waited for (PORTS_WAIT_MS: 100): at least once on a machine that keeps all waiting. */
	for (int i = 0; i < 5; i++) {
		char id[2] = {(char)('a' + i)};
		uint64_t began;

		claim(p->state, id, &a);
		began = log_now_ns();
		release(&a);
		began = log_now_ns() - began;
		shortest = began < shortest ? began : shortest;
		assert_true(is_there(port));
		assert_true(is_there("skepT"));
		ct_close(&a);
	}
	assert_in_range(shortest, 0, 80000000);
}

static void a_claim_of_another_container_keeps_all(void **state)
{
	struct place *p = *state;
	struct ct a = CT_INIT, b = CT_INIT;

	claim(p->state, "a", &a);
	claim(p->state, "b", &b);
	ok(net_bridge_ensure("skepT", NULL, 0, &e));
	release(&a);
	assert_true(is_there("skepT"));
	ct_close(&a);
	ct_close(&b);
}

/* A start of another state directory: all that it has to do with ours is the network namespace. */
static void a_start_from_elsewhere_keeps_all(void **state)
{
	struct place *p = *state;
	struct ct a = CT_INIT;
	struct err why = {0};
	int told[2], status;
	char c;
	pid_t pid;

	claim(p->state, "a", &a);
	ok(net_bridge_ensure("skepT", NULL, 0, &e));
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (ct_bridge_claim("skepT", &why) < 0 || ct_bridge_claim("skepT", &why) < 0 ||
		    write(told[1], "", 1) != 1)
			_exit(1);
		while (pause())
			;
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	assert_int_equal(ok(ct_bridge_claimed("skepT", &e)), 1);
	assert_int_equal(ok(ct_bridge_claimed("skep", &e)), 0);
	release(&a);
	assert_true(is_there("skepT"));
	/* It fails, and takes away what it had noted. Our own claim is no other's. */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ok(ct_bridge_claim("skepT", &e));
	release(&a);
	assert_false(is_there("skepT"));
	ct_close(&a);
	close(told[0]);
	close(told[1]);
}

/* The network's lock is the namespace's, not the state directory's, and not one that others than root could take. */
static void the_lock_is_the_networks(void **state)
{
	auto_fd int everybodys = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_fd int here = -EBADF, lock = -EBADF, elsewhere = -EBADF;
	struct err why = {0};
	struct stat st;

	(void)state;
	assert_int_equal(flock(everybodys, LOCK_EX | LOCK_NB), 0);
	lock = ok(ct_ledger_lock_net(&e));
	assert_int_equal(ct_net_place_lock(0, &why), -EWOULDBLOCK);
	assert_int_equal(why.class, ERR_LOCKED);
	assert_int_equal(stat(CT_NET_PLACE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstat(lock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* One of another namespace sweeps what nobody holds, and nothing else. */
	here = ok(ct_net_place_open(&e));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	elsewhere = ok(ct_net_place_lock(5000, &e));
	assert_int_equal(faccessat(here, "lock", F_OK, 0), 0);
	own_close_fd(&lock);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	own_close_fd(&elsewhere);
	elsewhere = ok(ct_net_place_lock(5000, &e));
	assert_int_equal(faccessat(here, "lock", F_OK, 0), -1);
}

/* Made by another namespace's first command. */
static void a_claim_outlives_the_sweep(void **state)
{
	auto_fd int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_fd int lock = ok(ct_ledger_lock_net(&e));
	pid_t pid;
	int status;

	(void)state;
	ok(ct_bridge_claim("skepU", &e));
	own_close_fd(&lock);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	lock = ok(ct_ledger_lock_net(&e));
	assert_int_equal(ok(ct_bridge_claimed("skepU", &e)), 0);
	pid = fork();
	if (pid == 0) {
		char self[] = "/proc/self/exe", arg[] = "--claimed";

		_exit(setns(before, CLONE_NEWNET) < 0 || execl(self, self, arg, (char *)NULL) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 41);
}

static void whose_link_it_is(void **state)
{
	char host[IFNAMSIZ];

	(void)state;
	net_if_host_name("/run/skep/web/1", host);
	assert_true(ct_network_is_ours("/run/skep", host, "skep:web"));
	assert_false(ct_network_is_ours("/run/skep", host, "skep:web2"));
	assert_false(ct_network_is_ours("/run/other", host, "skep:web"));
	assert_false(ct_network_is_ours("/run/skep", host, "web"));
	assert_false(ct_network_is_ours("/run/skep", "eth0", "skep:web"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, net_setup, place_teardown)

int main(int argc, char **argv)
{
	struct err why = {0};

	if (argc == 2 && !strcmp(argv[1], "--claimed"))
		return 40 + ct_bridge_claimed("skepU", &why);
	const struct CMUnitTest tests[] = {
		T(a_dead_containers_link_goes_with_the_bridge),
		T(anothers_port_stays_and_keeps_the_bridge),
		T(a_claim_of_another_container_keeps_all),
		T(a_start_from_elsewhere_keeps_all),
		T(the_lock_is_the_networks),
		T(a_claim_outlives_the_sweep),
		cmocka_unit_test(whose_link_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
