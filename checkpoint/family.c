// SPDX-License-Identifier: GPL-2.0-only
/* Cuts the mappings of parents and children in criu's images to the same pieces. */
#include "checkpoint/family.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/image.h"

/* Fields as in criu's images/{pstree,mm,vma}.proto. */
#define PSTREE_PID     1
#define PSTREE_PPID    2
#define MM_EXE_FILE_ID 12
#define MM_VMAS	       14
#define VMA_START      1
#define VMA_END	       2
#define VMA_FLAGS      6
#define VMA_STATUS     7

/* As in criu/include/image.h: plain anonymous memory, a heap or not. What has any other sign is left alone. */
#define STATUS_REGULAR	    (1u << 0)
#define STATUS_HEAP	    (1u << 5)
#define STATUS_ANON_PRIVATE (1u << 9)

#define TASKS_MOST   65536
#define EDGES_MOST   (2 * (1 + CR_VARINT_MOST)) /* a start and an end */
#define HEAD_MOST    (1 + CR_VARINT_MOST)	/* key and length of a mapping */
#define LENGTH_BYTES sizeof(uint32_t)		/* of an entry */

struct piece {
	uint64_t start, end;
};

struct task {
	uint32_t pid, ppid;
	char *text; /* of mm-PID.img; NULL: a zombie, or one that has its parent's memory */
	struct cr_span mm;
	uint64_t exe;
	struct task *parent;
	struct piece *pieces; /* of plain anonymous memory, by rising address */
	size_t count, room, cuts;
};

struct family {
	struct task *tasks; /* parents before their children, as criu writes them */
	size_t count;
};
#define auto_family __attribute__((cleanup(family_done)))

static void family_done(struct family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->tasks[i].text);
		free(f->tasks[i].pieces);
	}
	free(f->tasks);
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "compare the mappings of the processes: out of memory");
}

static void mm_name(const struct task *t, char name[32])
{
	snprintf(name, 32, "mm-%u.img", t->pid);
}

/* --- read --- */

struct vma {
	uint64_t start, end, flags, status;
};

static bool read_vma(struct cr_span s, struct vma *v)
{
	struct cr_span content;
	unsigned number;
	uint64_t value;

	*v = (struct vma){0};
	while (cr_image_field(&s, &number, &value, &content)) {
		switch (number) {
		case VMA_START:
			v->start = value;
			break;
		case VMA_END:
			v->end = value;
			break;
		case VMA_FLAGS:
			v->flags = value;
			break;
		case VMA_STATUS:
			v->status = value;
			break;
		default:
			break;
		}
	}
	return s.at == s.end && v->start < v->end;
}

static bool is_plain(const struct vma *v)
{
	return (v->status & ~(uint64_t)STATUS_HEAP) == (STATUS_REGULAR | STATUS_ANON_PRIVATE) &&
	       (v->flags & MAP_TYPE) == MAP_PRIVATE && v->flags & MAP_ANONYMOUS &&
	       !(v->flags & (MAP_GROWSDOWN | MAP_HUGETLB));
}

/* Before the piece that is number `at`. */
static int insert_piece(struct task *t, size_t at, struct piece p, struct err *e)
{
	if (t->count == t->room) {
		size_t room = t->room + t->room / 2 + 16;
		struct piece *more = reallocarray(t->pieces, room, sizeof(*more));

		if (!more)
			return no_memory(e);
		t->pieces = more;
		t->room = room;
	}
	memmove(&t->pieces[at + 1], &t->pieces[at], (t->count - at) * sizeof(p));
	t->pieces[at] = p;
	t->count++;
	return 0;
}

static int read_mm(int images, struct task *t, struct err *e)
{
	struct cr_span all, rest, content;
	char name[32];
	unsigned number;
	uint64_t value, end = 0;
	int r;

	mm_name(t, name);
	r = cr_image_read(images, name, &t->text, &all, e);
	if (r == -ENOENT && !e->no)
		return 0;
	if (r < 0)
		return r;
	if (!cr_image_next(&all, &t->mm) || all.at != all.end)
		return cr_image_damaged(name, e);
	for (rest = t->mm; cr_image_field(&rest, &number, &value, &content);) {
		struct vma v;

		if (number == MM_EXE_FILE_ID)
			t->exe = value;
		if (number != MM_VMAS)
			continue;
		if (!read_vma(content, &v))
			return cr_image_damaged(name, e);
		if (!is_plain(&v))
			continue;
		if (v.start < end)
			return cr_image_damaged(name, e);
		end = v.end;
		if (insert_piece(t, t->count, (struct piece){v.start, v.end}, e) < 0)
			return -e->no;
	}
	return rest.at == rest.end ? 0 : cr_image_damaged(name, e);
}

