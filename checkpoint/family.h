/* SPDX-License-Identifier: GPL-2.0-only */
/* A correction of criu's images: what a process and its parent have in common by a fork is mapped in the same pieces, so that they have it in common again. */
#pragma once

/*
 * criu gives a restored process the pages of its parent, and not copies of them, only in mappings that begin and end where the parent's do (check_cow_vmas() in criu/mem.c). But the
 * kernel makes one mapping of two that lie side by side, so a parent that maps a little more after the fork, grows its heap, or has the C library do so, has then a mapping that none of its children has,
 * and each restored child would have all of it for itself: seen 20 MB that became 123 MB, by mere chance, as a thread's stack came to lie beside a mapping of its family. Two mappings side by side are
 * as good as one, for the program and for criu. So they are cut in its images where the other's begins or ends.
 *
 * What has no living parent of the same program is beyond that: criu knows no other sharing.
 */

struct err;

#define CR_FAMILY_LEAST (64u << 10) /* bytes in common, of anonymous memory, that are worth a cut */
#define CR_FAMILY_CUTS	4096	    /* of one process; there the sharing ends */

/* Rewrites each mm-PID.img that needs it, when criu has ended its dump. Returns how many. No pstree.img is success; nonsense is -EPROTO. */
int cr_family_align(int images, struct err *e);
