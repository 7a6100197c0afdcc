// SPDX-License-Identifier: GPL-2.0-only
/* The templates' directory: building beside, renaming into place. */
#include "storage/template.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "storage/template_json.h"

/* A build has the makers' lock for minutes; whoever waits is told for whom. The users' lock is held for milliseconds. */
#define LOCK_WAIT_MS 2000
#define USE_WAIT_MS  30000

int st_template_lock(int templates, const char *verb, struct err *e)
{
	return lock_take_at(templates, ".use.lock", verb, USE_WAIT_MS, e);
}

static int lock_makers(int templates, const char *verb, struct err *e)
{
	return lock_take_at(templates, ".lock", verb, LOCK_WAIT_MS, e);
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

int st_template_open(int templates, const char *name, struct st_template *info, struct err *e)
{
	auto_fd int dir = -EBADF;
	auto_json json_t *j = NULL;
	int root;

	if (path_name_check("template", name, e) < 0)
		return -e->no;
	dir = openat(templates, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT) {
		err_set(e, ENOENT, "there is no template '%s'", name);
		return err_class(e, ERR_NO_TEMPLATE);
	}
	if (dir < 0)
		return err_sys(e, "open template '%s'", name);
	if (info) {
		memset(info, 0, sizeof(*info));
		copy_text(info->name, sizeof(info->name), name);
		if (json_load_at(dir, "template.json", &j, e) < 0 ||
		    st_template_from_json(j, info, e) < 0)
			return err_wrap(e, "template '%s'", name);
	}
	root = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return root >= 0 ? root : err_sys(e, "open the root file system of template '%s'", name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_template *)a)->name, ((const struct st_template *)b)->name);
}