static bool read_task(struct cr_span entry, struct task *t)
{
	struct cr_span content;
	unsigned number;
	uint64_t value;

	*t = (struct task){0};
	while (cr_image_field(&entry, &number, &value, &content)) {
		if (number == PSTREE_PID)
			t->pid = (uint32_t)value;
		if (number == PSTREE_PPID)
			t->ppid = (uint32_t)value;
	}
	return entry.at == entry.end && t->pid;
}

static int read_family(int images, struct family *f, struct err *e)
{
	auto_free char *text = NULL;
	struct cr_span all, entry;
	size_t room = 0;
	int r = cr_image_read(images, "pstree.img", &text, &all, e);

	if (r < 0)
		return r == -ENOENT && !e->no ? 0 : r;
	while (cr_image_next(&all, &entry)) {
		struct task t;

		if (!read_task(entry, &t) || f->count == TASKS_MOST)
			return cr_image_damaged("pstree.img", e);
		if (f->count == room) {
			struct task *more = reallocarray(f->tasks, room * 2 + 16, sizeof(*more));

			if (!more)
				return no_memory(e);
			f->tasks = more;
			room = room * 2 + 16;
		}
		f->tasks[f->count++] = t;
	}
	if (all.at != all.end)
		return cr_image_damaged("pstree.img", e);
	for (size_t i = 0; r >= 0 && i < f->count; i++)
		r = read_mm(images, &f->tasks[i], e);
	return r < 0 ? r : 0;
}

/* --- compare --- */

/* Piece number *at of t becomes one that begins at start, behind one that ends there, and ends at end, before one that begins there; *at is where it is then. */
static int cut(struct task *t, size_t *at, uint64_t start, uint64_t end, struct err *e)
{
	struct piece p = t->pieces[*at];

	if (p.start < start) {
		t->pieces[*at].end = start;
		t->cuts++;
		if (insert_piece(t, ++*at, (struct piece){start, p.end}, e) < 0)
			return -e->no;
	}
	if (end < p.end) {
		t->pieces[*at].end = end;
		t->cuts++;
		if (insert_piece(t, *at + 1, (struct piece){end, p.end}, e) < 0)
			return -e->no;
	}
	return 0;
}

/* Returns whether anything was cut. */
static int align(struct task *a, struct task *b, struct err *e)
{
	size_t i = 0, k = 0;
	bool changed = false;

	while (i < a->count && k < b->count) {
		struct piece p = a->pieces[i], q = b->pieces[k];
		uint64_t start = p.start > q.start ? p.start : q.start;
		uint64_t end = p.end < q.end ? p.end : q.end;

		if (end > start && end - start >= CR_FAMILY_LEAST &&
		    (p.start != q.start || p.end != q.end)) {
			/* One more may make two cuts. */
			if (a->cuts + 2 > CR_FAMILY_CUTS || b->cuts + 2 > CR_FAMILY_CUTS)
				return changed;
			if (cut(a, &i, start, end, e) < 0 || cut(b, &k, start, end, e) < 0)
				return -e->no;
			changed = true; /* and both are alike here, now */
			continue;
		}
		i += p.end == end;
		k += q.end == end;
	}
	return changed;
}

/* Who may have pages in common with t by criu's rules (prepare_cow_vmas()); NULL: nobody. */
static struct task *find_parent(const struct family *f, const struct task *t)
{
	for (struct task *p = f->tasks; t->text && p < t; p++)
		if (p->pid == t->ppid)
			return p->text && p->exe == t->exe ? p : NULL;
	return NULL;
}

/* A cut for one child can part the parent from another child that was like it: until nothing changes, which is at the latest when all are cut wherever any of them was. */
static int align_all(struct family *f, struct err *e)
{
	int changed = 1, r;

	for (struct task *t = f->tasks; t < f->tasks + f->count; t++)
		t->parent = find_parent(f, t);
	while (changed) {
		changed = 0;
		for (struct task *t = f->tasks; t < f->tasks + f->count; t++) {
			r = t->parent ? align(t->parent, t, e) : 0;
			if (r < 0)
				return r;
			changed |= r;
		}
	}
	return 0;
}

