/* SPDX-License-Identifier: GPL-2.0-only */
/* READY=1 of sd_notify(3), from the container to whoever waits for it on the host. */
#pragma once

/*
 * Who has NOTIFY_SOCKET in its environment when it calls us, as systemd's units of Type=notify and Podman's --sdnotify=container do, is told of the container's word, not of ours. The container finds
 * a directory of its own, read-only, at that very path, with the socket "notify" in it, and the name of that in its NOTIFY_SOCKET, as crun makes it. Of what it says there one thing is handed on,
 * once: READY=1, and by a caller that does not stay MAINPID, the number of its init as the host counts. All else it may say (another MAINPID, a status, descriptors) is not the container's to say.
 * Life: ct_notify_add() before the create; ct_notify_listen() before the word to go; ct_notify_wait() or ct_notify_follow() when it runs.
 */

#include <sys/types.h>

struct ct;
struct ct_spec;
struct err;

#define CT_NOTIFY_DIR "notify" /* in STATE/ID */

/* socket: the caller's NOTIFY_SOCKET; NULL, empty, or one without a path ("@..."): nothing is done. */
int ct_notify_add(struct ct_spec *spec, const char *socket, struct err *e);

/* STATE/ID/notify, which is what the mount that ct_notify_add() made shows; without one nothing. */
int ct_notify_make(const struct ct *ct, const struct ct_spec *spec, struct err *e);

/* The socket, the caller's; -EBADF, with e untouched: nobody wants to know, or it was not created so. */
int ct_notify_listen(const struct ct *ct, const char *socket, struct err *e);

/* pid: MAINPID; 0: none is told. fd: of ct_notify_listen(); < 0: returns at once. Until the container is ready, and whoever waits has taken note of it (a few seconds at most), or pidfd has ended (< 0: it has). */
int ct_notify_wait(int fd, int pidfd, pid_t pid, const char *socket, struct err *e);

/*
 * The same by a process that is nobody's child, for a caller that has something else to wait for: the container's end. It stays the unit's main process, which systemd would not see end otherwise
 * ("Supervising process ... which is not our child"), and is not ended before it has deleted the container. Both descriptors stay the caller's.
 */
void ct_notify_follow(int fd, int pidfd, const char *socket);
