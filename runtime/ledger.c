// SPDX-License-Identifier: GPL-2.0-only
/* STATE/ID/ledger: written line by line before each deed, read backwards to undo them. */
#include "runtime/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/rdt.h"
#include "net/iface.h"
#include "net/routed.h"
#include "net/veth.h"
#include "ns/rootfs.h"
#include "runtime/bridge_release.h"
#include "runtime/net_place.h"
#include "runtime/remains.h"
#include "runtime/scope.h"
#include "runtime/state.h"

#define LEDGER_MOST (1u << 20)

static const char *const kind_words[] = {
#define X(name, word) [CT_LEDGER_##name] = word,
	CT_LEDGER_KINDS(X)
#undef X
};

struct line {
	const char *name; /* in the text of the file; NULL: a line that we cannot read */
	enum ct_ledger_kind kind;
	bool undone;
};

struct ledger {
	char *text;
	struct line *lines;
	size_t count;
};

static void ledger_done(struct ledger *l)
{
	free(l->text);
	free(l->lines);
	*l = (struct ledger){0};
}

#define auto_ledger __attribute__((cleanup(ledger_done)))

int ct_ledger_add(int dir, enum ct_ledger_kind kind, const char *name, struct err *e)
{
	auto_fd int fd = openat(dir, CT_LEDGER_FILE,
				O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char line[512];
	int n;

	if (fd < 0)
		return err_sys(e, "open the ledger");
	n = snprintf(line, sizeof(line), "%s %s\n", kind_words[kind], name);
	if (n >= (int)sizeof(line) || strchr(name, '\n') || !name[0])
		return err_set(e, EINVAL, "'%.64s' cannot be noted in the ledger", name);
	if (write(fd, line, (size_t)n) == n)
		return 0;
	/* A torn line (a full disk) is no intent. The next one must not be glued to it. */
	if (!errno)
		errno = ENOSPC;
	err_sys(e, "note %s %s in the ledger", kind_words[kind], name);
	if (write(fd, "\n", 1) < 0)
		log_warn("the ledger has a torn line: %s", strerror(errno));
	return -e->no;
}

static bool read_line(char *text, struct line *l)
{
	char *space = strchr(text, ' ');

	if (!space || !space[1])
		return false;
	*space = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kind_words); i++)
		if (!strcmp(text, kind_words[i])) {
			l->kind = (enum ct_ledger_kind)i;
			l->name = space + 1;
			return true;
		}
	*space = ' ';
	return false;
}

/* Lines in the order of the file. A torn or unknown one is told and left out: it must not keep the others from being undone. */
static int load(int dir, struct ledger *l, struct err *e)
{
	char *save = NULL;
	size_t room = 1;
	int r = file_try_read_at(dir, CT_LEDGER_FILE, LEDGER_MOST, &l->text, e);

	if (r == -ENOENT && !e->no)
		return 0;
	if (r < 0)
		return r;
	for (const char *p = l->text; (p = strchr(p, '\n')); p++)
		room++;
	l->lines = calloc(room, sizeof(*l->lines));
	if (!l->lines)
		return err_set(e, ENOMEM, "read the ledger: no memory");
	for (char *t = strtok_r(l->text, "\n", &save); t; t = strtok_r(NULL, "\n", &save)) {
		if (read_line(t, &l->lines[l->count]))
			l->count++;
		else
			log_warn("ledger: line '%.64s' says nothing we know, passed over", t);
	}
	return 0;
}

int ct_ledger_walk(int dir,
		   int (*fn)(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e),
		   void *arg, struct err *e)
{
	auto_ledger struct ledger l = {0};
	int r = load(dir, &l, e);

	for (size_t i = l.count; i-- > 0 && r >= 0;)
		r = fn(l.lines[i].kind, l.lines[i].name, arg, e);
	return r < 0 ? r : 0;
}

int ct_ledger_lock_net(struct err *e)
{
	return ct_net_place_lock(CT_NET_LOCK_WAIT_MS, e);
}

/* "HOSTNAME ADDR/PREFIX UPLINK|-" */
static int undo_route(const char *name, struct err *e)
{
	char host_name[IFNAMSIZ], text[NET_ADDR_STR_MAX], uplink[IFNAMSIZ];
	struct net_addr addr;

	if (sscanf(name, "%15s %63s %15s", host_name, text, uplink) != 3)
		return err_set(e, EINVAL, "ledger: route '%.100s' is no route", name);
	if (net_addr_parse(text, &addr, e) < 0)
		return -e->no;
	return net_routed_remove(host_name, &addr, strcmp(uplink, "-") ? uplink : "", e);
}

