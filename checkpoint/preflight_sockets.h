/* SPDX-License-Identifier: GPL-2.0-only */
/* The sockets that the processes of a container hold, between the two files of the preflight that look at them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cr_look;
struct cr_look_process;

struct cr_look_held {
	uint64_t inode;
	const struct cr_look_process *owner; /* one of them */
	int fd, family;
};

struct cr_look_sockets {
	struct cr_look_held *list; /* by inode, from cr_look_sockets() on */
	size_t count, room;
};

/* NULL: no process of the container has that socket. */
const struct cr_look_held *cr_look_held(const struct cr_look_sockets *s, uint64_t inode);

/* preflight_unix.c: local sockets whose other end is outside, or which nobody has accepted. */
void cr_look_unix(struct cr_look *l, const struct cr_look_sockets *s);
