/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a fuzzer puts its input: a directory in memory, a socket. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

static char place_path[] = "/dev/shm/skep-fuzz-XXXXXX";

static void place_remove(void)
{
	struct err ignored = {0};

	file_remove_tree_at(AT_FDCWD, place_path, &ignored);
}

static inline int place_dir(void)
{
	static int dir = -1;

	if (dir >= 0)
		return dir;
	if (!mkdtemp(place_path) ||
	    (dir = open(place_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	atexit(place_remove);
	return dir;
}

static inline void place_file(int dir, const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* A socket that holds the input and its end: what is written to it is an error, and no signal. */
static inline int place_socket(const uint8_t *data, size_t size)
{
	const int room = 8 << 20;
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (size && send(pair[1], data, size, MSG_DONTWAIT) != (ssize_t)size)
		abort();
	close(pair[1]);
	return pair[0];
}
