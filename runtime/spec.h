/* SPDX-License-Identifier: GPL-2.0-only */
/* What the engine executes: a bundle's config.json as C data, judged once, before anything is made. */
#pragma once

/*
 * Life: ct_spec_load() (or ct_spec_from_json()) → the host side and, after clone, the init side read it → ct_spec_done(). Init has the whole struct by
 * the copy of our memory that clone gives it, so nothing of it crosses a socket. A member of config.json that we do not implement is refused
 * by its name, never ignored (runtime-spec 1.2). Annotations starting with "skep." carry what OCI has no words for (see compile.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "cgroups/device.h"
#include "cgroups/limits.h"
#include "cgroups/rdt.h"
#include "ns/caps.h"
#include "ns/dev.h"
#include "ns/idmap.h"
#include "ns/mount.h"
#include "ns/numa.h"
#include "ns/rlimit.h"
#include "ns/schedule.h"
#include "ns/seccomp.h"
#include "ns/timens.h"
#include "runtime/hook.h"

struct cg;
struct err;

/* X(name, OCI word, CLONE_NEW flag, file in /proc/PID/ns) */
#define CT_NAMESPACES(X)                               \
	X(USER, "user", CLONE_NEWUSER, "user")         \
	X(PID, "pid", CLONE_NEWPID, "pid")             \
	X(MOUNT, "mount", CLONE_NEWNS, "mnt")          \
	X(NETWORK, "network", CLONE_NEWNET, "net")     \
	X(IPC, "ipc", CLONE_NEWIPC, "ipc")             \
	X(UTS, "uts", CLONE_NEWUTS, "uts")             \
	X(CGROUP, "cgroup", CLONE_NEWCGROUP, "cgroup") \
	X(TIME, "time", CLONE_NEWTIME, "time")

enum ct_namespace {
#define X(name, word, flag, file) CT_NS_##name,
	CT_NAMESPACES(X)
#undef X
		CT_NS_COUNT
};

/* A program to be executed: the spec's process, or the process of an exec. Owned by ct_process_done(). */
struct ct_process {
	bool terminal;
	bool plain_lines;    /* its terminal adds no carriage returns */
	unsigned rows, cols; /* consoleSize; 0: not given */
	char **args;	     /* NULL-terminated; args[0] is searched in env's PATH inside */
	char **env;	     /* NULL-terminated */
	char *cwd;	     /* absolute */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups; /* < 0: those of who called us stay */
	int umask;    /* -1: as it is (0022 by convention of ours) */
	struct ns_caps caps;
	bool has_caps; /* else caps are all those of our user namespace */
	struct ns_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privs;
	bool keep_keyring; /* no session keyring of its own */
	bool has_oom_score_adj;
	int oom_score_adj;
	bool has_scheduler;
	struct ns_scheduler scheduler;
	int io_class, io_priority; /* class 0: as it is */
	char *apparmor, *selinux;  /* what it is confined to from its execve on; NULL: as we are */
	cpu_set_t *exec_cpus_first,
		*exec_cpus; /* of an exec on its way into the container, and in it; NULL: as it is */
};

struct ct_sysctl {
	char *key, *value;
};

/* A link of the host's that goes into the container. */
struct ct_net_device {
	char *name;
	char *inside; /* its name there; "%d" in it is a number of the kernel's choice */
};

/* A v2 interface file of linux.resources.unified that cg_limits has no member for. */
struct ct_raw_limit {
	char *file, *value;
	bool optional; /* left out where the kernel has no such file */
};

/* Who makes the container's control group. */
enum ct_manager { CT_MANAGER_CGROUPFS, CT_MANAGER_SYSTEMD, CT_MANAGER_DISABLED };

struct ct_spec {
	char *bundle; /* absolute path of the bundle */
	char *text; /* config.json as it was read by ct_spec_load(), for the copy of it that a container keeps; NULL: made of JSON that was in memory */
	size_t text_len;
	char *root_path; /* of the root file system, absolute; unused when lower[] is there */
	bool root_readonly;
	unsigned long propagation;   /* rootfsPropagation as MS_*, 0: private */
	char *hostname, *domainname; /* NULL: as it is */
	struct ct_process process;
	struct ct_hooks hooks;
	struct ns_mount *mounts;
	size_t n_mounts;
	bool notify; /* not of config.json: the last of the mounts is notify.h's */

	bool own[CT_NS_COUNT];	 /* a new namespace of that kind */
	char *join[CT_NS_COUNT]; /* a path to an existing one; NULL: none */
	struct ns_idmap *uids, *gids;
	size_t n_uids, n_gids;
	struct ns_time_offset time_monotonic, time_boottime;
	bool has_time_monotonic, has_time_boottime;

	struct ns_device *devices;
	size_t n_devices;
	char *cgroup; /* relative path for cg_create, from cgroupsPath, or "SLICE:PREFIX:NAME" (scope.h); default "skep-ID" is the caller's */
	enum ct_manager
		manager; /* not of config.json: the caller's words, before it is judged by ct_scope_judge() */
	bool rootless; /* the same: what only the host's root may do is done without, where nothing was asked of it */
	struct cg_limits limits;
	struct ct_raw_limit *raw_limits;
	size_t n_raw_limits;
	struct cg_device_rule *device_rules; /* to be put behind cg_device_default[] */
	size_t n_device_rules;

