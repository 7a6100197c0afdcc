// SPDX-License-Identifier: GPL-2.0-only
/* Whole small files, and trees to remove. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

/* As log_now_ns(), which not all have that are linked with this. */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether there is more to read, or nobody who could write it, by then. */
static bool comes_by(int fd, uint64_t until)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now = now_ns();

	int ms = until == UINT64_MAX ? -1 : now < until ? (int)((until - now) / 1000000u) : 0;

	return poll(&p, 1, ms) != 0;
}

/* until: the end of the wait for what a pipe's writer has not written, or, without a writer yet, for one; fd does not block then. 0: it is a file that has what it has. */
static int read_whole(int fd, const char *name, size_t most, uint64_t until, char **text,
		      struct err *e)
{
	bool asked = false;
	size_t room = 4096;
	size_t len = 0;
	auto_free char *buf = malloc(room + 1);

	if (!buf)
		return err_sys(e, "read %s", name);
	for (;;) {
		ssize_t n = read(fd, buf + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		/* A FIFO reads as an empty file until somebody has opened it for writing; poll(2) knows the difference. */
		if (until && ((n < 0 && errno == EAGAIN) || (n == 0 && len == 0 && !asked))) {
			asked = n == 0;
			if (comes_by(fd, until))
				continue;
			return err_set(e, ETIMEDOUT, "read %s: nobody writes to it", name);
		}
		if (n < 0)
			return err_sys(e, "read %s", name);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > most)
			return err_set(e, EFBIG, "%s is larger than %zu bytes", name, most);
		if (len == room) {
			char *more = realloc(buf, 2 * room + 1);

			if (!more)
				return err_sys(e, "read %s", name);
			buf = more;
			room *= 2;
		}
	}
	buf[len] = 0;
	*text = take_ptr(&buf);
	return (int)len;
}

int file_try_read_at(int dir, const char *name, size_t most, char **text, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct err why = {0};
	int r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_sys(e, "open %s", name);
	r = read_whole(fd, name, most, 0, text, &why);
	/* What a file of a control group says that was removed since it was opened (kernfs_fop_read_iter). */
	if (r == -ENODEV)
		return -ENOENT;
	if (r < 0 && !e->no)
		*e = why;
	return r;
}

int file_read_at(int dir, const char *name, size_t most, char **text, struct err *e)
{
	int r = file_try_read_at(dir, name, most, text, e);

	return r == -ENOENT ? err_set(e, ENOENT, "open %s: %s", name, strerror(ENOENT)) : r;
}

int file_read_within_at(int dir, const char *name, size_t most, int ms, char **text, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint64_t until = ms < 0 ? UINT64_MAX : now_ns() + (uint64_t)ms * 1000000u;

	return fd < 0 ? err_sys(e, "open %s", name) : read_whole(fd, name, most, until, text, e);
}

int file_read_u64_at(int dir, const char *name, uint64_t *value, struct err *e)
{
	auto_free char *text = NULL;
	char *end;
	int r = file_try_read_at(dir, name, 4096, &text, e);

	if (r < 0)
		return r;
	if (!strncmp(text, "max", 3)) {
		*value = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || end == text)
		return err_set(e, EINVAL, "%s holds no number: %.40s", name, text);
	return 0;
}

int file_write_at(int dir, const char *name, const char *text, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open %s", name);
	n = write(fd, text, len);
	if (n < 0)
		return err_sys(e, "write '%.80s' to %s", text, name);
	if ((size_t)n != len)
		return err_set(e, EIO, "%s took %zd of %zu bytes", name, n, len);
	return 0;
}

