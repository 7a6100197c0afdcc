// SPDX-License-Identifier: GPL-2.0-only
/* New names for deleted files in files.img. */
#include "checkpoint/ghosts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroups/kill.h"
#include "checkpoint/image.h"

/* Fields as in criu's images/{remap-file-path,fdinfo,regfile}.proto. */
#define REMAP_ORIG_ID  1
#define REMAP_TYPE     3
#define REMAP_PROCFS   2 /* a dead process's entry in /proc: it has no link */
#define FILE_ENTRY_REG 3
#define REG_ID	       1
#define REG_NAME       6
#define GHOSTS_MOST    4096
#define NAMES_TRIED    100
#define WIRE_BYTES     2
#define SUFFIX_ROOM    16

struct ghosts {
	uint64_t id[GHOSTS_MOST];
	size_t count;
	cr_ghost_taken *taken;
	void *arg;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "rename deleted files: out of memory");
}

static int read_remaps(int images, struct ghosts *g, struct err *e)
{
	auto_free char *text = NULL;
	struct cr_span all, entry, content;
	int n = cr_image_read(images, "remap-fpath.img", &text, &all, e);
	unsigned number;

	if (n < 0)
		return e->no ? -e->no : 0;
	while (cr_image_next(&all, &entry)) {
		uint64_t value, id = 0, type = 0;

		while (cr_image_field(&entry, &number, &value, &content)) {
			if (number == REMAP_ORIG_ID)
				id = value;
			if (number == REMAP_TYPE)
				type = value;
		}
		if (type != REMAP_PROCFS && g->count < GHOSTS_MOST)
			g->id[g->count++] = id;
	}
	return all.at == all.end ? 0 : cr_image_damaged("remap-fpath.img", e);
}

static bool is_ghost(const struct ghosts *g, uint64_t id)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->id[i] == id)
			return true;
	return false;
}

/* The path of a regular file's entry that must give way; false: it may stay. */
static bool in_the_way(struct cr_span reg, const struct ghosts *g, char path[PATH_MAX])
{
	struct cr_span content, name = {0};
	uint64_t value, id = 0;
	unsigned number;

	while (cr_image_field(&reg, &number, &value, &content)) {
		if (number == REG_ID)
			id = value;
		if (number == REG_NAME)
			name = content;
	}
	if (!is_ghost(g, id) || name.end - name.at >= PATH_MAX - SUFFIX_ROOM)
		return false;
	snprintf(path, PATH_MAX, "%.*s", (int)(name.end - name.at), (const char *)name.at);
	return path[0] == '/' && g->taken(path, g->arg);
}

/* A name beside it that nothing has: criu's own choice, if that is free. */
static bool find_free(const struct ghosts *g, char path[PATH_MAX])
{
	char *name = strrchr(path, '/') + 1;
	size_t len = strlen(name);

	if (len > NAME_MAX - SUFFIX_ROOM)
		len = NAME_MAX - SUFFIX_ROOM;
	for (int i = 0; i < NAMES_TRIED; i++) {
		snprintf(name + len, SUFFIX_ROOM, i ? ".cr_link%d" : ".cr_link", i);
		if (!g->taken(path, g->arg))
			return true;
	}
	return false;
}

/* --- writing --- */

static void put_varint(FILE *to, uint64_t value)
{
	uint8_t text[CR_VARINT_MOST];

	fwrite(text, 1, (size_t)(cr_image_put_varint(text, value) - text), to);
}

static void put_field(FILE *to, unsigned number, const void *text, size_t len)
{
	put_varint(to, number << 3 | WIRE_BYTES);
	put_varint(to, len);
	fwrite(text, 1, len, to);
}

/* A message with another content in one of its fields. */
static int put_changed(FILE *to, struct cr_span message, unsigned changed, const void *text,
		       size_t len)
{
	const uint8_t *field = message.at;
	struct cr_span content;
	unsigned number;
	uint64_t value;

	for (; cr_image_field(&message, &number, &value, &content); field = message.at) {
		if (number == changed)
			put_field(to, number, text, len);
		else
			fwrite(field, 1, (size_t)(message.at - field), to);
	}
	return message.at == message.end ? 0 : -EPROTO;
}

