/* SPDX-License-Identifier: GPL-2.0-only */
/* The names in a directory, sorted. */
#pragma once

#include <stddef.h>

struct err;

/* Zeroed is empty. */
struct st_names {
	char **v; /* in strcmp's order, without . and .. */
	size_t n, room;
};

/* Reads those of the directory that the descriptor is open on; path is for messages. */
int st_names_read(struct st_names *l, int dir, const char *path, struct err *e);
void st_names_done(struct st_names *l);

#define auto_names __attribute__((cleanup(st_names_done)))
