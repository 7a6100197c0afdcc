/* SPDX-License-Identifier: GPL-2.0-only */
/* One look at a running container, as the parts of the preflight share it: its processes, namespaces and mounts, and what was found. */
#pragma once

/*
 * Life: cr_look_open() reads what all parts need; each part looks for its kinds and calls cr_look_add(); cr_look_close(). Everything below /proc/PID comes from a
 * container that runs on meanwhile: what cannot be read any more has gone, and is nothing. A finding may be of a moment in between, so preflight.c looks twice.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "checkpoint/preflight.h"

struct cg;

/* X(name, file below /proc/PID/ns, whether criu takes nested ones along: CLONE_SUBNS in its namespaces.h) */
#define CR_LOOK_NAMESPACES(X)                            \
	X(MNT, "mnt", true)                              \
	X(NET, "net", true)                              \
	X(PID, "pid", false)                             \
	X(UTS, "uts", false)                             \
	X(IPC, "ipc", false)                             \
	X(USER, "user", false)                           \
	X(CGROUP, "cgroup", false)                       \
	X(TIME, "time", false)                           \
	X(TIME_FOR_CHILDREN, "time_for_children", false) \
	X(PID_FOR_CHILDREN, "pid_for_children", true)

enum cr_look_ns {
#define X(name, file, nested) CR_LOOK_NS_##name,
	CR_LOOK_NAMESPACES(X)
#undef X
		CR_LOOK_NS_COUNT
};

struct cr_look_process {
	pid_t pid, parent, inner;  /* the last one is its number in the container */
	pid_t tracer, session;	   /* session: in the container, 0: of one outside */
	unsigned threads, seccomp; /* seccomp: its mode */
	char state;		   /* as in proc_pid_status(5) */
	uint64_t caps;		   /* all that it has, or can have, in any of its sets */
	char name[64];
	uint64_t ns[CR_LOOK_NS_COUNT]; /* inode numbers; 0: the kernel has no such kind */
	int proc;		       /* /proc/PID, O_PATH */
};

struct cr_look_mount {
	int id, parent;
	dev_t dev;
	bool hidden;		/* criu: "overmounted" */
	uint64_t ns;		/* mount namespace */
	char *root, *at, *type; /* into cr_look.texts, as mountinfo writes them */
};

struct cr_look {
	const struct ct *ct;
	const struct cg *cg;
	struct cr_look_process *processes; /* by pid */
	size_t process_count;
	struct cr_look_mount *mounts; /* of all mount namespaces */
	size_t mount_count, mount_room;
	char **texts; /* that the mounts point into */
	size_t text_count;
	struct cr_preflight *found;
	int root;      /* directory of init, O_PATH */
	uint64_t caps; /* what the definition gives */
	bool quickly;  /* for a dump, which finds by itself what takes a walk over all files */
};

/* Says that process p (NULL: nobody's) has something. kind: static. passing: it may be gone in a moment, as when a program has not read its answer yet. */
void cr_look_add(struct cr_look *l, const struct cr_look_process *p, const char *kind, bool passing,
		 const char *fix, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

const struct cr_look_process *cr_look_process(const struct cr_look *l, pid_t pid);
const struct cr_look_process *cr_look_init(const struct cr_look *l);
const struct cr_look_mount *cr_look_mount(const struct cr_look *l, int id);
/* Whether a process of the container is in that namespace. */
bool cr_look_has_ns(const struct cr_look *l, uint64_t inode);

/* Reads a file below /proc/PID of at most `most` bytes; NULL when it is gone. The caller's. */
char *cr_look_read(const struct cr_look_process *p, const char *file, size_t most);

/* preflight_process.c: reads all processes; and what is wrong with one as a whole. */
int cr_look_read_processes(struct cr_look *l, struct err *e);
void cr_look_processes(struct cr_look *l);

/* preflight_mounts.c */
int cr_look_read_mounts(struct cr_look *l, struct err *e);
/* The directory on it, of init's mount namespace; -errno. */
int cr_look_open_mount(const struct cr_look *l, const struct cr_look_mount *m);
void cr_look_mounts(struct cr_look *l);

/* preflight_fds.c: the walk over all descriptors. */
void cr_look_fds(struct cr_look *l);

/* preflight_sockets.c: called by the walk for each socket, and once at its end. */
struct cr_look_sockets;
struct cr_look_sockets *cr_look_sockets_new(void);
void cr_look_sockets_free(struct cr_look_sockets *s);
void cr_look_socket(struct cr_look *l, struct cr_look_sockets *s, const struct cr_look_process *p,
		    int pidfd, int fd, uint64_t inode);
void cr_look_sockets(struct cr_look *l, struct cr_look_sockets *s);

/* preflight_anon.c: a descriptor that is no file: link is what /proc/PID/fd/FD says. */
void cr_look_anon(struct cr_look *l, const struct cr_look_process *p, int fd, const char *link);

/* preflight_watches.c: called by the walk for each inotify or fanotify descriptor, and once at its end. */
struct cr_look_watches;
struct cr_look_watches *cr_look_watches_new(void);
void cr_look_watches_free(struct cr_look_watches *w);
void cr_look_watch(struct cr_look *l, struct cr_look_watches *w, const struct cr_look_process *p,
		   int fd);
void cr_look_watches(struct cr_look *l, const struct cr_look_watches *w);

/* preflight_links.c */
void cr_look_links(struct cr_look *l);

/* preflight_maps.c: the memory of all processes. */
void cr_look_maps(struct cr_look *l);
