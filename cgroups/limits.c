// SPDX-License-Identifier: GPL-2.0-only
/* The table of limits, its checks, and the writing of it into v2 and v1 files. */
#include "cgroups/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/enable.h"
#include "cgroups/limits_v1.h"
#include "cgroups/view.h"

#define DEFAULT_PERIOD_US 100000u
#define LONGEST_PERIOD_US 1000000u
#define LEAST_QUOTA_US	  1000u /* kernel: min_cfs_quota_period */
#define V1_MOST_IO_WEIGHT 1000u /* BFQ's; v2 goes to 10000 */

static const struct row {
	const char *text;
	enum cg_controller ctl;
	const char *v2, *v1;
	uint64_t least, most;
	bool unlimited;
} rows[] = {
#define X(name, text, ctl, v2, v1, least, most, unlimited) \
	[CG_LIMIT_##name] = {text, CG_##ctl, v2, v1, least, most, unlimited},
	CG_LIMITS(X)
#undef X
};

const char *cg_limit_to_str(enum cg_limit which)
{
	return rows[which].text;
}

static int check_range(enum cg_limit which, uint64_t value, struct err *e)
{
	const struct row *r = &rows[which];

	if (value == CG_UNLIMITED ? r->unlimited : value >= r->least && value <= r->most)
		return 0;
	if (value == CG_UNLIMITED)
		err_set(e, ERANGE, "%s cannot be unlimited", r->text);
	else
		err_set(e, ERANGE, "%s %" PRIu64 " is not from %" PRIu64 " to %" PRIu64, r->text,
			value, r->least, r->most);
	return err_class(e, ERR_VALUE);
}

int cg_limit_set(struct cg_limits *l, enum cg_limit which, uint64_t value, struct err *e)
{
	if (check_range(which, value, e) < 0)
		return -e->no;
	l->set[which] = true;
	l->value[which] = value;
	return 0;
}

/* Period and quota as the kernel gets them; a quota under its minimum is stretched over a longer period. */
static int cpu_times(const struct cg_limits *l, uint64_t *quota_us, uint64_t *period_us,
		     struct err *e)
{
	uint64_t milli = l->value[CG_LIMIT_CPU_QUOTA];
	bool own = l->set[CG_LIMIT_CPU_PERIOD];

	*period_us = own ? l->value[CG_LIMIT_CPU_PERIOD] : DEFAULT_PERIOD_US;
	*quota_us = CG_UNLIMITED;
	if (milli == CG_UNLIMITED)
		return 0;
	*quota_us = milli * *period_us / 1000;
	if (*quota_us >= LEAST_QUOTA_US)
		return 0;
	if (own) {
		err_set(e, ERANGE,
			"cpu quota of %" PRIu64 "/1000 CPU is under %u us in a period of %" PRIu64
			" us",
			milli, LEAST_QUOTA_US, *period_us);
		return err_class(e, ERR_VALUE);
	}
	*period_us = LONGEST_PERIOD_US;
	*quota_us = milli * *period_us / 1000;
	return 0;
}

static int missing_controller(const char *what, enum cg_controller c, struct err *e)
{
	err_set(e, EOPNOTSUPP, "%s cannot be set: this host has no controller '%s'", what,
		cg_controller_to_str(c));
	err_hint(
		e,
		"see cgroup.controllers of the root group, and cgroup_disable= on the kernel command line");
	return err_class(e, ERR_LIMIT);
}

static int needs_v2(const char *what, enum cg_controller c, struct err *e)
{
	err_set(e, EOPNOTSUPP,
		"%s cannot be set: controller '%s' is mounted as cgroup v1, which has no such limit",
		what, cg_controller_to_str(c));
	err_hint(e, "boot with systemd.unified_cgroup_hierarchy=1, or leave it out");
	return err_class(e, ERR_LIMIT);
}

static int check_list(const char *what, const char *text, struct err *e)
{
	if (text[strspn(text, "0123456789,-")] == '\0' && strlen(text) < 128)
		return 0;
	err_set(e, EINVAL, "%s '%s' is not a list like 0-3,6", what, text);
	return err_class(e, ERR_VALUE);
}

static int check_row(const struct cg_host *host, enum cg_limit w, uint64_t value, struct err *e)
{
	const struct row *r = &rows[w];
	int version = host->ctl[r->ctl].version;

	if (check_range(w, value, e) < 0)
		return -e->no;
	if (!version)
		return missing_controller(r->text, r->ctl, e);
	if (version == 1 && !r->v1[0])
		return needs_v2(r->text, r->ctl, e);
	if (version == 1 && w == CG_LIMIT_IO_WEIGHT && value > V1_MOST_IO_WEIGHT) {
		err_set(e, ERANGE,
			"io weight %" PRIu64 " is over %u, the most of cgroup v1 on this host",
			value, V1_MOST_IO_WEIGHT);
		return err_class(e, ERR_LIMIT);
	}
	return 0;
}

/* Whatever the host: forms and ranges that no row alone can judge. */
static int check_forms(const struct cg_limits *l, struct err *e)
{
	uint64_t quota, period;

	if (l->set[CG_LIMIT_CPU_PERIOD] && !l->set[CG_LIMIT_CPU_QUOTA]) {
		err_set(e, EINVAL, "a cpu period means nothing without a cpu quota");
		return err_class(e, ERR_VALUE);
	}
	if (l->set[CG_LIMIT_CPU_QUOTA] && cpu_times(l, &quota, &period, e) < 0)
		return -e->no;
	if (check_list("cpu list", l->cpus, e) < 0 ||
	    check_list("memory node list", l->mems, e) < 0)
		return -e->no;
	if (l->io_count > CG_IO_LIMITS) {
		err_set(e, E2BIG, "limits for more than %d block devices", CG_IO_LIMITS);
		return err_class(e, ERR_VALUE);
	}
	return 0;
}

int cg_limits_check(const struct cg_limits *l, struct err *e)
{
	const struct cg_host *host = cg_host(e);

	if (!host || check_forms(l, e) < 0)
		return -e->no;
	for (int w = 0; w < CG_LIMIT_COUNT; w++)
		if (l->set[w] && check_row(host, (enum cg_limit)w, l->value[w], e) < 0)
			return -e->no;
	if ((l->cpus[0] || l->mems[0]) && !host->ctl[CG_CPUSET].version)
		return missing_controller("cpu list", CG_CPUSET, e);
	if (l->io_count && !host->ctl[CG_IO].version)
		return missing_controller("io bandwidth", CG_IO, e);
	return 0;
}

/* What the kernel's errno means for a limit, where it is famous for saying nothing. */
static int explain(const char *what, const char *value, struct err *e)
{
	err_wrap(e, "set %s to %s", what, value);
	if (e->no == EBUSY)
		err_hint(e, "the container uses more than that now, and it cannot be reclaimed");
	if (e->no == ENODEV)
		err_hint(e, "no such block device, or it is a partition: limits go to whole disks");
	return err_class(e, ERR_LIMIT);
}

static int write_limit(const char *what, enum cg_controller c, int dir, const char *file,
		       const char *value, struct err *e)
{
	if (dir < 0)
		return missing_controller(what, c, e);
	if (faccessat(dir, file, F_OK, 0)) {
		err_set(e, EOPNOTSUPP, "%s cannot be set: controller '%s' has no %s here", what,
			cg_controller_to_str(c), file);
		err_hint(
			e,
			"the controller is not enabled in the parent group, or this kernel is built without it");
		return err_class(e, ERR_LIMIT);
	}
	return file_write_at(dir, file, value, e) < 0 ? explain(what, value, e) : 0;
}

static int write_v2(const char *what, enum cg_controller c, const struct cg *cg, const char *file,
		    const char *value, struct err *e)
{
	int r = write_limit(what, c, cg->v2, file, value, e);

	if (r >= 0)
		cg_view_set(cg, file, value);
	return r;
}

int cg_limit_write_v1(const char *what, const struct cg *cg, enum cg_controller c, const char *file,
		      uint64_t value, struct err *e)
{
	char text[32] = "-1"; /* v1's word for unlimited, but in pids.max */

	if (value != CG_UNLIMITED)
		snprintf(text, sizeof(text), "%" PRIu64, value);
	else if (c == CG_PIDS)
		snprintf(text, sizeof(text), "max");
	return write_limit(what, c, cg->v1[c], file, text, e);
}

static int apply_v2(const struct cg *cg, const struct cg_limits *l, enum cg_limit w, struct err *e)
{
	const struct row *r = &rows[w];
	const char *file = r->v2;
	uint64_t value = l->value[w], period = 0;
	char text[64] = "max";

	if (w == CG_LIMIT_CPU_PERIOD)
		return 0; /* goes with the quota */
	if (w == CG_LIMIT_CPU_QUOTA && cpu_times(l, &value, &period, e) < 0)
		return -e->no;
	if (value != CG_UNLIMITED)
		snprintf(text, sizeof(text), "%" PRIu64, value);
	if (period)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %" PRIu64, period);
	/* io.weight is of iocost; a kernel with BFQ alone has the other name, and there 1..1000. */
	if (w == CG_LIMIT_IO_WEIGHT && cg->v2 >= 0 && faccessat(cg->v2, file, F_OK, 0) &&
	    value <= V1_MOST_IO_WEIGHT)
		file = "io.bfq.weight";
	return write_v2(r->text, r->ctl, cg, file, text, e);
}

static int apply_v1(const struct cg *cg, const struct cg_limits *l, enum cg_limit w, struct err *e)
{
	const struct row *r = &rows[w];
	uint64_t value = l->value[w], period;

	switch (w) {
	case CG_LIMIT_CPU_WEIGHT:
		/* 100 is 1024 shares: the ratios between containers are those of v2. */
		return cg_limit_write_v1(r->text, cg, r->ctl, r->v1,
					 l->shares ? l->shares : value * 1024 / 100, e);
	case CG_LIMIT_CPU_QUOTA:
		if (cpu_times(l, &value, &period, e) < 0)
			return -e->no;
		return cg_v1_cpu_quota(cg, value, period, e);
	case CG_LIMIT_CPU_PERIOD:
		return 0; /* goes with the quota */
	case CG_LIMIT_MEM_MAX:
		return cg_v1_memory(cg, &value,
				    l->set[CG_LIMIT_SWAP_MAX] ? &l->value[CG_LIMIT_SWAP_MAX] : NULL,
				    e);
	case CG_LIMIT_SWAP_MAX:
		return l->set[CG_LIMIT_MEM_MAX] ? 0 : cg_v1_memory(cg, NULL, &value, e);
	case CG_LIMIT_MEM_LOW:
		/* What v1 has for it says the same from the other side: who is over it gives back first. So none is "unlimited" there, and 0 here. */
		value = value ? value : CG_UNLIMITED;
		return cg_limit_write_v1(r->text, cg, r->ctl, r->v1, value, e);
	case CG_LIMIT_PIDS_MAX:
	case CG_LIMIT_IO_WEIGHT:
		return cg_limit_write_v1(r->text, cg, r->ctl, r->v1, value, e);
	case CG_LIMIT_MEM_HIGH:
	case CG_LIMIT_MEM_MIN:
	case CG_LIMIT_COUNT:
		break;
	}
	return needs_v2(r->text, r->ctl, e);
}

static void hint_online(const char *what, const char *file, struct err *e)
{
	auto_fd int dir = open("/sys/devices/system", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *list = NULL;
	struct err none = {0};

	if (dir >= 0 && file_read_at(dir, file, 4096, &list, &none) >= 0)
		err_hint(e, "this host has the %s %.*s", what, (int)strcspn(list, "\n"), list);
}

static int apply_cpuset(const struct cg *cg, const struct cg_host *host, const char *file,
			const char *list, struct err *e)
{
	int version = host->ctl[CG_CPUSET].version, r;

	if (!list[0])
		return 0;
	if (version == 2)
		r = write_v2(file, CG_CPUSET, cg, file, list, e);
	else
		r = write_limit(file, CG_CPUSET, version ? cg->v1[CG_CPUSET] : -EBADF, file, list,
				e);
	if (r == -ERANGE)
		hint_online(strcmp(file, "cpuset.cpus") == 0 ? "CPUs" : "memory nodes",
			    strcmp(file, "cpuset.cpus") == 0 ? "cpu/online" : "node/online", e);
	return -e->no;
}

static int apply_io_v2(const struct cg *cg, const struct cg_io_limit *io, struct err *e)
{
	static const char *const names[] = {"rbps", "wbps", "riops", "wiops"};
	const uint64_t values[] = {io->rbps, io->wbps, io->riops, io->wiops};
	char line[160];
	size_t n;

	snprintf(line, sizeof(line), "%u:%u", io->major, io->minor);
	n = strlen(line);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!values[i])
			continue;
		if (values[i] == CG_UNLIMITED)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s=max",
				 names[i]);
		else
			snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s=%" PRIu64,
				 names[i], values[i]);
	}
	return line[n] ? write_v2("io bandwidth", CG_IO, cg, "io.max", line, e) : 0;
}

