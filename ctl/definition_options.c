// SPDX-License-Identifier: GPL-2.0-only
/* The options of create and set: one table for their help and for what they do to a definition. */
#include "ctl/definition_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/size.h"
#include "ctl/limit_options.h"
#include "ctl/network_options.h"
#include "ctl/words.h"
#include "ns/caps.h"
#include "runtime/preset.h"

#define MOST_ORDER  1000000
#define MOST_STOP_S 86400

/* What an option's function gets. */
struct apply {
	const struct ct_conf *conf;
	struct ct_definition *d;
	char what[72]; /* the option as it was typed: "--ram" */
};

static int bad_value(const struct apply *a, const char *value, const char *why, struct err *e)
{
	err_set(e, EINVAL, "%s: '%.64s' %s", a->what, value, why);
	return err_class(e, ERR_VALUE);
}

static int put(const struct apply *a, char *to, size_t size, const char *value, struct err *e)
{
	if ((size_t)snprintf(to, size, "%s", value) < size)
		return 0;
	err_set(e, ENAMETOOLONG, "%s: its value has more than %zu characters", a->what, size - 1);
	return err_class(e, ERR_VALUE);
}

static int yes_or_no(const struct apply *a, const char *value, bool *out, struct err *e)
{
	*out = strcmp(value, "yes") == 0 || strcmp(value, "on") == 0;
	if (*out || strcmp(value, "no") == 0 || strcmp(value, "off") == 0)
		return 0;
	return bad_value(a, value, "is not yes or no", e);
}

/* ---- resources ---- */

#define LIMIT_OPTION(name)                                                       \
	static int set_##name(struct apply *a, const char *value, struct err *e) \
	{                                                                        \
		return ctl_limit_##name(a->d, a->what, value, e);                \
	}
LIMIT_OPTION(memory)
LIMIT_OPTION(swap)
LIMIT_OPTION(cpus)
LIMIT_OPTION(cpulimit)
LIMIT_OPTION(cpuunits)
LIMIT_OPTION(cpuweight)
LIMIT_OPTION(io_weight)
LIMIT_OPTION(io_limit)
LIMIT_OPTION(iolimit)
LIMIT_OPTION(iops)
LIMIT_OPTION(cpuset)
LIMIT_OPTION(pids)
LIMIT_OPTION(disk)
LIMIT_OPTION(diskspace)

/* ---- network ---- */

#define NETWORK_OPTION(name)                                                     \
	static int set_##name(struct apply *a, const char *value, struct err *e) \
	{                                                                        \
		return ctl_network_##name(a->d, a->what, value, e);              \
	}
NETWORK_OPTION(ip_del)
NETWORK_OPTION(gateway)
NETWORK_OPTION(bridge)
NETWORK_OPTION(uplink)
NETWORK_OPTION(mac)
NETWORK_OPTION(mtu)
NETWORK_OPTION(rate)

static int set_ip_add(struct apply *a, const char *value, struct err *e)
{
	return ctl_network_ip_add(a->d, a->conf, a->what, value, e);
}

/* ---- the system inside ---- */

static int set_hostname(struct apply *a, const char *value, struct err *e)
{
	return put(a, a->d->hostname, sizeof(a->d->hostname), value, e);
}

static int set_init(struct apply *a, const char *value, struct err *e)
{
	char buf[sizeof(a->d->init)], *words[CT_WORDS_MAX + 1];
	const char *why;
	int n = ctl_words(value, buf, sizeof(buf), words, ARRAY_SIZE(words), &why);

	if (n < 0)
		return bad_value(a, value, why, e);
	memset(a->d->init, 0, sizeof(a->d->init));
	for (int i = 0; i < n; i++)
		if (put(a, a->d->init[i], sizeof(a->d->init[i]), words[i], e) < 0)
			return -e->no;
	return 0;
}

/* Takes entry i out of a list of fixed-size strings that ends at the first empty one. */
static void list_remove(char *list, size_t size, size_t i)
{
	memmove(list + i * size, list + (i + 1) * size, (CT_WORDS_MAX - i - 1) * size);
	memset(list + (CT_WORDS_MAX - 1) * size, 0, size);
}

