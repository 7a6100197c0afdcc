// SPDX-License-Identifier: GPL-2.0-only
/* Local sockets of a container whose other end is outside of it, or that nobody has accepted yet. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/preflight_look.h"
#include "checkpoint/preflight_sockets.h"
#include "net/netns.h"

#define ANSWER_BYTES 32768
#define ANSWER_S     2

/* unix(7) borrows the states of TCP. */
struct entry {
	uint32_t inode, peer;
	uint32_t waiting; /* bytes that it wrote and nobody has read */
	uint8_t type, state;
	bool named, closed_waiting; /* somebody connected to it and went before it was accepted */
	uint64_t listener;	    /* that has not accepted it; 0: none */
};

struct table {
	struct entry *list; /* by inode, when all are read */
	size_t count, room;
	struct {
		uint32_t inode, listener;
	} * icons; /* not accepted yet */
	size_t icon_count, icon_room;
};

static void table_done(struct table *t)
{
	free(t->list);
	free(t->icons);
}

static bool grow(void **list, size_t count, size_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return true;
	more = realloc(*list, (*room ? *room * 2 : 256) * size);
	if (!more)
		return false;
	*list = more;
	*room = *room ? *room * 2 : 256;
	return true;
}

static void add_icons(struct table *t, struct entry *e, const struct nlattr *a)
{
	const uint32_t *icons = mnl_attr_get_payload(a);
	size_t n = mnl_attr_get_payload_len(a) / sizeof(*icons);

	for (size_t i = 0; i < n; i++) {
		if (!icons[i])
			e->closed_waiting = true;
		else if (grow((void **)&t->icons, t->icon_count, &t->icon_room,
			      sizeof(*t->icons))) {
			t->icons[t->icon_count].inode = icons[i];
			t->icons[t->icon_count++].listener = e->inode;
		}
	}
}

static int take(const struct nlmsghdr *h, void *arg)
{
	const struct unix_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct table *t = arg;
	const struct nlattr *a;
	struct entry *e;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    !grow((void **)&t->list, t->count, &t->room, sizeof(*t->list)))
		return MNL_CB_OK;
	e = &t->list[t->count++];
	*e = (struct entry){.inode = m->udiag_ino, .type = m->udiag_type, .state = m->udiag_state};
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		uint16_t len = mnl_attr_get_payload_len(a);

		switch (mnl_attr_get_type(a)) {
		case UNIX_DIAG_PEER:
			e->peer = len >= 4 ? mnl_attr_get_u32(a) : 0;
			break;
		case UNIX_DIAG_NAME:
			e->named = len > 0;
			break;
		case UNIX_DIAG_ICONS:
			add_icons(t, e, a);
			break;
		case UNIX_DIAG_RQLEN:
			if (len >= sizeof(struct unix_diag_rqlen))
				e->waiting =
					((const struct unix_diag_rqlen *)mnl_attr_get_payload(a))
						->udiag_wqueue;
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

static bool ask(int sock)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		     .nlmsg_seq = 1},
	       .r = {.sdiag_family = AF_UNIX,
		     .udiag_states = ~0U,
		     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS |
				   UDIAG_SHOW_RQLEN}};

	return send(sock, &q, sizeof(q), 0) == (ssize_t)sizeof(q);
}

/* All local sockets of one network namespace. */
static bool read_namespace(const struct cr_look_process *p, struct table *t)
{
	struct err ignored = {0};
	auto_fd int net = openat(p->proc, "ns/net", O_RDONLY | O_CLOEXEC);
	auto_fd int sock =
		net < 0 ? -EBADF
			: net_netns_socket(net, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, &ignored);
	auto_free char *buf = malloc(ANSWER_BYTES);
	struct timeval limit = {.tv_sec = ANSWER_S};
	int more = MNL_CB_OK;

	if (net < 0) /* it has ended, and nobody else was in it */
		return true;
	if (sock < 0 || !buf || !ask(sock))
		return false;
	/* The kernel answers at once, or never. */
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (more == MNL_CB_OK) {
		ssize_t n = recv(sock, buf, ANSWER_BYTES, 0);

		if (n <= 0)
			return false;
		more = mnl_cb_run(buf, (size_t)n, 1, 0, take, t);
	}
	return more == MNL_CB_STOP;
}

