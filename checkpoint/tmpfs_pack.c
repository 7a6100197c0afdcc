// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs into an archive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/tmpfs_tar.h"

/* Deeper ones are for tar, which has a stack of its own. */
#define DEPTH_MOST 64

/* --- the frame --- */

static uint32_t crc_table[8][256];

static void make_crc_table(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? UINT32_C(0xedb88320) ^ c >> 1 : c >> 1;
		crc_table[0][n] = c;
	}
	for (uint32_t n = 0; n < 256; n++)
		for (int k = 1; k < 8; k++)
			crc_table[k][n] = crc_table[0][crc_table[k - 1][n] & 255] ^
					  crc_table[k - 1][n] >> 8;
}

/* Eight bytes at a time: 1.5 GB/s instead of 0.4. */
uint32_t cr_gzip_crc(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (!crc_table[0][1])
		make_crc_table();
	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8) {
		crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		       (uint32_t)p[3] << 24;
		crc = crc_table[7][crc & 255] ^ crc_table[6][crc >> 8 & 255] ^
		      crc_table[5][crc >> 16 & 255] ^ crc_table[4][crc >> 24] ^ crc_table[3][p[4]] ^
		      crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
	}
	for (; len; p++, len--)
		crc = crc_table[0][(crc ^ *p) & 255] ^ crc >> 8;
	return ~crc;
}

unsigned cr_tar_sum(const struct cr_tar_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(*h); i++)
		sum += i >= offsetof(struct cr_tar_header, sum) &&
				       i < offsetof(struct cr_tar_header, type)
			       ? ' '
			       : p[i];
	return sum;
}

struct pack {
	int out; /* -1: it is only looked whether all is simple */
	dev_t dev;
	uint8_t block[5 + CR_TAR_STORED]; /* with the head of a stored block */
	size_t used;
	uint32_t crc, len;
	char path[PATH_MAX];
};

static void put_le(uint8_t *to, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

static int flush(struct pack *p, bool last, struct err *e)
{
	p->block[0] = last;
	put_le(p->block + 1, (uint32_t)p->used, 2);
	put_le(p->block + 3, ~(uint32_t)p->used, 2);
	p->crc = cr_gzip_crc(p->crc, p->block + 5, p->used);
	p->len += (uint32_t)p->used;
	if (file_write_all(p->out, p->block, 5 + p->used, e) < 0)
		return -e->no;
	p->used = 0;
	return 0;
}

/* Where there is room for some bytes of the archive, and for how many, at most *len. */
static void *room(struct pack *p, size_t *len, struct err *e)
{
	if (p->used == CR_TAR_STORED && flush(p, false, e) < 0)
		return NULL;
	if (*len > CR_TAR_STORED - p->used)
		*len = CR_TAR_STORED - p->used;
	p->used += *len;
	return p->block + 5 + p->used - *len;
}

static int put(struct pack *p, const void *data, size_t len, struct err *e)
{
	for (size_t n = len; len; data = (const uint8_t *)data + n, len -= n, n = len) {
		void *to = room(p, &n, e);

		if (!to)
			return -e->no;
		memcpy(to, data, n);
	}
	return 0;
}

static int put_zeroes(struct pack *p, size_t len, struct err *e)
{
	for (size_t n = len; len; len -= n, n = len) {
		void *to = room(p, &n, e);

		if (!to)
			return -e->no;
		memset(to, 0, n);
	}
	return 0;
}

/* --- entries --- */

/* false: it does not fit. */
static bool octal(char *to, size_t size, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)v);

	if (n != (int)size - 1)
		return false;
	memcpy(to, text, size);
	return true;
}

/* A long one in two: what is before a slash goes into `prefix`. */
static bool name(struct cr_tar_header *h, const char *path)
{
	size_t len = strlen(path);
	const char *slash = len > sizeof(h->name) ? path + len - sizeof(h->name) - 1 : NULL;

	if (!slash) {
		memcpy(h->name, path, len);
		return true;
	}
	slash = strchr(slash, '/');
	if (!slash || (size_t)(slash - path) > sizeof(h->prefix) || !slash[1])
		return false;
	memcpy(h->prefix, path, (size_t)(slash - path));
	memcpy(h->name, slash + 1, strlen(slash + 1));
	return true;
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return 0;
	}
}

/* 1: filled, 0: for tar. */
static int describe(const struct pack *p, int dir, const char *at, const struct stat *st,
		    struct cr_tar_header *h, struct err *e)
{
	bool file = S_ISREG(st->st_mode), node = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	char path[PATH_MAX + 2];

