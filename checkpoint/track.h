/* SPDX-License-Identifier: GPL-2.0-only */
/* The private memory of a running container, page by page: what was sent to the target, what was written since. */
#pragma once

/*
 * Life: cr_track_open(); while the container runs cr_track_round() again and again, until little is left (cr_track_pending()); criu stops
 * the tasks; cr_track_final() for each id that has a pagemap image; cr_track_close(). A round may follow a final (the tasks were let go again).
 * After cr_track_close(), or after our death, nothing of it remains in the container: its write protection goes with our descriptors.
 *
 * An id is the process's pid in its innermost pid namespace, which is the number in criu's pagemap-<id>.img. A page is CR_PAGE_SIZE
 * bytes at a virtual address. Followed is what criu leaves out of its images with --lazy-pages: private anonymous memory that is present or swapped
 * out. The rest (shared memory, private file mappings, huge pages, the vdso; locked pages, too, which a round gives all the same) is criu's business, and not in the rounds;
 * what of it is named in `needed` is read all the same by a final. So is all that a round could not follow: a process that is traced by another,
 * frozen, 32-bit, or in an uninterruptible sleep, one that was born since, a mapping that moved. Not being able to follow is never an error, it
 * only makes the final dearer (cr_track_stats.untracked).
 *
 * Backend uffd: a userfaultfd in each process (inject.h: the process stops for some 0.1 ms, once), taken out of it, in asynchronous write-protect mode:
 * the kernel drops a page's protection at its first write without telling anybody, and PAGEMAP_SCAN lists such pages and protects them again in one
 * step. Pages are always protected first and read later: a write between the two is sent, and is dirty again in the next round, too. A container that
 * uses userfaultfd in write-protect mode itself makes that process untracked. The registration ("uw" in smaps) stays until cr_track_close(), so that the final
 * is exact. criu does not mind it (track_test.c has it dump and restore such a process). It costs a descriptor for each process: past RLIMIT_NOFILE they are untracked. The target pays 1.4 us for the first write to a page after each round; a transparent huge page
 * is split by the first write to it.
 *
 * What the container may notice: before Linux 6.17 mremap(2) of a range that is several mappings fails with EFAULT, and a mapping that was made behind a followed one, and would have been
 * joined with it, stays one of its own; the same counts against vm.max_map_count.
 *
 * Backend soft-dirty, for kernels before 6.7 with CONFIG_MEM_SOFT_DIRTY (Debian 12's is one): the kernel marks each page at the first write to it. Marks can be read and cleared, but not in one step,
 * so in each round all processes stand still for both (some milliseconds for a gigabyte; the freezer of control groups does it, so system calls are interrupted as by a stop
 * signal, signal(7); track_still.h thaws them if we die). When they do not stand still within 300 ms nothing is cleared, and that round gains nothing. What is marked is read while they run
 * on, and sent if its hash differs: a huge page is marked as a whole. A transfer into a pinned small page is no danger: the kernel does not clear the mark of a pinned page; that of a huge page it does.
 * The marks are not ours alone: each process may clear its own, or those of another with the same user, by /proc/PID/clear_refs, and so hide what it wrote before (a garbage
 * collector does, criu in the container with --track-mem would). Eight pages of each process therefore have their mark set by us after each clearing; when one has lost it,
 * all pages of the process are compared with what was sent. Unseen remains who clears and then writes to all eight; it gets wrong memory for itself, and reaches nobody else's.
 *
 * Backend content: no trace in the container and nothing needed from the kernel; every round reads all memory and sends the pages whose 128-bit hash
 * differs from what was sent. For kernels that have neither of the others.
 *
 * What write protection does not see: who writes into a page that he pinned before it was protected, and not by the process's own addresses. Pinning for writing counts as a write, so
 * what matters is only a pin that lasts from before a page's protection until after its reading.
 *   O_DIRECT, aio: a process that has such a descriptor or ring gets each dirty page read once more one round later, and in the final once more what the last round
 *     gave: only a transfer that lasts longer than a whole round would be missed.
 *   io_uring: registered buffers stay pinned. Of a process that was seen with one nothing is certain, and the final reads all of it (criu refuses it, while it has it).
 *   process_vm_writev(2), whose own side must be brought from a disk meanwhile; FUSE with direct_io: missed by uffd, if they last from a page's protection to its reading.
 *   ptrace(2), /proc/PID/mem: they pin for one copy from memory of the kernel. vmsplice(2) only lets others read.
 *
 * Single-threaded; forks for each round that finds new processes (uffd), once (soft-dirty). Host side, root.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cg;
struct cr_track;
struct err;

#define CR_PAGE_SIZE 4096u
/* Most pages that a sink gets at once: 256 KiB, which stay in a processor's cache from the reading to the link. */
#define CR_TRACK_BATCH 64u

/* X(NAME, word) */
#define CR_TRACK_BACKENDS(X)        \
	X(UFFD, "uffd")             \
	X(SOFT_DIRTY, "soft-dirty") \
	X(CONTENT, "content")

enum cr_track_backend {
#define X(name, word) CR_TRACK_##name,
	CR_TRACK_BACKENDS(X)
#undef X
};

const char *cr_track_backend_to_str(enum cr_track_backend b);

/* npages pages from vaddr on (a multiple of CR_PAGE_SIZE). Arrays of these are sorted and do not overlap, unless said otherwise. */
struct cr_run {
	uint64_t vaddr;
	uint64_t npages;
};

