// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs out of an archive. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/tmpfs_tar.h"

/* Names of 100 and 155 bytes with a slash between. */
#define NAME_SIZE 260

/* A directory gets its time when all is in it. */
struct late {
	char name[NAME_SIZE];
	time_t mtime;
};

struct unpack {
	int in, dir;
	uint8_t block[CR_TAR_STORED];
	size_t used, count; /* of block: given out, there */
	bool last;
	uint32_t crc, len;
	struct late *late;
	size_t late_count, late_room;
};

static int damaged(struct err *e, const char *why)
{
	return err_set(e, EPROTO, "the archive of a tmpfs is damaged: %s", why);
}

static uint32_t get_le(const uint8_t *from, int bytes)
{
	uint32_t v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (uint32_t)from[i] << 8 * i;
	return v;
}

/* The next stored block. */
static int fill(struct unpack *u, struct err *e)
{
	uint8_t head[5];

	if (u->last)
		return damaged(e, "it ends too early");
	if (file_read_exactly(u->in, head, sizeof(head), e) < 0)
		return -e->no;
	u->count = get_le(head + 1, 2);
	u->used = 0;
	u->last = head[0] & 1;
	if (head[0] > 1 || get_le(head + 3, 2) != (~u->count & 0xffff))
		return damaged(e, "a block is none of ours");
	if (file_read_exactly(u->in, u->block, u->count, e) < 0)
		return -e->no;
	u->crc = cr_gzip_crc(u->crc, u->block, u->count);
	u->len += (uint32_t)u->count;
	return 0;
}

/* Bytes of the archive that lie together, at most *len; NULL: e. */
static const void *take(struct unpack *u, size_t *len, struct err *e)
{
	while (u->used == u->count)
		if (fill(u, e) < 0)
			return NULL;
	if (*len > u->count - u->used)
		*len = u->count - u->used;
	u->used += *len;
	return u->block + u->used - *len;
}

static int get(struct unpack *u, void *to, size_t len, struct err *e)
{
	for (size_t n = len; len; to = (uint8_t *)to + n, len -= n, n = len) {
		const void *from = take(u, &n, e);

		if (!from)
			return -e->no;
		memcpy(to, from, n);
	}
	return 0;
}

/* --- entries --- */

static int number(const char *text, size_t size, uint64_t *v, struct err *e)
{
	char copy[16] = "", *end;

	memcpy(copy, text, size);
	*v = strtoull(copy, &end, 8);
	return end == copy + size - 1 && !*end && copy[0] >= '0' && copy[0] <= '7'
		       ? 0
		       : damaged(e, "a number is none");
}

/* "./a/b/" becomes "a/b", the directory itself "". */
static int get_name(const struct cr_tar_header *h, char path[NAME_SIZE], struct err *e)
{
	char whole[NAME_SIZE], *at = whole;
	size_t len;

	if (h->prefix[0])
		snprintf(whole, sizeof(whole), "%.155s/%.100s", h->prefix, h->name);
	else
		snprintf(whole, sizeof(whole), "%.100s", h->name);
	if (at[0] != '.' || (at[1] && at[1] != '/'))
		return damaged(e, "a name does not begin with .");
	for (at++; *at == '/';)
		at++;
	len = strlen(at);
	while (len && at[len - 1] == '/')
		at[--len] = 0;
	memmove(path, at, len + 1);
	return 0;
}

/* The directory in which it is to be; *last: its name there. Nothing of the archive leads out of u->dir, no link is gone through. */
static int open_parent(const struct unpack *u, char *path, const char **last, struct err *e)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	char *slash = strrchr(path, '/');
	int fd;

	*last = slash ? slash + 1 : path;
	if (!**last || !strcmp(*last, ".") || !strcmp(*last, ".."))
		return damaged(e, "a name is none");
	if (slash)
		*slash = 0;
	fd = (int)syscall(SYS_openat2, u->dir, slash ? path : ".", &how, sizeof(how));
	if (fd < 0)
		err_sys(e, "open %s of a tmpfs", slash ? path : ".");
	if (slash)
		*slash = '/';
	return fd < 0 ? -e->no : fd;
}

static int make_file(struct unpack *u, int parent, const char *name, uint64_t size, struct err *e)
{
	static uint8_t rest[CR_TAR_BLOCK];
	auto_fd int fd =
		openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "make %s in a tmpfs", name);
	for (uint64_t left = size; left;) {
		size_t n = left < CR_TAR_STORED ? (size_t)left : CR_TAR_STORED;
		const void *from = take(u, &n, e);

		if (!from || file_write_all(fd, from, n, e) < 0)
			return -e->no;
		left -= n;
	}
	return get(u, rest, (size_t)(-size % CR_TAR_BLOCK), e);
}

static int make(struct unpack *u, const struct cr_tar_header *h, int parent, const char *name,
		struct err *e)
{
	uint64_t size, high, low;
	char link[sizeof(h->link) + 1] = "";
	int r;

