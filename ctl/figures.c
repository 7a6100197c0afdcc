// SPDX-License-Identifier: GPL-2.0-only
/* Figures of a running container. */
#include "ctl/figures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/size.h"
#include "cgroups/group.h"
#include "ctl/columns.h"
#include "ctl/row.h"
#include "ctl/target.h"
#include "runtime/network.h"

#define USEC_PER_SEC 1e6

static void read_network(struct ctl_figures *f, const struct ct_definition *d, const struct ct *ct)
{
	char links[CT_NETS_MAX][IFNAMSIZ];
	struct err ignored = {0};
	int n = ct_network_links(ct, links, &ignored);

	for (int i = 0; i < n && i < (int)d->net_count; i++) {
		struct err gone = {0};

		f->net[i].name = d->nets[i].name;
		f->net[i].valid = net_stat_read(links[i], &f->net[i].stat, &gone) >= 0;
		f->net_count++;
	}
}

int ctl_figures_read(struct ctl_figures *f, const struct ct_system *s, enum ct_system_status status,
		     struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;

	memset(f, 0, sizeof(*f));
	f->name = s->d.name;
	f->status = status;
	if (ctl_runtime_running(s, &ct, e) < 0)
		return -e->no;
	f->uptime_s = ctl_uptime(&ct);
	if (cg_open(ct.s.cgroup, &cg, e) < 0)
		return e->no == ENOENT ? err_class(e, ERR_NOT_RUNNING) : -e->no;
	if (cg_stat_read(&cg, &f->cg, e) < 0)
		return -e->no;
	read_network(f, &s->d, &ct);
	return 0;
}

struct printer {
	FILE *out;
	int parts; /* of the present line */
};