/*
 * Gets a run of pages: 1 <= npages <= CR_TRACK_BATCH, all of process id, contiguous from vaddr on; data (npages * CR_PAGE_SIZE bytes) is borrowed for
 * the call. Within one call of round or final addresses of one id may come twice or in any order, the later is the newer one. May block (that is how a
 * bandwidth limit is kept). < 0 ends the round or final with that value and e; these pages then count as never sent.
 */
typedef int (*cr_track_sink)(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages,
			     const void *data, struct err *e);

/* What one round or final did. Added to, not cleared: zero it before for one, keep it for a sum. */
struct cr_track_stats {
	uint64_t pages;	  /* given to the sink */
	uint64_t fresh;	  /* of these: never sent before */
	uint64_t dirty;	  /* of these: sent before, written since */
	uint64_t bytes;	  /* pages * CR_PAGE_SIZE */
	uint64_t ns;	  /* in the call, the sink included */
	uint64_t sink_ns; /* of that: in the sink */
	uint64_t
		stop_ns; /* longest stop: of one process for the injection; of all, for soft-dirty */
	uint32_t processes; /* that have memory */
	uint32_t untracked; /* of these: not followed now */
	uint32_t gone;	    /* ended or replaced themselves (execve) since the round before */
};

/* Whether it works here, by trying it on pages of ours: 0, or -EOPNOTSUPP with e naming the step that the kernel refused. */
int cr_track_supported(enum cr_track_backend backend, struct err *e);

#define CR_TRACK_WHY 200
/*
 * The one for rounds: uffd, else soft-dirty; why then says what stands against the better one (and is empty for the best). The environment's SKEP_TRACK, for tests, asks for one of the
 * two, and nothing else is taken then. -EOPNOTSUPP: neither works here; -EINVAL: there is no such one.
 */
int cr_track_choose(enum cr_track_backend *b, char why[CR_TRACK_WHY], struct err *e);

/*
 * Follows the processes of cg (borrowed until close; open as cg_open() left it). Touches nothing yet. Returns 0 and *t, the caller's. -ENOMEM; -EOPNOTSUPP, class
 * UNSUPPORTED, where cr_track_supported() says no.
 */
int cr_track_open(const struct cg *cg, enum cr_track_backend backend, struct cr_track **t,
		  struct err *e);

/* Ends all tracking, removes every trace from the container, sets *t to NULL. NULL inside is fine. Any time, also while tasks are stopped or frozen. */
void cr_track_close(struct cr_track **t);
#define auto_track __attribute__((cleanup(cr_track_close)))

/*
 * One round over all processes: takes in new ones, protects, reads, gives to the sink what was written since the last round; the first one gives everything. The container
 * runs meanwhile. Must not be called while its cgroup is frozen or criu has it stopped (it would do no harm: new processes stay untracked).
 * Errors: the sink's, -ENOMEM, or that the cgroup cannot be listed.
 */
int cr_track_round(struct cr_track *t, cr_track_sink sink, void *arg, struct cr_track_stats *stats,
		   struct err *e);

/* How many pages a round would send now; nothing is protected or read. Processes born since that one are left out. A fraction of a millisecond for uffd; for soft-dirty a prediction, where there are huge pages. For content, or without any round before, UINT64_MAX. */
int cr_track_pending(struct cr_track *t, uint64_t *pages, struct err *e);

/*
 * Whether a round costs no more than what was written since the last one, and may follow it at once. Not where it stops the container or reads all, and not where a process does O_DIRECT
 * transfers: those are trusted to be over one round later (above), so that it should not be a short one. Before any round: false.
 */
bool cr_track_is_quick(const struct cr_track *t);

/*
 * All tasks of the container are stopped (by criu, cured of its parasite, or by the freezer after it) and stay so. Gives to the sink exactly those pages of
 * `needed` (count runs, of process id) that no round gave, that were written since, or of which this is not certain. What was given counts as sent: a
 * second call gives only what is not followed. When the tasks have run again a round must come before the next final. An id that no round saw is looked for among the processes; -ESRCH, e filled, when there is none. -EFAULT, e filled, when a needed page cannot be
 * read: then `needed` is not from these tasks. needed is untrusted only in its numbers: unsorted, overlapping or impossible runs are -EINVAL.
 */
int cr_track_final(struct cr_track *t, uint32_t id, const struct cr_run *needed, size_t count,
		   cr_track_sink sink, void *arg, struct cr_track_stats *stats, struct err *e);

/*
 * As cr_track_final(), but only names them, in order (*left, the caller's to free; may be NULL when 0). Returns how many runs. For post-copy: what is
 * left is what the target must not serve from what it has, and asks for.
 */
int cr_track_left(struct cr_track *t, uint32_t id, const struct cr_run *needed, size_t count,
		  struct cr_run **left, struct err *e);

/* Reads pages of a stopped process: for post-copy's answers. 0; -ESRCH, -EFAULT as cr_track_final(). npages <= CR_TRACK_BATCH. */
int cr_track_read(struct cr_track *t, uint32_t id, uint64_t vaddr, uint32_t npages, void *data,
		  struct err *e);

/* Bytes of memory that the tracker uses beyond its buffers. */
size_t cr_track_memory(const struct cr_track *t);
