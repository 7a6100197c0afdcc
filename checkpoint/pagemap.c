// SPDX-License-Identifier: GPL-2.0-only
/* Reading and judging pagemap-ID.img. */
#include "checkpoint/pagemap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/image.h"
#include "checkpoint/track.h"

/* Fields of pagemap_entry in criu's images/pagemap.proto. */
#define ENTRY_VADDR	 1
#define ENTRY_PAGES_OLD	 2 /* up to criu 4.1 the only count */
#define ENTRY_IN_PARENT	 3 /* of images without flags */
#define ENTRY_FLAGS	 4
#define ENTRY_PAGES	 5
#define SPACE_PAGES	 ((UINT64_C(1) << CR_PAGE_VA_BITS) / CR_PAGE_BYTES)
#define ENTRY_BYTES_MEAN 16
#define ENTRY_BYTES_MOST 32 /* of what is written here */

#define UNSEEN_NAME "unseen-%u.img"

/* Two numbers in the place of criu's magic ones, which it is not to take for its own, and an empty first entry. */
static const uint8_t unseen_head[CR_IMAGE_MAGIC_BYTES + 4] = {'s', 'k', 'e', 'p',
							      'l', 'a', 'z', 'y'};

static bool read_run(struct cr_span entry, struct cr_page_run *run)
{
	uint64_t value, vaddr = 0, old = 0, pages = 0, flags = 0, in_parent = 0;
	bool has_pages = false, has_flags = false;
	struct cr_span content;
	unsigned number;

	while (cr_image_field(&entry, &number, &value, &content)) {
		switch (number) {
		case ENTRY_VADDR:
			vaddr = value;
			break;
		case ENTRY_PAGES_OLD:
			old = value;
			break;
		case ENTRY_IN_PARENT:
			in_parent = value;
			break;
		case ENTRY_FLAGS:
			flags = value;
			has_flags = true;
			break;
		case ENTRY_PAGES:
			pages = value;
			has_pages = true;
			break;
		default: /* of a later criu */
			break;
		}
	}
	/* As init_compat_pagemap_entry() in criu/pagemap.c. */
	if (in_parent)
		flags |= CR_PAGE_PARENT;
	else if (!has_flags)
		flags = CR_PAGE_PRESENT;
	*run = (struct cr_page_run){
		.vaddr = vaddr, .npages = has_pages ? pages : old, .flags = (uint32_t)flags};
	return entry.at == entry.end;
}

static bool run_is_sane(const struct cr_pagemap *map, const struct cr_page_run *run)
{
	const struct cr_page_run *last = map->count ? &map->runs[map->count - 1] : NULL;
	uint64_t first = run->vaddr / CR_PAGE_BYTES;

	return run->vaddr % CR_PAGE_BYTES == 0 && run->npages && first < SPACE_PAGES &&
	       run->npages <= SPACE_PAGES - first &&
	       (!last || run->vaddr >= last->vaddr + last->npages * CR_PAGE_BYTES);
}

static int add_run(struct cr_pagemap *map, size_t *room, const struct cr_page_run *run,
		   struct err *e)
{
	if (map->count == *room) {
		size_t more = *room + *room / 2;
		struct cr_page_run *runs = reallocarray(map->runs, more, sizeof(*runs));

		if (!runs)
			return err_set(e, ENOMEM, "read the page maps: out of memory");
		map->runs = runs;
		*room = more;
	}
	map->runs[map->count++] = *run;
	map->pages += run->npages;
	if (run->flags & CR_PAGE_LAZY)
		map->lazy += run->npages;
	return 0;
}

/* Adds the runs of one image. */
static int load(int images, const char *name, struct cr_pagemap *m, struct err *e)
{
	auto_free char *text = NULL;
	struct cr_span all, entry;
	struct cr_page_run run;
	size_t room;
	int r = cr_image_read(images, name, &text, &all, e);

	if (r < 0)
		return r;
	/* The first entry is the number of the pages' image. */
	if (!cr_image_next(&all, &entry))
		return cr_image_damaged(name, e);
	if (!m->runs) {
		room = (size_t)(all.end - all.at) / ENTRY_BYTES_MEAN + 16;
		m->runs = calloc(room, sizeof(*m->runs));
		if (!m->runs)
			return err_set(e, ENOMEM, "read the page maps: out of memory");
	} else {
		room = m->count;
	}
	while (cr_image_next(&all, &entry)) {
		if (!read_run(entry, &run) || !run_is_sane(m, &run))
			return cr_image_damaged(name, e);
		if (add_run(m, &room, &run, e) < 0)
			return -e->no;
	}
	return all.at == all.end ? 0 : cr_image_damaged(name, e);
}

