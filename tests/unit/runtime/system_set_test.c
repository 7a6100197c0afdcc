// SPDX-License-Identifier: GPL-2.0-only
/* Changing system containers: what is saved, what is refused, what the kernel is told. */
#include "tests/unit/runtime/system_place.h"

#include "base/proc.h"
#include "runtime/ledger.h"
#include "runtime/live.h"

static void set_while_stopped(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101"), other = definition("b"), old;
	auto_system struct ct_system s = CT_SYSTEM_INIT;

	add_interface(&other, "10.209.0.7/24");
	ok(ct_system_create(&h, &other, &e));
	d.disk_bytes = 8 << 20;
	ok(ct_system_create(&h, &d, &e));
	ok(ct_system_open(&h, "101", "set", &s, &e));
	old = s.d;
	add_interface(&s.d, "0.0.0.0");
	ok(cg_limit_set(&s.d.limits, CG_LIMIT_PIDS_MAX, 77, &e));
	s.d.disk_bytes = 16 << 20;
	assert_int_equal(ok(ct_system_set(&s, &old, &e)), 0);
	assert_int_equal(s.d.nets[0].addrs[0].bytes[3], 2);
	ok(ct_definition_load(s.dir, &d, &e));
	assert_memory_equal(&d, &s.d, sizeof(d));
	old = s.d;
	s.d.disk_bytes = 8 << 20;
	refused(ct_system_set(&s, &old, &e), ERR_VALUE);
	s.d = old;
	s.d.disk_bytes = 0;
	refused(ct_system_set(&s, &old, &e), ERR_VALUE);
	s.d = old;
	s.d.id_base += 65536;
	refused(ct_system_set(&s, &old, &e), ERR_VALUE);
	s.d = old;
	ok(net_addr_parse("10.209.0.7/24", &s.d.nets[0].addrs[1], &e));
	s.d.nets[0].addr_count = 2;
	refused(ct_system_set(&s, &old, &e), ERR_ADDR_IN_USE);
	ok(ct_definition_load(s.dir, &d, &e));
	assert_memory_equal(&d, &old, sizeof(d));
	ct_system_close(&s);
	ok(ct_system_open(&h, "b", "set", &s, &e));
	s.d.disk_bytes = 8 << 20;
	refused(ct_system_set(&s, &other, &e), ERR_VALUE);
}

/* What is refused while it lives changes nothing, and needs no container that really runs. */
static void set_while_it_lives(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101"), old, kept;
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_ct struct ct ct = CT_INIT;
	pid_t pid;

	d.disk_bytes = 8 << 20;
	add_interface(&d, "10.209.0.5/24");
	ok(ct_system_create(&h, &d, &e));
	ok(ct_state_new(h.state, "101", "test", &ct, &e));
	ct.s.system = true;
	pid = place_init(&ct, CT_RUNNING, false);
	own_close_fd(&ct.lock);
	ok(ct_system_open(&h, "101", "set", &s, &e));
	old = s.d;
	s.d.disk_bytes = 16 << 20;
	refused(ct_system_set(&s, &old, &e), ERR_RUNNING);
	s.d = old;
	s.d.net_count = 0;
	refused(ct_system_set(&s, &old, &e), ERR_RUNNING);
	s.d = old;
	s.d.nets[0].mac[5] ^= 1;
	refused(ct_system_set(&s, &old, &e), ERR_RUNNING);
	s.d = old;
	s.d.nets[0].mode = NET_MODE_ROUTED;
	s.d.nets[0].bridge[0] = 0;
	refused(ct_system_set(&s, &old, &e), ERR_RUNNING);
	kill(pid, SIGKILL);
	place_reap(pid);
	/* Suspended, its addresses are in the image. */
	assert_int_equal(mkdirat(s.dir, CT_CHECKPOINT_DIR, 0700), 0);
	assert_int_equal(mknodat(s.dir, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER, S_IFREG, 0), 0);
	s.d = old;
	ok(net_addr_parse("10.209.0.6/24", &s.d.nets[0].addrs[0], &e));
	refused(ct_system_set(&s, &old, &e), ERR_RUNNING);
	s.d = old;
	snprintf(s.d.description, sizeof(s.d.description), "sleeps");
	assert_int_equal(ok(ct_system_set(&s, &old, &e)), 1);
	ok(ct_definition_load(s.dir, &kept, &e));
	assert_string_equal(kept.description, "sleeps");
	assert_int_equal(kept.disk_bytes, 8 << 20);
}