/* The place of the entry that begins with the first len characters of key (and ends there, or with '='); CT_WORDS_MAX if there is none. */
static size_t list_find(const char *list, size_t size, const char *key, size_t len)
{
	for (size_t i = 0; i < CT_WORDS_MAX && list[i * size]; i++) {
		const char *entry = list + i * size;

		if (strncmp(entry, key, len) == 0 && (entry[len] == '\0' || entry[len] == '='))
			return i;
	}
	return CT_WORDS_MAX;
}

static size_t list_length(const char *list, size_t size)
{
	size_t n = 0;

	while (n < CT_WORDS_MAX && list[n * size])
		n++;
	return n;
}

static int set_env(struct apply *a, const char *value, struct err *e)
{
	const size_t size = sizeof(a->d->env[0]);
	const char *equals = strchr(value, '=');
	size_t i;

	if (!equals || equals == value)
		return bad_value(a, value, "is not of the form NAME=VALUE", e);
	i = list_find(a->d->env[0], size, value, (size_t)(equals - value));
	if (i == CT_WORDS_MAX)
		i = list_length(a->d->env[0], size);
	if (i == CT_WORDS_MAX)
		return bad_value(a, value, "is one variable more than there is room for", e);
	return put(a, a->d->env[i], size, value, e);
}

static int set_env_del(struct apply *a, const char *value, struct err *e)
{
	const size_t size = sizeof(a->d->env[0]);
	size_t i = list_find(a->d->env[0], size, value, strlen(value));

	if (i == CT_WORDS_MAX)
		return bad_value(a, value, "is not one of its variables", e);
	list_remove(a->d->env[0], size, i);
	return 0;
}

/* Puts one capability on one list and takes it from the other: the last word said counts. */
static int move_capability(struct apply *a, char *to, char *from, const char *word, struct err *e)
{
	const size_t size = sizeof(a->d->cap_add[0]);
	char name[32];
	size_t n;
	int cap;

	if (ns_caps_from_str(word, &cap, e) < 0) {
		e->class =
			ERR_VALUE; /* not CONFIG: the word was typed here, not read from a file */
		err_hint(e, "man 7 capabilities lists them");
		return err_wrap(e, "%s", a->what);
	}
	ns_caps_to_str(cap, name, sizeof(name));
	n = list_find(from, size, name, strlen(name));
	if (n < CT_WORDS_MAX)
		list_remove(from, size, n);
	if (list_find(to, size, name, strlen(name)) < CT_WORDS_MAX)
		return 0;
	n = list_length(to, size);
	if (n == CT_WORDS_MAX)
		return bad_value(a, word, "is one capability more than there is room for", e);
	return put(a, to + n * size, size, name, e);
}

static int move_capabilities(struct apply *a, char *to, char *from, const char *value,
			     struct err *e)
{
	for (const char *p = value;; p++) {
		size_t len = strcspn(p, ",");
		char word[64];

		if (!len || len >= sizeof(word))
			return bad_value(a, value, "is not a list of capabilities", e);
		memcpy(word, p, len);
		word[len] = '\0';
		if (move_capability(a, to, from, word, e) < 0)
			return -e->no;
		p += len;
		if (!*p)
			return 0;
	}
}

static int set_cap_add(struct apply *a, const char *value, struct err *e)
{
	return move_capabilities(a, a->d->cap_add[0], a->d->cap_drop[0], value, e);
}

static int set_cap_drop(struct apply *a, const char *value, struct err *e)
{
	return move_capabilities(a, a->d->cap_drop[0], a->d->cap_add[0], value, e);
}

static int set_nesting(struct apply *a, const char *value, struct err *e)
{
	return yes_or_no(a, value, &a->d->nesting, e);
}

static int set_netfilter(struct apply *a, const char *value, struct err *e)
{
	return ct_netfilter_parse(value, &a->d->netfilter, e) < 0 ? err_wrap(e, "%s", a->what) : 0;
}

static int set_autostart(struct apply *a, const char *value, struct err *e)
{
	return yes_or_no(a, value, &a->d->autostart, e);
}

