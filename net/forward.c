// SPDX-License-Identifier: GPL-2.0-only
// Forwarding of this network namespace: on while somebody holds it, then as it was.
#include "net/forward.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "net/iface.h"
#include "net/netns.h"
#include "net/nft.h"

#define TABLE "inet skep_forward"
#define KEY4  "ipv4/ip_forward"
#define KEY6  "ipv6/conf/all/forwarding"

/* Notes of the table, as chain names: who_NAME holds; off4, off6: was off before us; ra_LINK: its accept_ra was 1. */

/* A note is made before the deed: a crash between them costs at most one superfluous write of the old value. */
static int note(const char *kind, const char *name, struct err *e)
{
	char text[160];

	snprintf(text, sizeof(text), "add table " TABLE "\nadd chain " TABLE " %s%.40s\n", kind,
		 name);
	return net_nft_run(text, "note who needs forwarding", e);
}

static int keep_listening(const char *link, struct err *e)
{
	char key[64];
	long v = 0;
	int r;

	if (!net_link_name_ok(link))
		return 0;
	snprintf(key, sizeof(key), "ipv6/conf/%.15s/accept_ra", link);
	r = net_sysctl_read(-1, key, &v, e);
	if (r < 0 || v != 1)
		return r == -ENOENT ? 0 : r;
	r = note("ra_", link, e);
	if (r >= 0)
		r = net_sysctl_write(-1, key, "2", e);
	return r == -ENOENT ? 0 : r; /* the link has gone meanwhile */
}

static int turn_on6(struct err *e)
{
	auto_dir DIR *d = opendir("/proc/sys/net/ipv6/conf");
	struct dirent *de;
	long on = 1;
	int r = net_sysctl_read(-1, KEY6, &on, e);

	if (r < 0 || on || !d)
		return r == -ENOENT ? 0 : r;
	while ((de = readdir(d))) {
		/* "all" is no link, and "default" is for links to come. */
		if (!strcmp(de->d_name, "all") || !strcmp(de->d_name, "default"))
			continue;
		r = keep_listening(de->d_name, e);
		if (r < 0)
			return r;
	}
	r = note("off6", "", e);
	return r < 0 ? r : net_sysctl_write(-1, KEY6, "1", e);
}

int net_forward_hold(const char *who, bool ipv6, struct err *e)
{
	long on = 1;
	int r;

	if (!net_link_name_ok(who))
		return err_set(e, EINVAL, "'%.15s' cannot hold forwarding", who);
	r = note("who_", who, e);
	if (r < 0)
		return r;
	r = net_sysctl_read(-1, KEY4, &on, e);
	if (r < 0)
		return r == -ENOENT ? err_set(e, ENOENT, "this kernel has no IPv4 forwarding") : r;
	if (!on) {
		r = note("off4", "", e);
		if (r >= 0)
			r = net_sysctl_write(-1, KEY4, "1", e);
		if (r < 0)
			return r;
	}
	return ipv6 ? turn_on6(e) : 0;
}

/* Next chain name after *at in a listing; false at the end. */
static bool next_chain(const char **at, char name[64])
{
	const char *p = strstr(*at, "chain ");

	if (!p || sscanf(p + 6, "%63[^ {]", name) != 1)
		return false;
	*at = p + 6;
	return true;
}

static int put_back(const char *listing, struct err *e)
{
	char name[64], key[96];
	int r = 0;

	while (r >= 0 && next_chain(&listing, name)) {
		if (!strcmp(name, "off4")) {
			r = net_sysctl_write(-1, KEY4, "0", e);
		} else if (!strcmp(name, "off6")) {
			r = net_sysctl_write(-1, KEY6, "0", e);
		} else if (!strncmp(name, "ra_", 3)) {
			snprintf(key, sizeof(key), "ipv6/conf/%s/accept_ra", name + 3);
			r = net_sysctl_write(-1, key, "1", e);
		}
		if (r == -ENOENT)
			r = 0; /* that link is gone */
	}
	return r < 0 ? r : net_nft_drop_table("inet", "skep_forward", e);
}

int net_forward_drop(const char *who, struct err *e)
{
	auto_free char *listing = NULL;
	char mine[64], name[64], text[160];
	const char *at;
	bool held = false, others = false;
	int r;

	if (!net_link_name_ok(who))
		return err_set(e, EINVAL, "'%.15s' cannot hold forwarding", who);
	r = net_nft_list("list table " TABLE "\n", &listing, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	snprintf(mine, sizeof(mine), "who_%s", who);
	for (at = listing; next_chain(&at, name);) {
		if (!strcmp(name, mine))
			held = true;
		else if (!strncmp(name, "who_", 4))
			others = true;
	}
	if (!others)
		return put_back(listing, e);
	if (!held)
		return 0;
	snprintf(text, sizeof(text), "delete chain " TABLE " %s\n", mine);
	return net_nft_run(text, "let forwarding go", e);
}
