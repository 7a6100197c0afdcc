// SPDX-License-Identifier: GPL-2.0-only
/* Groups of the resctrl file system. */
#include "cgroups/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define SCHEMATA_MOST (64u << 10)
#define PATH_MOST     256
/* A cache of that many pieces has not been built yet. */
#define VALUES_MOST 512

/* -ENOENT with e untouched: there is none. */
static int open_root(struct err *e)
{
	auto_fd int fd = open(CG_RDT_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, "open " CG_RDT_MOUNT);
	return fs.f_type == RDTGROUP_SUPER_MAGIC ? take_fd(&fd) : -ENOENT;
}

int cg_rdt_open(struct err *e)
{
	int fd = open_root(e);

	if (fd != -ENOENT)
		return fd;
	err_set(e, EOPNOTSUPP, "no resctrl file system is mounted on " CG_RDT_MOUNT);
	err_hint(
		e,
		"a CPU with Intel RDT, or AMD's or Arm's like, has it: mount -t resctrl resctrl " CG_RDT_MOUNT);
	return err_class(e, ERR_UNSUPPORTED);
}

bool cg_rdt_name_ok(const char *name)
{
	static const char *const kernels[] = {".", "..", "info", "mon_groups", "mon_data"};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (!strcmp(name, kernels[i]))
			return false;
	return name[0] && strlen(name) < 200 && !strchr(name, '/') && !strchr(name, '\n');
}

static bool is_root(const struct cg_rdt *rdt)
{
	return rdt->clos && !strcmp(rdt->clos, "/");
}

static bool monitors(const struct cg_rdt *rdt)
{
	return rdt->monitor || rdt->cmt || rdt->mbm;
}

static bool has_lines(const struct cg_rdt *rdt)
{
	return rdt->l3 || rdt->mb || (rdt->schemata && rdt->schemata[0]);
}

/* PATH below the root of a file of the group's. */
static const char *in_group(const struct cg_rdt *rdt, const char *id, const char *file,
			    char path[PATH_MOST])
{
	snprintf(path, PATH_MOST, "%s%s%s",
		 is_root(rdt) ? ""
		 : rdt->clos  ? rdt->clos
			      : id,
		 is_root(rdt) || !file[0] ? "" : "/", file);
	return path;
}

/* Of the monitoring group. */
static const char *in_monitor(const struct cg_rdt *rdt, const char *id, const char *file,
			      char path[PATH_MOST])
{
	char below[PATH_MOST];

	snprintf(below, sizeof(below), "mon_groups/%.100s%s", id, file);
	return in_group(rdt, id, below, path);
}

/* What a group has of a resource: "  L3:0=7ff;1=7ff". */
struct values {
	char name[16];
	size_t n;
	struct {
		unsigned long id, value;
	} list[VALUES_MOST];
};

/* Bandwidth is in tens, bits of caches are in hexadecimal digits. */
static bool parse_line(const char *p, struct values *v)
{
	size_t len;

	p += strspn(p, " \t");
	len = strcspn(p, ":\n");
	if (p[len] != ':' || !len || len >= sizeof(v->name))
		return false;
	memcpy(v->name, p, len);
	v->name[len] = 0;
	v->n = 0;
	for (p += len + 1; *p && *p != '\n'; p += strspn(p, "; ")) {
		char *end;

		if (v->n == VALUES_MOST)
			return false;
		v->list[v->n].id = strtoul(p, &end, 10);
		end += strspn(end, " ");
		if (*end != '=')
			return false;
		p = end + 1;
		v->list[v->n++].value = strtoul(p, &end, !strncmp(v->name, "MB", 2) ? 10 : 16);
		if (end == p)
			return false;
		p = end;
	}
	return true;
}

static bool same(const struct values *a, const struct values *b)
{
	size_t found = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			found += a->list[i].id == b->list[k].id &&
				 a->list[i].value == b->list[k].value;
	return a->n == b->n && found == a->n;
}

static bool in_text(const char *text, const struct values *wanted, struct values *there)
{
	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (parse_line(p, there) && !strcmp(there->name, wanted->name))
			return same(wanted, there);
	return false;
}

