// SPDX-License-Identifier: GPL-2.0-only
/* Taking, keeping and making again what criu leaves out. */
#include "checkpoint/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"

#define GROUPS_MOST 4096
#define DEPTH_MOST  64

/* Limits that a group's owner may have set, with what a new group has. */
static const struct {
	const char *file, *fresh;
} limits[] = {{"cpu.weight", "100"},	   {"cpu.max", "max 100000"}, {"memory.max", "max"},
	      {"memory.high", "max"},	   {"memory.low", "0"},	      {"memory.min", "0"},
	      {"memory.swap.max", "max"},  {"memory.oom.group", "0"}, {"pids.max", "max"},
	      {"io.weight", "default 100"}};

void cr_record_done(struct cr_record *r)
{
	json_decref(r->groups);
	*r = (struct cr_record){0};
}

/* A small file's only line; "" if it is not there. */
static void read_line(int dir, const char *name, char *line, size_t size)
{
	auto_free char *text = NULL;
	struct err ignored = {0};

	line[0] = 0;
	if (file_try_read_at(dir, name, 4096, &text, &ignored) < 0)
		return;
	text[strcspn(text, "\n")] = 0;
	snprintf(line, size, "%s", text);
}

static int note_group(json_t *groups, int dir, const char *path, struct err *e)
{
	json_t *set = json_object();
	char line[256];
	struct stat st;
	int bad = 0;

	for (size_t i = 0; path[0] && i < ARRAY_SIZE(limits); i++) {
		read_line(dir, limits[i].file, line, sizeof(line));
		if (line[0] && strcmp(line, limits[i].fresh))
			bad |= json_object_set_new(set, limits[i].file, json_string(line));
	}
	read_line(dir, "cgroup.subtree_control", line, sizeof(line));
	if (fstat(dir, &st) < 0) {
		json_decref(set);
		return err_sys(e, "look at control group %s", path);
	}
	bad |= json_array_append_new(
		groups, json_pack("{sssIsIssso}", "path", path, "uid", (json_int_t)st.st_uid, "gid",
				  (json_int_t)st.st_gid, "controllers", line, "limits", set));
	if (bad)
		return err_set(e, ENOMEM, "note control group %s: no memory", path);
	if (json_array_size(groups) > GROUPS_MOST)
		return err_set(e, E2BIG, "more than %d control groups", GROUPS_MOST);
	return 0;
}

/* Depth first, a group before its children. Takes dir. */
static int walk_groups(json_t *groups, int *dir, const char *path, int depth, struct err *e)
{
	auto_fd int self = take_fd(dir);
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int r = depth > DEPTH_MOST ? err_set(e, E2BIG, "control groups are too deep") : 0;
	int copy;

	if (r >= 0)
		r = note_group(groups, self, path, e);
	if (r < 0)
		return r;
	copy = fcntl(self, F_DUPFD_CLOEXEC, 3);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list control group %s", path);
	while (r >= 0 && (entry = readdir(d))) {
		char below[1024];
		auto_fd int child = -EBADF;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "",
			     entry->d_name) >= (int)sizeof(below))
			return err_set(e, ENAMETOOLONG, "control group %s is too deep", path);
		child = openat(self, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			r = walk_groups(groups, &child, below, depth + 1, e);
		else if (errno != ENOENT)
			r = err_sys(e, "open control group %s", below);
	}
	return r;
}

int cr_record_take(const struct ct *ct, const struct ct_definition *d, struct cr_record *r,
		   struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	int top, n = cg_open(ct->s.cgroup, &cg, e);

	*r = (struct cr_record){.id_base = ct->s.id_base, .groups = json_array()};
	if (n < 0)
		return n;
	if (!r->groups)
		return err_set(e, ENOMEM, "note the control groups: no memory");
	snprintf(r->terminal, sizeof(r->terminal), "%s", ct->s.terminal);
	for (unsigned i = 0; d && d->network == CT_NETWORK_PRIVATE && i < d->net_count; i++)
		snprintf(r->nets[r->net_count++], IFNAMSIZ, "%s", d->nets[i].name);
	if (cg.ct < 0)
		return 0;
	top = fcntl(cg.ct, F_DUPFD_CLOEXEC, 3);
	if (top < 0)
		return err_sys(e, "copy a descriptor");
	return walk_groups(r->groups, &top, "", 0, e);
}

