// SPDX-License-Identifier: GPL-2.0-only
/* The few messages of FUSE that one file needs. */
#include "checkpoint/fuse_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

/* The kernel sends no more than this: the least that it takes as the size of a read, which has room for every message but WRITE. */
#define QUESTION_MOST FUSE_MIN_READ_BUFFER
#define READ_MOST     65536u
#define FOR_EVER      (1u << 30) /* seconds for which what GETATTR said holds */
#define MINOR	      31 /* of the protocol, as it was in Linux 5.4: all of it that is used here */

struct question {
	struct fuse_in_header head;
	char body[QUESTION_MOST - sizeof(struct fuse_in_header)];
};

int cr_fuse_open(struct err *e)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	err_sys(e, "open /dev/fuse");
	return err_class(e, ERR_UNSUPPORTED);
}

int cr_fuse_mount(int fd, const char *path, struct err *e)
{
	char options[96];

	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", fd,
		 S_IFREG | 0400);
	return mount("skep", path, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0
		       ? err_sys(e, "lay a file over %s", path)
		       : 0;
}

/* error: -errno or 0. Who asked may be gone by now (ENOENT), or the file (ENODEV): the next look tells. */
static void answer(int fd, const struct question *q, int error, const void *a, size_t a_len,
		   const void *b, size_t b_len)
{
	struct fuse_out_header head = {.error = error, .unique = q->head.unique};
	struct iovec iov[] = {{&head, sizeof(head)},
			      {(void *)(uintptr_t)a, a_len},
			      {(void *)(uintptr_t)b, b_len}};

	head.len = (uint32_t)(sizeof(head) + a_len + b_len);
	(void)!writev(fd, iov, 3);
}

static void greet(int fd, const struct question *q)
{
	const struct fuse_init_in *in = (const void *)q->body;
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
				    .minor = in->minor < MINOR ? in->minor : MINOR,
				    .max_readahead = in->max_readahead,
				    .max_write = 4096};

	answer(fd, q, 0, &out, sizeof(out), NULL, 0);
}

static void describe(int fd, const struct question *q)
{
	struct fuse_attr_out out = {
		.attr_valid = FOR_EVER,
		.attr = {.ino = FUSE_ROOT_ID, .mode = S_IFREG | 0400, .nlink = 1, .blksize = 4096}};

	answer(fd, q, 0, &out, sizeof(out), NULL, 0);
}

static void answer_ioctl(int fd, struct question *q, const struct cr_fuse_file *file)
{
	const struct fuse_ioctl_in *in = (const void *)q->body;
	char *data = q->body + sizeof(*in);
	struct fuse_ioctl_out out = {0};

	if (in->in_size > sizeof(q->body) - sizeof(*in) || in->out_size > in->in_size) {
		answer(fd, q, -ENOTTY, NULL, 0, NULL, 0);
		return;
	}
	out.result = file->ioctl((pid_t)q->head.pid, in->cmd, data, in->in_size, file->arg);
	/* An error has no body: the kernel takes no such answer. */
	if (out.result < 0)
		answer(fd, q, out.result, NULL, 0, NULL, 0);
	else
		answer(fd, q, 0, &out, sizeof(out), data, in->out_size);
}

static void answer_read(int fd, const struct question *q, const struct cr_fuse_file *file)
{
	const struct fuse_read_in *in = (const void *)q->body;
	char data[READ_MOST];
	ssize_t n = file->read(data, in->size < sizeof(data) ? in->size : sizeof(data), in->offset,
			       file->arg);

	answer(fd, q, n < 0 ? (int)n : 0, data, n < 0 ? 0 : (size_t)n, NULL, 0);
}

int cr_fuse_serve(int fd, const struct cr_fuse_file *file, struct err *e)
{
	/* Each open reads and asks through to us. */
	static const struct fuse_open_out opened = {.open_flags = FOPEN_DIRECT_IO};
	struct question q = {0};
	ssize_t n = read(fd, &q, sizeof(q));

	/* EPERM: it never was. */
	if (n < 0 && (errno == ENODEV || errno == EPERM))
		return -ENODEV;
	/* ENOENT: who asked was killed meanwhile. */
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOENT))
		return 0;
	if (n < (ssize_t)sizeof(q.head))
		return err_sys(e, "read from /dev/fuse");
	switch (q.head.opcode) {
	case FUSE_INIT:
		greet(fd, &q);
		break;
	case FUSE_GETATTR:
		describe(fd, &q);
		break;
	case FUSE_OPEN:
		answer(fd, &q, 0, &opened, sizeof(opened), NULL, 0);
		break;
	case FUSE_IOCTL:
		answer_ioctl(fd, &q, file);
		break;
	case FUSE_READ:
		answer_read(fd, &q, file);
		break;
	case FUSE_RELEASE:
		answer(fd, &q, 0, NULL, 0, NULL, 0);
		break;
	case FUSE_FORGET: /* these are no questions */
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fd, &q, -ENOSYS, NULL, 0, NULL, 0);
	}
	return 0;
}
