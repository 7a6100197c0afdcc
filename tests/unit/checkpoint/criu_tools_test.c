// SPDX-License-Identifier: GPL-2.0-only
/* Rules of the old kind are seen in every network of a container, not in its init's alone. */
#include "tests/unit/cgroups/fixture.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4/ip_tables.h> /* behind the C library's, whose structs it would define again */

#include "checkpoint/criu_tools.h"

/* In a network of its own, where the table is made by the first question for it, as iptables asks. ready: told when it is there, or that this kernel has none. */
struct worker {
	bool table;
	int ready;
};

static int be_in_own_network(void *arg)
{
	const struct worker *w = arg;
	struct ipt_getinfo info = {.name = "filter"};
	socklen_t size = sizeof(info);
	char done = 'y';
	int s;

	if (unshare(CLONE_NEWNET) < 0)
		return 1;
	s = w->table ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW) : -1;
	if (w->table && (s < 0 || getsockopt(s, SOL_IP, IPT_SO_GET_INFO, &info, &size) < 0))
		done = 'n';
	if (write(w->ready, &done, 1) != 1)
		return 1;
	return test_pause(NULL);
}

static pid_t spawn(const struct cg *cg, bool table, char *answer)
{
	struct worker w = {.table = table};
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	w.ready = ends[1];
	pid = test_spawn(cg, be_in_own_network, &w);
	close(ends[1]);
	assert_int_equal(read(ends[0], answer, 1), 1);
	close(ends[0]);
	return pid;
}

static void the_second_network_counts(void **state)
{
	struct cg cg;
	pid_t init, same, other;
	char answer = 0;

	(void)state;
	test_make("tables", &cg);
	init = spawn(&cg, false, &answer);
	same = spawn(&cg, false, &answer);
	assert_true(cr_tools_no_tables(&cg, init));
	other = spawn(&cg, true, &answer);
	if (answer == 'y') {
		assert_false(cr_tools_no_tables(&cg, init));
		assert_false(cr_tools_no_tables(&cg, other));
	}
	kill(other, SIGKILL);
	test_reap(other);
	/* With the last of its processes the network is nobody's. */
	assert_true(cr_tools_no_tables(&cg, init));
	for (size_t i = 0; i < 2; i++) {
		kill(i ? same : init, SIGKILL);
		test_reap(i ? same : init);
	}
	test_end(&cg);
	if (answer != 'y')
		skip(); /* this kernel has no ip_tables */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_network_counts),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
