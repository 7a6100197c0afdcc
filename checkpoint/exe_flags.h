/* SPDX-License-Identifier: GPL-2.0-only */
/* A correction of criu's images: a program that is also held open by O_PATH can be restored as somebody's executable. */
#pragma once

/*
 * criu takes the executable of a task for the same file as any descriptor of that inode (fd_id_generate_special() in criu/file-ids.c). If that one was
 * opened by O_PATH, so is the executable at the restore, and the kernel refuses it: "PR_SET_MM_MAP failed with -9". systemd keeps systemd-executor open
 * in that way, and runs it for each service that starts and for "(sd-pam)". Without O_PATH both users of the file are content.
 */

struct err;

/* Clears O_PATH in files.img for each file that some mm-*.img has as its executable. Returns how many. Nothing there is success; nonsense is -EPROTO. */
int cr_exe_flags_mend(int images, struct err *e);
