// SPDX-License-Identifier: GPL-2.0-only
/* Words of create and set to a definition: ours and OpenVZ's, units, ranges, and what is refused with which hint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "ctl/definition_options.h"
#include "ctl/limit_options.h"

static const struct ctl_option globals[] = {{0}};
static const struct ctl_option *const tables[] = {ctl_definition_options, NULL};
static const struct ctl_command set_cmd = {
	.name = "set", .words = "NAME", .tables = tables, .least = 1, .most = 1};
static const struct ctl_command *const commands[] = {&set_cmd, NULL};
static const struct ctl_front front = {.name = "skepctl", .global = globals, .commands = commands};

static struct ct_conf conf;
static struct ct_definition d;
static struct err e;

static int fresh(void **state)
{
	(void)state;
	ct_conf_init(&conf);
	ct_definition_init(&d, "101");
	memset(&e, 0, sizeof(e));
	return 0;
}

/* Applies up to four words to d. */
static int apply(bool new, const char *a, const char *b, const char *c, const char *x)
{
	const char *given[] = {"skepctl", "set", "101", a, b, c, x};
	char text[7][128], *argv[8] = {0};
	struct ctl_line line;
	int n = 0;

	err_clear(&e);
	for (; n < 7 && given[n]; n++) {
		snprintf(text[n], sizeof(text[n]), "%s", given[n]);
		argv[n] = text[n];
	}
	if (ctl_parse(&front, n, argv, &line, &e) < 0)
		return -e.no;
	return ctl_definition_apply(&line, &conf, new, &d, &e);
}

#define SET(...)      apply(false, __VA_ARGS__)
#define LIMIT(which)  d.limits.value[CG_LIMIT_##which]
#define IS_SET(which) d.limits.set[CG_LIMIT_##which]

static void sizes_and_shares(void **state)
{
	(void)state;
	assert_int_equal(SET("--memory", "512M", "--cpus", "1.5"), 2);
	assert_int_equal(LIMIT(MEM_MAX), 512u << 20);
	assert_int_equal(LIMIT(CPU_QUOTA), 1500);
	assert_int_equal(SET("--swap=0", "--pids=50", "--cpuweight=300", "--io-weight=7"), 4);
	assert_true(IS_SET(SWAP_MAX));
	assert_int_equal(LIMIT(SWAP_MAX), 0);
	assert_int_equal(LIMIT(PIDS_MAX), 50);
	assert_int_equal(LIMIT(CPU_WEIGHT), 300);
	assert_int_equal(LIMIT(IO_WEIGHT), 7);
	assert_int_equal(SET("--memory=unlimited", "--pids=unlimited", "--cpus=unlimited", NULL),
			 3);
	assert_true(LIMIT(MEM_MAX) == CG_UNLIMITED);
	assert_true(LIMIT(PIDS_MAX) == CG_UNLIMITED);
	assert_true(LIMIT(CPU_QUOTA) == CG_UNLIMITED);
}

static void own_disk(void **state)
{
	(void)state;
	assert_int_equal(SET("--io-limit=10M", "--iopslimit=100", NULL, NULL), 2);
	assert_int_equal(d.limits.io_count, 1);
	assert_int_equal(d.limits.io[0].major + d.limits.io[0].minor, 0);
	assert_int_equal(d.limits.io[0].rbps, 10 << 20);
	assert_int_equal(d.limits.io[0].wbps, 10 << 20);
	assert_int_equal(d.limits.io[0].riops, 100);
	assert_int_equal(SET("--iolimit=2", "--iops=unlimited", NULL, NULL), 2);
	assert_int_equal(d.limits.io_count, 1);
	assert_int_equal(d.limits.io[0].wbps, 2 << 20);
	assert_true(d.limits.io[0].wiops == CG_UNLIMITED);
	assert_int_equal(SET("--iolimit=64K", NULL, NULL, NULL), 1);
	assert_int_equal(d.limits.io[0].rbps, 64 << 10);
	assert_int_equal(SET("--iolimit=0", NULL, NULL, NULL), 1);
	assert_true(d.limits.io[0].rbps == CG_UNLIMITED);
	assert_true(SET("--io-limit=100", NULL, NULL, NULL) < 0);
	assert_true(SET("--iops=-1", NULL, NULL, NULL) < 0);
}

