// SPDX-License-Identifier: GPL-2.0-only
/* Id maps: checked, formatted, written with one write each. */
#include "ns/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sys.h"

/* Three numbers of at most ten digits, two spaces, a newline. */
#define LINE_MOST 33
#define TEXT_MOST 4096

static bool overlap(uint32_t a, uint32_t b, uint32_t na, uint32_t nb)
{
	return a < (uint64_t)b + nb && b < (uint64_t)a + na;
}

int ns_idmap_check_lines(const struct ns_idmap *map, size_t n, const char *what, struct err *e)
{
	if (n == 0 || n > NS_IDMAP_MOST) {
		err_set(e, EINVAL, "%s map has %zu lines, must have 1 to %d", what, n,
			NS_IDMAP_MOST);
		return err_class(e, ERR_CONFIG);
	}
	for (size_t i = 0; i < n; i++) {
		const struct ns_idmap *m = &map[i];

		/* The id -1 means "unchanged" to the kernel and can never be mapped. */
		if (m->count == 0 || (uint64_t)m->inside + m->count > UINT32_MAX ||
		    (uint64_t)m->outside + m->count > UINT32_MAX) {
			err_set(e, EINVAL, "%s map line %u %u %u is empty or beyond the last id",
				what, m->inside, m->outside, m->count);
			return err_class(e, ERR_CONFIG);
		}
		for (size_t k = 0; k < i; k++) {
			if (!overlap(m->inside, map[k].inside, m->count, map[k].count) &&
			    !overlap(m->outside, map[k].outside, m->count, map[k].count))
				continue;
			err_set(e, EINVAL, "%s map lines %zu and %zu overlap", what, k, i);
			return err_class(e, ERR_CONFIG);
		}
	}
	return 0;
}

