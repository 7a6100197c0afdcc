// SPDX-License-Identifier: GPL-2.0-only
/* A hash table of (device, inode). */
#include "storage/inodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct st_inode *slot_of(struct st_inode *slots, size_t room, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ dev << 20) * 0x9e3779b97f4a7c15ULL >> 20) & (room - 1);

	while (slots[i].path && (slots[i].ino != ino || slots[i].dev != dev))
		i = (i + 1) & (room - 1);
	return &slots[i];
}

static int grow(struct st_inodes *s)
{
	size_t room = s->room ? 2 * s->room : 256;
	struct st_inode *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i].path)
			*slot_of(slots, room, s->slots[i].dev, s->slots[i].ino) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->room = room;
	return 0;
}

int st_inodes_note(struct st_inodes *s, const struct stat *st, const char *path, const char **first)
{
	struct st_inode *slot;

	if (2 * s->count >= s->room && grow(s) < 0)
		return -ENOMEM;
	slot = slot_of(s->slots, s->room, st->st_dev, st->st_ino);
	*first = slot->path;
	if (slot->path)
		return 0;
	slot->path = strdup(path);
	if (!slot->path)
		return -ENOMEM;
	slot->dev = st->st_dev;
	slot->ino = st->st_ino;
	s->count++;
	return 0;
}

void st_inodes_done(struct st_inodes *s)
{
	for (size_t i = 0; i < s->room; i++)
		free(s->slots[i].path);
	free(s->slots);
	memset(s, 0, sizeof(*s));
}
