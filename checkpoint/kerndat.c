// SPDX-License-Identifier: GPL-2.0-only
/* criu's cache of kernel features: made by criu, kept by us where it does not keep it itself. */
#include "checkpoint/kerndat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/criu.h"
#include "ns/mount.h"
#include "ns/mountinfo.h"
#include "runtime/system.h"

#define RUN	  "/run" /* of criu's RUNDIR in Makefile; Debian changes it not */
#define FILE_NAME "criu.kdat"
#define SIZE_MOST (1u << 20)

/* criu keeps it itself there (kerndat_save_cache() in criu/kerndat.c). */
static bool run_is_tmpfs(void)
{
	struct statfs fs;

	return statfs(RUN, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* One of this boot and of this criu; another criu would not take it, but would go on without. */
static int name_cached(char name[128], struct err *e)
{
	char program[256], boot[37] = "";
	auto_free char *id = NULL;
	struct stat st;
	int r = cr_criu_find(program, e);

	if (r >= 0)
		r = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &id, e);
	if (r < 0)
		return r;
	if (stat(program, &st) < 0)
		return err_sys(e, "stat %s", program);
	snprintf(boot, sizeof(boot), "%s", id);
	snprintf(name, 128, FILE_NAME "-%s-%" PRIx64 "-%" PRIx64, boot, (uint64_t)st.st_ino,
		 (uint64_t)st.st_mtime);
	return 0;
}

/* I am criu's process: what it keeps is kept in the mount that is given. */
static int replace_run(void *arg, struct err *e)
{
	auto_fd int at = -EBADF;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make a mount namespace for criu");
	at = open(RUN, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return err_sys(e, "open " RUN);
	return ns_mount_attach(*(int *)arg, at, "a place for what criu keeps", e);
}

/* Whether everything is fine is no matter: what it found, it has kept. */
static int run_check(int cache, int *run, struct err *e)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	struct err ignored = {0};
	int r = cr_criu_init(&c, "check", ERR_CHECKPOINT, cache, e);

	if (r < 0)
		return r;
	if (run) {
		c.prepare = replace_run;
		c.prepare_arg = run;
	}
	if (cr_criu_run(&c, NULL, &ignored) < 0)
		log_debug("%s", ignored.text);
	return 0;
}

static int keep(int cache, const char *name, struct err *e)
{
	auto_fd int run = ns_mount_new("tmpfs", "skep", "mode=700,size=4m", 0, e);
	auto_free char *data = NULL;
	int r = run < 0 ? run : run_check(cache, &run, e);

	if (r >= 0)
		r = file_read_at(run, FILE_NAME, SIZE_MOST, &data, e);
	return r < 0 ? r : file_replace_volatile_at(cache, name, data, (size_t)r, 0600, e);
}

int cr_kerndat_prepare(const struct ct_host *h, struct err *e)
{
	auto_fd int cache = ct_host_cache(h, e);
	char name[128];
	int r = cache < 0 ? cache : name_cached(name, e);

	if (r < 0)
		return r;
	if (run_is_tmpfs())
		return access(RUN "/" FILE_NAME, F_OK) == 0 ? 0 : run_check(cache, NULL, e);
	if (faccessat(cache, name, F_OK, 0) == 0)
		return 0;
	return keep(cache, name, e);
}

int cr_kerndat_open(const struct ct_host *h, struct err *e)
{
	auto_fd int cache = -EBADF;
	char name[128];

	if (run_is_tmpfs())
		return -ENOENT;
	cache = ct_host_cache(h, e);
	if (cache < 0 || name_cached(name, e) < 0)
		return -e->no;
	return faccessat(cache, name, F_OK, 0) < 0 ? -ENOENT : ns_mount_clone(cache, name, 0, e);
}

bool cr_kerndat_would_spread(void)
{
	auto_free char *text = NULL;
	struct err ignored = {0};
	struct ns_mountinfo m;
	struct statx st;
	char *rest;
	int r;

	if (statx(AT_FDCWD, RUN, 0, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID) ||
	    file_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &text, &ignored) < 0)
		return true;
	for (rest = text; (r = ns_mountinfo_next(&rest, &m));)
		if (r > 0 && m.id == st.stx_mnt_id)
			return strstr(m.propagation, "shared:");
	return true;
}

int cr_kerndat_version(const struct ct_host *h, struct err *e)
{
	auto_fd int cache = ct_host_cache(h, e);
	auto_free char *known = NULL;
	struct err ignored = {0};
	char program[256], name[96], text[16];
	struct stat st;
	int version;

	if (cache < 0 || cr_criu_find(program, e) < 0)
		return -e->no;
	if (stat(program, &st) < 0)
		return err_sys(e, "stat %s", program);
	/* A new criu is another file, or was written again. */
	snprintf(name, sizeof(name), "criu.version-%" PRIx64 "-%" PRIx64 ".%lx-%" PRIx64,
		 (uint64_t)st.st_ino, (uint64_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
		 (uint64_t)st.st_dev);
	if (file_try_read_at(cache, name, sizeof(text), &known, &ignored) > 0 &&
	    (version = atoi(known)) > 0)
		return version;
	version = cr_criu_version(e);
	if (version < 0)
		return version;
	snprintf(text, sizeof(text), "%d\n", version);
	if (file_replace_volatile_at(cache, name, text, strlen(text), 0600, &ignored) < 0)
		log_info("criu's version cannot be noted: %s", ignored.text);
	return version;
}

int cr_kerndat_attach(int mount, struct err *e)
{
	auto_fd int at = open(RUN "/" FILE_NAME, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	own_close_fd(&at);
	at = open(RUN "/" FILE_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return err_sys(e, "open " RUN "/" FILE_NAME);
	return ns_mount_attach(mount, at, RUN "/" FILE_NAME, e);
}
