// SPDX-License-Identifier: GPL-2.0-only
/* A root file system of one program and a dozen small files. */
#include "storage/build_busybox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "storage/template.h"

static const struct {
	const char *path;
	mode_t mode;
} directories[] = {
	{"bin", 0755},	   {"sbin", 0755},     {"etc/init.d", 0755}, {"dev", 0755},
	{"proc", 0555},	   {"sys", 0555},      {"run", 0755},	     {"tmp", 01777},
	{"root", 0700},	   {"home", 0755},     {"mnt", 0755},	     {"srv", 0755},
	{"var/log", 0755}, {"var/tmp", 01777}, {"usr/bin", 0755},    {"usr/sbin", 0755},
};

/*
 * Stopping: on SIGQUIT busybox init ends all processes and executes the restart entry in its own place. /bin/true exits, and
 * PID 1's end is the container's. Powering off instead (SIGUSR2) would need CAP_SYS_BOOT, without which init hangs.
 */
static const char inittab[] = "::sysinit:/etc/init.d/rcS\n"
			      "# A shell on the container's console:\n"
			      "#console::respawn:/bin/sh -l\n"
			      "::restart:/bin/true\n";

static const struct {
	const char *path;
	mode_t mode;
	const char *text;
} files[] = {
	{"etc/inittab", 0644, inittab},
	{"etc/init.d/rcS", 0755,
	 "#!/bin/sh\n# Runs once at the start. Services: one executable each in /etc/rc.d.\n"
	 "[ -d /etc/rc.d ] || exit 0\nfor f in /etc/rc.d/*; do\n\t[ -x \"$f\" ] && \"$f\" start\ndone\nexit 0\n"},
	{"etc/passwd", 0644,
	 "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
	{"etc/shadow", 0640, "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"},
	{"etc/group", 0644, "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
	{"etc/hosts", 0644, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"},
	{"etc/hostname", 0644, "skep\n"},
	{"etc/resolv.conf", 0644, ""},
	{"etc/profile", 0644,
	 "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PS1='\\u@\\h:\\w\\$ '\n"},
	{"etc/os-release", 0644, "ID=busybox\nNAME=BusyBox\nPRETTY_NAME=\"BusyBox (skep)\"\n"},
};

/* Static: no program header asks for an interpreter. */
static bool is_static(int fd)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (int i = 0; i < h.e_phnum; i++) {
		if (pread(fd, &p, sizeof(p), (off_t)(h.e_phoff + (unsigned)i * sizeof(p))) !=
			    sizeof(p) ||
		    p.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int find_busybox(const char **path, struct err *e)
{
	static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox",
					     "/bin/busybox-static", "/usr/local/bin/busybox"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_fd int fd = open(places[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && is_static(fd)) {
			*path = places[i];
			return take_fd(&fd);
		}
	}
	err_set(e, ENOENT, "this host has no static busybox");
	err_class(e, ERR_UNSUPPORTED);
	return err_hint(e, "install the package busybox-static");
}

static int copy_busybox(int root, int from, struct err *e)
{
	auto_fd int to = path_open_in(root, "bin/busybox", O_WRONLY | O_CREAT | O_EXCL, 0755, e);
	struct stat st;

	if (to < 0)
		return to;
	if (fstat(from, &st) < 0)
		return err_sys(e, "look at busybox");
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return err_sys(e, "copy busybox");
	}
	return fchmod(to, 0755) < 0 ? err_sys(e, "copy busybox") : 0;
}

/* The list of applets, as "bin/ls" lines, written by busybox itself to a file without a name. */
static int list_applets(const char *busybox, int root, char *list, size_t size, struct err *e)
{
	const char *const argv[] = {busybox, "--list-full", NULL};
	auto_fd int out = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct proc_run run = {.argv = argv, .out = out, .deadline_ms = 10000};
	ssize_t n;
	int r;

	if (out < 0)
		return err_sys(e, "list the applets of busybox");
	r = proc_run(&run, e);
	if (r < 0)
		return r;
	if (r > 0)
		return err_set(e, EIO, "%s --list-full failed with status %d", busybox, r);
	n = pread(out, list, size - 1, 0);
	if (n < 0)
		return err_sys(e, "list the applets of busybox");
	list[n] = 0;
	return 0;
}

static int link_applet(int root, const char *applet, struct err *e)
{
	char path[128];
	const char *leaf;
	auto_fd int dir = -EBADF;

	leaf = strrchr(applet, '/');
	leaf = leaf ? leaf + 1 : applet;
	if (!strcmp(leaf, "busybox"))
		return 0;
	snprintf(path, sizeof(path), "%.*s", leaf > applet ? (int)(leaf - applet - 1) : 3,
		 leaf > applet ? applet : "bin");
	dir = path_mkdirs_in(root, path, 0755, e);
	if (dir < 0)
		return dir;
	if (symlinkat("/bin/busybox", dir, leaf) < 0 && errno != EEXIST)
		return err_sys(e, "link applet %s", leaf);
	return 0;
}

static int link_applets(const char *busybox, int root, struct err *e)
{
	char list[16384];
	char *save = NULL;
	static const char *const needed[] = {"sbin/init", "bin/sh", "sbin/poweroff"};

	if (list_applets(busybox, root, list, sizeof(list), e) < 0)
		return -e->no;
	for (char *a = strtok_r(list, "\n", &save); a; a = strtok_r(NULL, "\n", &save))
		if (link_applet(root, a, e) < 0)
			return -e->no;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (link_applet(root, needed[i], e) < 0)
			return -e->no;
	return 0;
}

static int fill(int root, int from, const char *busybox, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		auto_fd int made = path_mkdirs_in(root, directories[i].path, 0755, e);
		auto_fd int dir = made < 0 ? made
					   : path_open_in(root, directories[i].path,
							  O_RDONLY | O_DIRECTORY, 0, e);

		if (dir < 0)
			return dir;
		/* Whatever the umask was. */
		if (fchmod(dir, directories[i].mode) < 0)
			return err_sys(e, "make /%s", directories[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_fd int fd = -EBADF;

		if (path_write_in(root, files[i].path, files[i].text, files[i].mode, e) < 0)
			return -e->no;
		fd = path_open_in(root, files[i].path, O_RDONLY, 0, e);
		if (fd < 0 || fchmod(fd, files[i].mode) < 0)
			return err_sys(e, "make /%s", files[i].path);
	}
	if (copy_busybox(root, from, e) < 0)
		return -e->no;
	return link_applets(busybox, root, e);
}

int st_build_busybox(int templates, const char *name, struct err *e)
{
	struct st_template_build b = ST_TEMPLATE_BUILD_INIT;
	struct st_template t = {
		.distribution = "busybox", .init_path = "/sbin/init", .stop_signal = "SIGQUIT"};
	const char *busybox = NULL;
	auto_fd int from = find_busybox(&busybox, e);
	int r;

	if (from < 0)
		return from;
	r = st_template_begin(templates, name, &b, e);
	if (r >= 0)
		r = fill(b.root, from, busybox, e);
	if (r >= 0)
		r = st_template_commit(&b, &t, e);
	st_template_abandon(&b);
	return r < 0 ? r : 0;
}
