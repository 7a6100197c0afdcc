// SPDX-License-Identifier: GPL-2.0-only
/* skepctl info: all there is to know about one container. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/size.h"
#include "cgroups/group.h"
#include "ctl/network_options.h"
#include "ctl/row.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

#define JSON_VERSION 1

/* What there is of it now. */
struct info {
	const struct ct_system *s;
	enum ct_system_status status;
	bool exists; /* has a runtime state */
	struct ct ct;
	struct cg_stat stat;
};

static void field(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void field(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("%-12s", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void print_status(const struct info *i)
{
	struct cg_value up = i->exists ? ctl_uptime(&i->ct) : (struct cg_value){0};
	const char *word = ct_system_status_to_str(i->status);
	char text[32];

	if (up.valid && (i->status == CT_SYSTEM_RUNNING || i->status == CT_SYSTEM_PAUSED))
		field("status", "%s for %s, process %d", word,
		      ctl_seconds_to_str(up.v, text, sizeof(text)), (int)i->ct.s.pid);
	else
		field("status", "%s", word);
}

/* "53M of 512M", "no limit". */
static void print_use(const char *name, struct cg_value used, const struct cg_limits *l,
		      enum cg_limit which, bool bytes)
{
	char have[32] = "", limit[32] = "no limit";

	if (l->set[which] && l->value[which] != CG_UNLIMITED) {
		if (bytes)
			size_to_str(l->value[which], limit, sizeof(limit));
		else
			snprintf(limit, sizeof(limit), "%" PRIu64, l->value[which]);
	}
	if (used.valid && bytes)
		size_to_str(used.v, have, sizeof(have));
	else if (used.valid)
		snprintf(have, sizeof(have), "%" PRIu64, used.v);
	if (used.valid)
		field(name, "%s used, %s%s", have, strcmp(limit, "no limit") ? "limit " : "",
		      limit);
	else
		field(name, "%s", limit);
}

static void print_cpu(const struct info *i)
{
	const struct cg_limits *l = &i->s->d.limits;
	struct ctl_row row = {0};
	char cpus[CTL_CELL], weight[CTL_CELL];
	bool limited = l->set[CG_LIMIT_CPU_QUOTA] && l->value[CG_LIMIT_CPU_QUOTA] != CG_UNLIMITED;

	ctl_row_fill_definition(&row, &i->s->d);
	field("cpu", "%s%s, weight %s%s%s", limited ? "limit " : "no limit",
	      limited ? ctl_row_cell(&row, CTL_COLUMN_cpus, cpus) : "",
	      l->set[CG_LIMIT_CPU_WEIGHT] ? ctl_row_cell(&row, CTL_COLUMN_weight, weight) : "100",
	      l->cpus[0] ? ", on CPUs " : "", l->cpus);
}

/* As --rate takes it. */
static const char *rate(uint64_t bits, char *text, size_t size)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {{1000000000, "gbit"}, {1000000, "mbit"}, {1000, "kbit"}, {1, "bit"}};
	size_t i = 0;

	while (bits % units[i].unit)
		i++;
	snprintf(text, size, "%" PRIu64 "%s", bits / units[i].unit, units[i].name);
	return text;
}

static void print_network(const struct ct_definition *d)
{
	char text[NET_ADDR_STR_MAX], mac[NET_MAC_STR_MAX];

	field("network", "%s", ctl_network_to_str(d));
	for (unsigned n = 0; n < d->net_count; n++) {
		const struct net_if *eth = &d->nets[n];

		printf("%-12s", eth->name);
		for (size_t k = 0; k < eth->addr_count; k++)
			printf("%s ", net_addr_to_str(&eth->addrs[k], text));
		if (eth->mode == NET_MODE_BRIDGE)
			printf("on %s, ", eth->bridge);
		else if (eth->uplink[0])
			printf("behind %s, ", eth->uplink);
		printf("%s", net_mac_to_str(eth->mac, mac));
		if (eth->gateway4.family)
			printf(", by %s", net_addr_to_host_str(&eth->gateway4, text));
		if (eth->gateway6.family)
			printf(", by %s", net_addr_to_host_str(&eth->gateway6, text));
		if (eth->rate_bits)
			printf(", at most %s", rate(eth->rate_bits, text, sizeof(text)));
		putchar('\n');
	}
}

static void print_list(const char *name, const char *list, size_t size)
{
	if (!*list)
		return;
	printf("%-12s", name);
	for (size_t i = 0; i < CT_WORDS_MAX && list[i * size]; i++)
		printf("%s%s", i ? " " : "", list + i * size);
	putchar('\n');
}

static void print_human(const struct info *i)
{
	const struct ct_definition *d = &i->s->d;
	char size[32];

	field("name", "%s", d->name);
	print_status(i);
	if (d->description[0])
		field("description", "%s", d->description);
	field("template", "%s", d->template);
	field("hostname", "%s", d->hostname[0] ? d->hostname : d->name);
	print_use("memory", ctl_memory_used(&i->stat), &d->limits, CG_LIMIT_MEM_MAX, true);
	print_use("swap", i->stat.swap_current, &d->limits, CG_LIMIT_SWAP_MAX, true);
	print_cpu(i);
	print_use("processes", i->stat.pids_current, &d->limits, CG_LIMIT_PIDS_MAX, false);
	field("disk", "%s",
	      d->disk_bytes ? size_to_str(d->disk_bytes, size, sizeof(size))
			    : "no limit of its own");
	print_network(d);
	print_list("init", d->init[0], sizeof(d->init[0]));
	print_list("env", d->env[0], sizeof(d->env[0]));
	print_list("cap-add", d->cap_add[0], sizeof(d->cap_add[0]));
	print_list("cap-drop", d->cap_drop[0], sizeof(d->cap_drop[0]));
	if (d->preset[0])
		field("preset", "%s", d->preset);
	if (d->nesting)
		field("nesting", "yes");
	if (d->netfilter != CT_NETFILTER_FULL)
		field("netfilter", "%s", ct_netfilter_to_str(d->netfilter));
	field("autostart", "%s", d->autostart ? "yes" : "no");
	field("stop", "%s%skilled after %d s", d->stop_signal, d->stop_signal[0] ? ", " : "",
	      d->stop_timeout_s);
	field("host ids", "%u to %u", d->id_base, d->id_base + CT_ID_COUNT - 1);
	field("uuid", "%s", d->uuid);
	field("files", "%s/ct/%s", i->s->host->root, d->name);
	if (i->exists && i->ct.s.cgroup[0])
		field("cgroup", "%s", i->ct.s.cgroup);
}

static int print_json(const struct info *i, struct err *e)
{
	auto_json json_t *definition = NULL;
	auto_json json_t *all = NULL;
	auto_json json_t *runtime = json_null();

	if (ct_definition_to_json(&i->s->d, &definition, e) < 0)
		return -e->no;
	if (i->exists) {
		struct cg_value up = ctl_uptime(&i->ct);

		runtime = json_pack("{s:i, s:s, s:s, s:I}", "pid", (int)i->ct.s.pid, "cgroup",
				    i->ct.s.cgroup, "created", i->ct.s.created, "uptime",
				    (json_int_t)(up.valid ? up.v : 0));
	}
	all = json_pack("{s:i, s:s, s:s, s:O, s:O}", "version", JSON_VERSION, "name", i->s->d.name,
			"status", ct_system_status_to_str(i->status), "definition", definition,
			"runtime", runtime);
	if (!all)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

/* The container may end under our eyes: then there is less to tell. */
static int look(struct info *i, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	struct err ignored = {0};
	int r;

	if (ct_system_status(i->s, &i->status, e) < 0)
		return -e->no;
	r = ctl_runtime(i->s, &i->ct, e);
	if (r < 0)
		return r;
	i->exists = r == 1 && !i->ct.s.stale;
	if (i->exists && cg_open(i->ct.s.cgroup, &cg, &ignored) >= 0)
		cg_stat_read(&cg, &i->stat, &ignored);
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct info i = {.s = &s, .ct = CT_INIT};
	struct ct_host h;
	int r;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], NULL, &s, e) < 0)
		return -e->no;
	r = look(&i, e);
	if (r >= 0 && ctl_flag(line, "json"))
		r = print_json(&i, e);
	else if (r >= 0)
		print_human(&i);
	ct_close(&i.ct);
	return r < 0 ? r : 0;
}

static const struct ctl_option options[] = {
	{.name = "json", .letter = 'j', .help = "as JSON: status, definition, runtime"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_info = {
	.name = "info",
	.words = "NAME",
	.summary = "show all of one container: settings, use, addresses, files",
	.examples = {"skepctl info 101", "skepctl info --json 101 | jq .definition"},
	.tables = tables,
	.least = 1,
	.most = 1,
	.run = run,
};
