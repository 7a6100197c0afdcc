/* SPDX-License-Identifier: GPL-2.0-only */
/* One lock a container: flock(2) on a file that is never replaced, with its holder's name in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

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
 * What the lock was last taken for: the verb of its holder, or of whoever had it last. -ENOENT: nobody has had it. Only a hint: the next moment it may be
 * another's.
 */
int lock_last_verb_at(int dir, const char *name, char *verb, size_t size);