static int by_inode(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static const struct entry *find(const struct table *t, uint32_t inode)
{
	const struct entry key = {.inode = inode};

	return t->count ? bsearch(&key, t->list, t->count, sizeof(*t->list), by_inode) : NULL;
}

static uint32_t listener_of(const struct table *t, uint32_t inode)
{
	for (size_t i = 0; i < t->icon_count; i++)
		if (t->icons[i].inode == inode)
			return t->icons[i].listener;
	return 0;
}

/* Whether a process has that socket; its name, if so. */
static bool has_socket(const char *pid, uint32_t inode, char name[64])
{
	char path[64], want[32], link[64];
	auto_dir DIR *d = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		if (!strcmp(link, want)) {
			struct cr_look_process other = {.proc = dirfd(d)};
			auto_free char *comm = cr_look_read(&other, "../comm", 64);

			snprintf(name, 64, "%.*s", comm ? (int)strcspn(comm, "\n") : 0,
				 comm ? comm : "");
			return true;
		}
	}
	return false;
}

/*
 * The process outside that has the other end; 0: none has: it is on its way from one process to another, as a descriptor in a message. A walk over all of the
 * host, so only for a socket that is suspected.
 */
static pid_t find_outside(const struct cr_look *l, uint32_t inode, char name[64])
{
	auto_dir DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    !cr_look_process(l, (pid_t)atoi(entry->d_name)) &&
		    has_socket(entry->d_name, inode, name))
			return (pid_t)atoi(entry->d_name);
	return 0;
}

static void look_at_peer(struct cr_look *l, const struct cr_look_sockets *s, const struct table *t,
			 const struct cr_look_held *h, const struct entry *e)
{
	const struct entry *peer = find(t, e->peer);
	char name[64] = "";
	pid_t pid;

	if (cr_look_held(s, e->peer))
		return;
	/* --ext-unix-sk: it is connected to that name again. */
	if (peer && peer->type == SOCK_DGRAM && peer->named)
		return;
	pid = find_outside(l, e->peer, name);
	if (pid)
		cr_look_add(
			l, h->owner, "unix-outside", false, "end that connection first",
			"is connected (descriptor %d) to process %d (%s), which is outside of the "
			"container",
			h->fd, pid, name);
}

static void look_at(struct cr_look *l, const struct cr_look_sockets *s, const struct table *t,
		    const struct cr_look_held *h)
{
	const struct entry *e = find(t, (uint32_t)h->inode);

	if (!e)
		return;
	if (e->closed_waiting)
		cr_look_add(
			l, h->owner, "unix-waiting", true, "restart that program",
			"has not accepted a connection (descriptor %d) that was ended meanwhile, "
			"which cannot be taken along",
			h->fd);
	if (e->peer)
		look_at_peer(l, s, t, h, e);
	else if (e->state == TCP_ESTABLISHED && e->type != SOCK_DGRAM && e->waiting &&
		 listener_of(t, e->inode))
		cr_look_add(
			l, h->owner, "unix-waiting", true, "restart that program",
			"has written into a connection that nobody has accepted yet (descriptor "
			"%d), which cannot be taken along",
			h->fd);
}

void cr_look_unix(struct cr_look *l, const struct cr_look_sockets *s)
{
	__attribute__((cleanup(table_done))) struct table t = {0};

	for (size_t i = 0; i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];
		bool have = !p->ns[CR_LOOK_NS_NET];

		for (size_t k = 0; !have && k < i; k++)
			have = l->processes[k].ns[CR_LOOK_NS_NET] == p->ns[CR_LOOK_NS_NET];
		/* Half of a table would make strangers of friends. */
		if (!have && !read_namespace(p, &t))
			return;
	}
	if (t.count)
		qsort(t.list, t.count, sizeof(*t.list), by_inode);
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].family == AF_UNIX &&
		    (!i || s->list[i - 1].inode != s->list[i].inode))
			look_at(l, s, &t, &s->list[i]);
}
