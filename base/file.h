/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole small files, relative to a directory fd: kernel files, state files, trees to remove. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Reads a whole file of at most `most` bytes; *text is NUL-terminated and the caller's. Returns its length; -EFBIG over most. */
int file_read_at(int dir, const char *name, size_t most, char **text, struct err *e);

/* As file_read_at, for what may be a pipe: -ETIMEDOUT when its writer, or the first one of a FIFO, is not through within ms (-1: no limit). */
int file_read_within_at(int dir, const char *name, size_t most, int ms, char **text, struct err *e);

/* As file_read_at; a missing file is -ENOENT with e untouched. */
int file_try_read_at(int dir, const char *name, size_t most, char **text, struct err *e);

/* Reads one decimal number from a kernel file; "max" gives UINT64_MAX. A missing file is -ENOENT with e untouched. */
int file_read_u64_at(int dir, const char *name, uint64_t *value, struct err *e);

/* Writes a kernel file (procfs, cgroupfs) with one write(2); never creates. */
int file_write_at(int dir, const char *name, const char *text, struct err *e);

/* Replaces a file so that a crash leaves the old or the new one whole: temporary, fsync, rename, fsync of dir. */
int file_replace_at(int dir, const char *name, const char *text, size_t len, mode_t mode,
		    struct err *e);

/*
 * The same without fsync, for state that dies with a reboot anyway: whoever is killed at any instruction leaves the old or the new file
 * whole. A power failure need not.
 */
int file_replace_volatile_at(int dir, const char *name, const char *text, size_t len, mode_t mode,
			     struct err *e);

/* Makes a directory path with parents below dir (trusted paths only: our own state); returns an O_DIRECTORY fd. */
int file_mkdirs_at(int dir, const char *path, mode_t mode, struct err *e);

/* Removes a file or a whole tree, not crossing mounts and not following links. Gone already is success. */
int file_remove_tree_at(int dir, const char *name, struct err *e);

/* All of it, over short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t len, struct err *e);
/* The same of several pieces, in as few writes as it takes; parts is used up. */
struct iovec;
int file_write_parts(int fd, struct iovec *parts, size_t n, struct err *e);
/* Exactly len bytes; -EPIPE when the stream ends before. */
int file_read_exactly(int fd, void *data, size_t len, struct err *e);
/* The same of a stream that may go silent: -EAGAIN, as of a socket with SO_RCVTIMEO, when no byte comes for ms; < 0: for ever. For pipes, which have no such setting. */
int file_read_exactly_within(int fd, void *data, size_t len, int ms, struct err *e);
/* One read(2) of it. */
ssize_t file_read_within(int fd, void *data, size_t len, int ms);