static int set_order(struct apply *a, const char *value, struct err *e)
{
	int64_t n;

	if (size_parse_number(a->what, value, -MOST_ORDER, MOST_ORDER, &n, e) < 0)
		return -e->no;
	a->d->order = (int)n;
	return 0;
}

static int set_stop_signal(struct apply *a, const char *value, struct err *e)
{
	return put(a, a->d->stop_signal, sizeof(a->d->stop_signal), value, e);
}

static int set_stop_timeout(struct apply *a, const char *value, struct err *e)
{
	int64_t n;

	if (size_parse_number(a->what, value, 0, MOST_STOP_S, &n, e) < 0)
		return -e->no;
	a->d->stop_timeout_s = (int)n;
	return 0;
}

static int set_preset(struct apply *a, const char *value, struct err *e)
{
	if (!ct_preset_ok(value)) {
		bad_value(a, value, "is no preset", e);
		return err_hint(e, "checkpointable, or none");
	}
	return put(a, a->d->preset, sizeof(a->d->preset), strcmp(value, "none") ? value : "", e);
}

static int set_description(struct apply *a, const char *value, struct err *e)
{
	return put(a, a->d->description, sizeof(a->d->description), value, e);
}

/* Applied before all others. */
static int set_network(struct apply *a, const char *value, struct err *e)
{
	(void)a, (void)value, (void)e;
	return 0;
}

/* X(name, letter, argument, other name of, function, help) */
#define OPTIONS(X)                                                                                 \
	X("memory", 'm', "SIZE", NULL, set_memory, "memory limit: 512M, 1.5G, unlimited")          \
	X("ram", 0, "SIZE", "memory", set_memory, "OpenVZ's word for it")                          \
	X("swap", 0, "SIZE", NULL, set_swap, "swap besides the memory; 0 for none")                \
	X("cpus", 0, "NUMBER", NULL, set_cpus, "CPU limit: 1.5, 50%, unlimited")                   \
	X("cpulimit", 0, "PERCENT", "cpus", set_cpulimit, "OpenVZ's: 100 is one CPU, 0 no limit")  \
	X("cpuweight", 0, "N", NULL, set_cpuweight,                                                \
	  "share of busy CPUs against other containers: 1 to 10000, usually 100")                  \
	X("cpuunits", 0, "N", "cpuweight", set_cpuunits,                                           \
	  "OpenVZ's: 8 to 500000, usually 1000; the weight is a tenth of it")                      \
	X("cpuset", 0, "LIST", NULL, set_cpuset, "CPUs it may run on: 0-3,6, or all")              \
	X("cpumask", 0, "LIST", "cpuset", set_cpuset, "OpenVZ's word for it")                      \
	X("pids", 0, "N", NULL, set_pids, "most processes and threads, or unlimited")              \
	X("numproc", 0, "N", "pids", set_pids, "OpenVZ's word for it")                             \
	X("io-weight", 0, "N", NULL, set_io_weight,                                                \
	  "share of a busy disk against other containers: 1 to 10000, usually 100")                \
	X("io-limit", 0, "SIZE", NULL, set_io_limit,                                               \
	  "what it may read in a second, and write: 10M; 0 or unlimited")                          \
	X("iolimit", 0, "SIZE", "io-limit", set_iolimit, "OpenVZ's: MiB when there is no unit")    \
	X("iops", 0, "N", NULL, set_iops, "so many reads in a second, and writes, or unlimited")   \
	X("iopslimit", 0, "N", "iops", set_iops, "OpenVZ's word for it")                           \
	X("disk", 0, "SIZE", NULL, set_disk, "its own disk of that size; it can grow later")       \
	X("diskspace", 0, "SIZE", "disk", set_diskspace, "OpenVZ's: KiB when there is no unit")    \
	X("network", 0, "KIND", NULL, set_network, "bridge, routed, none or host")                 \
	X("ip", 0, "ADDRESS", NULL, set_ip_add,                                                    \
	  "an address, as 10.0.0.5/24, auto or auto6 (one of the pool)")                           \
	X("ipadd", 0, "ADDRESS", "ip", set_ip_add, "OpenVZ's word for it")                         \
	X("ipdel", 0, "ADDRESS", NULL, set_ip_del, "take that address away, or all")               \
	X("gateway", 0, "ADDRESS", NULL, set_gateway, "its default route on an own bridge")        \
	X("bridge", 0, "LINK", NULL, set_bridge, "a bridge of this host; it is made when missing") \
	X("uplink", 0, "LINK", NULL, set_uplink,                                                   \
	  "routed: where the host answers for its addresses")                                      \
	X("mac", 0, "MAC", NULL, set_mac, "hardware address, as 02:00:00:00:00:05")                \
	X("mtu", 0, "BYTES", NULL, set_mtu, "largest packet")                                      \
	X("rate", 0, "RATE", NULL, set_rate, "bandwidth each way: 100mbit, 1gbit, unlimited")      \
	X("hostname", 0, "NAME", NULL, set_hostname, "its own name for itself")                    \
	X("init", 0, "WORDS", NULL, set_init, "what it executes: \"/sbin/init --debug\"")          \
	X("env", 'e', "NAME=VALUE", NULL, set_env, "a variable of its init; can be repeated")      \
	X("env-del", 0, "NAME", NULL, set_env_del, "take that variable away")                      \
	X("cap-add", 0, "NAME", NULL, set_cap_add, "a capability more, as net_admin")              \
	X("cap-drop", 0, "NAME", NULL, set_cap_drop, "a capability less")                          \
	X("nesting", 0, "yes|no", NULL, set_nesting, "whether it may make containers itself")      \
	X("netfilter", 0, "WORD", NULL, set_netfilter,                                             \
	  "disabled: no nftables, iptables, ipset, conntrack inside; or full")                     \
	X("autostart", 0, "yes|no", NULL, set_autostart, "started when the host boots")            \
	X("onboot", 0, "yes|no", "autostart", set_autostart, "OpenVZ's word for it")               \
	X("order", 0, "N", NULL, set_order, "its place in that: lower starts first")               \
	X("stop-signal", 0, "SIGNAL", NULL, set_stop_signal, "what asks its init to end")          \
	X("stop-timeout", 0, "SECONDS", NULL, set_stop_timeout, "how long that may take")          \
	X("preset", 0, "NAME", NULL, set_preset,                                                   \
	  "checkpointable: systemd's units without what cannot be migrated; or none")              \
	X("description", 0, "TEXT", NULL, set_description, "free text")

