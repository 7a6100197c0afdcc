// SPDX-License-Identifier: GPL-2.0-only
// Text forms of addresses and MACs, names, the pool.
#include "lab.h"

#include "net/pool.h"

static void test_addresses(void **state)
{
	static const char *const good[] = {"10.0.0.5/24", "0.0.0.0/0", "fd00::5/64", "::1/128"};
	static const char *const bad[] = {"",	       "/",	      "10.0.0/24", "10.0.0.1/33",
					  "10.0.0.1/", "10.0.0.1/-1", "::/129",	   "10.0.0.1/2x",
					  "x",	       "10.0.0.1\n",  "1.2.3.4/ 5"};
	char text[NET_ADDR_STR_MAX];
	struct net_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ok(net_addr_parse(good[i], &a, &e));
		assert_string_equal(net_addr_to_str(&a, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err why = {0};

		if (net_addr_parse(bad[i], &a, &why) != -EINVAL)
			fail_msg("taken: '%s'", bad[i]);
		assert_int_equal(why.class, ERR_VALUE);
	}
	a = lab_addr("10.1.2.3/20");
	a = net_addr_network(&a);
	assert_string_equal(net_addr_to_str(&a, text), "10.1.0.0/20");
	assert_true(net_addr_within(
		&a,
		&(struct net_addr){.family = AF_INET, .prefix = 32, .bytes = {10, 1, 15, 255}}));
	assert_false(net_addr_within(
		&a, &(struct net_addr){.family = AF_INET, .prefix = 32, .bytes = {10, 1, 16, 0}}));
}

static void test_macs(void **state)
{
	char text[NET_MAC_STR_MAX], again[NET_MAC_STR_MAX];
	uint8_t mac[6], other[6];
	struct err why = {0};

	(void)state;
	net_mac_from_seed("host1 101 0", mac);
	net_mac_from_seed("host1 101 1", other);
	assert_int_equal(mac[0] & 3, 2);
	assert_memory_not_equal(mac, other, 6);
	net_mac_to_str(mac, text);
	ok(net_mac_parse(text, other, &e));
	assert_string_equal(net_mac_to_str(other, again), text);
	assert_int_equal(net_mac_parse("01:00:00:00:00:00", mac, &why), -EINVAL);
	assert_int_equal(net_mac_parse("02-00-00-00-00-00", mac, &why), -EINVAL);
	assert_int_equal(net_mac_parse("02:00:00:00:00:0", mac, &why), -EINVAL);
}

static void test_names(void **state)
{
	char a[IFNAMSIZ], b[IFNAMSIZ];

	(void)state;
	net_if_host_name("ct", a);
	net_if_host_name("ct", b);
	assert_true(net_link_name_ok(a));
	assert_memory_equal(a, b, 8);
	assert_string_not_equal(a, b);
	assert_false(net_link_name_ok(""));
	assert_false(net_link_name_ok("../x"));
	assert_false(net_link_name_ok("a\" drop"));
	assert_false(net_link_name_ok("sixteen-chars-ab"));
}

static void test_pool(void **state)
{
	struct net_addr net = lab_addr("10.9.8.0/29"), taken[5], a;
	struct err why = {0};
	char text[NET_ADDR_STR_MAX];

	(void)state;
	a = net_pool_gateway(&net);
	assert_string_equal(net_addr_to_str(&a, text), "10.9.8.1/29");
	for (int i = 0; i < 5; i++) {
		ok(net_pool_pick(&net, taken, (size_t)i, &a, &e));
		assert_int_equal(a.bytes[3], i + 2);
		taken[i] = a;
	}
	assert_int_equal(net_pool_pick(&net, taken, 5, &a, &why), -EADDRNOTAVAIL);
	assert_int_equal(why.class, ERR_ADDR_IN_USE);
	net = lab_addr("fd00:1::/64");
	ok(net_pool_pick(&net, NULL, 0, &a, &e));
	assert_string_equal(net_addr_to_str(&a, text), "fd00:1::2/64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