	if (st->st_dev != p->dev || (!S_ISDIR(st->st_mode) && st->st_nlink > 1) ||
	    st->st_mtime < 0 || (file && st->st_blocks * 512 < st->st_size))
		return 0;
	*h = (struct cr_tar_header){
		.type = type_of(st->st_mode), .magic = "ustar", .version = {'0', '0'}};
	snprintf(path, sizeof(path), "%s%s", p->path, S_ISDIR(st->st_mode) ? "/" : "");
	if (S_ISLNK(st->st_mode)) {
		/* One byte more tells a longer one. */
		char target[sizeof(h->link) + 1];
		ssize_t n = readlinkat(dir, at, target, sizeof(target));

		if (n < 0)
			return err_sys(e, "read the link %s", p->path);
		if (n > (ssize_t)sizeof(h->link))
			return 0;
		memcpy(h->link, target, (size_t)n);
	}
	if (!name(h, path) || !octal(h->mode, sizeof(h->mode), st->st_mode & 07777) ||
	    !octal(h->uid, sizeof(h->uid), st->st_uid) ||
	    !octal(h->gid, sizeof(h->gid), st->st_gid) ||
	    !octal(h->size, sizeof(h->size), file ? (uint64_t)st->st_size : 0) ||
	    !octal(h->mtime, sizeof(h->mtime), (uint64_t)st->st_mtime) ||
	    !octal(h->major, sizeof(h->major), node ? major(st->st_rdev) : 0) ||
	    !octal(h->minor, sizeof(h->minor), node ? minor(st->st_rdev) : 0))
		return 0;
	snprintf(h->sum, sizeof(h->sum), "%06o", cr_tar_sum(h));
	h->sum[7] = ' ';
	return 1;
}

static int put_file(struct pack *p, int dir, const char *at, uint64_t size, struct err *e)
{
	auto_fd int fd = openat(dir, at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", p->path);
	for (uint64_t left = size; left;) {
		size_t n = left < CR_TAR_STORED ? (size_t)left : CR_TAR_STORED;
		void *to = room(p, &n, e);

		if (!to || file_read_exactly(fd, to, n, e) < 0)
			return -e->no;
		left -= n;
	}
	return put_zeroes(p, (size_t)(-size % CR_TAR_BLOCK), e);
}

static int pack_tree(struct pack *p, int dir, int depth, struct err *e);

/* The directory itself is ".". 1: done, 0: for tar. */
static int pack_one(struct pack *p, int dir, const char *at, int depth, struct err *e)
{
	struct cr_tar_header h;
	struct stat st;
	int r;

	if (fstatat(dir, at, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "stat %s", p->path);
	if (S_ISSOCK(st.st_mode))
		return 1;
	r = describe(p, dir, at, &st, &h, e);
	if (r <= 0)
		return r;
	if (p->out >= 0 && put(p, &h, sizeof(h), e) < 0)
		return -e->no;
	if (p->out >= 0 && S_ISREG(st.st_mode) && put_file(p, dir, at, (uint64_t)st.st_size, e) < 0)
		return -e->no;
	return S_ISDIR(st.st_mode) && depth
		       ? pack_tree(p,
				   openat(dir, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				   depth, e)
		       : 1;
}

/* What is in a directory, which is taken. */
static int pack_tree(struct pack *p, int dir, int depth, struct err *e)
{
	auto_dir DIR *d = dir < 0 ? NULL : fdopendir(dir);
	size_t len = strlen(p->path);
	const struct dirent *entry;
	int r = 1;

	if (!d)
		return err_sys(e, "open %s", p->path);
	while (r > 0 && (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (depth > DEPTH_MOST || snprintf(p->path + len, sizeof(p->path) - len, "/%s",
						   entry->d_name) >= (int)(sizeof(p->path) - len))
			r = 0;
		else
			r = pack_one(p, dirfd(d), entry->d_name, depth + 1, e);
		p->path[len] = 0;
	}
	return r;
}

static int pack_all(struct pack *p, int dir, struct err *e)
{
	struct stat st;
	int r;

	if (fstat(dir, &st) < 0)
		return err_sys(e, "stat a tmpfs");
	p->dev = st.st_dev;
	snprintf(p->path, sizeof(p->path), ".");
	r = pack_one(p, dir, ".", 0, e);
	return r <= 0 ? r
		      : pack_tree(p, openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 1, e);
}

int cr_tmpfs_pack(int dir, int out, struct err *e)
{
	auto_free struct pack *p = calloc(1, sizeof(*p));
	uint8_t tail[8];
	int r;

	if (!p)
		return err_set(e, ENOMEM, "pack a tmpfs: out of memory");
	p->out = -1;
	r = pack_all(p, dir, e);
	if (r <= 0)
		return r;
	p->out = out;
	if (file_write_all(out, CR_GZIP_HEAD, CR_GZIP_HEAD_LEN, e) < 0)
		return -e->no;
	r = pack_all(p, dir, e);
	/* The tasks are stopped, so it is what it was. */
	if (r == 0)
		return err_set(e, EBUSY, "a tmpfs changes while it is packed");
	if (r < 0 || put_zeroes(p, 2 * CR_TAR_BLOCK, e) < 0 || flush(p, true, e) < 0)
		return -e->no;
	put_le(tail, p->crc, 4);
	put_le(tail + 4, p->len, 4);
	return file_write_all(out, tail, sizeof(tail), e) < 0 ? -e->no : 1;
}
