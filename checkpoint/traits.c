// SPDX-License-Identifier: GPL-2.0-only
/* Threads' processors, places in the queue of disks, slacks, and processes' core dumps. */
#include "checkpoint/traits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/kill.h"

#define CPUS_MOST   8192 /* the kernel's own bound (NR_CPUS) */
#define WORDS	    (CPUS_MOST / 64)
#define USUAL_SLACK 50000 /* ns; of a new process (init_task in the kernel's init/init_task.c) */
#define USUAL_CORE  0x33  /* MMF_DUMP_FILTER_DEFAULT with the ELF headers */
#define OF_THREAD   1	  /* IOPRIO_WHO_PROCESS */

typedef int thread_fn(pid_t pid, pid_t tid, void *arg, struct err *e);

static int each_thread(const struct cg *cg, thread_fn *fn, void *arg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int n = cg_pids(cg, &pids, e), r = n;

	for (int i = 0; r >= 0 && i < n; i++) {
		auto_dir DIR *d = NULL;
		const struct dirent *entry;
		char path[40];

		snprintf(path, sizeof(path), "/proc/%d/task", pids[i]);
		d = opendir(path);
		while (d && r >= 0 && (entry = readdir(d)))
			if (entry->d_name[0] != '.')
				r = fn(pids[i], (pid_t)atoi(entry->d_name), arg, e);
	}
	return r < 0 ? r : 0;
}

static uint64_t read_number(pid_t pid, const char *name, int base, uint64_t unknown)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_try_read_at(AT_FDCWD, path, 64, &text, &gone) < 0 ? unknown
								      : strtoull(text, NULL, base);
}

/* --- noting --- */

static void note_processors(json_t *traits, pid_t tid)
{
	uint64_t set[WORDS] = {0};
	long bytes = syscall(SYS_sched_getaffinity, tid, sizeof(set), set), count = 0;
	json_t *list;

	for (long i = 0; i * 8 < bytes; i++)
		count += __builtin_popcountll(set[i]);
	if (bytes <= 0 || count >= sysconf(_SC_NPROCESSORS_ONLN))
		return;
	list = json_array();
	for (int cpu = 0; list && cpu < bytes * 8; cpu++)
		if (set[cpu / 64] >> cpu % 64 & 1)
			json_array_append_new(list, json_integer(cpu));
	json_object_set_new(traits, "cpus", list);
}

static int note(pid_t pid, pid_t tid, void *all, struct err *e)
{
	auto_json json_t *traits = json_object();
	long ioprio = syscall(SYS_ioprio_get, OF_THREAD, tid);
	uint64_t slack = read_number(tid, "timerslack_ns", 10, USUAL_SLACK);
	uint64_t core = pid == tid ? read_number(pid, "coredump_filter", 16, USUAL_CORE)
				   : USUAL_CORE;
	char name[16];

	if (!traits)
		return err_set(e, ENOMEM, "note what threads are: out of memory");
	note_processors(traits, tid);
	/* Without a class the kernel tells what follows from its nice value, which criu brings. */
	if (ioprio > 0 && IOPRIO_PRIO_CLASS(ioprio) != IOPRIO_CLASS_NONE)
		json_object_set_new(traits, "ioprio", json_integer(ioprio));
	if (slack != USUAL_SLACK)
		json_object_set_new(traits, "slack", json_integer((json_int_t)slack));
	if (core != USUAL_CORE)
		json_object_set_new(traits, "core", json_integer((json_int_t)core));
	if (!json_object_size(traits))
		return 0;
	snprintf(name, sizeof(name), "%d", proc_inner_pid(pid, tid));
	return json_object_set(all, name, traits) < 0
		       ? err_set(e, ENOMEM, "note what threads are: out of memory")
		       : 0;
}

int cr_traits_save(int images, const struct cg *cg, struct err *e)
{
	auto_json json_t *all = json_object();
	auto_free char *text = NULL;
	int r = all ? each_thread(cg, note, all, e)
		    : err_set(e, ENOMEM, "note what threads are: out of memory");

	if (r < 0 || !json_object_size(all))
		return r;
	text = json_dumps(all, JSON_COMPACT);
	if (!text)
		return err_set(e, ENOMEM, "note what threads are: out of memory");
	return file_replace_volatile_at(images, CR_TRAITS_FILE, text, strlen(text), 0600, e);
}

/* --- giving back --- */

static int nonsense(struct err *e)
{
	err_set(e, EPROTO, CR_TRAITS_FILE ": a thread cannot be so");
	return err_class(e, ERR_RESTORE);
}

static int give_processors(pid_t tid, const json_t *list, struct err *e)
{
	uint64_t set[WORDS] = {0};
	const json_t *cpu;
	size_t i;

	json_array_foreach (list, i, cpu) {
		json_int_t n = json_integer_value(cpu);

		if (!json_is_integer(cpu) || n < 0 || n >= CPUS_MOST)
			return nonsense(e);
		set[n / 64] |= UINT64_C(1) << n % 64;
	}
	if (syscall(SYS_sched_setaffinity, tid, sizeof(set), set) < 0)
		log_info("thread %d is not bound to its processors: %s", tid, strerror(errno));
	return 0;
}

/* Real time needs CAP_SYS_ADMIN or CAP_SYS_NICE outside of any user namespace (ioprio_check_cap() in the kernel's block/ioprio.c). */
static int give_ioprio(pid_t tid, json_int_t ioprio, struct err *e)
{
	int class = (int)IOPRIO_PRIO_CLASS(ioprio);

	if (ioprio < 0 || ioprio > UINT16_MAX ||
	    (class != IOPRIO_CLASS_BE && class != IOPRIO_CLASS_IDLE))
		return nonsense(e);
	if (syscall(SYS_ioprio_set, OF_THREAD, tid, (int)ioprio) < 0)
		log_info("thread %d has the usual place in the queue of disks: %s", tid,
			 strerror(errno));
	return 0;
}

static int give_number(pid_t pid, const char *name, const json_t *value, struct err *e)
{
	char path[64], text[24];
	struct err why = {0};

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return nonsense(e);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (file_write_at(AT_FDCWD, path, text, &why) < 0)
		log_info("%s", why.text);
	return 0;
}

static int give(pid_t pid, pid_t tid, void *all, struct err *e)
{
	const json_t *traits, *value;
	char name[16];
	int r = 0;

	snprintf(name, sizeof(name), "%d", proc_inner_pid(pid, tid));
	traits = json_object_get(all, name);
	if (!traits)
		return 0;
	value = json_object_get(traits, "cpus");
	if (value)
		r = give_processors(tid, value, e);
	value = json_object_get(traits, "ioprio");
	if (r >= 0 && value)
		r = give_ioprio(tid, json_integer_value(value), e);
	value = json_object_get(traits, "slack");
	if (r >= 0 && value)
		r = give_number(tid, "timerslack_ns", value, e);
	value = json_object_get(traits, "core");
	if (r >= 0 && value && pid == tid)
		r = give_number(pid, "coredump_filter", value, e);
	return r;
}

int cr_traits_restore(int images, const struct cg *cg, struct err *e)
{
	auto_json json_t *all = NULL;
	int r = json_load_at(images, CR_TRAITS_FILE, &all, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r >= 0)
		r = each_thread(cg, give, all, e);
	return r < 0 ? err_class(e, ERR_RESTORE) : 0;
}
