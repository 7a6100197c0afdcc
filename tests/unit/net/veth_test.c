// SPDX-License-Identifier: GPL-2.0-only
// Containers on the bridge, routed, behind NAT; nothing is left after them.
#include "lab.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "net/forward.h"
#include "net/link.h"
#include "net/nat.h"
#include "net/netlink.h"
#include "net/pool.h"
#include "net/routed.h"
#include "net/stat.h"

#define GATEWAYS (struct net_addr[]){lab_addr("10.209.0.1/16"), lab_addr("fd00::1/64")}, 2

static bool link_is(int netns, const char *name, struct net_link_info *info)
{
	auto_nl struct net_nl nl = {0};
	struct err why = {0};

	ok(net_nl_open(&nl, netns, &e));
	return net_link_get(&nl, name, info, &why) >= 0;
}

/* The kernel clears a link some ms after its namespace; waits at most 3 s. */
static void wait_gone(const char *name)
{
	struct net_link_info info;

	for (int i = 0; i < 3000; i++) {
		if (!link_is(-1, name, &info))
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("link %s is left", name);
}

static void test_bridge(void **state)
{
	auto_fd int a = ok(net_netns_create(&e)), b = ok(net_netns_create(&e));
	struct net_if ia = lab_if("a", NET_MODE_BRIDGE, "10.209.0.2/16", "fd00::2/64");
	struct net_if ib = lab_if("b", NET_MODE_BRIDGE, "10.209.0.3/16", "fd00::3/64");
	struct net_link_info info;
	struct net_stat st;

	(void)state;
	ib.mac[0] = 0xfe; /* which a host's end must not have, too: nothing would reach it */
	assert_int_equal(ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, GATEWAYS, &e)), 1);
	assert_int_equal(ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, GATEWAYS, &e)), 0);
	ia.mtu = ib.mtu = 1400;
	ok(net_if_create(&ia, a, &e));
	ok(net_if_create(&ib, b, &e));
	assert_true(link_is(a, "eth0", &info));
	assert_int_equal(info.mtu, 1400);
	assert_memory_equal(info.mac, ia.mac, 6);
	assert_true(link_is(-1, ia.host_name, &info));
	assert_string_equal(info.alias, "skep:a");
	/* Above all others: a bridge without a MAC of its own, which has its lowest port's, keeps what it has. */
	assert_int_equal(info.mac[0], 0xfe);
	assert_memory_equal(info.mac + 1, ia.mac + 1, 5);
	assert_true(lab_reaches(a, b, "10.209.0.3"));
	assert_true(lab_reaches(b, a, "10.209.0.2"));
	assert_true(lab_reaches(a, b, "fd00::3"));
	assert_true(lab_reaches(a, -1, "10.209.0.1"));
	assert_true(lab_reaches(-1, b, "fd00::3"));
	ok(net_stat_read(ia.host_name, &st, &e));
	assert_true(st.tx_bytes > 0 && st.rx_packets > 0);
	assert_int_equal(ok(net_addr_in_use(NET_DEFAULT_BRIDGE, &ia.addrs[0], 200, &e)), 1);
	assert_int_equal(ok(net_addr_in_use(NET_DEFAULT_BRIDGE, &ia.addrs[1], 200, &e)), 1);
	struct net_addr nobody = lab_addr("10.209.7.7/16");
	assert_int_equal(ok(net_addr_in_use(NET_DEFAULT_BRIDGE, &nobody, 200, &e)), 0);
	assert_int_equal(ok(net_addr_in_use("gone", &nobody, 200, &e)), 0);
	assert_int_equal(ok(net_bridge_release(NET_DEFAULT_BRIDGE, &e)), 0);
	ok(net_if_destroy(ia.host_name, false, &e));
	ok(net_if_destroy(ia.host_name, false, &e));
	assert_false(link_is(a, "eth0", &info));
	own_close_fd(&b);
	ok(net_if_destroy(ib.host_name, true, &e));
	wait_gone(ib.host_name);
	assert_int_equal(ok(net_bridge_release(NET_DEFAULT_BRIDGE, &e)), 1);
	assert_int_equal(ok(net_bridge_release(NET_DEFAULT_BRIDGE, &e)), 0);
	lab_assert_no_rules();
}

