/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that completes the memory of a restored container while it runs: skep-pages, started, asked, and waited for. */
#pragma once

/*
 * Life: whoever is about to run `criu restore --lazy-pages` calls cr_pages_daemon_start() first, in the process and directory where criu will run: it binds lazy-pages.socket in the
 * images' directory (criu's working directory), takes the file lock CR_PAGES_LOCK_FILE in STATE/NAME and starts libexec's skep-pages with both. criu connects, sends for each task its id and a userfaultfd, and
 * "finished" *before* its pre-resume stage: from then on pages are pushed, while the tasks are still stopped and the two hosts talk; faults before and after are served first.
 * When nothing is missing any more the daemon closes all userfaultfds (which unregisters their ranges), reports, and exits 0: the lock is free. It outlives its starter.
 *
 * Cancelled: closing `control` before criu has connected ends it. After that only criu's end without "finished", or an error, ends it early, and this is the rule: a process whose missing pages
 * nobody can bring any more must not run (they would read as zeroes). So a second process ("skep-keeper", a clone with CLONE_FILES: the userfaultfds live as long as it) waits for the daemon, and if that died
 * without having completed its work kills the container by cgroup.kill, writes one line to log_fd (the container's console.log) and the file CR_PAGES_LOST_FILE in STATE/NAME. The daemon ignores SIGTERM, SIGINT, SIGHUP. SIGKILL to both at the same instant is what
 * cannot be survived; they have different names, and the oom killer is told to spare them (as far as the host lets us).
 *
 * Post-copy: pages that the store has not are asked from the source, over a stream that speaks pages_wire.h with cr_pages_serve() at its other end. A broken one is not an end: the tasks that need a page wait in the
 * kernel until cr_pages_daemon_feed() brings another stream.
 *
 * Nobody may dump, suspend or migrate the container before it is resident: criu refuses a process under a userfaultfd, or would lose pages. cr_pages_wait() is for them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cr_pages;
struct err;

#define CR_PAGES_LOCK_FILE   "pages.lock" /* flock'ed by the daemon as long as pages are missing */
#define CR_PAGES_SOCKET_FILE "pages.sock" /* where it is asked and fed */
#define CR_PAGES_LOST_FILE   "pages.lost" /* why a container was killed: one line */
#define CR_PAGES_CRIU_SOCKET "lazy-pages.socket"

/* A client of CR_PAGES_SOCKET_FILE sends one of these letters, gets a struct cr_pages_report, and is done. */
#define CR_PAGES_ASK  'a'
#define CR_PAGES_FEED 'f' /* with two descriptors: in, out */

/* Counters, in pages and nanoseconds. Fixed layout: this is also the message on `control`. */
struct cr_pages_report {
	uint32_t magic;	      /* CR_PAGES_REPORT_MAGIC */
	uint32_t resident;    /* 1: complete, this is the last word. 0: on the way */
	uint64_t total;	      /* lazy pages of all processes that connected */
	uint64_t pushed;      /* put in before they were asked for */
	uint64_t faulted;     /* put in because a task waited for it (with its neighbours) */
	uint64_t zeroed;      /* faults where there was no page: new memory */
	uint64_t fetched;     /* of pushed and faulted, those that came from the source */
	uint64_t left;	      /* still missing, an upper bound while it works */
	uint64_t faults;      /* messages of the kernel */
	uint64_t finished_ns; /* CLOCK_MONOTONIC when criu said "finished"; 0: not yet */
	uint64_t resident_ns; /* CLOCK_MONOTONIC when nothing was missing any more; 0: not yet */
};
#define CR_PAGES_REPORT_MAGIC 0x31677070u

/* The descriptors of skep-pages, from 3 on. argv: skep-pages NAME. Those that are not there are closed. */
enum cr_pages_fd {
	CR_PAGES_FD_STORE = 3,
	CR_PAGES_FD_IMAGES,
	CR_PAGES_FD_STATE,
	CR_PAGES_FD_LOCK,
	CR_PAGES_FD_CRIU, /* listens */
	CR_PAGES_FD_ASK,  /* listens */
	CR_PAGES_FD_CONTROL,
	CR_PAGES_FD_KILL,   /* cgroup.kill */
	CR_PAGES_FD_EVENTS, /* cgroup.events */
	CR_PAGES_FD_LOG,
	CR_PAGES_FD_IN,
	CR_PAGES_FD_OUT,
	CR_PAGES_FDS_END
};

struct cr_pages_daemon_start {
	const struct cr_pages *store; /* borrowed; the daemon gets its own descriptor */
	int images;		      /* directory of the images, where criu will run; borrowed */
	int state_dir;		      /* STATE/NAME; borrowed */
	int cgroup; /* the container's own group in the unified hierarchy (struct cg .v2), with cgroup.kill and cgroup.events; borrowed */
	int log_fd; /* O_APPEND, or -EBADF; borrowed */
	int source_in,
		source_out; /* pages_wire.h, may be the same, or -EBADF: the store has all; borrowed, the caller closes its own. source_in becomes O_NONBLOCK */
	const char *name;   /* of the container: for `ps` and messages */
};

struct cr_pages_daemon {
	int control; /* SOCK_SEQPACKET: one struct cr_pages_report when resident, then its end. The caller's; CLOEXEC. Closing it is no order once criu has connected */
	int pidfd;   /* of skep-pages; the caller's */
};
#define CR_PAGES_DAEMON_INIT                       \
	{                                          \
		.control = -EBADF, .pidfd = -EBADF \
	}

/*
 * Starts it; when this returns criu can connect. In its own session, cwd /, no other descriptors, in the caller's control groups (which must not be the container's). It is nobody's child but
 * the host's init's. -ENOENT: skep-pages is not installed. -EWOULDBLOCK, class LOCKED: an older one still works for
 * this container. Single-threaded: forks. After it the caller may cr_pages_free() its store at once.
 */
int cr_pages_daemon_start(const struct cr_pages_daemon_start *how, struct cr_pages_daemon *d,
			  struct err *e);
/* Closes both descriptors: cancels it if criu has not connected; else it goes on by itself. */
void cr_pages_daemon_done(struct cr_pages_daemon *d);

/* 1: all memory is there (or there never was a daemon), 0: not yet; -EIO, class RESTORE: the memory was lost and the container killed (CR_PAGES_LOST_FILE tells why). */
int cr_pages_resident(int state_dir, struct err *e);

/* For those who have the lock and somebody waiting. */
#define CR_RESIDENT_MS 60000

/*
 * Waits for it at most ms (< 0: no deadline); for dump, suspend, migrate, snapshot before they touch the container, with the container's lock held. 0, or -ETIMEDOUT, class LOCKED ("its memory is still on the way,
 * N pages of M"), or as cr_pages_resident().
 */
int cr_pages_wait(int state_dir, int ms, struct err *e);

/* How far it is. -ENOENT with e untouched: no daemon works for this container. */
int cr_pages_daemon_ask(int state_dir, struct cr_pages_report *report, struct err *e);
/* A new stream to the source in place of a broken one (both borrowed, may be the same). -ENOENT with e untouched: none works, so all is there. */
int cr_pages_daemon_feed(int state_dir, int in, int out, struct err *e);