	struct ct_sysctl *sysctls;
	size_t n_sysctls;
	struct cg_rdt rdt;
	struct ct_net_device *net_devices;
	size_t n_net_devices;
	char **masked, **readonly; /* NULL-terminated */
	size_t n_masked, n_readonly;
	json_t *seccomp;	 /* linux.seccomp; NULL without, or when filter has it */
	char *seccomp_text;	 /* the same as it was read, or NULL */
	struct ns_filter filter; /* of linux.seccomp, out of the cache; prog NULL: not there */
	bool notifies;		 /* an action of linux.seccomp is SCMP_ACT_NOTIFY */
	char *listener_path, *listener_metadata; /* of linux.seccomp; NULL: not given */
	bool seccomp_profile; /* annotation skep.seccomp=default: our own profile */
	bool nesting;	      /* annotation skep.nesting=true: user namespaces allowed inside */
	bool no_netfilter;    /* annotation skep.netfilter=disabled: our own profile refuses it */
	char *mount_label; /* SELinux's, of file systems that are the container's own; NULL: none */
	char *personality; /* "LINUX32"; NULL: none */
	struct ns_numa numa; /* memoryPolicy, also of an exec */

	/* skep.rootfs.*: the engine makes the overlay itself. lower[] NULL-terminated, topmost first; n_lower 0: root_path is a directory. */
	char **lower;
	size_t n_lower;
	char *upper,
		*work; /* absolute; inside the disk image when disk is set ("upper", "work" of its root) */
	char *disk;	     /* path of the image, or NULL */
	int stop_signal;     /* SIGTERM if not given */
	int stop_timeout_s;  /* 10 if not given */
	json_t *annotations; /* all of them, for state */
};

/* Whether its ids are others than ours: in a user namespace made for it, or one that it joins. */
static inline bool ct_spec_userns(const struct ct_spec *spec)
{
	return spec->own[CT_NS_USER] || spec->join[CT_NS_USER];
}

/*
 * Whether the process is to have a filter of system calls.
 */
static inline bool ct_spec_filters(const struct ct_spec *spec)
{
	return spec->filter.prog || spec->seccomp || spec->seccomp_profile;
}

/* What our own profile is to be, for init and for whoever enters: both have the same filter. */
static inline struct ns_seccomp_options ct_spec_filter_options(const struct ct_spec *spec)
{
	return (struct ns_seccomp_options){.userns = spec->nesting,
					   .no_netfilter = spec->no_netfilter};
}

/*
 * Of one that joins a user namespace by its path, host side, before anything is made: takes that one's id maps for the spec's, and judges ids by them. Maps given beside the path must be the same, but
 * for the "0 0 1" that Podman writes to please runtimes which want one. Else: nothing.
 */
int ct_spec_join_maps(struct ct_spec *spec, struct err *e);

/* A container can be created without a process, and not be started (config.md, "Process"): process.args is NULL then. 0, or the error of that. */
int ct_spec_need_process(const struct ct_spec *spec, struct err *e);

/* Reads BUNDLE/config.json. -ENOENT: class CONFIG with a hint; anything it cannot honour: class CONFIG, the member named by its JSON path. */
int ct_spec_load(const char *bundle, struct ct_spec *spec, struct err *e);

/*
 * As ct_spec_load(), of the file config, a path from where we are, NULL for the bundle's own, and for one that is to be started: a linux.seccomp that cache (of compiled filters, -EBADF: none) has is not parsed, which is three quarters of the work, but
 * taken from there. It has been accepted and compiled before, byte by byte the same.
 */
int ct_spec_load_cached(const char *bundle, const char *config, int cache, struct ct_spec *spec,
			struct err *e);

/* The same of the file `name` in dir, which need not be the bundle. bundle: its absolute path, which is not looked at. -ENOENT: no such file. */
int ct_spec_load_at(int dir, const char *name, const char *bundle, int cache, struct ct_spec *spec,
		    struct err *e);

/* The same from a config that is in memory. bundle: absolute; relative root.path and bind sources are below it. */
int ct_spec_from_json(const json_t *config, const char *bundle, struct ct_spec *spec,
		      struct err *e);

/*
 * Reads a JSON object as json_load_at(), but also whole numbers over INT64_MAX (RLIM_INFINITY is one), which jansson refuses: they become their two's
 * complement. For config.json and process files. Missing: -ENOENT. Class CONFIG.
 */
int ct_config_load_at(int dir, const char *name, json_t **out, struct err *e);

/* An OCI process object alone (exec --process FILE). */
int ct_process_from_json(const json_t *process, struct ct_process *p, struct err *e);

/* An OCI linux.resources object alone (update). raw/n_raw are the caller's. */
int ct_resources_from_json(const json_t *resources, struct cg_limits *limits,
			   struct ct_raw_limit **raw, size_t *n_raw, struct err *e);

/* Writes them, in their order. */
int ct_raw_limits_apply(const struct cg *cg, const struct ct_raw_limit *raw, size_t n,
			struct err *e);
void ct_raw_limits_done(struct ct_raw_limit *raw, size_t n);
void ct_process_done(struct ct_process *p);
void ct_spec_done(struct ct_spec *spec);

#define auto_spec __attribute__((cleanup(ct_spec_done)))

const char *ct_namespace_to_str(enum ct_namespace n);
/* Opens namespaces[].path for setns(2), which alone can tell what is there. Never waits. Returns a descriptor, the caller's. */
int ct_namespace_open(const char *path, struct err *e);
