/* SPDX-License-Identifier: GPL-2.0-only */
/* One run of the criu program: its words, the descriptors it inherits, its log. */
#pragma once

/*
 * Life: cr_criu_init() finds the program and begins the word list ("dump", "restore", ...); cr_criu_add() and cr_criu_pass() fill it; cr_criu_run() runs it to its end
 * while the hook (hook.h) is served, and reads the log when it failed; cr_criu_done(). The program is not tied to our life: a criu
 * that is killed in the middle of a dump leaves the tasks in an unknown state, while one that goes on asks its hook, finds us dead, and then
 * undoes or finishes what it began. It inherits the container's locks for that long, so that no other command gets between.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct cr_hook;
struct cr_unseen;

#define CR_WORDS_MAX 512
#define CR_PASS_MAX  16
#define CR_PASS_FIRST \
	700 /* numbers of passed descriptors: high, as a low one is used again by criu itself */

struct cr_criu {
	const char *verb;
	enum err_class class;
	char program[256];
	char tools[256];	   /* our own directory in its PATH (criu_tools.h); "": none */
	bool no_iptables;	   /* there are no rules for iptables */
	char *words[CR_WORDS_MAX]; /* owned, NULL-terminated */
	unsigned word_count;
	int pass[CR_PASS_MAX]; /* borrowed; become CR_PASS_FIRST + index */
	unsigned pass_count;
	int images;	    /* directory of the images, and of the log; borrowed */
	int logs;	    /* directory of the log, when it is another one; borrowed */
	char log[PATH_MAX]; /* in there, or absolute */
	bool tell_log;	    /* what fails names the log's path: its directory is our caller's */
	pid_t pid;	    /* once started; also the number of its session and process group */
	bool failed;	    /* a cr_criu_add() had no room or memory: cr_criu_run() says so */
	/* I am criu's process, right before execve: what only it is to have (a mount namespace). May be NULL. Its err becomes that of cr_criu_start(). */
	int (*prepare)(void *arg, struct err *e);
	void *prepare_arg;
	int group_flags;	  /* cr_group_flags_keep(), while it runs */
	struct cr_unseen *unseen; /* served while it runs; borrowed; NULL: none */
};
#define CR_CRIU_INIT                                                    \
	{                                                               \
		.images = -EBADF, .logs = -EBADF, .group_flags = -EBADF \
	}
#define auto_criu __attribute__((cleanup(cr_criu_done)))

/*
 * Finds criu: $SKEP_CRIU, then /usr/local/lib/skep/criu/bin/criu, then PATH; out has 256 bytes. -ENOENT, class UNSUPPORTED, with a hint.
 */
int cr_criu_find(char *out, struct err *e);

/*
 * verb: "dump", "restore", "lazy-pages", ... (a literal). The log is VERB.log in the images' directory, which is also criu's working directory. class: of
 * what goes wrong (ERR_CHECKPOINT, ERR_RESTORE).
 */
int cr_criu_init(struct cr_criu *c, const char *verb, enum err_class class, int images,
		 struct err *e);
void cr_criu_done(struct cr_criu *c);

/* Adds one word. A failure is kept and told by cr_criu_run(). */
void cr_criu_add(struct cr_criu *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds several, NULL-terminated; NULL: none. */
void cr_criu_add_all(struct cr_criu *c, const char *const *words);

/* The log, and what else is no image (statistics, the sockets of its helpers), goes to this directory, borrowed, at this absolute path: criu mounts below it, which it could
 * not by a descriptor of another mount namespace (EINVAL). */
void cr_criu_set_logs(struct cr_criu *c, int logs, const char *path);

/* Another name for the log, of the same directory if it is relative. */
void cr_criu_set_log_name(struct cr_criu *c, const char *name);

/* criu inherits fd (borrowed until the run is over) under the number that is returned. */
int cr_criu_pass(struct cr_criu *c, int fd);

/* Starts it. Returns the pidfd of criu, our child; *pid too. hook: NULL for none. For those who serve several things at once (migration). */
int cr_criu_start(struct cr_criu *c, const struct cr_hook *hook, pid_t *pid, struct err *e);

/*
 * Serves the hook until criu (pidfd from cr_criu_start) has ended, and reaps it. Its failure is an err with cause and remedy from the log (explain.h), unless a
 * hook callback failed before: then it is that one's.
 */
int cr_criu_wait(struct cr_criu *c, struct cr_hook *hook, int pidfd, struct err *e);

/* Start and wait. */
int cr_criu_run(struct cr_criu *c, struct cr_hook *hook, struct err *e);

/* "4.2.1" as 40201; for doctor and for choices that depend on it. */
int cr_criu_version(struct err *e);
