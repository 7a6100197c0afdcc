/* SPDX-License-Identifier: GPL-2.0-only */
/* One lock a container: flock(2) on a file that is never replaced, with its holder's name in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Locks `name` in dir (made if missing, 0600), waiting at most wait_ms. verb is written into it for the message that the
 * next one gets ("locked by pid 412 (migrate)"). Returns the fd whose closing (or whose holder's death) unlocks; -EWOULDBLOCK,
 * class LOCKED. The fd is CLOEXEC.
 */
int lock_take_at(int dir, const char *name, const char *verb, int wait_ms, struct err *e);

/* The same of what is open already, for an object that holds no words: what names it in the message. fd: borrowed; its closing unlocks. */
int lock_take_open(int fd, const char *what, int wait_ms, struct err *e);

/*
 * Locks the whole open file by a lock of its open file description (fcntl_locking(2)): whoever keeps that open keeps the lock, the kernel too. Waits at most wait_ms. -EWOULDBLOCK with
 * e untouched: somebody else has it.
 */
int lock_take_ofd(int fd, bool shared, int wait_ms, struct err *e);

/*
 * The tries at a name that others make and take away, whose lock may be in what is no longer named so when we have it: for (struct lock_tries t = {0}; lock_try_again(&t, wait_ms);). They end when wait_ms are over and there
 * were at least 64. Not after a number alone: who has just let go of a name is the quickest to take it again, and seven that did so in a loop left an eighth without it 64 times. Not after the time alone: one wait for a lock may take
 * all of it.
 */
struct lock_tries {
	unsigned n;
	uint64_t until; /* log_now_ns() */
};

bool lock_try_again(struct lock_tries *t, int wait_ms);

/*
 * What the lock was last taken for: the verb of its holder, or of whoever had it last. -ENOENT: nobody has had it. Only a hint: the next moment it may be
 * another's.
 */
int lock_last_verb_at(int dir, const char *name, char *verb, size_t size);
