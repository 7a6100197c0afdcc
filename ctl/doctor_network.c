// SPDX-License-Identifier: GPL-2.0-only
/* What stands between containers and the network: other firewalls, forwarding, addresses that are taken. */
#include "ctl/doctor.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/feat.h"
#include "base/file.h"
#include "base/own.h"
#include "net/iface.h"
#include "net/nft.h"

#define PART "network"

static void forwarding(struct ctl_doctor *d)
{
	bool root = feat_has(FEAT_ROOT);
	auto_fd int fd =
		open("/proc/sys/net/ipv4/ip_forward", (root ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	char c = '0';

	if (fd < 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "forwarding",
				"remount /proc/sys writable, or sysctl -w net.ipv4.ip_forward=1",
				"/proc/sys/net/ipv4/ip_forward: %s", strerror(errno));
	else if (read(fd, &c, 1) == 1)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "forwarding", NULL, "%s",
				c == '1' ? "on" : "(switched on by the first bridge)");
}

/* A forward chain of somebody else whose policy is drop: an accept in our own table does not undo it. */
static void dropping_chain(struct ctl_doctor *d, const char *family, const char *table,
			   const char *chain)
{
	const char *bridge = d->conf->bridge;
	char remedy[256];

	if (strcmp(chain, "FORWARD") == 0 && ctl_doctor_program("iptables"))
		snprintf(remedy, sizeof(remedy),
			 "iptables -I FORWARD -i %s -j ACCEPT; iptables -I FORWARD -o %s -j ACCEPT",
			 bridge, bridge);
	else
		snprintf(remedy, sizeof(remedy),
			 "nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s "
			 "oifname %s accept",
			 family, table, chain, bridge, family, table, chain, bridge);
	ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "firewall", remedy,
			"chain %s of table %s %s drops forwarded traffic, that of containers too",
			chain, family, table);
}

static void firewall(struct ctl_doctor *d)
{
	auto_free char *text = NULL;
	struct err e = {0};
	char family[16] = "", table[128] = "", chain[128] = "", *save = NULL;

	if (net_nft_list("list chains", &text, &e) < 0 || !text) {
		if (e.no)
			ctl_doctor_find_err(d, PART, CTL_VERDICT_WARNING, "firewall", NULL, &e);
		return;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "table %15s %127s", family, table) == 2)
			continue;
		if (sscanf(line, " chain %127s", chain) == 1)
			continue;
		if (strstr(line, "hook forward") && strstr(line, "policy drop") &&
		    strncmp(table, "skep", 4) != 0)
			dropping_chain(d, family, table, chain);
	}
}

static bool host_address(const struct sockaddr *sa, struct net_addr *addr)
{
	if (sa && sa->sa_family == AF_INET) {
		addr->family = AF_INET;
		memcpy(addr->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		addr->family = AF_INET6;
		memcpy(addr->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		       16);
		return true;
	}
	return false;
}

static void pool(struct ctl_doctor *d, const struct net_addr *subnet, const char *member,
		 const struct ifaddrs *all)
{
	char text[NET_ADDR_STR_MAX], theirs[NET_ADDR_STR_MAX], remedy[128];

	if (!subnet->family)
		return;
	net_addr_to_str(subnet, text);
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct net_addr a = {0};

		if (!host_address(i->ifa_addr, &a) || a.family != subnet->family ||
		    strcmp(i->ifa_name, d->conf->bridge) == 0 || !net_addr_within(subnet, &a))
			continue;
		snprintf(remedy, sizeof(remedy), "set another \"%s\" in %s", member, CT_CONF_FILE);
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "addresses", remedy,
				"%s of %s lies in the containers' %s",
				net_addr_to_host_str(&a, theirs), i->ifa_name, text);
		return;
	}
	ctl_doctor_find(d, PART, CTL_VERDICT_OK, "addresses", NULL, "%s", text);
}

void ctl_doctor_network(struct ctl_doctor *d)
{
	struct ifaddrs *all = NULL;

	forwarding(d);
	if (feat_has(FEAT_ROOT) && feat_has(FEAT_NFTABLES))
		firewall(d);
	if (getifaddrs(&all) == 0) {
		pool(d, &d->conf->pool4, "pool4", all);
		pool(d, &d->conf->pool6, "pool6", all);
		freeifaddrs(all);
	}
	if (ctl_doctor_program("ssh"))
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "ssh", NULL, "%s", "");
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "ssh",
				"apt-get install openssh-client, or migrate --rsh",
				"the way to another host is missing");
}