int st_template_list(int templates, struct st_template **list, struct err *e)
{
	auto_fd int again = openat(templates, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again >= 0 ? fdopendir(again) : NULL;
	auto_free struct st_template *v = NULL;
	struct dirent *de;
	int n = 0;

	*list = NULL;
	if (!d)
		return err_sys(e, "list the templates");
	take_fd(&again);
	while ((errno = 0, de = readdir(d))) {
		struct err why = {0};
		struct st_template *more;
		int root;

		if (!path_name_ok(de->d_name))
			continue;
		more = reallocarray(v, (size_t)n + 1, sizeof(*v));
		if (!more)
			return err_sys(e, "list the templates");
		v = more;
		root = st_template_open(templates, de->d_name, &v[n], &why);
		if (root < 0) {
			/* Removed while we looked: the name goes first. */
			if (faccessat(templates, de->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
				log_warn("%s", why.text);
			continue;
		}
		close(root);
		n++;
	}
	if (errno)
		return err_sys(e, "list the templates");
	if (n)
		qsort(v, (size_t)n, sizeof(*v), by_name);
	*list = take_ptr(&v);
	return n;
}

/* Under the lock: whoever made a hidden directory that is there now, and does not live, left it behind. */
static int remove_stale(int templates, struct err *e)
{
	auto_fd int again = openat(templates, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *de;

	if (!d)
		return err_sys(e, "list the templates");
	take_fd(&again);
	while ((errno = 0, de = readdir(d))) {
		const char *mark = strstr(de->d_name, ".tmp-");
		struct err none = {0};
		unsigned long long ticks;
		uint64_t now;
		int pid;

		if (de->d_name[0] != '.' || !mark ||
		    sscanf(mark, ".tmp-%d-%llu", &pid, &ticks) != 2)
			continue;
		if (proc_start_time(pid, &now, &none) >= 0 && now == ticks)
			continue;
		if (st_tree_remove(templates, de->d_name, e) < 0)
			return -e->no;
	}
	return errno ? err_sys(e, "list the templates") : 0;
}

static int hidden_name(const char *name, char *hidden, size_t size, struct err *e)
{
	uint64_t ticks;

	if (proc_start_time(getpid(), &ticks, e) < 0)
		return -e->no;
	snprintf(hidden, size, ".%s.tmp-%d-%llu", name, (int)getpid(), (unsigned long long)ticks);
	return 0;
}

int st_template_begin(int templates, const char *name, struct st_template_build *b, struct err *e)
{
	struct stat st;
	int r;

	*b = (struct st_template_build)ST_TEMPLATE_BUILD_INIT;
	if (path_name_check("template", name, e) < 0)
		return -e->no;
	r = lock_makers(templates, "building a template", e);
	if (r < 0)
		return r;
	b->lock = r;
	copy_text(b->name, sizeof(b->name), name);
	r = remove_stale(templates, e);
	if (r >= 0 && fstatat(templates, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		err_set(e, EEXIST, "there is a template '%s' already", name);
		r = err_class(e, ERR_EXISTS);
	}
	if (r >= 0)
		r = hidden_name(name, b->hidden, sizeof(b->hidden), e);
	if (r >= 0)
		r = st_tree_remove(templates, b->hidden, e);
	if (r < 0) {
		b->hidden[0] = 0;
		st_template_abandon(b);
		return r;
	}
	b->templates = openat(templates, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->templates < 0 || mkdirat(templates, b->hidden, 0755) < 0 ||
	    (b->dir = openat(templates, b->hidden, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(b->dir, "rootfs", 0755) < 0 ||
	    (b->root = openat(b->dir, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		r = err_sys(e, "make the directory of template '%s'", name);
		st_template_abandon(b);
		return r;
	}
	/* Whatever the umask was. */
	if (fchmod(b->root, 0755) < 0 || fchmod(b->dir, 0755) < 0) {
		r = err_sys(e, "make the directory of template '%s'", name);
		st_template_abandon(b);
	}
	return r < 0 ? r : 0;
}

int st_template_commit(struct st_template_build *b, struct st_template *info, struct err *e)
{
	auto_json json_t *j = NULL;
	struct st_tree_size size;
	time_t now = time(NULL);
	struct tm tm;

	copy_text(info->name, sizeof(info->name), b->name);
	strftime(info->created, sizeof(info->created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	if (st_tree_measure(b->root, &size, e) < 0 ||
	    st_tree_digest(b->root, info->content_id, e) < 0)
		return err_wrap(e, "finish template '%s'", b->name);
	info->size_bytes = size.bytes;
	info->inodes = size.inodes;
	j = st_template_to_json(info);
	if (!j)
		return err_set(e, EINVAL, "finish template '%s': its metadata is no text", b->name);
	if (json_save_at(b->dir, "template.json", j, e) < 0)
		return err_wrap(e, "finish template '%s'", b->name);
	/* Before the rename, all of it: a template that is there is whole, whenever the power goes. */
	if (syncfs(b->dir) < 0)
		return err_sys(e, "flush template '%s'", b->name);
	if (renameat2(b->templates, b->hidden, b->templates, b->name, RENAME_NOREPLACE) < 0)
		return err_sys(e, "put template '%s' into place", b->name);
	b->hidden[0] = 0;
	if (fsync(b->templates) < 0)
		return err_sys(e, "flush the templates' directory");
	return 0;
}

void st_template_abandon(struct st_template_build *b)
{
	struct err e = {0};

	own_close_fd(&b->root);
	own_close_fd(&b->dir);
	if (b->hidden[0] && b->templates >= 0 && st_tree_remove(b->templates, b->hidden, &e) < 0)
		log_warn("a half-made template stays behind: %s", e.text);
	b->hidden[0] = 0;
	own_close_fd(&b->templates);
	own_close_fd(&b->lock);
}

int st_template_remove(int templates, const char *name, st_template_used used, void *arg,
		       struct err *e)
{
	auto_fd int makers = -EBADF;
	auto_fd int users = -EBADF;
	char hidden[128], who[128] = "";
	int r;

	if (path_name_check("template", name, e) < 0)
		return -e->no;
	makers = lock_makers(templates, "removing a template", e);
	if (makers < 0)
		return makers;
	users = st_template_lock(templates, "removing a template", e);
	if (users < 0)
		return users;
	if (remove_stale(templates, e) < 0 || hidden_name(name, hidden, sizeof(hidden), e) < 0)
		return -e->no;
	if (faccessat(templates, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		err_set(e, ENOENT, "there is no template '%s'", name);
		return err_class(e, ERR_NO_TEMPLATE);
	}
	r = used ? used(name, who, sizeof(who), arg, e) : 0;
	if (r < 0)
		return r;
	if (r > 0)
		return err_set(e, EBUSY, "template '%s' is used by container '%s'", name, who);
	if (renameat(templates, name, templates, hidden) < 0)
		return err_sys(e, "remove template '%s'", name);
	own_close_fd(&users);
	return st_tree_remove(templates, hidden, e);
}
