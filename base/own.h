/* SPDX-License-Identifier: GPL-2.0-only */
/* Ownership by scope: what an auto_ variable holds is released when it goes out of scope. */
#pragma once

/*
 * `auto_fd int fd = -EBADF;` closes at the end of the scope; take_fd(&fd) hands the descriptor on and leaves
 * -EBADF behind, in the very line that gives it away. The same pair exists for memory. A function argument
 * `int fd` is borrowed, `int *fd` is taken on success, a returned descriptor is the caller's.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_fd	  __attribute__((cleanup(own_close_fd)))
#define auto_free __attribute__((cleanup(own_free)))
#define auto_dir  __attribute__((cleanup(own_close_dir)))
#define auto_file __attribute__((cleanup(own_close_file)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Closes and marks as closed; errno is kept, so that it can stand between a failure and its report. */
static inline void own_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -EBADF;
	errno = saved;
}

static inline void own_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	*(void **)p = NULL;
	errno = saved;
}

static inline void own_close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static inline void own_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -EBADF;
	return v;
}

#define take_ptr(p)                         \
	({                                  \
		__typeof__(*(p)) _v = *(p); \
		*(p) = NULL;                \
		_v;                         \
	})