static int apply_io_v1(const struct cg *cg, const struct cg_io_limit *io, struct err *e)
{
	static const char *const files[] = {
		"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
		"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"};
	const uint64_t values[] = {io->rbps, io->wbps, io->riops, io->wiops};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char line[64];

		if (!values[i])
			continue;
		/* 0 takes the rule away */
		snprintf(line, sizeof(line), "%u:%u %" PRIu64, io->major, io->minor,
			 values[i] == CG_UNLIMITED ? 0 : values[i]);
		if (write_limit("io bandwidth", CG_IO, cg->v1[CG_IO], files[i], line, e) < 0)
			return -e->no;
	}
	return 0;
}

/* True when the caller must stop: a failure that is not to be survived. */
static bool stops(bool best_effort, struct err *e)
{
	if (!e->no)
		return false;
	if (!best_effort)
		return true;
	log_warn("%s; going on without it", e->text);
	err_clear(e);
	return false;
}

int cg_limits_apply(const struct cg *cg, const struct cg_limits *l, bool best_effort, struct err *e)
{
	const struct cg_host *host = cg_host(e);

	/* A wrong form is the user's mistake and not the host's lack, so best_effort does not excuse it. */
	if (!host || check_forms(l, e) < 0)
		return -e->no;
	for (int i = 0; i < CG_LIMIT_COUNT; i++) {
		enum cg_limit w = (enum cg_limit)i;

		if (!l->set[w])
			continue;
		if (check_range(w, l->value[w], e) < 0)
			return -e->no;
		if (check_row(host, w, l->value[w], e) >= 0) {
			if (host->ctl[rows[w].ctl].version == 2)
				apply_v2(cg, l, w, e);
			else
				apply_v1(cg, l, w, e);
		}
		if (stops(best_effort, e))
			return -e->no;
	}
	/* Nodes first: v1 refuses nothing either way, and pages then move before the CPUs do. */
	apply_cpuset(cg, host, "cpuset.mems", l->mems, e);
	if (stops(best_effort, e))
		return -e->no;
	apply_cpuset(cg, host, "cpuset.cpus", l->cpus, e);
	if (stops(best_effort, e))
		return -e->no;
	for (size_t i = 0; i < l->io_count; i++) {
		if (host->ctl[CG_IO].version == 2)
			apply_io_v2(cg, &l->io[i], e);
		else
			apply_io_v1(cg, &l->io[i], e);
		if (stops(best_effort, e))
			return -e->no;
	}
	return 0;
}

