// SPDX-License-Identifier: GPL-2.0-only
/* A template of an archive or a directory; of one that `template export` wrote, the same template. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "storage/import.h"
#include "storage/template.h"

static void find_init(int root, struct st_template *t)
{
	static const char *const inits[] = {"sbin/init", "usr/sbin/init", "lib/systemd/systemd",
					    "bin/sh"};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(inits); i++) {
		auto_fd int fd = path_try_open_in(root, inits[i], O_PATH, &e);

		if (fd < 0)
			continue;
		snprintf(t->init_path, sizeof(t->init_path), "/%s", inits[i]);
		break;
	}
	{
		auto_fd int fd = path_try_open_in(root, "lib/systemd/systemd", O_PATH, &e);

		snprintf(t->stop_signal, sizeof(t->stop_signal), "%s",
			 fd >= 0 ? "SIGRTMIN+3" : "SIGTERM");
	}
}

/* What was exported has to be what is here, or two hosts would take different templates for the same. */
static int check_content(const struct st_template *said, const struct st_template *is,
			 uint64_t devices_skipped, struct err *e)
{
	if (!said->content_id[0] || !strcmp(said->content_id, is->content_id))
		return 0;
	err_set(e, EBADMSG, "its content is not what was exported");
	return err_hint(e, devices_skipped ? "it has device nodes: import it with --keep-devices"
					   : "the archive was changed or is damaged");
}

static int fill(struct st_template_build *b, int from, const struct st_import *how,
		struct st_template *t, struct err *e)
{
	struct st_import_stats stats = {0};
	struct st_template said = *t;
	struct st_import with = how ? *how : (struct st_import){0};
	char digest[ST_DIGEST_SIZE];
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return err_sys(e, "look at it");
	with.meta = &said;
	r = S_ISDIR(st.st_mode) ? st_import_directory(b->root, from, &with, &stats, e)
				: st_import_archive(b->root, from, &with, &stats, e);
	if (r < 0)
		return r;
	*t = said;
	if (!t->content_id[0]) {
		find_init(b->root, t);
		return 0;
	}
	r = st_tree_digest(b->root, digest, e);
	if (r < 0)
		return r;
	memcpy(t->content_id, digest, sizeof(digest));
	return check_content(&said, t, stats.devices_skipped, e);
}

int st_import_template(int templates, const char *name, const char *path,
		       const struct st_import *how, struct err *e)
{
	struct st_template_build b = ST_TEMPLATE_BUILD_INIT;
	struct st_template t = {.distribution = "imported"};
	auto_fd int from = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
					     : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int r;

	if (from < 0)
		return err_sys(e, "open %s", path);
	r = st_template_begin(templates, name, &b, e);
	if (r >= 0)
		r = fill(&b, from, how, &t, e);
	if (r >= 0)
		r = st_template_commit(&b, &t, e);
	st_template_abandon(&b);
	return r < 0 ? err_wrap(e, "import %s", path) : 0;
}
