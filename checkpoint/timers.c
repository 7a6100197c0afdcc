// SPDX-License-Identifier: GPL-2.0-only
/* Reading and setting other processes' timerfds. */
#include "checkpoint/timers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/kill.h"

#define SECOND INT64_C(1000000000)
#define NEVER  INT64_MAX /* what the kernel makes of a point beyond its reckoning (KTIME_MAX) */
#define FAR    (NEVER / SECOND / 2)
#define FLAGS  (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)

/* linux/timerfd.h, which does not go with sys/timerfd.h of glibc. */
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

/* What the container's clocks are ahead of the host's, by clock id. */
struct offsets {
	int64_t monotonic, boottime;
};

struct timer {
	int clock;
	int flags; /* of timerfd_settime(2) */
	uint64_t ticks;
	int64_t at;	  /* 0: not armed */
	int64_t interval; /* ns */
};

static int64_t to_ns(int64_t sec, int64_t nsec)
{
	return sec >= FAR ? NEVER : sec * SECOND + nsec;
}

static struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

/* time_namespaces(7): a line for each clock, offset in seconds (maybe negative) and nanoseconds. A kernel without time namespaces has none, and then there is no offset. */
static void read_offsets(pid_t init, struct offsets *o)
{
	auto_free char *text = NULL;
	struct err none = {0};
	char path[48], *save = NULL;

	*o = (struct offsets){0};
	snprintf(path, sizeof(path), "/proc/%d/timens_offsets", init);
	if (file_try_read_at(AT_FDCWD, path, 4096, &text, &none) < 0)
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		int64_t sec, nsec;
		char clock[16];

		if (sscanf(l, "%15s %" SCNd64 " %" SCNd64, clock, &sec, &nsec) != 3)
			continue;
		if (!strcmp(clock, "monotonic"))
			o->monotonic = sec * SECOND + nsec;
		else if (!strcmp(clock, "boottime"))
			o->boottime = sec * SECOND + nsec;
	}
}

/* False: no clock that a timerfd can have. */
static bool offset_of(const struct offsets *o, int clock, int64_t *offset)
{
	switch (clock) {
	case CLOCK_MONOTONIC:
		*offset = o->monotonic;
		return true;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*offset = o->boottime;
		return true;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		*offset = 0;
		return true;
	default:
		return false;
	}
}

static int64_t now(int clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static bool is_timerfd(int dir, const char *name)
{
	char link[32];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	link[n > 0 ? n : 0] = 0;
	return !strcmp(link, "anon_inode:[timerfd]");
}

/* --- noting --- */

static int64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static int64_t pair_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	int64_t sec = 0, nsec = 0;

	if (!at || sscanf(at + strlen(name), " (%" SCNd64 ", %" SCNd64 ")", &sec, &nsec) != 2)
		return 0;
	return to_ns(sec, nsec);
}

/* timerfd_show() in the kernel's fs/timerfd.c: what is left, and the flags in octal. False: it has gone. */
static bool look(pid_t pid, int number, const struct offsets *o, struct timer *t)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	int64_t left, offset = 0, time;
	const char *flags;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	if (file_try_read_at(AT_FDCWD, path, 4096, &text, &gone) < 0)
		return false;
	t->clock = (int)number_after(text, "\nclockid:");
	if (!offset_of(o, t->clock, &offset))
		return false;
	time = now(t->clock);
	left = pair_after(text, "\nit_value:");
	flags = strstr(text, "\nsettime flags:");
	t->flags = flags ? (int)strtol(flags + 15, NULL, 8) & FLAGS : 0;
	t->ticks = (uint64_t)number_after(text, "\nticks:");
	t->interval = pair_after(text, "\nit_interval:");
	t->at = left == 0 ? 0 : left >= NEVER - time - offset ? NEVER : time + offset + left;
	return true;
}

static int note_process(json_t *all, pid_t pid, const struct offsets *o, struct err *e)
{
	auto_json json_t *timers = json_object();
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	char name[24];
	int r = 0;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	d = opendir(name);
	while (timers && d && (entry = readdir(d))) {
		struct timer t;

		if (is_timerfd(dirfd(d), entry->d_name) && look(pid, atoi(entry->d_name), o, &t))
			r |= json_object_set_new(timers, entry->d_name,
						 json_pack("[i, i, I, I, I]", t.clock, t.flags,
							   (json_int_t)t.ticks, (json_int_t)t.at,
							   (json_int_t)t.interval));
	}
	snprintf(name, sizeof(name), "%d", proc_inner_pid(pid, pid));
	if (timers && json_object_size(timers))
		r |= json_object_set(all, name, timers);
	return timers && r == 0 ? 0 : err_set(e, ENOMEM, "note timers: out of memory");
}