int ns_idmap_check(const struct ns_idmap *map, size_t n, const char *what, struct err *e)
{
	uint32_t root;

	if (ns_idmap_check_lines(map, n, what, e) < 0)
		return -e->no;
	if (!ns_idmap_to_host(map, n, 0, &root)) {
		err_set(e, EINVAL, "%s map has no line for id 0 (root)", what);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

bool ns_idmap_to_host(const struct ns_idmap *map, size_t n, uint32_t inside, uint32_t *outside)
{
	for (size_t i = 0; i < n; i++) {
		if (inside < map[i].inside || inside - map[i].inside >= map[i].count)
			continue;
		*outside = map[i].outside + (inside - map[i].inside);
		return true;
	}
	return false;
}

/* The kernel takes a map in one write only (user_namespaces(7)), so the whole text is made first.
 */
static int write_map(pid_t pid, const char *file, const struct ns_idmap *map, size_t n,
		     struct err *e)
{
	size_t size = n * LINE_MOST + 1, len = 0;
	auto_free char *text = malloc(size);
	auto_fd int fd = -EBADF;
	char path[64];

	if (!text)
		return err_set(e, ENOMEM, "out of memory for an id map");
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "%u %u %u\n", map[i].inside,
					map[i].outside, map[i].count);
	/* map_write(), kernel/user_namespace.c: less than a page, or a bare EINVAL. */
	if (len >= TEXT_MOST) {
		err_set(e, EINVAL, "%s of %zu lines is longer than the kernel takes", file, n);
		return err_class(e, ERR_CONFIG);
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (write(fd, text, len) != (ssize_t)len) {
		err_sys(e, "write %s", path);
		return err_hint(
			e, "the ids must be mapped in our own user namespace, see /proc/self/%s",
			file);
	}
	return 0;
}

/* Without CAP_SETGID outside, gid_map is writable only once setgroups is denied
 * (user_namespaces(7)). */
static int deny_setgroups(pid_t pid, struct err *e)
{
	char path[64];
	auto_fd int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (write(fd, "deny", 4) != 4)
		return err_sys(e, "write %s", path);
	return 0;
}

/* The one map that a user may write: of the user's own id alone (user_namespaces(7)). */
static bool is_own(const struct ns_idmap *map, size_t n, uint32_t id)
{
	return n == 1 && map->count == 1 && map->outside == id;
}

/* Ids beside the user's own are given by /etc/subuid and /etc/subgid, which those two set-user-id programs of shadow's obey. */
static int run_mapper(const char *program, pid_t pid, const struct ns_idmap *map, size_t n,
		      struct err *e)
{
	auto_free const char **argv = calloc(3 * n + 3, sizeof(*argv));
	const size_t size = n * LINE_MOST + 16;
	auto_free char *text = malloc(size);
	char *at = text, *end = text + size;
	int r;

	if (!argv || !text)
		return err_set(e, ENOMEM, "out of memory for an id map");
	argv[0] = program;
	argv[1] = at;
	at += snprintf(at, (size_t)(end - at), "%d", pid) + 1;
	for (size_t i = 0; i < n; i++) {
		const uint32_t numbers[] = {map[i].inside, map[i].outside, map[i].count};

		for (size_t k = 0; k < 3; k++) {
			argv[2 + 3 * i + k] = at;
			at += snprintf(at, (size_t)(end - at), "%u", numbers[k]) + 1;
		}
	}
	r = proc_run_ok(argv, e);
	if (r == -ENOENT || r == -EACCES)
		err_hint(e, "ids beside one's own take the package uidmap");
	return r < 0 ? err_wrap(e, "map more than our own id") : 0;
}

int ns_idmap_write(pid_t pid, const struct ns_idmap *uids, size_t n_uids,
		   const struct ns_idmap *gids, size_t n_gids, struct err *e)
{
	bool root = geteuid() == 0;
	int r = ns_idmap_check_lines(uids, n_uids, "user id", e);

	if (r >= 0)
		r = ns_idmap_check_lines(gids, n_gids, "group id", e);
	if (r < 0)
		return r;
	if (root || is_own(gids, n_gids, getegid())) {
		if (!root && deny_setgroups(pid, e) < 0)
			return -e->no;
		r = write_map(pid, "gid_map", gids, n_gids, e);
	} else {
		r = run_mapper("newgidmap", pid, gids, n_gids, e);
	}
	if (r < 0)
		return r;
	return root || is_own(uids, n_uids, geteuid())
		       ? write_map(pid, "uid_map", uids, n_uids, e)
		       : run_mapper("newuidmap", pid, uids, n_uids, e);
}

/* I am a namespace's only member, or one that looks in: I live until the pipe ends, also when my parent dies. */
_Noreturn static void live_until_end(int hold)
{
	char c;

	while (read(hold, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

int ns_idmap_userns(const struct ns_idmap *uids, size_t n_uids, const struct ns_idmap *gids,
		    size_t n_gids, struct err *e)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	char path[64];
	int hold[2];
	pid_t pid;
	int r, fd = -EBADF;

	if (pipe2(hold, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	pid = sys_clone3(&args);
	if (pid == 0) {
		close(hold[1]);
		live_until_end(hold[0]);
	}
	close(hold[0]);
	if (pid < 0) {
		err_sys(e, "make a user namespace");
		close(hold[1]);
		return err_hint(e, "see the sysctl user.max_user_namespaces");
	}
	r = ns_idmap_write(pid, uids, n_uids, gids, n_gids, e);
	if (r >= 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			r = err_sys(e, "open %s", path);
	}
	close(hold[1]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : fd;
}

static int read_map(pid_t pid, const char *file, struct ns_idmap **out, size_t *n, struct err *e)
{
	auto_free struct ns_idmap *map = calloc(NS_IDMAP_MOST, sizeof(*map));
	auto_file FILE *f = NULL;
	char path[64];

	*n = 0;
	if (!map)
		return err_set(e, ENOMEM, "out of memory for an id map");
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (!f)
		return err_sys(e, "open %s", path);
	while (*n < NS_IDMAP_MOST &&
	       fscanf(f, "%u %u %u", &map[*n].inside, &map[*n].outside, &map[*n].count) == 3)
		++*n;
	if (!*n) {
		err_set(e, EINVAL, "it has no %s yet", file);
		return err_class(e, ERR_CONFIG);
	}
	*out = take_ptr(&map);
	return 0;
}

/* I am a child of the host side: 0, or why I cannot join. */
_Noreturn static void look_in(int userns, int say, int hold)
{
	int no = setns(userns, CLONE_NEWUSER) < 0 ? errno : 0;

	if (write(say, &no, sizeof(no)) == sizeof(no))
		live_until_end(hold);
	_exit(1);
}

int ns_idmap_read(int userns, struct ns_idmap **uids, size_t *n_uids, struct ns_idmap **gids,
		  size_t *n_gids, struct err *e)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int hold[2], said[2], no = EPIPE, r = 0;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	if (pipe2(said, O_CLOEXEC) < 0) {
		err_sys(e, "make a pipe");
		close(hold[0]);
		close(hold[1]);
		return -e->no;
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		close(hold[1]);
		look_in(userns, said[1], hold[0]);
	}
	close(hold[0]);
	close(said[1]);
	if (pid < 0)
		r = err_sys(e, "make a process");
	else if (read(said[0], &no, sizeof(no)) < 0 || no)
		r = err_set(e, no, "%s", strerror(no));
	if (r >= 0)
		r = read_map(pid, "uid_map", uids, n_uids, e);
	if (r >= 0 && read_map(pid, "gid_map", gids, n_gids, e) < 0) {
		free(*uids);
		*uids = NULL;
		r = -e->no;
	}
	close(said[0]);
	close(hold[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