static void what_waits_for_the_next_start(void **state)
{
	struct ct_definition old = definition("101"), new = old;
	char names[128];

	(void)state;
	ct_system_waits(&old, &new, names, sizeof(names));
	assert_string_equal(names, "");
	new.limits.cpus[0] = '1';
	new.stop_timeout_s++;
	ct_system_waits(&old, &new, names, sizeof(names));
	assert_string_equal(names, "");
	/* What stands behind the end of a word means nothing. */
	snprintf(new.hostname, sizeof(new.hostname), "%s", "longer");
	new.hostname[0] = 0;
	new.netfilter = CT_NETFILTER_DISABLED;
	ct_system_waits(&old, &new, names, sizeof(names));
	assert_string_equal(names, "netfilter");
	ct_system_waits(&new, &old, names, sizeof(names));
	assert_string_equal(names, "netfilter, cpuset");
	new.nesting = true;
	snprintf(new.hostname, sizeof(new.hostname), "a");
	snprintf(new.init[1], sizeof(new.init[1]), "a");
	snprintf(new.env[31], sizeof(new.env[31]), "A=b");
	snprintf(new.cap_add[0], sizeof(new.cap_add[0]), "CAP_BPF");
	snprintf(new.cap_drop[0], sizeof(new.cap_drop[0]), "CAP_CHOWN");
	snprintf(new.stop_signal, sizeof(new.stop_signal), "SIGHUP");
	snprintf(new.preset, sizeof(new.preset), "checkpointable");
	ct_system_waits(&new, &old, names, sizeof(names));
	assert_string_equal(
		names,
		"hostname, init, env, cap-add, cap-drop, nesting, netfilter, stop-signal, preset, cpuset");
	assert_true(strlen(names) < 96);
}

/* Init has ended, and its number is another process's, ours: nothing of it is touched. */
static void network_of_a_reused_pid(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition from = definition("101"), to;
	auto_ct struct ct ct = CT_INIT;

	add_interface(&from, "10.209.0.5/24");
	to = from;
	to.nets[0].addr_count = 0;
	ok(ct_state_new(h.state, "101", "test", &ct, &e));
	ok(ct_ledger_add(ct.dir, CT_LEDGER_LINK, "skep-none", &e));
	ct.s.pid = getpid();
	ok(proc_start_time(getpid(), &ct.s.pid_start, &e));
	ct.s.pid_start--;
	refused(ct_live_network(&ct, &from, &to, &e), ERR_NOT_RUNNING);
}

/* From one set of limits to another and back: the kernel must get a value for all that either has. */
static void limits_between(void **state)
{
	struct cg_limits from = {0}, to = {0}, diff;
	struct err e = {0};

	(void)state;
	cg_limit_set(&from, CG_LIMIT_CPU_WEIGHT, 300, &e);
	cg_limit_set(&from, CG_LIMIT_PIDS_MAX, 50, &e);
	cg_limit_set(&to, CG_LIMIT_PIDS_MAX, 50, &e);
	cg_limit_set(&to, CG_LIMIT_MEM_MAX, 1 << 20, &e);
	cg_limit_set(&to, CG_LIMIT_SWAP_MAX, 0, &e);
	from.io[0] = (struct cg_io_limit){8, 0, 100, 200, 0, 0};
	from.io[1] = (struct cg_io_limit){8, 16, 1, 0, 0, 0};
	from.io_count = 2;
	to.io[0] = (struct cg_io_limit){8, 0, 100, 300, 5, 0};
	to.io_count = 1;
	ct_live_limits_diff(&from, &to, &diff);
	assert_false(diff.set[CG_LIMIT_PIDS_MAX]);
	assert_true(diff.set[CG_LIMIT_CPU_WEIGHT]);
	assert_int_equal(diff.value[CG_LIMIT_CPU_WEIGHT], 100);
	assert_int_equal(diff.value[CG_LIMIT_MEM_MAX], 1 << 20);
	assert_int_equal(diff.io_count, 2);
	assert_int_equal(diff.io[0].rbps, 0);
	assert_int_equal(diff.io[0].wbps, 300);
	assert_int_equal(diff.io[0].riops, 5);
	assert_true(diff.io[1].rbps == CG_UNLIMITED);
	ct_live_limits_diff(&to, &from, &diff);
	assert_int_equal(diff.value[CG_LIMIT_CPU_WEIGHT], 300);
	assert_true(diff.set[CG_LIMIT_MEM_MAX]);
	assert_true(diff.value[CG_LIMIT_MEM_MAX] == CG_UNLIMITED);
	assert_true(diff.value[CG_LIMIT_SWAP_MAX] == CG_UNLIMITED);
	assert_true(diff.io[0].riops == CG_UNLIMITED);
	/* Both halves of cpu.max, always. */
	cg_limit_set(&from, CG_LIMIT_CPU_QUOTA, 500, &e);
	to = from;
	cg_limit_set(&to, CG_LIMIT_CPU_PERIOD, 20000, &e);
	ct_live_limits_diff(&from, &to, &diff);
	assert_int_equal(diff.value[CG_LIMIT_CPU_QUOTA], 500);
	assert_int_equal(diff.value[CG_LIMIT_CPU_PERIOD], 20000);
	assert_int_equal(e.no, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(set_while_stopped, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(set_while_it_lives, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(network_of_a_reused_pid, place_setup,
						place_teardown),
		cmocka_unit_test(what_waits_for_the_next_start),
		cmocka_unit_test(limits_between),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
