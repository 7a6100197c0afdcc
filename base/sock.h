/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors handed to other programs over their UNIX sockets. */
#pragma once

#include <stddef.h>

struct err;

/*
 * Connects to the SOCK_STREAM socket at path, of any length. what names it for messages: "console socket". Who never accepts, and later never reads, holds us for
 * seconds at most (-EAGAIN). Returns the connection, the caller's.
 */
int sock_connect(const char *path, const char *what, struct err *e);

/* Sends data with fd (borrowed) as SCM_RIGHTS of its first byte. */
int sock_send_fd(int sock, const void *data, size_t len, int fd, struct err *e);
