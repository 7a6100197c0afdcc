/* SPDX-License-Identifier: GPL-2.0-only */
/* Control groups below a container's, which that has made for itself. */
#pragma once

struct cg;
struct err;

/*
 * word: "PATH" or, of v1 hierarchies, "CONTROLLER[,CONTROLLER...]:PATH". Whether it may be the name of one: -EINVAL, class VALUE, when it leads up, in crun's
 * words, or is empty. "/" is the container's own group, and not one that is made below it for who would be refused there (cg_exec_fd()).
 */
int cg_sub_check(const char *word, struct err *e);

/*
 * Makes *to, which is another cg_open() of the same path as `of`, mean the groups below: PATH in each hierarchy that has it there, or in those of the controllers named. Class
 * VALUE when there is none, or one of these has it not. The container owns what is there, so no link is followed, and nothing else mounted on it. Returns
 * 1 if the unified hierarchy's is among them, else 0.
 */
int cg_sub_open(const struct cg *of, const char *word, struct cg *to, struct err *e);
