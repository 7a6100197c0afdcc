/* SPDX-License-Identifier: GPL-2.0-only */
/* The one way a failure travels: filled where it happens, carried up, printed once by ctl. */
#pragma once

/*
 * Life: a struct err is a zeroed variable on the caller's stack (`struct err e = {0};`). The function that
 * fails fills it and returns -e->no; every caller hands the value up as it is, at most adding a prefix with
 * err_wrap(). It has no pointers, so it works after clone and without memory, and crosses the sync
 * socket byte for byte. The first cause wins: filling an err that is already filled changes nothing, so
 * that a rollback which fails, too, cannot hide why it was needed.
 */

/*
 * What kind of failure this is, for the exit code. X(name, exit code, meaning). The codes are OpenVZ's where
 * vzctl had one for the case. ERR_SYSTEM is what an err is when nobody says otherwise.
 */
#define ERR_CLASSES(X)                                                                          \
	X(SYSTEM, 3, "the system refused (see the message)")                                    \
	X(USAGE, 20, "unknown or missing words on the command line")                            \
	X(VALUE, 21, "a value out of range or of the wrong form")                               \
	X(UNSUPPORTED, 5, "this host cannot do what was asked")                                 \
	X(LOCKED, 9, "another command works on this container")                                 \
	X(NO_SUCH_CT, 14, "no such container")                                                  \
	X(CHECKPOINT, 16, "checkpoint failed, the container goes on")                           \
	X(RESTORE, 17, "restore failed")                                                        \
	X(NO_TEMPLATE, 91, "no such template")                                                  \
	X(NOT_RUNNING, 31, "the container is not running")                                      \
	X(RUNNING, 32, "the container is running")                                              \
	X(STOP, 33, "the container could not be stopped")                                       \
	X(EXISTS, 44, "such a container exists already")                                        \
	X(NO_SPACE, 46, "no room on disk")                                                      \
	X(ADDR_IN_USE, 78, "the address is in use")                                             \
	X(CONFIG, 85, "a configuration file is invalid")                                        \
	X(LIMIT, 6, "a limit cannot be set")                                                    \
	X(NETWORK, 34, "the network could not be set up")                                       \
	X(HOOK, 35, "a hook failed")                                                            \
	X(MIGRATE, 120, "migration failed, the container is where it was")                      \
	X(IN_DOUBT, 121, "migration interrupted; finish it with migrate --continue or --abort") \
	X(NOT_RUNNABLE, 126, "the program in the container cannot be executed")                 \
	X(NOT_FOUND, 127, "the program does not exist in the container")

enum err_class {
#define X(name, code, text) ERR_##name,
	ERR_CLASSES(X)
#undef X
};

struct err {
	int no;		      /* positive errno; 0: nothing happened */
	enum err_class class; /* decides the exit code */
	char text[640];	      /* one line: operation, object, cause */
	char hint[256];	      /* one line: what to do next; may be empty */
};

/* Fills e from a message; no is a positive errno. Returns -no. */
int err_set(struct err *e, int no, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with the present errno, whose strerror is put behind the message. Returns -errno. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the text that is there. Returns -e->no. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets what the user can do about it, if nobody closer to the cause did. Returns -e->no. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets the class, if the err still has the default one. Returns -e->no. */
int err_class(struct err *e, enum err_class class);

/* Forgets a failure we survive on purpose (and have logged). */
void err_clear(struct err *e);

/*
 * Blanks what moves a terminal's cursor or forges a second line: control characters, those of C1 included, which a terminal obeys in UTF-8 (U+009B is the beginning of
 * what \033[ begins), too. Every text and hint that the calls above fill has gone through it.
 */
void err_one_line(char *text);

/* The process exit code for a class; the meaning of it for the manual. */
int err_class_exit_code(enum err_class class);
const char *err_class_to_str(enum err_class class);
const char *err_class_meaning(enum err_class class);