int cr_record_save(int images, const struct cr_record *r, struct err *e)
{
	auto_json json_t *j = json_object();
	json_t *nets = json_array();
	int bad = !j || !nets;

	for (unsigned i = 0; i < r->net_count; i++)
		bad |= json_array_append_new(nets, json_string(r->nets[i]));
	bad |= json_object_set_new(j, "version", json_integer(CR_RECORD_VERSION));
	bad |= json_object_set_new(j, "terminal", json_string(r->terminal));
	if (r->ctty[0])
		bad |= json_object_set_new(j, "ctty", json_string(r->ctty));
	bad |= json_object_set_new(j, "nets", nets);
	bad |= json_object_set_new(j, "id_base", json_integer(r->id_base));
	bad |= json_object_set(j, "groups", r->groups);
	if (bad)
		return err_set(e, ENOMEM, "write " CR_RECORD_FILE ": no memory");
	return json_save_at(images, CR_RECORD_FILE, j, e);
}

static int nonsense(const char *what, struct err *e)
{
	err_set(e, EINVAL, CR_RECORD_FILE ": %s makes no sense", what);
	err_hint(e, "the checkpoint is damaged: `skepctl stop` drops it");
	return err_class(e, ERR_RESTORE);
}

static int load_nets(const json_t *j, struct cr_record *r, struct err *e)
{
	json_t *nets = NULL, *net;
	size_t i;

	if (json_get_array(j, "nets", &nets, e) < 0)
		return -e->no;
	if (json_array_size(nets) > CT_NETS_MAX)
		return nonsense("nets", e);
	json_array_foreach (nets, i, net) {
		const char *name = json_string_value(net);

		if (!name || !net_link_name_ok(name))
			return nonsense("nets", e);
		snprintf(r->nets[r->net_count++], IFNAMSIZ, "%s", name);
	}
	return 0;
}

/* No way out of the group that it is relative to. */
static bool inside(const char *path)
{
	if (path[0] == '/' || strlen(path) > 1000)
		return false;
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (p[0] == '.' || (p[0] == '/' && path[0]))
			return false;
	}
	return true;
}

static int check_groups(const json_t *groups, struct err *e)
{
	json_t *g;
	size_t i;

	if (json_array_size(groups) > GROUPS_MOST)
		return nonsense("groups", e);
	json_array_foreach (groups, i, g) {
		const char *path = json_string_value(json_object_get(g, "path"));

		if (!path || !inside(path) || !json_is_integer(json_object_get(g, "uid")) ||
		    !json_is_integer(json_object_get(g, "gid")) ||
		    !json_is_string(json_object_get(g, "controllers")) ||
		    !json_is_object(json_object_get(g, "limits")))
			return nonsense("groups", e);
	}
	return 0;
}

static bool is_device(const char *name)
{
	return strlen(name) < sizeof(((struct cr_record *)NULL)->terminal) &&
	       strspn(name, "0123456789abcdef:") == strlen(name);
}

int cr_record_load(int images, struct cr_record *r, struct err *e)
{
	auto_json json_t *j = NULL;
	json_t *groups = NULL;
	const char *terminal = "", *ctty = "";
	int64_t version = 0, id_base = 0;
	int n = json_load_at(images, CR_RECORD_FILE, &j, e);

	*r = (struct cr_record){0};
	if (n < 0 || json_get_int(j, "version", &version, e) < 0 ||
	    json_get_int(j, "id_base", &id_base, e) < 0 ||
	    json_get_str(j, "terminal", &terminal, e) < 0 ||
	    json_get_str(j, "ctty", &ctty, e) < 0 || json_get_array(j, "groups", &groups, e) < 0 ||
	    load_nets(j, r, e) < 0)
		return err_class(e, ERR_RESTORE);
	if (version != CR_RECORD_VERSION)
		return nonsense("version", e);
	if (id_base < 0 || id_base > UINT32_MAX || !is_device(terminal) || !is_device(ctty))
		return nonsense("terminal, ctty or id_base", e);
	if (check_groups(groups, e) < 0)
		return -e->no;
	r->id_base = (uint32_t)id_base;
	snprintf(r->terminal, sizeof(r->terminal), "%s", terminal);
	snprintf(r->ctty, sizeof(r->ctty), "%s", ctty);
	r->groups = json_incref(groups);
	return 0;
}