int cr_timers_save(int images, const struct cg *cg, pid_t init, struct err *e)
{
	auto_json json_t *all = json_object();
	auto_free char *text = NULL;
	auto_free pid_t *pids = NULL;
	int n = cg_pids(cg, &pids, e), r = n;
	struct offsets o;

	read_offsets(init, &o);
	for (int i = 0; all && r >= 0 && i < n; i++)
		r = note_process(all, pids[i], &o, e);
	if (r < 0 || (all && !json_object_size(all)))
		return r < 0 ? r : 0;
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "note timers: out of memory");
	return file_replace_volatile_at(images, CR_TIMERS_FILE, text, strlen(text), 0600, e);
}

/* --- setting --- */

static int nonsense(struct err *e)
{
	err_set(e, EPROTO, CR_TIMERS_FILE ": a timer cannot be so");
	return err_class(e, ERR_RESTORE);
}

/*
 * We are in the host's time namespace, so points are the host's. A point that has passed while it was frozen expires at once, as it does for a process that was not run for a while. timerfd_settime()
 * forgets the expirations that nobody has read, so those come last.
 */
static void set(int fd, const struct timer *t, int64_t offset)
{
	bool from_now = !(t->flags & TFD_TIMER_ABSTIME);
	int64_t at = t->at;
	struct itimerspec spec;

	if (at && at != NEVER)
		at -= offset + (from_now ? now(t->clock) : 0);
	if (t->at && at <= 0)
		at = 1;
	spec = (struct itimerspec){.it_value = to_timespec(at),
				   .it_interval = to_timespec(t->interval)};
	if (timerfd_settime(fd, t->flags, &spec, NULL) < 0)
		log_info("a timer of the container may be late: %s", strerror(errno));
	else if (t->ticks && ioctl(fd, TFD_IOC_SET_TICKS, &t->ticks) < 0)
		log_info("a timer of the container has not expired: %s", strerror(errno));
}

/* One that fails is somebody's: criu has made another file of it, or of another host's word no timer is left. */
static int set_one(pid_t pid, int process, const char *name, const json_t *value,
		   const struct offsets *o, struct err *e)
{
	json_int_t ticks, at, interval;
	auto_fd int fd = -EBADF;
	struct timer t = {0};
	int64_t offset = 0;
	char path[48];

	if (json_unpack((json_t *)value, "[i, i, I, I, I!]", &t.clock, &t.flags, &ticks, &at,
			&interval) < 0 ||
	    t.flags & ~FLAGS || ticks < 0 || at < 0 || interval < 0 ||
	    !offset_of(o, t.clock, &offset))
		return nonsense(e);
	t.ticks = (uint64_t)ticks;
	t.at = at;
	t.interval = interval;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, atoi(name));
	if (!is_timerfd(AT_FDCWD, path))
		return 0;
	fd = pidfd_getfd(process, atoi(name), 0);
	if (fd < 0)
		log_info("a timer of the container may be late: %s", strerror(errno));
	else
		set(fd, &t, offset);
	return 0;
}

static int set_process(const json_t *all, pid_t pid, const struct offsets *o, struct err *e)
{
	const json_t *timers, *value;
	auto_fd int process = -EBADF;
	const char *name;
	int r = 0;
	char number[16];

	snprintf(number, sizeof(number), "%d", proc_inner_pid(pid, pid));
	timers = json_object_get(all, number);
	if (!timers)
		return 0;
	process = pidfd_open(pid, 0);
	if (process < 0)
		return 0; /* it was dead already */
	json_object_foreach ((json_t *)timers, name, value) {
		r = set_one(pid, process, name, value, o, e);
		if (r < 0)
			break;
	}
	return r;
}

int cr_timers_restore(int images, const struct cg *cg, pid_t init, struct err *e)
{
	auto_json json_t *all = NULL;
	auto_free pid_t *pids = NULL;
	struct offsets o;
	int n, r = json_load_at(images, CR_TIMERS_FILE, &all, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	n = r < 0 ? r : cg_pids(cg, &pids, e);
	read_offsets(init, &o);
	for (int i = 0; n >= 0 && i < n; i++)
		if (set_process(all, pids[i], &o, e) < 0)
			n = -e->no;
	return n < 0 ? err_class(e, ERR_RESTORE) : 0;
}