/* Both by rising address, into one. */
static int merge(const struct cr_pagemap *a, const struct cr_pagemap *b, struct cr_pagemap *m,
		 struct err *e)
{
	size_t room = a->count + b->count + 1, i = 0, k = 0;

	m->runs = calloc(room, sizeof(*m->runs));
	if (!m->runs)
		return err_set(e, ENOMEM, "read the page maps: out of memory");
	while (i < a->count || k < b->count) {
		bool first = k == b->count || (i < a->count && a->runs[i].vaddr < b->runs[k].vaddr);
		const struct cr_page_run *run = first ? &a->runs[i++] : &b->runs[k++];

		if (!run_is_sane(m, run) || (!first && run->flags != CR_PAGE_LAZY))
			return -EPROTO;
		if (add_run(m, &room, run, e) < 0)
			return -e->no;
	}
	return 0;
}

int cr_pagemap_load(int images, uint32_t id, struct cr_pagemap *map, struct err *e)
{
	auto_pagemap struct cr_pagemap seen = {.id = id}, unseen = {.id = id}, all = {.id = id};
	char name[40];
	int r;

	snprintf(name, sizeof(name), "pagemap-%u.img", id);
	r = load(images, name, &seen, e);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), UNSEEN_NAME, id);
	r = load(images, name, &unseen, e);
	if (r < 0 && (r != -ENOENT || e->no))
		return r;
	r = unseen.count ? merge(&seen, &unseen, &all, e) : 0;
	if (r < 0)
		return e->no ? r : cr_image_damaged(name, e);
	if (unseen.count) {
		*map = all;
		all.runs = NULL;
	} else {
		*map = seen;
		seen.runs = NULL;
	}
	return 0;
}

static size_t put_run(uint8_t *to, const struct cr_run *run)
{
	uint8_t *at = to + sizeof(uint32_t);
	uint32_t len;

	*at++ = ENTRY_VADDR << 3;
	at = cr_image_put_varint(at, run->vaddr);
	*at++ = ENTRY_FLAGS << 3;
	at = cr_image_put_varint(at, CR_PAGE_LAZY);
	*at++ = ENTRY_PAGES << 3;
	at = cr_image_put_varint(at, run->npages);
	len = (uint32_t)(at - to - sizeof(len));
	memcpy(to, &len, sizeof(len));
	return len + sizeof(len);
}

int cr_pagemap_save_unseen(int images, uint32_t id, const struct cr_run *runs, size_t count,
			   struct err *e)
{
	auto_free uint8_t *text = malloc(sizeof(unseen_head) + count * ENTRY_BYTES_MOST);
	uint8_t *at = text;
	char name[40];

	if (!text)
		return err_set(e, ENOMEM, "write the page maps: out of memory");
	memcpy(at, unseen_head, sizeof(unseen_head));
	at += sizeof(unseen_head);
	for (size_t i = 0; i < count; i++)
		at += put_run(at, &runs[i]);
	snprintf(name, sizeof(name), UNSEEN_NAME, id);
	return file_replace_volatile_at(images, name, (char *)text, (size_t)(at - text), 0600, e);
}

void cr_pagemap_done(struct cr_pagemap *map)
{
	free(map->runs);
	*map = (struct cr_pagemap){0};
}

/* "pagemap-12.img", and neither "pagemap-shmem-12.img" nor "pagemap-012.img". */
static bool is_pagemap(const char *name, uint32_t *id)
{
	char again[40];

	if (sscanf(name, "pagemap-%9u.img", id) != 1)
		return false;
	snprintf(again, sizeof(again), "pagemap-%u.img", *id);
	return *id && !strcmp(name, again);
}

int cr_pagemap_each(int images, int (*fn)(const struct cr_pagemap *map, void *arg, struct err *e),
		    void *arg, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int r = 0, seen = 0, copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list the images");
	while (r >= 0 && (entry = readdir(d))) {
		auto_pagemap struct cr_pagemap map = {0};
		uint32_t id;

		if (!is_pagemap(entry->d_name, &id))
			continue;
		r = cr_pagemap_load(images, id, &map, e);
		if (r >= 0)
			r = fn(&map, arg, e);
		else if (!e->no)
			err_set(e, -r, "read image %s", entry->d_name);
		seen++;
	}
	return r < 0 ? r : seen;
}

const struct cr_page_run *cr_pagemap_find(const struct cr_pagemap *map, uint64_t vaddr)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct cr_page_run *run = &map->runs[mid];

		if (run->vaddr + run->npages * CR_PAGE_BYTES > vaddr)
			high = mid;
		else
			low = mid + 1;
	}
	return low < map->count ? &map->runs[low] : NULL;
}