/* All files are the container root's, as if it had made the group itself; one that it gave away has the files of a delegation given away. */
static int own_group(int dir, uint32_t root, uint32_t uid, uint32_t gid, struct err *e)
{
	static const char *const delegated[] = {"cgroup.procs", "cgroup.subtree_control",
						"cgroup.threads"};
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list a control group");
	while ((entry = readdir(d)))
		if (entry->d_type == DT_REG && fchownat(dir, entry->d_name, root, root, 0) < 0)
			return err_sys(e, "give %s to the container", entry->d_name);
	for (size_t i = 0; uid != root && i < ARRAY_SIZE(delegated); i++)
		if (fchownat(dir, delegated[i], uid, gid, 0) < 0 && errno != ENOENT)
			return err_sys(e, "give %s away", delegated[i]);
	return fchown(dir, uid, gid) < 0 ? err_sys(e, "give a control group away") : 0;
}

static void enable(int dir, const char *controllers)
{
	char list[256], word[40], *save = NULL;

	snprintf(list, sizeof(list), "%s", controllers);
	for (char *c = strtok_r(list, " ", &save); c; c = strtok_r(NULL, " ", &save)) {
		struct err why = {0};

		snprintf(word, sizeof(word), "+%.32s", c);
		if (file_write_at(dir, "cgroup.subtree_control", word, &why) < 0)
			log_warn("controller %s inside the container: %s", c, why.text);
	}
}

static void set_limits(int dir, json_t *set)
{
	const char *file;
	json_t *value;

	json_object_foreach (set, file, value) {
		bool known = false;
		struct err why = {0};

		for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
			known |= !strcmp(file, limits[i].file);
		if (known && json_is_string(value) &&
		    file_write_at(dir, file, json_string_value(value), &why) < 0)
			log_warn("limit %s inside the container: %s", file, why.text);
	}
}

/* Whether the kernel adds files to these groups, or takes limits, only after their controllers are enabled. */
static bool has_settings(const struct cr_record *r)
{
	json_t *g;
	size_t i;

	json_array_foreach (r->groups, i, g)
		if (json_string_value(json_object_get(g, "controllers"))[0] ||
		    json_object_size(json_object_get(g, "limits")))
			return true;
	return false;
}

static int each_group(const struct cr_record *r, const struct cg *cg, bool settings, struct err *e)
{
	json_t *g;
	size_t i;

	json_array_foreach (r->groups, i, g) {
		const char *path = json_string_value(json_object_get(g, "path"));
		uint32_t uid = (uint32_t)json_integer_value(json_object_get(g, "uid"));
		uint32_t gid = (uint32_t)json_integer_value(json_object_get(g, "gid"));
		auto_fd int dir = -EBADF;

		if (!settings && path[0] && mkdirat(cg->ct, path, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make control group %s of the container", path);
		dir = openat(cg->ct, path[0] ? path : ".",
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			return err_sys(e, "open control group %s of the container", path);
		if (path[0] && own_group(dir, r->id_base, uid, gid, e) < 0)
			return -e->no;
		if (settings && path[0])
			set_limits(dir, json_object_get(g, "limits"));
		if (settings)
			enable(dir, json_string_value(json_object_get(g, "controllers")));
	}
	return 0;
}

int cr_record_make_groups(const struct cr_record *r, const struct cg *cg, struct err *e)
{
	if (cg->ct < 0)
		return 0;
	return each_group(r, cg, false, e) < 0 ? -e->no : has_settings(r);
}

int cr_record_equip_groups(const struct cr_record *r, const struct cg *cg, struct err *e)
{
	return cg->ct < 0 ? 0 : each_group(r, cg, true, e);
}