const struct ctl_option ctl_definition_options[] = {
#define X(name_, letter_, arg_, means_, function_, help_) \
	{.name = name_, .letter = letter_, .arg = arg_, .help = help_, .means = means_},
	OPTIONS(X)
#undef X
		{0}};

/* In the order of ctl_definition_options[]. */
static int (*const functions[])(struct apply *a, const char *value, struct err *e) = {
#define X(name, letter, arg, means, function, help) function,
	OPTIONS(X)
#undef X
};

static int apply_one(struct apply *a, const struct ctl_option *o, const char *value, struct err *e)
{
	ptrdiff_t i = o - ctl_definition_options;

	snprintf(a->what, sizeof(a->what), "--%s", o->name);
	return functions[i](a, value, e);
}

static bool is_ours(const struct ctl_option *o)
{
	return o >= ctl_definition_options && o < ctl_definition_options + ARRAY_SIZE(functions);
}

int ctl_definition_apply(const struct ctl_line *line, const struct ct_conf *conf, bool new,
			 struct ct_definition *d, struct err *e)
{
	struct apply a = {.conf = conf, .d = d};
	const char *network = ctl_value(line, "network");
	int count = 0;

	if (new)
		ctl_network_default(d);
	if (network && ctl_network_kind(d, network, e) < 0)
		return -e->no;
	for (int i = 0; i < line->count; i++) {
		if (!is_ours(line->options[i].option))
			continue;
		if (apply_one(&a, line->options[i].option, line->options[i].value, e) < 0)
			return -e->no;
		count++;
	}
	if ((new || network) && ctl_network_finish(d, conf, e) < 0)
		return -e->no;
	return count;
}
