// SPDX-License-Identifier: GPL-2.0-only
/* Every task of a restored container, against its spec: who there is, and who is asked what. */
#include "checkpoint/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/kill.h"
#include "checkpoint/verify_check.h"

#define FILE_MOST (16u << 20) /* of a file in /proc whose length the container decides */

int cr_check_refuse(pid_t pid, const char *what, struct err *e)
{
	err_set(e, EPERM, "the restored process %d %s", pid, what);
	err_hint(e, "the images are not of this container, or were changed: do not use them");
	return err_class(e, ERR_RESTORE);
}

int cr_check_read(pid_t pid, const char *name, char **text, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_read_at(AT_FDCWD, path, FILE_MOST, text, e);
}

static uint64_t *slot_of(uint64_t *slots, size_t n_slots, uint64_t number)
{
	size_t at = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (n_slots - 1);

	while (slots[at] && slots[at] != number)
		at = (at + 1) & (n_slots - 1);
	return &slots[at];
}

/* Half of the slots stay empty. */
static int grow(struct cr_numbers *n, struct err *e)
{
	size_t room = n->room ? 2 * n->room : 64;
	uint64_t *list = reallocarray(n->list, room, sizeof(*list));
	uint64_t *slots = list ? calloc(2 * room, sizeof(*slots)) : NULL;

	if (list)
		n->list = list;
	if (!slots)
		return err_set(e, ENOMEM, "look at the restored processes: out of memory");
	for (size_t i = 0; i < n->count; i++)
		*slot_of(slots, 2 * room, n->list[i]) = n->list[i];
	free(n->slots);
	n->slots = slots;
	n->room = room;
	return 0;
}

int cr_numbers_add(struct cr_numbers *n, uint64_t number, struct err *e)
{
	if (!number || cr_numbers_have(n, number))
		return 0;
	if (n->count == n->room && grow(n, e) < 0)
		return -e->no;
	n->list[n->count++] = number;
	*slot_of(n->slots, 2 * n->room, number) = number;
	return 0;
}

bool cr_numbers_have(const struct cr_numbers *n, uint64_t number)
{
	return number && n->slots && *slot_of(n->slots, 2 * n->room, number) == number;
}

void cr_check_done(struct cr_check *l)
{
	struct cr_numbers *const all[] = {&l->host,	  &l->members, &l->tree,   &l->mount_spaces,
					  &l->net_spaces, &l->mounts,  &l->private};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		free(all[i]->list);
		free(all[i]->slots);
	}
}

/* Calls fn for each thread. */
static int each_thread(struct cr_check *l, pid_t pid,
		       int (*fn)(struct cr_check *l, pid_t pid, pid_t tid, struct err *e),
		       struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return err_sys(e, "open %s", path);
	while (r >= 0 && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			r = fn(l, pid, (pid_t)atoi(entry->d_name), e);
	return r;
}

static int add_children(struct cr_check *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *list = NULL;
	char name[48], *save = NULL;
	int r;

	snprintf(name, sizeof(name), "task/%d/children", tid);
	r = cr_check_read(pid, name, &list, e);
	if (r < 0)
		return r;
	for (char *w = strtok_r(list, " \n", &save); w && r >= 0; w = strtok_r(NULL, " \n", &save))
		r = cr_numbers_add(&l->tree, (uint64_t)atoi(w), e);
	return r;
}

/* Nobody runs, so nobody is born or adopted while we look. The list grows while it is walked. */
static int find_tree(struct cr_check *l, struct err *e)
{
	int r = cr_numbers_add(&l->tree, (uint64_t)l->v->init, e);

	for (size_t i = 0; r >= 0 && i < l->tree.count; i++)
		r = each_thread(l, (pid_t)l->tree.list[i], add_children, e);
	return r;
}

/* Of the control groups; who is in them and no child of init's was not restored as one. */
static int find_members(struct cr_check *l, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int n = cg_pids(l->v->cg, &pids, e), r = n;

	for (int i = 0; r >= 0 && i < n; i++)
		r = cr_numbers_add(&l->members, (uint64_t)pids[i], e);
	if (r >= 0)
		r = find_tree(l, e);
	for (int i = 0; r >= 0 && i < n; i++)
		if (!cr_numbers_have(&l->tree, (uint64_t)pids[i]))
			return cr_check_refuse(pids[i], "is not below the container's init", e);
	return r;
}

static int look_at_thread(struct cr_check *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *status = NULL;
	char name[48];
	int r;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	r = cr_check_read(pid, name, &status, e);
	if (r < 0 || cr_check_is_dead(status))
		return r;
	return cr_check_thread(l, pid, tid, status, e);
}

/* 1: it is to be asked for its files. */
static int look_at_process(struct cr_check *l, pid_t pid, struct err *e)
{
	auto_free char *status = NULL;
	int r = cr_check_read(pid, "status", &status, e);

	if (r < 0 || (cr_check_is_dead(status) && pid != l->v->init))
		return r < 0 ? r : 0;
	r = each_thread(l, pid, look_at_thread, e);
	if (r >= 0)
		r = cr_check_process(l, pid, e);
	if (r >= 0)
		r = cr_check_mounts(l, pid, e);
	return r < 0 ? r : 1;
}

/* Files come last: they may be on a mount of any namespace of the container's. */
static int look_at_all(struct cr_check *l, struct err *e)
{
	struct cr_numbers alive = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->tree.count; i++) {
		r = look_at_process(l, (pid_t)l->tree.list[i], e);
		if (r > 0)
			r = cr_numbers_add(&alive, l->tree.list[i], e);
	}
	for (size_t i = 0; r >= 0 && i < alive.count; i++)
		r = cr_check_files(l, (pid_t)alive.list[i], e);
	free(alive.list);
	free(alive.slots);
	return r;
}

int cr_verify(const struct cr_verify *v, struct err *e)
{
	__attribute__((cleanup(cr_check_done))) struct cr_check l = {.v = v};
	uint64_t began = log_now_ns();
	int r = cr_check_spaces(&l, e);

	if (r >= 0)
		r = cr_check_host_mounts(&l, e);
	if (r >= 0)
		r = cr_check_prepare_files(&l, e);
	if (r >= 0)
		r = find_members(&l, e);
	if (r >= 0)
		r = look_at_all(&l, e);
	log_debug("verify: %zu processes, %zu mounts in %llu us", l.tree.count, l.mounts.count,
		  (unsigned long long)(log_now_ns() - began) / 1000);
	return r < 0 ? r : 0;
}