/* Each line of given is as the group has it. */
static int compare(const char *text, const char *given, const char *group, struct err *e)
{
	auto_free struct values *wanted = calloc(2, sizeof(*wanted));

	if (!wanted)
		return err_set(e, ENOMEM, "out of memory for a schema");
	for (const char *p = given; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (parse_line(p, wanted) && in_text(text, wanted, wanted + 1))
			continue;
		err_set(e, EEXIST, "the group '%s' is there and has another schema than '%.100s'",
			group, p);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

static int compare_all(int root, const struct cg_rdt *rdt, const char *id, struct err *e)
{
	char path[PATH_MOST];
	auto_free char *text = NULL;

	if (!rdt->l3 && !rdt->mb)
		return 0;
	if (file_read_at(root, in_group(rdt, id, "schemata", path), SCHEMATA_MOST, &text, e) < 0)
		return -e->no;
	if (compare(text, rdt->l3, rdt->clos, e) < 0)
		return -e->no;
	return compare(text, rdt->mb, rdt->clos, e);
}

/* 1: it is there now, and was not. The file system makes what is in it. */
static int make_dir(int root, const char *path, const struct cg_rdt_notes *notes, struct err *e)
{
	struct stat st;
	int r;

	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = notes ? notes->note(notes->arg, path, e) : 0;
	if (r < 0)
		return r;
	if (mkdirat(root, path, 0755) == 0)
		return 1;
	if (errno != EEXIST) {
		err_sys(e, "make group %s of resctrl", path);
		return e->no == ENOSPC ? err_hint(e, "this CPU has no more of them") : -e->no;
	}
	/* Another one's, since then. */
	return notes ? notes->drop(notes->arg, path, e) : 0;
}

static int must_be_there(int root, const struct cg_rdt *rdt, struct err *e)
{
	struct stat st;
	int r = fstatat(root, rdt->clos, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0 && errno != ENOENT)
		return err_sys(e, "stat group %s of resctrl", rdt->clos);
	if (r == 0 && S_ISDIR(st.st_mode))
		return 0;
	err_set(e, ENOENT, "the group '%s' of resctrl does not exist", rdt->clos);
	err_hint(e, "with a schema beside closID it is made");
	return err_class(e, ERR_CONFIG);
}

int cg_rdt_make(int root, const struct cg_rdt *rdt, const char *id,
		const struct cg_rdt_notes *notes, struct err *e)
{
	char path[PATH_MOST];
	int r = 0;

	/* What bears a name of its own outlives the container. */
	if (is_root(rdt)) {
		r = compare_all(root, rdt, id, e);
	} else if (rdt->clos && !has_lines(rdt)) {
		r = must_be_there(root, rdt, e);
	} else {
		r = make_dir(root, in_group(rdt, id, "", path), rdt->clos ? NULL : notes, e);
		if (r == 0 && rdt->clos)
			r = compare_all(root, rdt, id, e);
	}
	if (r < 0 || !monitors(rdt))
		return r < 0 ? r : 0;
	r = make_dir(root, in_monitor(rdt, id, "", path), notes, e);
	return r < 0 ? r : 0;
}

static int put_lines(FILE *f, const struct cg_rdt *rdt)
{
	/* Of two that speak about the bandwidth, memBwSchema has the word (runtime-spec 1.2). */
	for (const char *p = rdt->l3; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!rdt->mb || strncmp(p, "MB:", 3) != 0)
			fprintf(f, "%.*s\n", (int)strcspn(p, "\n"), p);
	if (rdt->mb)
		fprintf(f, "%s\n", rdt->mb);
	for (char **s = rdt->schemata; s && *s; s++)
		fprintf(f, "%s\n", *s);
	return fclose(f);
}

int cg_rdt_write(int root, const struct cg_rdt *rdt, const char *id, struct err *e)
{
	auto_free char *text = NULL, *said = NULL;
	struct err ignored = {0};
	char path[PATH_MOST];
	size_t len;
	FILE *f;

	if (!has_lines(rdt))
		return 0;
	f = open_memstream(&text, &len);
	if (!f || put_lines(f, rdt))
		return err_set(e, ENOMEM, "out of memory for a schema");
	if (file_write_at(root, in_group(rdt, id, "schemata", path), text, e) >= 0)
		return 0;
	/* "ok", or what is wrong with which line. */
	if (file_try_read_at(root, "info/last_cmd_status", 4096, &said, &ignored) > 0) {
		said[strcspn(said, "\n")] = 0;
		err_hint(e, "the kernel says: %s", said);
	}
	return err_class(e, ERR_CONFIG);
}

int cg_rdt_add(int root, const struct cg_rdt *rdt, const char *id, pid_t pid, struct err *e)
{
	char path[PATH_MOST], text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (file_write_at(root, in_group(rdt, id, "tasks", path), text, e) < 0)
		return -e->no;
	return monitors(rdt) ? file_write_at(root, in_monitor(rdt, id, "/tasks", path), text, e)
			     : 0;
}

int cg_rdt_remove(const char *path, struct err *e)
{
	auto_fd int root = open_root(e);

	/* Its groups go with it when it is unmounted. Not to be able to look is no such word: the ledger would forget them. */
	if (root < 0)
		return root == -ENOENT ? 0 : root;
	if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "remove group %s of resctrl", path);
}
