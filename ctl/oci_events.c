// SPDX-License-Identifier: GPL-2.0-only
/* skep events: what a container uses, and when it is out of memory, a line of JSON each. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/oom.h"
#include "ctl/oci.h"
#include "ctl/oci_stats.h"
#include "ctl/report.h"
#include "runtime/container.h"

#define DEFAULT_INTERVAL_MS 5000
#define LONGEST_INTERVAL_MS (24 * 3600 * 1000)

/* As Go's durations with one unit: 5s, 100ms, 1.5m. */
static int read_interval(const struct ctl_line *line, int *ms, struct err *e)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	const char *text = ctl_value(line, "interval");
	char *unit = NULL;
	double n = text ? strtod(text, &unit) : 0;

	*ms = DEFAULT_INTERVAL_MS;
	if (!text)
		return 0;
	for (size_t i = 0; unit != text && i < ARRAY_SIZE(units); i++)
		if (!strcmp(unit, units[i].unit) && n * units[i].ms >= 1 &&
		    n * units[i].ms <= LONGEST_INTERVAL_MS) {
			*ms = (int)(n * units[i].ms);
			return 0;
		}
	err_set(e, EINVAL, "--interval: '%.40s' is not a time like 5s or 100ms, up to a day", text);
	return err_class(e, ERR_VALUE);
}

/* data (taken) NULL: none. One write a line: a reader gets it when it happens. */
static int print_event(const char *type, const char *id, json_t *data, struct err *e)
{
	auto_json json_t *j = json_pack("{s:s, s:s, s:o*}", "type", type, "id", id, "data", data);
	auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	if (!text)
		return err_set(e, ENOMEM, "out of memory for JSON");
	puts(text);
	return ctl_flush(e);
}

static int print_stats(const struct ct *ct, const struct cg *cg, struct err *e)
{
	json_t *data = NULL;
	int r = ctl_oci_stats(cg, &data, e);

	return r < 0 ? r : print_event("stats", ct->s.id, data, e);
}

/* Its group goes after it, and may be gone before we look. */
static bool went_with_init(int init, const struct err *e)
{
	struct pollfd p = {.fd = init, .events = POLLIN};

	return (e->no == ENOENT || e->no == ENODEV) && poll(&p, 1, 0) == 1;
}

static int left_ms(uint64_t until)
{
	uint64_t now = log_now_ns();

	return now < until ? (int)((until - now) / 1000000u) + 1 : 0;
}

/* Until its init has ended. */
static int follow(const struct ct *ct, const struct cg *cg, int init, int every_ms, struct err *e)
{
	auto_oom struct cg_oom oom = CG_OOM_INIT;
	uint64_t next = log_now_ns() + (uint64_t)every_ms * 1000000u;
	int r = cg_oom_watch(cg, &oom, e);

	while (r >= 0) {
		struct pollfd p[] = {{.fd = init, .events = POLLIN},
				     {.fd = oom.fd, .events = POLLIN}};

		if (poll(p, ARRAY_SIZE(p), left_ms(next)) < 0 && errno != EINTR)
			return err_sys(e, "wait for events");
		/* Its last word may be why it ended: counted before init is killed, but told by an inotify that comes later. */
		if (p[0].revents || p[1].revents)
			for (int n = r = cg_oom_read(&oom, e); r >= 0 && n > 0; n--)
				r = print_event("oom", ct->s.id, NULL, e);
		if (r < 0 || p[0].revents)
			return r < 0 ? r : 0;
		if (left_ms(next) == 0) {
			r = print_stats(ct, cg, e);
			if (r < 0 && went_with_init(init, e)) {
				err_clear(e);
				return 0;
			}
			next += (uint64_t)every_ms * 1000000u;
		}
	}
	return r;
}

static int run_events(struct ctl_line *line, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	auto_fd int init = -EBADF;
	int every_ms, r = read_interval(line, &every_ms, e);

	if (r >= 0)
		r = ctl_oci_open(line, NULL, &ct, e);
	if (r < 0)
		return r;
	init = ct_init_open(&ct, e);
	if (init < 0 && !e->no) {
		err_set(e, ESRCH, "container with id %s is not running", ct.s.id);
		return err_class(e, ERR_NOT_RUNNING);
	}
	if (init < 0 || cg_open(ct.s.cgroup, &cg, e) < 0)
		return -e->no;
	return ctl_flag(line, "stats") ? print_stats(&ct, &cg, e)
				       : follow(&ct, &cg, init, every_ms, e);
}

static const struct ctl_option events_options[] = {
	{.name = "interval", .arg = "TIME", .help = "between two statistics: 5s, 100ms (5s)"},
	{.name = "stats", .help = "statistics once, and no more"},
	{0},
};
static const struct ctl_option *const events_tables[] = {events_options, NULL};

const struct ctl_command ctl_oci_events = {
	.name = "events",
	.words = "CONTAINER",
	.summary = "print what a container uses, and that it ran out of memory, as lines of JSON",
	.examples = {"skep events --stats web | jq .data.memory.usage",
		     "skep events --interval 1s web"},
	.tables = events_tables,
	.least = 1,
	.most = 1,
	.run = run_events,
};
