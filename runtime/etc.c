// SPDX-License-Identifier: GPL-2.0-only
/* The three files of /etc by which a container knows its name and finds others'. */
#include "runtime/etc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"

#define TEXT_MAX 4096
/* The first line of what we write, with a sum of all that follows: a file of another sum was changed in the container. */
#define MARK	  "# Written by skep; left alone once changed (%08x).\n"
#define HOST_ETC  "/etc"
#define RESOLVED  "/run/systemd/resolve" /* what resolved asks, behind its stub at 127.0.0.53 */
#define NAMES_MAX 3			 /* resolv.conf(5): MAXNS */

/* What is at path: 1 and its text (the caller's), 0: nothing, -errno; -ELOOP: it is no plain file. e stays untouched. */
static int look(int root, const char *path, char **text)
{
	struct err quiet = {0};
	auto_fd int fd = path_try_open_in(root, path, O_PATH | O_NOFOLLOW, &quiet);
	auto_fd int file = -EBADF;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ELOOP;
	file = path_open_in(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &quiet);
	if (file < 0)
		return file;
	*text = calloc(1, TEXT_MAX + 1);
	if (!*text)
		return -ENOMEM;
	n = read(file, *text, TEXT_MAX);
	if (n < 0)
		return -errno;
	return n == TEXT_MAX ? -EFBIG : 1;
}

/* By a new inode, which belongs to the container's root as all its files do. */
static int replace(const struct ct_definition *d, int root, const char *path, const char *text,
		   struct err *e)
{
	auto_fd int fd = -EBADF;

	if (path_write_in(root, path, text, 0644, e) < 0)
		return -e->no;
	fd = path_open_in(root, path, O_RDONLY | O_NOFOLLOW, 0, e);
	if (fd < 0)
		return fd;
	if (fchown(fd, d->id_base, d->id_base) < 0 || fchmod(fd, 0644) < 0)
		return err_sys(e, "give %s to the container", path);
	return 0;
}

/* FNV-1a: it finds an editor's traces, nobody forges it. */
static uint32_t sum_of(const char *text)
{
	uint32_t h = 2166136261U;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619U;
	return h;
}

/* Puts the mark before the body. */
static void seal(const char *body, char *text, size_t size)
{
	snprintf(text, size, MARK "%s", sum_of(body), body);
}

static bool is_sealed(const char *text)
{
	const char *body = strchr(text, '\n');
	char mark[80];

	if (!body)
		return false;
	snprintf(mark, sizeof(mark), MARK, sum_of(body + 1));
	return strncmp(text, mark, strlen(mark)) == 0;
}

/* Whether it is ours to write; not when it has that text already. */
static bool is_ours(int template_root, int root, const char *path, const char *text)
{
	auto_free char *now = NULL, *first = NULL;
	int r = look(root, path, &now);

	if (r <= 0)
		return r == 0;
	if (strcmp(now, text) == 0)
		return false;
	if (!now[0] || is_sealed(now))
		return true;
	return look(template_root, path, &first) > 0 && strcmp(first, now) == 0;
}

static int write_hostname(const struct ct_definition *d, const char *name, int root, struct err *e)
{
	auto_free char *now = NULL;
	char text[80];
	int r = look(root, "etc/hostname", &now);

	snprintf(text, sizeof(text), "%s\n", name);
	if (r < 0 || (r > 0 && strcmp(now, text) == 0))
		return 0;
	return replace(d, root, "etc/hostname", text, e);
}

/* Debian's way: 127.0.1.1 is the name's own address, whatever the network does. */
static int write_hosts(const struct ct_definition *d, const char *name, int template_root, int root,
		       struct err *e)
{
	char body[512], text[600];

	snprintf(body, sizeof(body),
		 "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n"
		 "::1\tlocalhost ip6-localhost ip6-loopback\n",
		 name);
	seal(body, text, sizeof(text));
	return is_ours(template_root, root, "etc/hosts", text)
		       ? replace(d, root, "etc/hosts", text, e)
		       : 0;
}

/* A server that a container reaches, too: not one on the host's own loopback, unless it shares that, nor one by a link of the host's. */
static bool reachable(const char *server, bool own_network)
{
	struct err never = {0};
	struct net_addr a;
	static const uint8_t one[16] = {[15] = 1};

	if (net_addr_parse(server, &a, &never) < 0)
		return false;
	if (!own_network)
		return true;
	return a.family == AF_INET ? a.bytes[0] != 127 : memcmp(a.bytes, one, 16) != 0;
}

/* The lines of the host's own file that are of use inside. Returns how many name servers. */
static int take_host_lines(const char *dir, bool own_network, char *out, size_t size)
{
	auto_fd int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct err quiet = {0};
	char *save = NULL, word[128];
	int n = 0;

	if (at < 0 || file_try_read_at(at, "resolv.conf", TEXT_MAX * 4, &text, &quiet) < 0)
		return 0;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		bool server = sscanf(l, "nameserver %127s", word) == 1;

		if (server && (n == NAMES_MAX || !reachable(word, own_network)))
			continue;
		if (!server && strncmp(l, "search ", 7) && strncmp(l, "options ", 8))
			continue;
		if (strlen(out) + strlen(l) + 2 > size)
			break;
		n += server;
		snprintf(out + strlen(out), size - strlen(out), "%s\n", l);
	}
	return n;
}

static void name_servers(const struct ct_conf *conf, bool own_network, char *out, size_t size)
{
	size_t start = strlen(out);

	for (int i = 0; i < CT_DNS_MAX && conf->dns[i].family; i++) {
		char addr[NET_ADDR_STR_MAX];

		snprintf(out + strlen(out), size - strlen(out), "nameserver %s\n",
			 net_addr_to_host_str(&conf->dns[i], addr));
	}
	if (!conf->dns[0].family && !take_host_lines(HOST_ETC, own_network, out, size)) {
		out[start] = '\0';
		if (!take_host_lines(RESOLVED, own_network, out, size))
			out[start] = '\0';
	}
	if (conf->search[0])
		snprintf(out + strlen(out), size - strlen(out), "search %s\n", conf->search);
}

static int write_resolv(const struct ct_definition *d, const struct ct_conf *conf,
			int template_root, int root, struct err *e)
{
	bool own_network = d->network == CT_NETWORK_PRIVATE;
	char body[TEXT_MAX - 100] = "", text[TEXT_MAX];

	if (own_network && !d->net_count)
		return 0;
	name_servers(conf, own_network, body, sizeof(body));
	seal(body, text, sizeof(text));
	return is_ours(template_root, root, "etc/resolv.conf", text)
		       ? replace(d, root, "etc/resolv.conf", text, e)
		       : 0;
}

int ct_etc_write(const struct ct_definition *d, const struct ct_conf *conf, int template_root,
		 int root, struct err *e)
{
	const char *name = d->hostname[0] ? d->hostname : d->name;
	auto_fd int etc = path_try_open_in(root, "etc", O_PATH | O_DIRECTORY, e);
	int r;

	/* A root file system without /etc is somebody's single program. */
	if (etc < 0)
		return etc == -ENOENT || e->no == ENOTDIR ? (err_clear(e), 0) : etc;
	r = write_hostname(d, name, root, e);
	if (r >= 0)
		r = write_hosts(d, name, template_root, root, e);
	if (r >= 0)
		r = write_resolv(d, conf, template_root, root, e);
	return r < 0 ? err_wrap(e, "write the container's /etc") : 0;
}
