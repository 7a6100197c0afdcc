/* SPDX-License-Identifier: GPL-2.0-only */
/* skep's front: an OCI runtime's verbs, and what they have in common. */
#pragma once

/*
 * Life: main() (skep.c) parses, opens the log, runs one verb, and reports its failure. Verbs' names, options and exit codes are runc's: 1 for a failure, except
 * that `run` and `exec` end as the program did; 127 and 126 say that it does not exist or cannot be executed, 255 that exec failed otherwise.
 */

#include "ctl/options.h"
#include "runtime/container.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct err;

#define CTL_OCI_VERSION "1.3.0"

/* X(variable's end): the order of the help. */
#define CTL_OCI_COMMANDS(X) \
	X(create)           \
	X(start)            \
	X(run)              \
	X(exec)             \
	X(state)            \
	X(list)             \
	X(ps)               \
	X(kill)             \
	X(pause)            \
	X(resume)           \
	X(delete)           \
	X(update)           \
	X(events)           \
	X(checkpoint)       \
	X(restore)          \
	X(spec)             \
	X(features)

#define X(name) extern const struct ctl_command ctl_oci_##name;
CTL_OCI_COMMANDS(X)
#undef X

extern const struct ctl_front ctl_oci;

/*
 * The same front under the name that the command was called by (NULL or "": its own), static. It stands in for other runtimes, often by a link of their name: usage, help, hints and messages name what was typed, as those of
 * programs that look at argv[0] do. What it is says the version, and the manual page has one name.
 */
const struct ctl_front *ctl_oci_called(const char *name);

/* oci_log.c: where notices and failures go, as --log, --log-format and --debug say. */
int ctl_oci_log_open(const struct ctl_line *line, struct err *e);
/* Prints e to standard error and to the log. Returns the exit code. */
int ctl_oci_report(const struct ctl_line *line, const struct err *e);

/* Refuses what the global options ask for and is not there. */
int ctl_oci_judge_globals(const struct ctl_line *line, struct err *e);

/*
 * Before skep enters a container (ns_self_shield()), where its own entry has not done it (ctl/static/entry.c): may begin the program again, so nothing must have been done yet, nor read: a
 * config.json that comes through a FIFO comes once.
 * ctl_oci_remember() keeps argv as it was, which parsing rearranges.
 */
int ctl_oci_remember(int argc, char **argv, struct err *e);
int ctl_oci_shield(struct err *e);

/* Who is to make the control group, and with what rights: into spec; whether cgroupsPath fits. */
int ctl_oci_groups(const struct ctl_line *line, struct ct_spec *spec, struct err *e);

/* The state root (that of a user who is not root: below XDG_RUNTIME_DIR); the directory below it for compiled filters (the caller's; -EBADF if there can be none; _look: if it is not there). */
const char *ctl_oci_root(const struct ctl_line *line);
int ctl_oci_cache_look(const struct ctl_line *line);
int ctl_oci_cache(const struct ctl_line *line);

/* Opens the container that the first word names. Missing: "container "ID" does not exist", which Podman and containerd look for. */
int ctl_oci_open(const struct ctl_line *line, const char *verb, struct ct *ct, struct err *e);

/*
 * oci_handover.c: what create, run and exec give to and take from who called them. --preserve-fds and $LISTEN_FDS: how many descriptors from 3 on are the program's;
 * all must be open. To be called before anything is opened.
 */
int ctl_oci_preserved(const struct ctl_line *line, int *count, struct err *e);
/* LISTEN_FDS and LISTEN_PID for the program, if the caller gave us some. */
int ctl_oci_listen_env(struct ct_process *p, struct err *e);
/* Whether terminal, --detach and --console-socket fit together. */
int ctl_oci_judge_console(const struct ctl_line *line, bool terminal, bool detached, struct err *e);
/* Sends the terminal's master to the socket at path; waits at most some seconds for who should accept it. */
int ctl_oci_send_console(const char *path, int console, struct err *e);
/* The pidfd likewise, as runc does for --pidfd-socket. */
int ctl_oci_send_pidfd(const char *path, int pidfd, struct err *e);
int ctl_oci_write_pid(const char *path, pid_t pid, struct err *e);

/* oci_create.c: what create and restore make, until it is handed over. */
#define CTL_OCI_CREATED_INIT                                                         \
	{                                                                            \
		.pidfd = -EBADF, .console = -EBADF, .netns = -EBADF, .init = -EBADF, \
	}
#define auto_created __attribute__((cleanup(ctl_oci_created_done)))
void ctl_oci_created_done(struct ct_created *made);
/* To the end of init, and, unless --keep, the container's; its lock is let go of. Returns how init ended, as a shell sees it. */
int ctl_oci_run_to_end(const struct ctl_line *line, struct ct *ct, const struct ct_created *made,
		       struct err *e);