static void part(struct printer *p, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The first part of a line brings the line's name. */
static void part(struct printer *p, const char *what, const char *fmt, ...)
{
	va_list ap;

	if (p->parts++)
		fputs(", ", p->out);
	else
		fprintf(p->out, "  %-10s ", what);
	va_start(ap, fmt);
	vfprintf(p->out, fmt, ap);
	va_end(ap);
}

static void end_line(struct printer *p)
{
	if (p->parts)
		putc('\n', p->out);
	p->parts = 0;
}

static void bytes(struct printer *p, const char *line, const char *what, struct cg_value v)
{
	char text[32];

	if (v.valid && v.v != CG_STAT_UNLIMITED)
		part(p, line, "%s %s", what, size_to_str(v.v, text, sizeof(text)));
}

static void count(struct printer *p, const char *line, const char *what, struct cg_value v)
{
	if (v.valid && v.v != CG_STAT_UNLIMITED)
		part(p, line, "%s %" PRIu64, what, v.v);
}

static void seconds(struct printer *p, const char *line, const char *what, struct cg_value v)
{
	if (v.valid)
		part(p, line, "%s %.2f s", what, (double)v.v / USEC_PER_SEC);
}

static void print_cpu(struct printer *p, const struct cg_stat *st)
{
	seconds(p, "cpu", "used", st->cpu_usage);
	seconds(p, "cpu", "user", st->cpu_user);
	seconds(p, "cpu", "kernel", st->cpu_system);
	if (st->cpu_periods.valid && st->cpu_throttled.valid && st->cpu_periods.v) {
		part(p, "cpu", "cut short in %" PRIu64 " of %" PRIu64 " periods",
		     st->cpu_throttled.v, st->cpu_periods.v);
		seconds(p, "cpu", "lost", st->cpu_throttled_time);
	}
	end_line(p);
}

static void print_memory(struct printer *p, const struct cg_stat *st)
{
	bytes(p, "memory", "used", ctl_memory_used(st));
	bytes(p, "memory", "limit", st->mem_max);
	bytes(p, "memory", "peak", st->mem_peak);
	bytes(p, "memory", "cache", st->mem_file);
	count(p, "memory", "limit hit", st->mem_failcnt);
	count(p, "memory", "killed", st->oom_kill);
	end_line(p);
	bytes(p, "swap", "used", st->swap_current);
	bytes(p, "swap", "limit", st->swap_max);
	end_line(p);
}

static void print_rest(struct printer *p, const struct cg_stat *st)
{
	count(p, "processes", "now", st->pids_current);
	count(p, "processes", "limit", st->pids_max);
	count(p, "processes", "refused", st->pids_failcnt);
	end_line(p);
	bytes(p, "io", "read", st->io_rbytes);
	count(p, "io", "requests", st->io_rios);
	bytes(p, "io", "written", st->io_wbytes);
	count(p, "io", "requests", st->io_wios);
	end_line(p);
}

static void print_network(struct printer *p, const struct ctl_figures *f)
{
	char rx[32], tx[32];

	for (unsigned i = 0; i < f->net_count; i++) {
		const struct net_stat *n = &f->net[i].stat;

		if (!f->net[i].valid)
			continue;
		part(p, f->net[i].name, "received %s in %" PRIu64 " packets",
		     size_to_str(n->rx_bytes, rx, sizeof(rx)), n->rx_packets);
		part(p, "", "sent %s in %" PRIu64, size_to_str(n->tx_bytes, tx, sizeof(tx)),
		     n->tx_packets);
		part(p, "", "dropped %" PRIu64 " and %" PRIu64, n->rx_dropped, n->tx_dropped);
		end_line(p);
	}
}

static void pressure(struct printer *p, const char *what, const struct cg_pressure *v)
{
	if (v->valid)
		part(p, "pressure", "%s %u.%02u%%", what, v->some_avg10 / 100, v->some_avg10 % 100);
}

void ctl_figures_print(const struct ctl_figures *f, FILE *out)
{
	struct printer p = {.out = out};
	char up[32] = "";

	fprintf(out, "CT %s: %s", f->name, ct_system_status_to_str(f->status));
	if (f->uptime_s.valid)
		fprintf(out, " for %s", ctl_seconds_to_str(f->uptime_s.v, up, sizeof(up)));
	putc('\n', out);
	print_cpu(&p, &f->cg);
	print_memory(&p, &f->cg);
	print_rest(&p, &f->cg);
	print_network(&p, f);
	pressure(&p, "cpu", &f->cg.cpu);
	pressure(&p, "memory", &f->cg.memory);
	pressure(&p, "io", &f->cg.io);
	end_line(&p);
}

/* "No limit" is null, as "no such number": both mean that there is nothing to compare with. */
static json_t *value(struct cg_value v)
{
	return v.valid && v.v != CG_STAT_UNLIMITED ? json_integer((json_int_t)v.v) : json_null();
}

static json_t *pressure_to_json(const struct cg_pressure *p)
{
	if (!p->valid)
		return json_null();
	return json_pack("{s:f, s:f}", "some", p->some_avg10 / 100.0, "full",
			 p->full_avg10 / 100.0);
}

static json_t *network_to_json(const struct ctl_figures *f)
{
	json_t *all = json_object();

	for (unsigned i = 0; all && i < f->net_count; i++) {
		const struct net_stat *n = &f->net[i].stat;

		if (f->net[i].valid)
			json_object_set_new(all, f->net[i].name,
					    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "rx_bytes",
						      (json_int_t)n->rx_bytes, "rx_packets",
						      (json_int_t)n->rx_packets, "rx_dropped",
						      (json_int_t)n->rx_dropped, "tx_bytes",
						      (json_int_t)n->tx_bytes, "tx_packets",
						      (json_int_t)n->tx_packets, "tx_dropped",
						      (json_int_t)n->tx_dropped));
	}
	return all;
}

json_t *ctl_figures_to_json(const struct ctl_figures *f)
{
	json_t *j = json_pack("{s:s, s:s, s:o, s:o, s:{s:o, s:o, s:o}}", "name", f->name, "status",
			      ct_system_status_to_str(f->status), "uptime", value(f->uptime_s),
			      "network", network_to_json(f), "pressure", "cpu",
			      pressure_to_json(&f->cg.cpu), "memory",
			      pressure_to_json(&f->cg.memory), "io", pressure_to_json(&f->cg.io));

	if (!j)
		return NULL;
#define X(member, unit, text) json_object_set_new(j, #member, value(f->cg.member));
	CG_STATS(X)
#undef X
	return j;
}