/* One message that is made of another, as the caller's text. */
static int changed(struct cr_span message, unsigned field, const void *with, size_t with_len,
		   char **text, size_t *len)
{
	FILE *to = open_memstream(text, len);
	int r = to ? put_changed(to, message, field, with, with_len) : -ENOMEM;

	if (to && fclose(to) != 0)
		r = -ENOMEM;
	return r;
}

static int put_entry(FILE *to, struct cr_span entry)
{
	uint32_t len = (uint32_t)(entry.end - entry.at);

	fwrite(&len, sizeof(len), 1, to);
	fwrite(entry.at, 1, len, to);
	return 0;
}

/* 1: it was given another name; 0: it stays as it is. */
static int put_file(FILE *to, struct cr_span entry, const struct ghosts *g, struct err *e)
{
	auto_free char *reg_text = NULL, *text = NULL;
	struct cr_span rest = entry, content, reg = {0};
	char path[PATH_MAX];
	size_t reg_len = 0, len = 0;
	unsigned number;
	uint64_t value;
	int r;

	while (cr_image_field(&rest, &number, &value, &content))
		if (number == FILE_ENTRY_REG)
			reg = content;
	if (rest.at != rest.end)
		return cr_image_damaged("files.img", e);
	if (!reg.at || !in_the_way(reg, g, path))
		return put_entry(to, entry);
	if (!find_free(g, path)) {
		log_warn("deleted file %s: no name is free for its restore", path);
		return put_entry(to, entry);
	}
	r = changed(reg, REG_NAME, path, strlen(path), &reg_text, &reg_len);
	if (r >= 0)
		r = changed(entry, FILE_ENTRY_REG, reg_text, reg_len, &text, &len);
	if (r == -EPROTO)
		return cr_image_damaged("files.img", e);
	if (r < 0)
		return no_memory(e);
	put_entry(to, (struct cr_span){(uint8_t *)text, (uint8_t *)text + len});
	return 1;
}

static int put_files(FILE *to, struct cr_span all, const struct ghosts *g, struct err *e)
{
	struct cr_span entry;
	int r, renamed = 0;

	fwrite(all.at - CR_IMAGE_MAGIC_BYTES, 1, CR_IMAGE_MAGIC_BYTES, to);
	while (cr_image_next(&all, &entry)) {
		r = put_file(to, entry, g, e);
		if (r < 0)
			return r;
		renamed += r;
	}
	if (all.at != all.end)
		return cr_image_damaged("files.img", e);
	return renamed;
}

static int rename_all(int images, const struct ghosts *g, struct err *e)
{
	auto_free char *text = NULL, *out = NULL;
	struct cr_span all;
	size_t len = 0;
	FILE *to;
	int r = cr_image_read(images, "files.img", &text, &all, e);

	if (r < 0)
		return e->no ? -e->no : 0;
	to = open_memstream(&out, &len);
	if (!to)
		return no_memory(e);
	r = put_files(to, all, g, e);
	if (fclose(to) != 0 && r >= 0)
		return no_memory(e);
	if (r > 0 && file_replace_volatile_at(images, "files.img", out, len, 0600, e) < 0)
		return -e->no;
	return r;
}

int cr_ghosts_rename(int images, cr_ghost_taken *taken, void *arg, struct err *e)
{
	auto_free struct ghosts *g = calloc(1, sizeof(*g));
	int r = g ? 0 : no_memory(e);

	if (r >= 0) {
		g->taken = taken;
		g->arg = arg;
		r = read_remaps(images, g, e);
	}
	return r < 0 || !g->count ? r : rename_all(images, g, e);
}

/* --- the tasks --- */

struct tasks {
	pid_t *pids;
	int count;
};

static bool taken_by_any(const char *path, void *arg)
{
	const struct tasks *t = arg;
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	for (int i = 0; i < t->count; i++) {
		auto_fd int root = -EBADF, file = -EBADF;
		char name[32];

		snprintf(name, sizeof(name), "/proc/%d/root", t->pids[i]);
		root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		file = root < 0 ? -EBADF : sys_openat2(root, path, &how);
		if (file >= 0)
			return true;
	}
	return false;
}

int cr_ghosts_give_way(int images, const struct cg *cg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	struct tasks tasks = {.count = cg_pids(cg, &pids, e)};
	int r;

	if (tasks.count < 0)
		return tasks.count;
	tasks.pids = pids;
	r = cr_ghosts_rename(images, taken_by_any, &tasks, e);
	if (r > 0)
		log_debug("%d deleted files gave way to what has their paths", r);
	return r;
}