int file_write_all(int fd, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_parts(int fd, struct iovec *parts, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t done = writev(fd, parts, (int)n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		for (; n > 0 && (size_t)done >= parts->iov_len; parts++, n--)
			done -= (ssize_t)parts->iov_len;
		if (n > 0) {
			parts->iov_base = (char *)parts->iov_base + done;
			parts->iov_len -= (size_t)done;
		}
	}
	return 0;
}

ssize_t file_read_within(int fd, void *data, size_t len, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = ms < 0 ? 1 : poll(&p, 1, ms);

	if (r == 0)
		errno = EAGAIN;
	return r <= 0 ? -1 : read(fd, data, len);
}

int file_read_exactly(int fd, void *data, size_t len, struct err *e)
{
	return file_read_exactly_within(fd, data, len, -1, e);
}

int file_read_exactly_within(int fd, void *data, size_t len, int ms, struct err *e)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = file_read_within(fd, p, len, ms);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, EPIPE, "the stream ended early");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * ext4 writes a file to the disk before it replaces another one (auto_da_alloc, ext4(5)): a millisecond for what need not survive a crash of the
 * host. Not so when the two change places.
 */
static int take_place(int dir, const char *temp, const char *name, bool durable)
{
	if (!durable && sys_renameat2(dir, temp, dir, name, RENAME_EXCHANGE) == 0) {
		(void)unlinkat(dir, temp, 0); /* else it is swept as that of a killed process is */
		return 0;
	}
	return renameat(dir, temp, dir, name);
}

/* Writes a temporary beside name and renames it; durable: its content is on disk before it gets the name. */
static int replace(int dir, const char *name, const char *text, size_t len, mode_t mode,
		   bool durable, struct err *e)
{
	const int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
	char temp[NAME_MAX + 1];
	auto_fd int fd = -EBADF;
	struct err why = {0};

	if (snprintf(temp, sizeof(temp), ".%s.%d", name, getpid()) >= (int)sizeof(temp))
		return err_set(e, ENAMETOOLONG, "name too long: %s", name);
	fd = openat(dir, temp, flags, mode);
	/* Of an earlier process with our pid, killed in between: nobody's. */
	if (fd < 0 && errno == EEXIST && unlinkat(dir, temp, 0) == 0)
		fd = openat(dir, temp, flags, mode);
	if (fd < 0)
		return err_sys(e, "create %s", temp);
	/* Into an err of our own: the caller's may be filled already, and must not make us take the new file for a failure. */
	if (file_write_all(fd, text, len, &why) < 0)
		err_wrap(&why, "%s", name);
	else if (durable && fsync(fd) < 0)
		err_sys(&why, "sync %s", name);
	else if (take_place(dir, temp, name, durable) < 0)
		err_sys(&why, "replace %s", name);
	if (!why.no)
		return 0;
	unlinkat(dir, temp, 0);
	if (!e->no)
		*e = why;
	return -why.no;
}

int file_replace_volatile_at(int dir, const char *name, const char *text, size_t len, mode_t mode,
			     struct err *e)
{
	return replace(dir, name, text, len, mode, false, e);
}

int file_replace_at(int dir, const char *name, const char *text, size_t len, mode_t mode,
		    struct err *e)
{
	auto_fd int fd = -EBADF;
	int r = replace(dir, name, text, len, mode, true, e);

	if (r < 0)
		return r;
	/* An O_PATH directory cannot be synced: open it again. */
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "sync the directory of %s", name);
	return 0;
}

int file_mkdirs_at(int dir, const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	int fd;

	if (len == 0 || len >= sizeof(part))
		return err_set(e, ENAMETOOLONG, "bad directory path '%.64s'", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdirat(dir, part, mode) < 0 && errno != EEXIST)
			return err_sys(e, "make directory %s", part);
	}
	fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : err_sys(e, "open directory %s", path);
}

/*
 * Depth first with one descriptor open per level; a tree deeper than the descriptor limit is an error here (storage/tree.h
 * removes what a container made). A mount point below gives EBUSY from unlinkat: it is not crossed, because its device differs.
 */
static int remove_in(int dir, const char *name, dev_t dev, struct err *e)
{
	auto_dir DIR *d = NULL;
	struct dirent *entry;
	struct stat st;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s to remove it", name);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return err_sys(e, "read directory %s", name);
	}
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", name);
	if (st.st_dev != dev)
		return err_set(e, EBUSY, "%s is a mount point, not removed", name);
	while ((entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (remove_in(fd, entry->d_name, dev, e) < 0)
			return -e->no;
	}
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove directory %s", name);
	return 0;
}

int file_remove_tree_at(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", name);
	return remove_in(dir, name, st.st_dev, e);
}
