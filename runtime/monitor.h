/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that stays with a system container: what it is told at its start, and how one talks to it. */
#pragma once

/*
 * Life: the process that made init (and so is its parent) execs skep-monitor (skep_monitor_main.c), a static program without libraries, so that what stays is
 * small. It reaps init, copies the console to console.log, serves the console to one client, writes how init ended to STATE/ID/exit (rename), and
 * at the end execs `skepctl ... reap ID`, which undoes the ledger, or starts the container again when it rebooted itself.
 *
 * Its descriptors: 0, 1, 2 /dev/null; 3 STATE/ID; 4 pidfd of init; 5 console master; 6 the listening socket STATE/ID/monitor.sock
 * (SOCK_SEQPACKET); 7 console.log (O_APPEND). argv: skep-monitor PID CONSOLE_LOG_PATH -- what to exec at the end, words.
 */

struct ct;
struct err;

enum monitor_fd {
	MONITOR_STATE = 3,
	MONITOR_PIDFD,
	MONITOR_CONSOLE,
	MONITOR_SOCKET,
	MONITOR_LOG,
	MONITOR_FDS_END
};

/* One packet each way: a letter, then what it carries. Only host root may connect (SO_PEERCRED, 0700 directory). */
#define MONITOR_INPUT  'i' /* client → monitor: bytes typed */
#define MONITOR_OUTPUT 'o' /* monitor → client: bytes shown */
#define MONITOR_SIZE   'w' /* client → monitor: two uint16_t, rows and columns */
#define MONITOR_END    'e' /* monitor → client: the container has ended */
#define MONITOR_BUSY   'b' /* monitor → client: another client has the console */
#define MONITOR_PACKET 4096

#define MONITOR_SOCKET_FILE "monitor.sock"

#define MONITOR_LOG_MOST (1 << 20) /* console.log is then renamed to console.log.1 */

/* What the monitor of a container needs; all borrowed. */
struct ct_monitor {
	const struct ct *ct;
	int pidfd, console;
	int data_dir;		   /* where console.log goes: ROOT/ct/NAME */
	const char *log_path;	   /* its absolute path */
	const char *const *at_end; /* argv of what to exec when the container has ended */
};

/*
 * Becomes the monitor: opens socket and log, puts descriptors in place, execs. Returns only on failure. ready (>= 0) is closed on success
 * by the exec: it is CLOEXEC.
 */
int ct_monitor_become(const struct ct_monitor *m, struct err *e);

/*
 * Client: connects our terminal to the console until the container ends (returns 0) or the user types the escape ^] (returns 1). in may be a pipe or a file:
 * after its end we only look. A signal that asks us to end is raised again once the terminal is as it was. Busy: -EBUSY, class LOCKED.
 */
int ct_console_attach(const struct ct *ct, int in, int out, struct err *e);