static void cpu_lists(void **state)
{
	(void)state;
	assert_int_equal(SET("--cpuset=0-3,6", NULL, NULL, NULL), 1);
	assert_string_equal(d.limits.cpus, "0-3,6");
	assert_int_equal(SET("--cpumask=0", NULL, NULL, NULL), 1);
	assert_string_equal(d.limits.cpus, "0");
	assert_int_equal(SET("--cpuset=all", NULL, NULL, NULL), 1);
	assert_string_equal(d.limits.cpus, "");
}

static void openvz_words_have_openvz_units(void **state)
{
	(void)state;
	assert_int_equal(SET("--cpuunits=2000", "--cpulimit=150", "--ram=512M", "--numproc=80"), 4);
	assert_int_equal(LIMIT(CPU_WEIGHT), 200);
	assert_int_equal(LIMIT(CPU_QUOTA), 1500);
	assert_int_equal(LIMIT(MEM_MAX), 512u << 20);
	assert_int_equal(LIMIT(PIDS_MAX), 80);
	assert_int_equal(SET("--diskspace=1048576", NULL, NULL, NULL), 1);
	assert_int_equal(d.disk_bytes, 1u << 30);
	assert_int_equal(SET("--diskspace=2G:3G", "--numproc=10:20", "--cpulimit=50%", NULL), 3);
	assert_true(d.disk_bytes == 3ull << 30);
	assert_int_equal(LIMIT(PIDS_MAX), 20);
	assert_int_equal(LIMIT(CPU_QUOTA), 500);
	assert_int_equal(SET("--cpulimit=0", NULL, NULL, NULL), 1);
	assert_true(LIMIT(CPU_QUOTA) == CG_UNLIMITED);
}

static void units_and_weights_go_both_ways(void **state)
{
	(void)state;
	assert_int_equal(ctl_weight_from_units(1000), 100);
	assert_int_equal(ctl_weight_from_units(8), 1);
	assert_int_equal(ctl_weight_from_units(500000), 10000);
	assert_int_equal(ctl_weight_to_units(ctl_weight_from_units(2000)), 2000);
}

static void the_last_word_wins(void **state)
{
	(void)state;
	assert_int_equal(SET("--memory=1G", "--ram=256M", NULL, NULL), 2);
	assert_int_equal(LIMIT(MEM_MAX), 256u << 20);
}

static void refused(const char *word, const char *says, const char *hint)
{
	struct ct_definition before = d;

	assert_true(SET(word, NULL, NULL, NULL) < 0);
	assert_int_equal(e.class, ERR_VALUE);
	if (!strstr(e.text, says))
		fail_msg("'%s' does not say '%s'", e.text, says);
	if (hint && !strstr(e.hint, hint))
		fail_msg("hint '%s' does not say '%s'", e.hint, hint);
	d = before;
}

static void wrong_values_are_refused_by_the_name_typed(void **state)
{
	(void)state;
	refused("--ram=12", "--ram: '12'", "12M");
	refused("--memory=lots", "--memory", NULL);
	refused("--memory=-1", "--memory", NULL);
	refused("--cpus=0.0", "--cpus", NULL);
	refused("--cpuunits=7", "--cpuunits", NULL);
	refused("--cpuweight=10001", "--cpuweight", NULL);
	refused("--cpulimit=much", "--cpulimit", "percentage");
	refused("--pids=0", "--pids", NULL);
	refused("--cpuset=a-b", "--cpuset", NULL);
	refused("--cpuset=3-1", "--cpuset", NULL);
	refused("--cpuset=0,", "--cpuset", NULL);
	refused("--cpuset=9999", "--cpuset", NULL);
	refused("--env=NOVALUE", "--env", NULL);
	refused("--env-del=NONE", "--env-del", NULL);
	refused("--cap-add=everything", "--cap-add", NULL);
	refused("--autostart=maybe", "--autostart", NULL);
	refused("--stop-timeout=-1", "--stop-timeout", NULL);
	refused("--network=wifi", "--network", NULL);
	refused("--init='/sbin/init", "--init", NULL);
}