/* --- write --- */

static uint8_t *put_bytes(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
	memcpy(to, at, (size_t)(end - at));
	return to + (end - at);
}

static size_t varint_size(uint64_t value)
{
	uint8_t room[CR_VARINT_MOST];

	return (size_t)(cr_image_put_varint(room, value) - room);
}

/* The mapping with other ends. All else, and what a later criu may have added, stays. */
static uint8_t *put_vma(uint8_t *to, struct cr_span vma, struct piece p)
{
	struct cr_span rest, content;
	const uint8_t *field;
	size_t size = 0;
	unsigned number;
	uint64_t value;

	/* Twice the same walk: for the length, which comes first, and for the content. */
	for (int pass = 0; pass < 2; pass++) {
		for (rest = vma, field = vma.at; cr_image_field(&rest, &number, &value, &content);
		     field = rest.at) {
			if (number == VMA_START || number == VMA_END) {
				uint64_t edge = number == VMA_START ? p.start : p.end;

				if (pass) {
					*to++ = (uint8_t)(number << 3);
					to = cr_image_put_varint(to, edge);
				}
				size += 1 + varint_size(edge);
			} else {
				if (pass)
					to = put_bytes(to, field, rest.at);
				size += (size_t)(rest.at - field);
			}
		}
		if (!pass) {
			*to++ = MM_VMAS << 3 | 2;
			to = cr_image_put_varint(to, size);
		}
	}
	return to;
}

/* All pieces of one mapping. *next: the task's first piece that was not written. */
static uint8_t *put_pieces(uint8_t *to, const struct task *t, size_t *next, struct cr_span vma)
{
	struct vma v;

	/* It was read before. */
	(void)read_vma(vma, &v);
	for (; *next < t->count && t->pieces[*next].start < v.end; ++*next)
		to = put_vma(to, vma, t->pieces[*next]);
	return to;
}

static int write_mm(int images, const struct task *t, struct err *e)
{
	size_t mm = (size_t)(t->mm.end - t->mm.at), longest = 0, next = 0;
	const uint8_t *field = t->mm.at;
	struct cr_span rest, content;
	auto_free uint8_t *text = NULL;
	uint8_t *at;
	char name[32];
	unsigned number;
	uint64_t value;
	uint32_t len;

	for (rest = t->mm; cr_image_field(&rest, &number, &value, &content);)
		if (number == MM_VMAS && (size_t)(content.end - content.at) > longest)
			longest = (size_t)(content.end - content.at);
	at = text = malloc(CR_IMAGE_MAGIC_BYTES + LENGTH_BYTES + mm +
			   (t->count + t->cuts) * (longest + EDGES_MOST + HEAD_MOST));
	if (!text)
		return no_memory(e);
	at = put_bytes(at, (uint8_t *)t->text, (uint8_t *)t->text + CR_IMAGE_MAGIC_BYTES);
	at += LENGTH_BYTES;
	for (rest = t->mm; cr_image_field(&rest, &number, &value, &content); field = rest.at) {
		struct vma v;

		if (number == MM_VMAS && read_vma(content, &v) && is_plain(&v))
			at = put_pieces(at, t, &next, content);
		else
			at = put_bytes(at, field, rest.at);
	}
	len = (uint32_t)(at - text - CR_IMAGE_MAGIC_BYTES - LENGTH_BYTES);
	memcpy(text + CR_IMAGE_MAGIC_BYTES, &len, sizeof(len));
	mm_name(t, name);
	return file_replace_volatile_at(images, name, (char *)text, (size_t)(at - text), 0600, e);
}

int cr_family_align(int images, struct err *e)
{
	auto_family struct family f = {0};
	int r = read_family(images, &f, e), written = 0;

	if (r >= 0)
		r = align_all(&f, e);
	for (size_t i = 0; r >= 0 && i < f.count; i++) {
		if (!f.tasks[i].cuts)
			continue;
		r = write_mm(images, &f.tasks[i], e);
		log_debug("process %u: %zu cuts in its mappings", f.tasks[i].pid, f.tasks[i].cuts);
		written++;
	}
	return r < 0 ? r : written;
}