static const char *const v1_prefix[CG_CONTROLLER_COUNT] = {
	[CG_CPU] = "cpu.",	    [CG_CPUSET] = "cpuset.", [CG_MEMORY] = "memory.",
	[CG_PIDS] = "pids.",	    [CG_IO] = "blkio.",	     [CG_NET_CLS] = "net_cls.",
	[CG_NET_PRIO] = "net_prio."};

/* What else a file is called: by the other cgroup version, and by BFQ, which took the names of CFQ's with a word between. */
static const struct {
	const char *file, *other;
} twins[] = {
	{"cpu.max.burst", "cpu.cfs_burst_us"},
	{"blkio.weight_device", "blkio.bfq.weight_device"},
	{"blkio.weight_device", "io.bfq.weight"},
	{"blkio.weight_device", "io.weight"},
};

/* The unified group's, or the v1 group's of the controller that the name begins with. Device rules and the freezer are no limits. */
static int where_is(const struct cg *cg, const char *file)
{
	if (cg->v2 >= 0 && faccessat(cg->v2, file, F_OK, 0) == 0)
		return cg->v2;
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (v1_prefix[c] && cg->v1[c] >= 0 &&
		    !strncmp(file, v1_prefix[c], strlen(v1_prefix[c])) &&
		    faccessat(cg->v1[c], file, F_OK, 0) == 0)
			return cg->v1[c];
	return -EBADF;
}