static void a_new_one_has_the_bridge_and_an_address_of_the_pool(void **state)
{
	(void)state;
	assert_true(apply(true, NULL, NULL, NULL, NULL) >= 0);
	assert_int_equal(d.network, CT_NETWORK_PRIVATE);
	assert_int_equal(d.net_count, 1);
	assert_string_equal(d.nets[0].name, "eth0");
	assert_int_equal(d.nets[0].mode, NET_MODE_BRIDGE);
	assert_true(d.nets[0].addr_count >= 1);
	assert_true(ct_addr_unpicked(&d.nets[0].addrs[0]));
	assert_int_equal(d.nets[0].addrs[0].prefix, conf.pool4.prefix);
}

static void network_comes_first_whatever_the_order(void **state)
{
	(void)state;
	assert_true(apply(true, "--ipadd=192.0.2.7", "--network=routed", NULL, NULL) >= 0);
	assert_int_equal(d.nets[0].mode, NET_MODE_ROUTED);
	assert_int_equal(d.nets[0].addr_count, 1);
	assert_int_equal(d.nets[0].addrs[0].prefix, 32);
	assert_true(apply(true, "--ip=10.0.0.5/24", "--network=none", NULL, NULL) < 0);
	assert_non_null(strstr(e.text, "needs an interface"));
}

static void addresses_come_and_go(void **state)
{
	(void)state;
	assert_true(apply(true, "--ip=192.0.2.7/24", "--ip=fd00::7/64", NULL, NULL) >= 0);
	assert_int_equal(d.nets[0].addr_count, 2);
	refused("--ip=192.0.2.7/24", "already", NULL);
	assert_int_equal(SET("--ipdel=192.0.2.7", NULL, NULL, NULL), 1);
	assert_int_equal(d.nets[0].addr_count, 1);
	assert_int_equal(d.nets[0].addrs[0].family, AF_INET6);
	refused("--ipdel=192.0.2.7", "not one of its addresses", "skepctl info 101");
	assert_int_equal(SET("--ipdel=all", NULL, NULL, NULL), 1);
	assert_int_equal(d.nets[0].addr_count, 0);
}

/* On a bridge an address without a prefix would see no neighbour. */
static void an_address_outside_the_pool_needs_its_prefix(void **state)
{
	(void)state;
	assert_true(apply(true, "--ip=192.0.2.7", NULL, NULL, NULL) < 0);
	assert_int_equal(e.class, ERR_VALUE);
	assert_non_null(strstr(e.hint, "192.0.2.7/24"));
}

static void what_is_no_address_is_told_what_one_looks_like(void **state)
{
	(void)state;
	assert_true(apply(true, "--ip=300.1.1.1/16", NULL, NULL, NULL) < 0);
	assert_int_equal(e.class, ERR_VALUE);
	assert_non_null(strstr(e.hint, "10.0.0.5/24"));
}

static void interface_options_need_their_mode(void **state)
{
	(void)state;
	assert_true(apply(true, "--mac=02:00:00:00:00:05", "--mtu=1400", "--rate=100mbit",
			  "--bridge=br7") >= 0);
	assert_int_equal(d.nets[0].mac[5], 5);
	assert_int_equal(d.nets[0].mtu, 1400);
	assert_int_equal(d.nets[0].rate_bits, 100000000);
	assert_string_equal(d.nets[0].bridge, "br7");
	refused("--uplink=eth0", "no use", NULL);
	refused("--bridge=../x", "--bridge", NULL);
	assert_true(SET("--network=routed", "--uplink=eth0", NULL, NULL) >= 0);
	assert_string_equal(d.nets[0].bridge, "");
	assert_string_equal(d.nets[0].uplink, "eth0");
	refused("--gateway=192.0.2.1", "no use", NULL);
}