/* "UNIQUE ID PATH", from before "UNIQUE PATH" */
static int undo_mount(const char *name, struct err *e)
{
	unsigned long long unique, number;
	struct ns_rootfs_id id;
	int at = 0;

	if (sscanf(name, "%llu %llu %n", &unique, &number, &at) != 2 || !at) {
		number = 0;
		if (sscanf(name, "%llu %n", &unique, &at) != 1 || !at)
			return err_set(e, EINVAL, "ledger: mount '%.100s' is no mount", name);
	}
	id = (struct ns_rootfs_id){.unique = unique, .id = number ? number : unique};
	return ns_rootfs_detach(name + at, &id, e);
}

static int undo_line(int dir, const struct line *l, bool leave_links, struct err *e)
{
	switch (l->kind) {
	case CT_LEDGER_CGROUP:
		return cg_destroy(l->name, CT_KILL_WAIT_MS, e);
	case CT_LEDGER_SCOPE:
		return ct_scope_stop(l->name, e);
	case CT_LEDGER_RDT:
		return cg_rdt_remove(l->name, e);
	case CT_LEDGER_MOUNT:
		return undo_mount(l->name, e);
	case CT_LEDGER_BRIDGE:
		return ct_bridge_release(dir, l->name, e);
	case CT_LEDGER_LINK:
		return net_if_destroy(l->name, leave_links, e);
	case CT_LEDGER_ROUTE:
		return undo_route(l->name, e);
	case CT_LEDGER_NFTLOCK:
		return 0; /* in a network namespace that is gone with its processes */
	}
	return err_set(e, EINVAL, "ledger: kind %d", (int)l->kind);
}

static bool is_net(const struct line *l)
{
	return l->kind != CT_LEDGER_CGROUP && l->kind != CT_LEDGER_SCOPE &&
	       l->kind != CT_LEDGER_RDT && l->kind != CT_LEDGER_MOUNT;
}

/* Newest first, on past a failure, whose first cause stays in e. */
static void undo_kinds(int dir, struct ledger *l, bool net, bool leave_links, struct err *e)
{
	for (size_t i = l->count; i-- > 0;) {
		struct line *line = &l->lines[i];
		struct err why = {0};

		if (line->undone || is_net(line) != net)
			continue;
		/* An err of its own: the next one's result must not be judged by this one's failure. */
		if (undo_line(dir, line, leave_links, &why) >= 0)
			line->undone = true;
		else if (!e->no)
			*e = why;
		else
			log_warn("%s", why.text);
	}
}

/* Writes what is still to be undone. */
static int keep_rest(int dir, const struct ledger *l, struct err *e)
{
	auto_free char *text = NULL;
	size_t len = 0, undone = 0;
	FILE *f;

	for (size_t i = 0; i < l->count; i++)
		undone += l->lines[i].undone;
	/* None is as good as an empty one, which would have to be removed, too. */
	if (undone == l->count && (unlinkat(dir, CT_LEDGER_FILE, 0) == 0 || errno == ENOENT))
		return 0;
	f = open_memstream(&text, &len);
	if (!f)
		return err_sys(e, "write the ledger");
	for (size_t i = 0; i < l->count; i++)
		if (!l->lines[i].undone)
			fprintf(f, "%s %s\n", kind_words[l->lines[i].kind], l->lines[i].name);
	if (fclose(f))
		return err_sys(e, "write the ledger");
	return file_replace_volatile_at(dir, CT_LEDGER_FILE, text, len, 0600, e);
}

int ct_ledger_drop(int dir, enum ct_ledger_kind kind, const char *name, struct err *e)
{
	auto_ledger struct ledger l = {0};
	bool any = false;

	if (load(dir, &l, e) < 0)
		return -e->no;
	for (size_t i = 0; i < l.count; i++)
		if (l.lines[i].kind == kind && !strcmp(l.lines[i].name, name))
			any = l.lines[i].undone = true;
	return any ? keep_rest(dir, &l, e) : 0;
}

/*
 * The lines of the network first, and out of the file while we have the network's lock: a bridge line in a ledger is that container's claim on the
 * bridge, and of two that end at the same time one must find itself to be the last.
 */
static int undo_net(int dir, struct ledger *l, bool leave_links, struct err *e)
{
	auto_fd int lock = -EBADF;
	bool any = false;
	struct err why = {0};

	for (size_t i = 0; i < l->count; i++)
		any = any || is_net(&l->lines[i]);
	if (!any)
		return 0;
	lock = ct_ledger_lock_net(e);
	if (lock < 0)
		return lock;
	undo_kinds(dir, l, true, leave_links, e);
	if (keep_rest(dir, l, &why) < 0 && !e->no)
		*e = why;
	return -e->no;
}

int ct_ledger_undo(int dir, bool leave_links, struct err *e)
{
	auto_ledger struct ledger l = {0};
	struct err first = {0};

	if (load(dir, &l, e) < 0)
		return -e->no;
	if (l.count == 0)
		return 0;
	undo_net(dir, &l, leave_links, &first);
	undo_kinds(dir, &l, false, leave_links, &first);
	keep_rest(dir, &l, &first);
	if (first.no && !e->no)
		*e = first;
	return -first.no;
}
