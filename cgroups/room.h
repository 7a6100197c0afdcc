/* SPDX-License-Identifier: GPL-2.0-only */
/* A memory limit below what is in use: asked first whether the kernel can reclaim the difference. */
#pragma once

#include <stdint.h>

struct cg;
struct err;

/*
 * Before memory.max is lowered to bytes. cgroup v2 would kill what it cannot reclaim (memory_max_write()); so it is told to reclaim alone, and while more than that
 * is in use the limit is refused: -EBUSY, class LIMIT. In v1 the kernel refuses by itself: nothing is done here.
 */
int cg_room_make(const struct cg *cg, uint64_t bytes, struct err *e);

/* Fills e with the refusal, in place of what the kernel said. Returns -EBUSY. */
int cg_room_refuse(const struct cg *cg, uint64_t bytes, struct err *e);