	if (number(h->size, sizeof(h->size), &size, e) < 0 ||
	    number(h->major, sizeof(h->major), &high, e) < 0 ||
	    number(h->minor, sizeof(h->minor), &low, e) < 0)
		return -e->no;
	switch (h->type) {
	case '0':
		return make_file(u, parent, name, size, e);
	case '2':
		memcpy(link, h->link, sizeof(h->link));
		r = symlinkat(link, parent, name);
		break;
	case '3':
	case '4':
		r = mknodat(parent, name, (h->type == '3' ? S_IFCHR : S_IFBLK) | 0600,
			    makedev((unsigned)high, (unsigned)low));
		break;
	case '5':
		r = mkdirat(parent, name, 0700);
		break;
	case '6':
		r = mknodat(parent, name, S_IFIFO | 0600, 0);
		break;
	default:
		return damaged(e, "an entry of no known kind");
	}
	return r < 0 ? err_sys(e, "make %s in a tmpfs", name) : 0;
}

/* Owner before mode: a change of the owner takes the bits of set-user-id away. */
static int dress(const struct cr_tar_header *h, int parent, const char *name, time_t *mtime,
		 struct err *e)
{
	uint64_t mode, uid, gid, seconds;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};

	if (number(h->mode, sizeof(h->mode), &mode, e) < 0 ||
	    number(h->uid, sizeof(h->uid), &uid, e) < 0 ||
	    number(h->gid, sizeof(h->gid), &gid, e) < 0 ||
	    number(h->mtime, sizeof(h->mtime), &seconds, e) < 0)
		return -e->no;
	*mtime = times[1].tv_sec = (time_t)seconds;
	if (fchownat(parent, name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "give %s in a tmpfs to %u:%u", name, (unsigned)uid,
			       (unsigned)gid);
	/* It was made here a moment ago, and is no link. */
	if (h->type != '2' && fchmodat(parent, name, (mode_t)mode & 07777, 0) < 0)
		return err_sys(e, "change the mode of %s in a tmpfs", name);
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set the time of %s in a tmpfs", name);
	return 0;
}

static int remember(struct unpack *u, const char *name, time_t mtime, struct err *e)
{
	if (u->late_count == u->late_room) {
		size_t room = 2 * u->late_room + 16;
		struct late *more = reallocarray(u->late, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "unpack a tmpfs: out of memory");
		u->late = more;
		u->late_room = room;
	}
	u->late[u->late_count].mtime = mtime;
	snprintf(u->late[u->late_count++].name, NAME_SIZE, "%s", name);
	return 0;
}

static int unpack_one(struct unpack *u, const struct cr_tar_header *h, struct err *e)
{
	auto_fd int parent = -EBADF;
	char path[NAME_SIZE];
	const char *last = ".";
	time_t mtime = 0;
	int r = get_name(h, path, e);

	if (r >= 0)
		r = parent = path[0] ? open_parent(u, path, &last, e)
				     : openat(u->dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return e->no ? -e->no : err_sys(e, "open a tmpfs");
	if (path[0])
		r = make(u, h, parent, last, e);
	else if (h->type != '5')
		r = damaged(e, "its root is no directory");
	if (r >= 0)
		r = dress(h, parent, last, &mtime, e);
	return r >= 0 && h->type == '5' ? remember(u, path, mtime, e) : r;
}

static int set_times(struct unpack *u, struct err *e)
{
	for (size_t i = 0; i < u->late_count; i++) {
		const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
						  {.tv_sec = u->late[i].mtime}};
		auto_fd int parent = -EBADF;
		const char *last = ".";

		if (u->late[i].name[0])
			parent = open_parent(u, u->late[i].name, &last, e);
		if (e->no)
			return -e->no;
		if (utimensat(parent < 0 ? u->dir : parent, last, times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "set the time of %s in a tmpfs", last);
	}
	return 0;
}

static int check_end(struct unpack *u, struct err *e)
{
	uint8_t tail[8];

	while (!u->last)
		if (fill(u, e) < 0)
			return -e->no;
	if (file_read_exactly(u->in, tail, sizeof(tail), e) < 0)
		return -e->no;
	if (get_le(tail, 4) == u->crc && get_le(tail + 4, 4) == u->len)
		return 0;
	return err_set(e, EBADMSG, "the archive of a tmpfs is damaged: its sum is another");
}

static int unpack_all(struct unpack *u, struct err *e)
{
	static const char end[CR_TAR_BLOCK];
	struct cr_tar_header h = {0};
	int r;

	while ((r = get(u, &h, sizeof(h), e)) >= 0 && memcmp(&h, end, sizeof(h)) != 0) {
		char sum[8] = "";

		memcpy(sum, h.sum, 7);
		if (memcmp(h.magic, "ustar", 6) != 0 || strtoul(sum, NULL, 8) != cr_tar_sum(&h))
			return damaged(e, "an entry is none");
		if (unpack_one(u, &h, e) < 0)
			return -e->no;
	}
	if (r >= 0)
		r = check_end(u, e);
	return r < 0 ? r : set_times(u, e);
}

int cr_tmpfs_unpack(int in, int dir, struct err *e)
{
	auto_free struct unpack *u = calloc(1, sizeof(*u));
	char head[CR_GZIP_HEAD_LEN];
	ssize_t n = pread(in, head, sizeof(head), lseek(in, 0, SEEK_CUR));
	int r;

	if (!u)
		return err_set(e, ENOMEM, "unpack a tmpfs: out of memory");
	if (n != CR_GZIP_HEAD_LEN || memcmp(head, CR_GZIP_HEAD, sizeof(head)) != 0)
		return 0;
	if (lseek(in, n, SEEK_CUR) < 0)
		return err_sys(e, "read the archive of a tmpfs");
	u->in = in;
	u->dir = dir;
	r = unpack_all(u, e);
	free(u->late);
	return r < 0 ? r : 1;
}
