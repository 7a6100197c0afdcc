// SPDX-License-Identifier: GPL-2.0-only
/* The mount namespace of criu's process, which nobody else sees, and which ends with it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/entry.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/restore_parts.h"
#include "checkpoint/shelf.h"
#include "ns/mount.h"

#define TMP	  "/tmp"
#define PLACES	  4 /* that criu, or who it calls, may look for below it */
#define NAME_SIZE 256

struct place {
	char name[NAME_SIZE]; /* below TMP */
	int mount;	      /* with all that is mounted there, detached */
};

static void places_done(struct place *places)
{
	for (size_t i = 0; i < PLACES; i++)
		own_close_fd(&places[i].mount);
}

/* Whether path is below TMP: name is its first part there. */
static bool is_below(const char *path, char name[NAME_SIZE])
{
	char real[PATH_MAX];
	size_t n;

	if (!realpath(path, real) || strncmp(real, TMP "/", strlen(TMP "/")) != 0)
		return false;
	n = strcspn(real + strlen(TMP "/"), "/");
	if (!n || n >= NAME_SIZE)
		return false;
	snprintf(name, NAME_SIZE, "%.*s", (int)n, real + strlen(TMP "/"));
	return true;
}

static int take_place(struct place *places, const char *path, struct err *e)
{
	char name[NAME_SIZE], whole[NAME_SIZE + sizeof(TMP)];
	size_t i = 0;

	if (!is_below(path, name))
		return 0;
	for (; i < PLACES && places[i].mount >= 0; i++)
		if (!strcmp(places[i].name, name))
			return 0;
	if (i == PLACES)
		return err_set(e, E2BIG, "too many places below " TMP);
	memcpy(places[i].name, name, sizeof(name));
	snprintf(whole, sizeof(whole), TMP "/%s", name);
	places[i].mount = ns_mount_clone(AT_FDCWD, whole, AT_RECURSIVE, e);
	return places[i].mount < 0 ? places[i].mount : 0;
}

static int open_plain(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int attach_at(int mount, const char *path, struct err *e)
{
	auto_fd int at = open_plain(path);

	return at < 0 ? err_sys(e, "open %s", path) : ns_mount_attach(mount, at, path, e);
}

static int cover_tmp(const struct place *places, struct err *e)
{
	auto_fd int tmp = ns_mount_new("tmpfs", "skep", "mode=1777,size=4M", 0, e);
	char path[NAME_SIZE + sizeof(TMP)];
	int n = tmp < 0 ? tmp : attach_at(tmp, TMP, e);

	for (size_t i = 0; n >= 0 && i < PLACES && places[i].mount >= 0; i++) {
		snprintf(path, sizeof(path), TMP "/%.255s", places[i].name);
		if (mkdirat(tmp, places[i].name, 0755) < 0)
			return err_sys(e, "make %s", path);
		n = attach_at(places[i].mount, path, e);
	}
	return n;
}

/*
 * criu makes directories in /tmp, and nowhere else (create_mnt_roots() in criu/mount.c: "/tmp/.criu.mntns.XXXXXX"), whose names nobody knows but it: those of one that is killed would stay. So it has a /tmp of
 * its own, which goes with it. What of ours lies below the host's one (a state directory for a test) is there, too. A bundle's mounts may show anything there is: it has the host's.
 */
static int attach_tmp(const struct cr_restoring *r, struct err *e)
{
	struct place places[PLACES] = {
		[0 ... PLACES - 1] = {.mount = -EBADF},
	};
	const char *const paths[] = {r->state, r->how->s->host->root, r->hook, r->criu};
	auto_fd int plain = open_plain(TMP);
	int n = 0;

	_Static_assert(ARRAY_SIZE(paths) == PLACES, "one for each");
	/* A link, or not there: whatever criu makes of it, it does so without us. */
	if (plain < 0) {
		log_info("criu has the host's " TMP ": %s", strerror(errno));
		return 0;
	}
	for (size_t i = 0; n >= 0 && i < PLACES; i++)
		n = take_place(places, paths[i], e);
	if (n >= 0)
		n = cover_tmp(places, e);
	places_done(places);
	return n;
}

/* A criu that does not look at control groups leaves its tasks where it is itself, in its cgroup namespace, too. */
static int enter_group(const struct cr_restoring *r, struct err *e)
{
	if (cg_add(&r->ground.cg, getpid(), true, e) < 0)
		return -e->no;
	if (r->spec->own[CT_NS_CGROUP] && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "make a cgroup namespace");
	return 0;
}

/* I am criu's process, before its execve. The root file system is mounted in a mount namespace that ends with me. */
int cr_restore_attach(void *arg, struct err *e)
{
	struct cr_restoring *r = arg;
	auto_fd int at = -EBADF;
	struct err without = {0};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make a mount namespace for criu");
	if (r->how->s && attach_tmp(r, e) < 0)
		return -e->no;
	/* By its path: the descriptor of STATE/ID is of the namespace that I have just left. */
	at = open(r->state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at >= 0) {
		int dir =
			openat(at, CR_RESTORE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		close(at);
		at = dir;
	}
	if (at < 0)
		return err_sys(e, "open the place of the root file system");
	if (ns_mount_attach(r->ground.rootfs, at, "the root file system", e) < 0 ||
	    cr_shelf_make(e) < 0)
		return -e->no;
	if (r->how->bundle && r->how->bundle->prepare(&r->ground, r->how->bundle->arg, e) < 0)
		return -e->no;
	if (r->plain_groups && enter_group(r, e) < 0)
		return -e->no;
	/* Any other criu takes the file that we mount on, which is empty elsewhere, for a stale one and removes it (kerndat_try_load_cache() in criu/kerndat.c). */
	if (r->kerndat >= 0 && cr_kerndat_attach(r->kerndat, &without) < 0)
		log_info("criu looks at the kernel once more: %s", without.text);
	return cr_console_attach(&r->console, e);
}