static void test_isolated(void **state)
{
	auto_fd int a = ok(net_netns_create(&e)), b = ok(net_netns_create(&e));
	struct net_if ia = lab_if("a", NET_MODE_BRIDGE, "10.209.0.2/16", NULL);
	struct net_if ib = lab_if("b", NET_MODE_BRIDGE, "10.209.0.3/16", NULL);

	(void)state;
	ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, GATEWAYS, &e));
	ia.isolated = ib.isolated = true;
	ok(net_if_create(&ia, a, &e));
	ok(net_if_create(&ib, b, &e));
	assert_true(lab_reaches(a, -1, "10.209.0.1"));
	assert_true(lab_reaches(b, -1, "10.209.0.1"));
	assert_true(lab_cut(a, b, "10.209.0.3"));
}

static void test_routed(void **state)
{
	auto_fd int a = ok(net_netns_create(&e)), b = ok(net_netns_create(&e)),
		    out = ok(net_netns_create(&e));
	struct net_if ia = lab_if("a", NET_MODE_ROUTED, "10.50.0.2/24", "fd50::2/64");
	struct net_if ib = lab_if("b", NET_MODE_ROUTED, "10.60.0.3/24", "fd60::3/64");
	struct net_if wire = lab_if("wire", NET_MODE_ROUTED, NULL, NULL);
	struct net_addr uplink = lab_addr("10.60.0.1/24"), uplink6 = lab_addr("fd60::1/64");
	struct net_if here = {0};
	long v;

	(void)state;
	/* "out" is a neighbour on the uplink, in the same subnet as container b: only proxy ARP/NDP leads it to us. */
	wire.guard = false;
	ok(net_veth_pair(&wire, out, &e));
	snprintf(here.name, sizeof(here.name), "%s", wire.host_name);
	ok(net_veth_addr_add(&here, -1, &uplink, &e));
	ok(net_veth_addr_add(&here, -1, &uplink6, &e));
	wire.addrs[0] = lab_addr("10.60.0.9/24");
	wire.addrs[1] = lab_addr("fd60::9/64");
	wire.addr_count = 2;
	wire.mode = NET_MODE_BRIDGE; /* inside: a subnet, not a lone address */
	ok(net_veth_configure(&wire, out, &e));
	snprintf(ib.uplink, sizeof(ib.uplink), "%s", wire.host_name);
	ok(net_if_create(&ia, a, &e));
	ok(net_if_create(&ib, b, &e));
	ok(net_sysctl_read(-1, "ipv4/ip_forward", &v, &e));
	assert_int_equal(v, 1);
	assert_true(lab_reaches(-1, a, "10.50.0.2"));
	assert_true(lab_reaches(-1, a, "fd50::2"));
	assert_true(lab_reaches(a, b, "10.60.0.3"));
	assert_true(lab_reaches(a, b, "fd60::3"));
	assert_true(lab_reaches(out, b, "10.60.0.3"));
	assert_true(lab_reaches(out, b, "fd60::3"));
	for (int i = 0; i < 2; i++) {
		ok(net_routed_remove(ib.host_name, &ib.addrs[0], ib.uplink, &e));
		ok(net_routed_remove(ib.host_name, &ib.addrs[1], ib.uplink, &e));
	}
	assert_true(lab_cut(out, b, "10.60.0.3"));
	ok(net_if_destroy(ia.host_name, false, &e));
	ok(net_sysctl_read(-1, "ipv4/ip_forward", &v, &e));
	assert_int_equal(v, 1);
	ok(net_if_destroy(ib.host_name, false, &e));
	ok(net_sysctl_read(-1, "ipv4/ip_forward", &v, &e));
	assert_int_equal(v, 0);
	ok(net_sysctl_read(-1, "ipv6/conf/all/forwarding", &v, &e));
	assert_int_equal(v, 0);
	lab_assert_no_rules();
}

