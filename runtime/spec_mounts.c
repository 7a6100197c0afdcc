// SPDX-License-Identifier: GPL-2.0-only
/* The spec's mounts. */
#include <errno.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/idmap.h"
#include "runtime/spec_read.h"

/* "0-1000-10#10-2000-1", at most to the end or a ';': the same lines as of uidMappings, FIRST-SECOND-COUNT each. */
static int parse_lines(const char *text, struct ns_idmap **map, size_t *n, const char *path,
		       struct err *e)
{
	const char *at = text;

	if (*map)
		return ct_refuse(e, path, "a map is there twice");
	*map = calloc(NS_IDMAP_MOST, sizeof(**map));
	if (!*map)
		return ct_no_memory(e);
	do {
		struct ns_idmap *line = &(*map)[*n];
		uint32_t *const ids[] = {&line->inside, &line->outside, &line->count};

		if (*n == NS_IDMAP_MOST)
			return ct_refuse(e, path, "a map has over %d lines", NS_IDMAP_MOST);
		for (int i = 0; i < 3; i++) {
			size_t digits = strspn(at, "0123456789");
			unsigned long id = digits && digits < 11 ? strtoul(at, NULL, 10)
								 : (unsigned long)UINT32_MAX + 1;

			at += digits;
			if (id > UINT32_MAX || (i < 2 && *at++ != '-'))
				return ct_refuse(e, path,
						 "'%.60s' is not a map like 0-100000-65536", text);
			*ids[i] = (uint32_t)id;
		}
		++*n;
	} while (*at++ == '#');
	if (at[-1] && at[-1] != ';')
		return ct_refuse(e, path, "'%.60s' is not a map like 0-100000-65536", text);
	if (ns_idmap_check_lines(*map, *n, path, e) < 0)
		e->class = ERR_CONFIG;
	return -e->no;
}

/* crun's own: "idmap=uids=0-1-10;gids=0-1-10". A map that begins with '@', which crun counts from the container's, is refused as not being one. */
static int read_map_option(struct ns_mount *m, const char *maps, const char *path, struct err *e)
{
	for (const char *at = maps; at; at = strchr(at, ';')) {
		int r;

		at += *at == ';';
		if (!strncmp(at, "uids=", 5))
			r = parse_lines(at + 5, &m->uids, &m->n_uids, path, e);
		else if (!strncmp(at, "gids=", 5))
			r = parse_lines(at + 5, &m->gids, &m->n_gids, path, e);
		else
			r = ct_refuse(e, path, "'%.60s' is neither uids= nor gids=", at);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_option(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_mount *m = into;
	const char *word = json_string_value(value);

	if (!word)
		return ct_refuse(e, path, "must be a string");
	if (!strncmp(word, "idmap=", 6) || !strncmp(word, "ridmap=", 7)) {
		*(word[0] == 'r' ? &m->ridmap : &m->idmap) = true;
		return read_map_option(m, strchr(word, '=') + 1, path, e);
	}
	return ns_mount_parse_option(m, word, e) < 0 ? ct_refuse_why(e, path) : 0;
}

static int read_options(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_array(value))
		return ct_refuse(e, path, "must be an array");
	for (size_t i = 0; i < json_array_size(value); i++)
		if (read_option(json_array_get(value, i), path, into, e) < 0)
			return -e->no;
	return 0;
}

static int read_uids(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_mount *m = into;

	if (m->uids)
		return ct_refuse(e, path, "a map is there twice");
	return ct_read_idmap(value, path, &m->uids, &m->n_uids, e);
}

static int read_gids(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_mount *m = into;

	if (m->gids)
		return ct_refuse(e, path, "a map is there twice");
	return ct_read_idmap(value, path, &m->gids, &m->n_gids, e);
}

/*
 * "ro" is for the top alone, and the control groups below /sys are mounts of their own: a user's container, which has the host's /sys where it has no network of its own, would write to those that are
 * the user's (CVE-2023-25809). Whoever wants that says "rrw", or mounts a "cgroup" there.
 */
static void keep_groups(struct ns_mount *m)
{
	if (m->bind && m->recursive && m->attr_set & MOUNT_ATTR_RDONLY && m->source &&
	    !strncmp(m->source, "/sys", 4) && strspn(m->source + 4, "/") == strlen(m->source + 4) &&
	    !(m->rec_attr_clr & MOUNT_ATTR_RDONLY))
		m->rec_attr_set |= MOUNT_ATTR_RDONLY;
}

/* Not only "bind" among the options, also the type "bind" makes a bind mount, as in the other runtimes. */
static int judge(struct ns_mount *m, const char *path, struct err *e)
{
	if (m->fstype && !strcmp(m->fstype, "bind"))
		m->bind = true;
	if (m->bind || (m->fstype && !m->fstype[0])) {
		free(m->fstype);
		m->fstype = NULL;
	}
	if (!m->target || !m->target[0])
		return ct_refuse(e, path, "destination is missing");
	if (!m->bind && !m->fstype && !m->remount)
		return ct_refuse(e, path, "type is missing");
	if (m->bind && !m->remount && (!m->source || !m->source[0]))
		return ct_refuse(e, path, "a bind mount needs a source");
	if (!m->n_uids != !m->n_gids)
		return ct_refuse(e, path,
				 "uidMappings and gidMappings must be there both or neither");
	/* The option only says whether the mounts below are mapped, too. */
	m->idmap |= m->n_uids && !m->ridmap;
	if ((m->idmap || m->ridmap) && m->remount)
		return ct_refuse(e, path, "what is mounted already cannot be id-mapped");
	if ((m->idmap || m->ridmap) && !m->bind)
		return ct_refuse(e, path, "only a bind mount can be id-mapped");
	if (m->tmpcopyup && (!m->fstype || strcmp(m->fstype, "tmpfs") != 0))
		return ct_refuse(e, path, "tmpcopyup is for a tmpfs");
	keep_groups(m);
	return 0;
}

static int read_mount(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"destination", ct_read_str, offsetof(struct ns_mount, target)},
		{"source", ct_read_str, offsetof(struct ns_mount, source)},
		{"type", ct_read_str, offsetof(struct ns_mount, fstype)},
		{"options", read_options, 0},
		{"uidMappings", read_uids, 0},
		{"gidMappings", read_gids, 0},
	};
	struct ns_mount *m = into;

	ns_mount_init(m);
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), m, e) < 0)
		return -e->no;
	return judge(m, path, e);
}

int ct_read_mounts(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	void *items = NULL;
	int r = ct_read_list(value, path, read_mount, sizeof(*spec->mounts), &items,
			     &spec->n_mounts, e);

	spec->mounts = items;
	for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++) {
		struct ns_mount *m = &spec->mounts[i];
		char *absolute;

		/* A relative destination is relative to "/" (runtime-spec, "Mounts"), a relative source to the bundle. */
		absolute = ct_path_below("", m->target, e);
		if (!absolute)
			return -e->no;
		free(m->target);
		m->target = absolute;
		if (!m->bind || !m->source)
			continue;
		absolute = ct_path_below(spec->bundle, m->source, e);
		if (!absolute)
			return -e->no;
		free(m->source);
		m->source = absolute;
	}
	return r;
}
