// SPDX-License-Identifier: GPL-2.0-only
/* Values of a container for `list`. */
#include "ctl/row.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "ctl/network_options.h"
#include "ctl/target.h"

struct cg_value ctl_memory_used(const struct cg_stat *st)
{
	struct cg_value used = st->mem_current;

	if (used.valid && st->mem_inactive_file.valid && st->mem_inactive_file.v <= used.v)
		used.v -= st->mem_inactive_file.v;
	return used;
}

/* Start times of processes count from the host's boot, suspended time included. */
struct cg_value ctl_uptime(const struct ct *ct)
{
	struct cg_value up = {0};
	long ticks = sysconf(_SC_CLK_TCK);
	struct timespec now;

	if (!ct->s.pid || ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return up;
	up.valid = (uint64_t)now.tv_sec >= ct->s.pid_start / (uint64_t)ticks;
	up.v = up.valid ? (uint64_t)now.tv_sec - ct->s.pid_start / (uint64_t)ticks : 0;
	return up;
}

void ctl_addresses(const struct ct_definition *d, char *out, size_t size)
{
	char text[NET_ADDR_STR_MAX];
	size_t used = 0;

	snprintf(out, size, "%s", d->network == CT_NETWORK_HOST ? "host" : "");
	for (unsigned i = 0; i < d->net_count; i++)
		for (size_t k = 0; k < d->nets[i].addr_count && used < size; k++)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "",
						 net_addr_to_host_str(&d->nets[i].addrs[k], text));
}

static void fill_limit(struct ctl_row *row, enum ctl_column c, const struct cg_limits *l,
		       enum cg_limit which)
{
	if (l->set[which] && l->value[which] != CG_UNLIMITED)
		ctl_row_number(row, c, l->value[which]);
}

static void fill_network(struct ctl_row *row, const struct ct_definition *d)
{
	char text[256], mac[NET_MAC_STR_MAX];

	ctl_row_text(row, CTL_COLUMN_network, ctl_network_to_str(d));
	ctl_addresses(d, text, sizeof(text));
	ctl_row_text(row, CTL_COLUMN_ip, text);
	if (!d->net_count)
		return;
	ctl_row_text(row, CTL_COLUMN_mac, net_mac_to_str(d->nets[0].mac, mac));
}

void ctl_row_fill_definition(struct ctl_row *row, const struct ct_definition *d)
{
	ctl_row_text(row, CTL_COLUMN_template, d->template);
	ctl_row_text(row, CTL_COLUMN_hostname, d->hostname[0] ? d->hostname : d->name);
	ctl_row_text(row, CTL_COLUMN_uuid, d->uuid);
	ctl_row_text(row, CTL_COLUMN_description, d->description);
	ctl_row_text(row, CTL_COLUMN_autostart, d->autostart ? "yes" : "no");
	ctl_row_text(row, CTL_COLUMN_netfilter, ct_netfilter_to_str(d->netfilter));
	ctl_row_text(row, CTL_COLUMN_cpuset, d->limits.cpus);
	ctl_row_number(row, CTL_COLUMN_order, (uint64_t)(int64_t)d->order);
	ctl_row_number(row, CTL_COLUMN_idbase, d->id_base);
	if (d->disk_bytes)
		ctl_row_number(row, CTL_COLUMN_disk, d->disk_bytes);
	fill_limit(row, CTL_COLUMN_memory, &d->limits, CG_LIMIT_MEM_MAX);
	fill_limit(row, CTL_COLUMN_swap, &d->limits, CG_LIMIT_SWAP_MAX);
	fill_limit(row, CTL_COLUMN_cpus, &d->limits, CG_LIMIT_CPU_QUOTA);
	fill_limit(row, CTL_COLUMN_weight, &d->limits, CG_LIMIT_CPU_WEIGHT);
	fill_limit(row, CTL_COLUMN_pids, &d->limits, CG_LIMIT_PIDS_MAX);
	fill_network(row, d);
}

static bool needs(const struct ctl_table *t, enum ctl_column c)
{
	return t->sort == c || ctl_table_shows(t, c);
}

static void fill_value(struct ctl_row *row, enum ctl_column c, struct cg_value v)
{
	if (v.valid)
		ctl_row_number(row, c, v.v);
}

/* The container may end under our eyes: then these have no value. */
static void fill_running(struct ctl_row *row, const struct ct_system *s, const struct ctl_table *t)
{
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	struct err ignored = {0};
	struct cg_stat st;

	if (ctl_runtime(s, &ct, &ignored) != 1)
		return;
	ctl_row_number(row, CTL_COLUMN_pid, (uint64_t)ct.s.pid);
	fill_value(row, CTL_COLUMN_uptime, ctl_uptime(&ct));
	if (!needs(t, CTL_COLUMN_used) && !needs(t, CTL_COLUMN_procs))
		return;
	if (cg_open(ct.s.cgroup, &cg, &ignored) < 0 || cg_stat_read(&cg, &st, &ignored) < 0)
		return;
	fill_value(row, CTL_COLUMN_used, ctl_memory_used(&st));
	fill_value(row, CTL_COLUMN_procs, st.pids_current);
}

void ctl_row_fill(struct ctl_row *row, const struct ct_system *s, enum ct_system_status status,
		  const struct err *broken, const struct ctl_table *t)
{
	ctl_row_text(row, CTL_COLUMN_name, s->d.name);
	ctl_row_text(row, CTL_COLUMN_status, ct_system_status_to_str(status));
	if (broken) {
		ctl_row_text(row, CTL_COLUMN_description, broken->text);
		return;
	}
	ctl_row_fill_definition(row, &s->d);
	if (status == CT_SYSTEM_RUNNING || status == CT_SYSTEM_PAUSED)
		fill_running(row, s, t);
}
