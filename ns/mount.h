/* SPDX-License-Identifier: GPL-2.0-only */
/* One mount inside a container's root file system: OCI words in, new mount API out. */
#pragma once

/*
 * Life: the spec zeroes a struct with ns_mount_init(), fills target/fstype/source, feeds each OCI
 * option to ns_mount_parse_option(). Host side: ns_mount_open_source() for bind mounts whose source
 * init's ids could not reach, or which are to be id-mapped. Init side, before the pivot:
 * ns_mount_one(). Then ns_mount_done().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct ns_idmap;

/* mount(2) takes a page of them, fsconfig(2) 255 bytes of each. */
#define NS_MOUNT_DATA_MOST 65536

struct ns_mount {
	char *source; /* owned; a host path for a bind, a word for a file system; may be NULL */
	char *target; /* owned; a path in the container */
	char *fstype; /* owned; NULL for a bind */
	char *data; /* owned; comma-separated words for the file system, at most NS_MOUNT_DATA_MOST bytes; may be NULL */
	const char *label; /* borrowed; SELinux context of a file system of its own, or NULL */
	uint64_t attr_set; /* MOUNT_ATTR_* on this mount (and, with `recursive`, only its top) */
	uint64_t attr_clr;
	uint64_t rec_attr_set; /* the r… options (rro, rnosuid): this mount and all below */
	uint64_t rec_attr_clr;
	unsigned long propagation; /* MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, | MS_REC; 0:
				      private */
	bool bind;
	bool recursive; /* rbind */
	bool remount;	/* change the mount that is at target */
	bool sync;	/* a superblock flag, passed to the file system */
	bool idmap;	/* "idmap": source shows the container's ids */
	bool ridmap;	/* "ridmap": the same for the whole tree */
	bool tmpcopyup; /* tmpfs that begins with what was at target */
	bool optional;	/* not an OCI word: a missing source or unknown fs is skipped with a notice
			 */
	bool src_nofollow;
	struct ns_idmap *uids,
		*gids; /* owned; maps of its own for idmap and ridmap; NULL: the container's */
	size_t n_uids, n_gids;
	int source_fd; /* -EBADF, or a detached tree from ns_mount_open_source() */
	const char
		*in_root; /* borrowed; a bind's source as a path in the root file system; or NULL */
	int seal_fd; /* -EBADF, or of a tmpfs that is to be read-only its mount, for ns_mount_lift() */
	bool lifted; /* it is not read-only yet */
};

void ns_mount_init(struct ns_mount *m);
void ns_mount_done(struct ns_mount *m);

/* One OCI option word; unknown ones are added to data, for the file system to judge. -ENOMEM,
 * -EINVAL (control characters), -E2BIG, both class CONFIG. */
int ns_mount_parse_option(struct ns_mount *m, const char *opt, struct err *e);

/* Sets the strings (copies) and the words in one go: for tables. options: comma-separated. */
int ns_mount_set(struct ns_mount *m, const char *source, const char *target, const char *fstype,
		 const char *options, struct err *e);

/*
 * Host side, before or after clone: opens m->source as a detached tree into m->source_fd
 * (attributes set, id-mapped by userns_fd when the options ask or userns_fd >= 0 and m->idmap). The
 * fd goes to init over clone or the sync socket. peer: what is mounted in the copy of a shared mount may reach the host; else it only hears of the host's.
 */
int ns_mount_open_source(struct ns_mount *m, int userns_fd, bool peer, struct err *e);

/*
 * Init side, before the pivot: makes the mount and puts it on m->target below root (made if
 * missing; a link in the target's path is resolved inside root, and the kinds are compared:
 * directory on directory, file on file). /proc and /sys must be real directories, not links
 * (CVE-2019-19921). "cgroup" gives cgroup2 of our cgroup namespace. m->source_fd is consumed. A
 * tmpfs without "mode=" has the mode of what it covers.
 */
int ns_mount_one(int root, struct ns_mount *m, struct err *e);

/* Opens the source of a bind that is in_root into m->source_fd, as ns_mount_one() would. Nothing to be done for another. */
int ns_mount_open_in_root(int root, struct ns_mount *m, struct err *e);

/*
 * A tmpfs that is to be read-only begins lifted: what is in it (/dev's nodes, the places of later mounts) has to be made first. Sealed it has to be while it is cloned, for a clone stays as it was, and
 * while a later entry changes it (remount), which may make it writable: then it is not lifted again, nor sealed. Before or after the pivot, for any mount. ns_mount_done() lets go of it.
 */
int ns_mount_lift(struct ns_mount *m, struct err *e);
int ns_mount_seal(struct ns_mount *m, struct err *e);

/* The new mount API in one call: a detached mount of fstype with data (may be NULL). Returns the
 * mount fd. */
int ns_mount_new(const char *fstype, const char *source, const char *data, uint64_t attr,
		 struct err *e);

/* The same with an SELinux context for all that is in it (NULL: none). */
int ns_mount_new_labelled(const char *fstype, const char *source, const char *data,
			  const char *label, uint64_t attr, struct err *e);

/* A detached copy of what is at (dirfd, path); flags: AT_RECURSIVE, AT_EMPTY_PATH,
 * AT_SYMLINK_NOFOLLOW. Returns its fd. */
int ns_mount_clone(int dirfd, const char *path, unsigned flags, struct err *e);

/* Attaches a detached mount on the object target_fd (an O_PATH fd). what names it for the message.
 */
int ns_mount_attach(int mount_fd, int target_fd, const char *what, struct err *e);

/* mount_setattr(2) on a mount fd. recursive: the whole tree. */
int ns_mount_setattr(int mount_fd, uint64_t set, uint64_t clr, bool recursive, struct err *e);