static void test_nat(void **state)
{
	auto_fd int a = ok(net_netns_create(&e)), out = ok(net_netns_create(&e)), accepted = -EBADF;
	struct net_if ia = lab_if("a", NET_MODE_BRIDGE, "10.209.0.2/16", NULL);
	struct net_if wire = lab_if("wire", NET_MODE_ROUTED, NULL, NULL);
	struct net_addr uplink = lab_addr("192.0.2.1/24"), pool = lab_addr("10.209.0.0/16");
	struct sockaddr_storage peer;
	struct net_if here = {0};
	char text[NET_ADDR_STR_MAX];
	long v;

	(void)state;
	wire.guard = false;
	ok(net_veth_pair(&wire, out, &e));
	snprintf(here.name, sizeof(here.name), "%s", wire.host_name);
	ok(net_veth_addr_add(&here, -1, &uplink, &e));
	wire.addrs[wire.addr_count++] = lab_addr("192.0.2.9/24");
	wire.mode = NET_MODE_BRIDGE;
	ok(net_veth_configure(&wire, out, &e));
	ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, GATEWAYS, &e));
	ia.gateway4 = lab_addr("10.209.0.1");
	ok(net_if_create(&ia, a, &e));
	assert_true(lab_cut(a, out, "192.0.2.9"));
	ok(net_nat_ensure(NET_DEFAULT_BRIDGE, &pool, 1, &e));
	ok(net_nat_ensure(NET_DEFAULT_BRIDGE, &pool, 1, &e));
	auto_fd int c = lab_connect(a, out, "192.0.2.9", 80, LAB_SOON_MS, &accepted, &peer);
	assert_true(c >= 0);
	assert_string_equal(
		inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, text, sizeof(text)),
		"192.0.2.1");
	ok(net_nat_release(NET_DEFAULT_BRIDGE, &e));
	ok(net_nat_release(NET_DEFAULT_BRIDGE, &e));
	ok(net_sysctl_read(-1, "ipv4/ip_forward", &v, &e));
	assert_int_equal(v, 0);
	ok(net_if_destroy(ia.host_name, false, &e));
	lab_assert_no_rules();
}

static void test_errors(void **state)
{
	auto_fd int a = ok(net_netns_create(&e));
	struct net_if ia = lab_if("a", NET_MODE_BRIDGE, "10.209.0.2/16", NULL);
	struct net_link_info info;
	struct err why = {0};

	(void)state;
	assert_int_equal(net_if_create(&ia, a, &why), -ENODEV);
	assert_int_equal(why.class, ERR_NETWORK);
	assert_string_equal(why.text, "bridge skep0 does not exist");
	ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, GATEWAYS, &e));
	/* The route is refused: all that was made before must go again. */
	ia.gateway4 = lab_addr("0.0.0.0");
	ia.gateway4.bytes[0] = 127;
	err_clear(&why);
	assert_true(net_if_create(&ia, a, &why) < 0);
	assert_non_null(strstr(why.text, "set the default route"));
	assert_false(link_is(-1, ia.host_name, &info));
	lab_assert_no_rules();
}

/* An operator's own bridge keeps its addresses and stays. */
static void test_adopt(void **state)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;

	(void)state;
	ok(net_bridge_ensure("br0", NULL, 0, &e));
	ok(net_nl_open(&nl, -1, &e));
	ok(net_link_get(&nl, "br0", &info, &e));
	struct ifinfomsg *m = net_nl_begin(&nl, RTM_SETLINK, 0, sizeof(*m), "rename");
	m->ifi_index = info.index;
	mnl_attr_put_strz(net_nl_msg(&nl), IFLA_IFALIAS, "mine");
	ok(net_nl_commit(&nl, &e));
	assert_int_equal(ok(net_bridge_ensure("br0", GATEWAYS, &e)), 0);
	assert_int_equal(ok(net_bridge_release("br0", &e)), 0);
	assert_true(link_is(-1, "br0", &info));
	struct err why = {0};
	assert_int_equal(net_bridge_ensure("lo", NULL, 0, &why), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bridge, lab_setup),
		cmocka_unit_test_setup(test_isolated, lab_setup),
		cmocka_unit_test_setup(test_routed, lab_setup),
		cmocka_unit_test_setup(test_nat, lab_setup),
		cmocka_unit_test_setup(test_errors, lab_setup),
		cmocka_unit_test_setup(test_adopt, lab_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
