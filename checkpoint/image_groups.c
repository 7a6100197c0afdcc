// SPDX-License-Identifier: GPL-2.0-only
/* Reads criu's sets of control groups. */
#include "checkpoint/image_groups.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/member.h"
#include "checkpoint/image.h"

#define IMAGE "cgroup.img"

/* Fields as in criu's images/cgroup.proto. */
#define CGROUP_SET    1
#define SET_MEMBER    2
#define MEMBER_NAME   1
#define MEMBER_PATH   2
#define MEMBER_PREFIX 3 /* how much of the path its cgroup namespace does not show */

struct reading {
	unsigned ours; /* hierarchies in which the new group is */
	unsigned seen; /* those of the images */
	bool strange;  /* one of the images' is none of ours */
	bool deeper;   /* a task was below its namespace's group, or that is not known */
};

static void read_name(const struct cr_span *text, struct reading *r)
{
	char name[256];
	unsigned bits;

	snprintf(name, sizeof(name), "%.*s", (int)(text->end - text->at), (const char *)text->at);
	bits = cg_member_bits(name);
	r->seen |= bits;
	r->strange |= !(bits & r->ours);
}

static bool read_member(struct cr_span member, struct reading *r)
{
	struct cr_span content;
	unsigned number;
	uint64_t value, path = 0, prefix = 0;

	while (cr_image_field(&member, &number, &value, &content)) {
		if (number == MEMBER_NAME && content.at)
			read_name(&content, r);
		if (number == MEMBER_PATH)
			path = (uint64_t)(content.end - content.at);
		if (number == MEMBER_PREFIX)
			prefix = value;
	}
	r->deeper |= path != prefix;
	return member.at == member.end;
}

static bool read_set(struct cr_span set, struct reading *r)
{
	struct cr_span content;
	unsigned number;
	uint64_t value;

	while (cr_image_field(&set, &number, &value, &content))
		if (number == SET_MEMBER && !read_member(content, r))
			return false;
	return set.at == set.end;
}

int cr_image_groups_fit(int images, const struct cg *cg, struct err *e)
{
	struct reading r = {.ours = cg_member_bits_of(cg)};
	auto_free char *text = NULL;
	struct cr_span all, entry, content;
	int n = cr_image_read(images, IMAGE, &text, &all, e);
	unsigned number;
	uint64_t value;

	if (n < 0)
		return err_set(e, -n, "open image " IMAGE);
	if (!cr_image_next(&all, &entry))
		return all.at == all.end ? 0 : cr_image_damaged(IMAGE, e);
	while (cr_image_field(&entry, &number, &value, &content))
		if (number == CGROUP_SET && !read_set(content, &r))
			return cr_image_damaged(IMAGE, e);
	if (entry.at != entry.end)
		return cr_image_damaged(IMAGE, e);
	return r.deeper || (!r.strange && (r.seen & r.ours) == r.ours);
}