/* Whether the group has the controller that the file's name begins with. */
static bool has_controller(const struct cg *cg, const char *file)
{
	size_t len = strcspn(file, ".");

	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (cg->v1[c] >= 0 && v1_prefix[c] && !strncmp(file, v1_prefix[c], len + 1))
			return true;
	return cg_has_unified(cg->v2, file, len);
}

int cg_set_raw(const struct cg *cg, const char *file, const char *value, struct err *e)
{
	int dir;

	if (!strchr(file, '.') || !strncmp(file, "cgroup.", 7) ||
	    file[strspn(file,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._")]) {
		err_set(e, EINVAL, "'%s' is not a limit of a control group", file);
		return err_class(e, ERR_VALUE);
	}
	if (!has_controller(cg, file))
		(void)cg_enable(cg, file, strcspn(file, "."));
	dir = where_is(cg, file);
	for (size_t i = 0; dir < 0 && i < ARRAY_SIZE(twins); i++)
		if (!strcmp(file, twins[i].file) && (dir = where_is(cg, twins[i].other)) >= 0)
			file = twins[i].other;
	if (dir < 0 && !has_controller(cg, file)) {
		err_set(e, EOPNOTSUPP,
			"%s cannot be set: the requested cgroup controller `%.*s` is not available",
			file, (int)strcspn(file, "."), file);
		return err_class(e, ERR_LIMIT);
	}
	if (dir < 0) {
		err_set(e, EOPNOTSUPP,
			"%s cannot be set: no such file or directory of controller '%.*s' here",
			file, (int)strcspn(file, "."), file);
		err_hint(e, "the other cgroup version has it, or this kernel is built without it");
		return err_class(e, ERR_LIMIT);
	}
	if (file_write_at(dir, file, value, e) < 0)
		return explain(file, value, e);
	if (dir == cg->v2)
		cg_view_set(cg, file, value);
	return 0;
}
