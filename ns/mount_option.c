// SPDX-License-Identifier: GPL-2.0-only
/* The words of OCI mount options, as one table. */
#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/mount.h"

/* X of an attribute word: the bits it sets, the bits it clears. With an "r" before it, it holds for
 * the whole tree. */
static const struct attr_word {
	const char *word;
	uint64_t set, clr;
} attr_words[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
	/* The three atime modes share a field that has to be cleared whole (mount_setattr(2)). Without MS_RELATIME a mount(2) that asks for none of them is relatime all the same (since Linux 2.6.30). */
	{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"norelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

static const struct {
	const char *word;
	unsigned long flags;
} propagation_words[] = {
	{"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
	{"shared", MS_SHARED},	       {"rshared", MS_SHARED | MS_REC},
	{"slave", MS_SLAVE},	       {"rslave", MS_SLAVE | MS_REC},
	{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

/* Words that only mean something to fstab(5) or mount(8): accepted, without effect. */
static const char *const fstab_words[] = {
	"defaults", "async",  "auto", "noauto", "user",	  "nouser",	"users",      "group",
	"_netdev",  "nofail", "loud", "silent", "nomand", "noiversion", "norelative",
};

static void merge(uint64_t *set, uint64_t *clr, const struct attr_word *w)
{
	*set = (*set & ~w->clr) | w->set;
	*clr = (*clr & ~w->set) | w->clr;
	/* The clear half of a mode change stays beside its set half; for plain bits the later word
	 * wins. */
	if (w->clr == MOUNT_ATTR__ATIME)
		*clr |= MOUNT_ATTR__ATIME;
}

static bool parse_attr(struct ns_mount *m, const char *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(attr_words); i++) {
		const struct attr_word *w = &attr_words[i];

		if (!strcmp(opt, w->word)) {
			merge(&m->attr_set, &m->attr_clr, w);
			return true;
		}
	}
	/* "relatime" has been found above, so an r here is the recursive one. */
	for (size_t i = 0; opt[0] == 'r' && i < ARRAY_SIZE(attr_words); i++) {
		const struct attr_word *w = &attr_words[i];

		if (!strcmp(opt + 1, w->word)) {
			merge(&m->rec_attr_set, &m->rec_attr_clr, w);
			return true;
		}
	}
	return false;
}

static bool parse_kind(struct ns_mount *m, const char *opt)
{
	bool *const flag = !strcmp(opt, "bind")		  ? &m->bind
			   : !strcmp(opt, "remount")	  ? &m->remount
			   : !strcmp(opt, "sync")	  ? &m->sync
			   : !strcmp(opt, "idmap")	  ? &m->idmap
			   : !strcmp(opt, "ridmap")	  ? &m->ridmap
			   : !strcmp(opt, "tmpcopyup")	  ? &m->tmpcopyup
			   : !strcmp(opt, "src-nofollow") ? &m->src_nofollow
							  : NULL;

	if (flag) {
		*flag = true;
		return true;
	}
	if (!strcmp(opt, "rbind")) {
		m->bind = m->recursive = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagation_words); i++)
		if (!strcmp(opt, propagation_words[i].word)) {
			m->propagation = propagation_words[i].flags;
			return true;
		}
	for (size_t i = 0; i < ARRAY_SIZE(fstab_words); i++)
		if (!strcmp(opt, fstab_words[i]))
			return true;
	return false;
}

/* A step for each word over all before it: as many as a config.json could have took hours. */
static int add_data(struct ns_mount *m, const char *opt, struct err *e)
{
	size_t len = strlen(opt), at = m->data ? strlen(m->data) : 0;
	char *data;

	if (at + len > NS_MOUNT_DATA_MOST) {
		err_set(e, E2BIG, "the options of %s are longer than %d bytes",
			m->target ? m->target : "a mount", NS_MOUNT_DATA_MOST);
		return err_class(e, ERR_CONFIG);
	}
	data = realloc(m->data, at + len + 2);
	if (!data)
		return err_set(e, ENOMEM, "out of memory for mount options");
	m->data = data;
	if (at)
		data[at++] = ',';
	memcpy(data + at, opt, len + 1);
	return 0;
}

int ns_mount_parse_option(struct ns_mount *m, const char *opt, struct err *e)
{
	if (!*opt)
		return 0;
	for (const char *p = opt; *p; p++) {
		if ((unsigned char)*p >= ' ' && *p != 127)
			continue;
		err_set(e, EINVAL, "control character in a mount option of %s",
			m->target ? m->target : "a mount");
		return err_class(e, ERR_CONFIG);
	}
	if (parse_attr(m, opt) || parse_kind(m, opt))
		return 0;
	return add_data(m, opt, e);
}

void ns_mount_init(struct ns_mount *m)
{
	*m = (struct ns_mount){.source_fd = -EBADF, .seal_fd = -EBADF};
}

void ns_mount_done(struct ns_mount *m)
{
	free(m->source);
	free(m->target);
	free(m->fstype);
	free(m->data);
	free(m->uids);
	free(m->gids);
	own_close_fd(&m->source_fd);
	own_close_fd(&m->seal_fd);
	ns_mount_init(m);
}

static int set_string(char **to, const char *from, struct err *e)
{
	char *copy = from ? strdup(from) : NULL;

	if (from && !copy)
		return err_set(e, ENOMEM, "out of memory for a mount");
	free(*to);
	*to = copy;
	return 0;
}

int ns_mount_set(struct ns_mount *m, const char *source, const char *target, const char *fstype,
		 const char *options, struct err *e)
{
	auto_free char *words = options ? strdup(options) : NULL;
	char *rest = words, *word;
	int r = set_string(&m->source, source, e);

	if (r >= 0)
		r = set_string(&m->target, target, e);
	if (r >= 0)
		r = set_string(&m->fstype, fstype, e);
	if (r >= 0 && options && !words)
		r = err_set(e, ENOMEM, "out of memory for mount options");
	while (r >= 0 && (word = strsep(&rest, ",")))
		r = ns_mount_parse_option(m, word, e);
	return r;
}