static void init_is_split_into_words(void **state)
{
	(void)state;
	assert_int_equal(SET("--init=/bin/sh -c 'sleep 1'", NULL, NULL, NULL), 1);
	assert_string_equal(d.init[0], "/bin/sh");
	assert_string_equal(d.init[1], "-c");
	assert_string_equal(d.init[2], "sleep 1");
	assert_string_equal(d.init[3], "");
	assert_int_equal(SET("--init=/x", NULL, NULL, NULL), 1);
	assert_string_equal(d.init[1], "");
}

static void variables_replace_each_other(void **state)
{
	(void)state;
	assert_int_equal(SET("--env=A=1", "--env=AB=2", "--env=A=3", NULL), 3);
	assert_string_equal(d.env[0], "A=3");
	assert_string_equal(d.env[1], "AB=2");
	assert_int_equal(SET("--env-del=A", NULL, NULL, NULL), 1);
	assert_string_equal(d.env[0], "AB=2");
	assert_string_equal(d.env[1], "");
}

static void a_capability_is_on_one_list(void **state)
{
	(void)state;
	assert_int_equal(SET("--cap-add=net_admin,CAP_SYS_TIME", NULL, NULL, NULL), 1);
	assert_string_equal(d.cap_add[0], "CAP_NET_ADMIN");
	assert_string_equal(d.cap_add[1], "CAP_SYS_TIME");
	assert_int_equal(SET("--cap-drop=net_admin", NULL, NULL, NULL), 1);
	assert_string_equal(d.cap_add[0], "CAP_SYS_TIME");
	assert_string_equal(d.cap_add[1], "");
	assert_string_equal(d.cap_drop[0], "CAP_NET_ADMIN");
}

static void of_openvz_words_for_netfilter_two_have_a_meaning(void **state)
{
	(void)state;
	assert_int_equal(d.netfilter, CT_NETFILTER_FULL);
	assert_int_equal(SET("--netfilter", "disabled", NULL, NULL), 1);
	assert_int_equal(d.netfilter, CT_NETFILTER_DISABLED);
	refused("--netfilter=stateless", "--netfilter: 'stateless' cannot be had",
		"disabled: no nftables");
	refused("--netfilter=stateful", "--netfilter: 'stateful' cannot be had", "full: all");
	refused("--netfilter=none", "--netfilter: 'none' is not disabled or full", "disabled: no");
	assert_int_equal(d.netfilter, CT_NETFILTER_DISABLED);
	assert_int_equal(SET("--netfilter=full", NULL, NULL, NULL), 1);
	assert_int_equal(d.netfilter, CT_NETFILTER_FULL);
}

static void what_was_applied_passes_the_judge(void **state)
{
	(void)state;
	snprintf(d.template, sizeof(d.template), "busybox");
	assert_true(apply(true, "--memory=512M", "--ipadd=auto", "--description=a b",
			  "--hostname=web1") >= 0);
	assert_int_equal(ct_definition_check(&d, &e), 0);
	assert_string_equal(d.hostname, "web1");
	assert_string_equal(d.description, "a b");
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sizes_and_shares),
		TEST(own_disk),
		TEST(cpu_lists),
		TEST(openvz_words_have_openvz_units),
		TEST(units_and_weights_go_both_ways),
		TEST(the_last_word_wins),
		TEST(wrong_values_are_refused_by_the_name_typed),
		TEST(a_new_one_has_the_bridge_and_an_address_of_the_pool),
		TEST(network_comes_first_whatever_the_order),
		TEST(addresses_come_and_go),
		TEST(an_address_outside_the_pool_needs_its_prefix),
		TEST(what_is_no_address_is_told_what_one_looks_like),
		TEST(interface_options_need_their_mode),
		TEST(init_is_split_into_words),
		TEST(variables_replace_each_other),
		TEST(a_capability_is_on_one_list),
		TEST(of_openvz_words_for_netfilter_two_have_a_meaning),
		TEST(what_was_applied_passes_the_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
