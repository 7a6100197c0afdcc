/* SPDX-License-Identifier: GPL-2.0-only */
/* Lets criu make userfaultfds for a container with a user namespace, for the moment of its restore. */
#pragma once

/*
 * criu restore --lazy-pages calls userfaultfd(2) in the task that it restores (uffd_open() in criu/uffd.c), which is in the container's user namespace already, without UFFD_USER_MODE_ONLY (a system call that writes to a missing page must
 * wait for it, too). The kernel lets it only with vm.unprivileged_userfaultfd=1 (userfaultfd_syscall_allowed() in fs/userfaultfd.c: CAP_SYS_PTRACE of the first user namespace counts). So the setting is 1 from
 * cr_uffd_allow() to the last cr_uffd_disallow() of all that overlap, and then what it was; after a kill the next one of either, or cr_uffd_mend(), puts it back.
 */

struct err;

/*
 * Returns a descriptor whose owner has it allowed: CLOEXEC, the caller's, to be given to cr_uffd_disallow(). -EPERM, class UNSUPPORTED, with a hint, where the setting cannot be
 * written. The former value is kept in /run/skep-uffd.lock: the setting is the kernel's, so all containers of all STATEs count together.
 */
int cr_uffd_allow(struct err *e);
/* Closes *fd (nothing when < 0) and, if nobody else needs it, puts the former value back. */
void cr_uffd_disallow(int *fd);
/* Puts back what a killed command has left: 1; 0: there was nothing, or somebody needs it. For the next command and for doctor. */
int cr_uffd_mend(struct err *e);
