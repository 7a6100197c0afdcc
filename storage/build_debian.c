// SPDX-License-Identifier: GPL-2.0-only
/* mmdebstrap, fed with what the host's apt knows, and what a container's systemd needs besides. */
#include "storage/build_debian.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "storage/template.h"
#include "storage/tree.h"

#define DEADLINE_MS (15 * 60 * 1000)
#define KEYRINGS    "/usr/share/keyrings"

static const struct {
	const char *number, *name;
} releases[] = {{"11", "bullseye"}, {"12", "bookworm"}, {"13", "trixie"}, {"14", "forky"}};

/* What cannot work in a container: it has no devices to find, no kernel to set up, no console of its own. */
static const char *const masked[] = {
	"systemd-udevd.service",
	"systemd-udevd-control.socket",
	"systemd-udevd-kernel.socket",
	"systemd-udev-trigger.service",
	"systemd-udev-settle.service",
	"systemd-modules-load.service",
	"systemd-sysctl.service",
	"systemd-binfmt.service",
	"systemd-remount-fs.service",
	"systemd-pstore.service",
	"systemd-firstboot.service",
	"systemd-journald-audit.socket",
	"sys-kernel-config.mount",
	"sys-kernel-debug.mount",
	"sys-kernel-tracing.mount",
	"sys-fs-fuse-connections.mount",
	"dev-hugepages.mount",
	"dev-mqueue.mount",
	"proc-sys-fs-binfmt_misc.mount",
	"proc-sys-fs-binfmt_misc.automount",
	"console-getty.service",
	"getty@.service",
	"serial-getty@.service",
	"container-getty@.service",
	"e2scrub_reap.service",
	"e2scrub_all.timer",
	"fstrim.timer",
};

/* The template has no host keys: each container makes its own before sshd first looks at them. */
static const char ssh_drop_in[] = "[Service]\n"
				  "ExecStartPre=\n"
				  "ExecStartPre=/usr/bin/ssh-keygen -A\n"
				  "ExecStartPre=/usr/sbin/sshd -t\n";

/* What apt says: where the archives are (Label: Debian, Debian-Security). Empty if it has none. */
struct archives {
	char main[512], security[512], keyring[PATH_MAX];
};

static const char *code_name(const char *release, const char **number)
{
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++)
		if (!strcmp(release, releases[i].number) || !strcmp(release, releases[i].name)) {
			*number = releases[i].number;
			return releases[i].name;
		}
	return NULL;
}

/* Runs a program and returns the beginning of its output. */
static int output_of(int dir, const char *const argv[], char *text, size_t size, struct err *e)
{
	auto_fd int out = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct proc_run run = {.argv = argv, .out = out, .deadline_ms = 60000};
	ssize_t n;
	int r;

	if (out < 0)
		return err_sys(e, "run %s", argv[0]);
	r = proc_run(&run, e);
	if (r != 0)
		return r < 0 ? r : err_set(e, EIO, "%s failed with status %d", argv[0], r);
	n = pread(out, text, size - 1, 0);
	if (n < 0)
		return err_sys(e, "read the output of %s", argv[0]);
	text[n] = 0;
	return 0;
}

/* A line "LABEL|URI|SIGNED-BY"; an apt that does not know a field leaves its name. */
static void take_archive(struct archives *a, char *line)
{
	char *uri = strchr(line, '|');
	char *key = uri ? strchr(uri + 1, '|') : NULL;

	if (!key)
		return;
	*uri++ = *key++ = 0;
	if (!strcmp(line, "Debian") && !a->main[0])
		snprintf(a->main, sizeof(a->main), "%s", uri);
	if (!strcmp(line, "Debian-Security") && !a->security[0])
		snprintf(a->security, sizeof(a->security), "%s", uri);
	if (key[0] == '/' && !a->keyring[0])
		snprintf(a->keyring, sizeof(a->keyring), "%s", key);
}

static int find_archives(int dir, struct archives *a, struct err *e)
{
	const char *const argv[] = {"apt-get",
				    "indextargets",
				    "--format",
				    "$(LABEL)|$(REPO_URI)|$(SIGNED_BY)",
				    "Origin: Debian",
				    "Created-By: Packages",
				    NULL};
	auto_free char *text = malloc(65536);
	char *save = NULL;
	int r;

	if (!text)
		return err_sys(e, "find the Debian archive");
	r = output_of(dir, argv, text, 65536, e);
	for (char *l = r < 0 ? NULL : strtok_r(text, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save))
		take_archive(a, l);
	if (r >= 0 && !a->main[0])
		r = err_set(e, ENOENT, "this host's apt knows no Debian archive");
	if (r < 0) {
		err_class(e, ERR_UNSUPPORTED);
		return err_hint(e, "run apt-get update, or import a tar archive as a template");
	}
	/* The one that comes with the archive's keyring package holds the keys of the newer releases, too. */
	if (access(KEYRINGS "/debian-archive-keyring.gpg", R_OK) == 0)
		snprintf(a->keyring, sizeof(a->keyring), "%s",
			 KEYRINGS "/debian-archive-keyring.gpg");
	return 0;
}

static int run_mmdebstrap(const struct st_template_build *b, const struct archives *a,
			  const char *suite, const struct st_debian *spec, struct err *e)
{
	char include[1024], target[PATH_MAX], proc[40], keyring[PATH_MAX + 16], said[400] = "";
	char source[3][700] = {"", "", ""};
	const char *argv[20];
	struct proc_run run = {.argv = argv,
			       .said = said,
			       .said_size = sizeof(said),
			       .deadline_ms = spec->deadline_ms ? spec->deadline_ms : DEADLINE_MS};
	int n = 0, r;
	ssize_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", b->root);
	len = readlink(proc, target, sizeof(target) - 1);
	if (len < 0)
		return err_sys(e, "find the template's directory");
	target[len] = 0;
	snprintf(include, sizeof(include), "--include=%s%s%s",
		 spec->systemd ? "systemd,systemd-sysv,dbus,iproute2" : "iproute2",
		 spec->include ? "," : "", spec->include ?: "");
	snprintf(source[0], sizeof(source[0]), "deb %s %s main", a->main, suite);
	snprintf(source[1], sizeof(source[1]), "deb %s %s-updates main", a->main, suite);
	if (a->security[0])
		snprintf(source[2], sizeof(source[2]), "deb %s %s-security main", a->security,
			 suite);
	argv[n++] = "mmdebstrap";
	argv[n++] = "--quiet";
	argv[n++] = "--mode=root";
	argv[n++] = "--variant=minbase";
	argv[n++] = "--format=directory";
	argv[n++] = include;
	if (a->keyring[0]) {
		snprintf(keyring, sizeof(keyring), "--keyring=%s", a->keyring);
		argv[n++] = keyring;
	}
	argv[n++] = suite;
	argv[n++] = target;
	for (int i = 0; i < 3 && source[i][0]; i++)
		argv[n++] = source[i];
	argv[n] = NULL;
	r = proc_run(&run, e);
	if (r == -ETIMEDOUT && !e->no)
		return err_set(e, ETIMEDOUT, "mmdebstrap took longer than %d s",
			       run.deadline_ms / 1000);
	if (r == -ENOENT)
		return err_hint(e, "install the package mmdebstrap");
	if (r > 0) {
		err_set(e, EIO, "mmdebstrap failed with status %d: %s", r, said);
		return err_hint(e, "is the archive reachable, and does %s hold the keys of %s?",
				a->keyring, suite);
	}
	return r;
}

static int remove_in(int root, const char *dir, const char *name, struct err *e)
{
	auto_fd int d = path_try_open_in(root, dir, O_PATH | O_DIRECTORY, e);

	if (d == -ENOENT)
		return 0;
	return d < 0 ? d : st_tree_remove(d, name, e);
}

static int mask_units(int root, struct err *e)
{
	auto_fd int dir = path_mkdirs_in(root, "etc/systemd/system", 0755, e);

	if (dir < 0)
		return dir;
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		if (symlinkat("/dev/null", dir, masked[i]) < 0 && errno != EEXIST)
			return err_sys(e, "mask %s", masked[i]);
	return 0;
}

static int set_up_systemd(int root, struct err *e)
{
	auto_fd int units = path_mkdirs_in(root, "etc/systemd/system", 0755, e);
	auto_fd int ssh = -EBADF;

	if (units < 0)
		return -e->no;
	if (unlinkat(units, "default.target", 0) < 0 && errno != ENOENT)
		return err_sys(e, "choose the default target");
	if (symlinkat("/lib/systemd/system/multi-user.target", units, "default.target") < 0)
		return err_sys(e, "choose the default target");
	ssh = path_try_open_in(root, "usr/sbin/sshd", O_PATH, e);
	if (ssh >= 0 && path_write_in(root, "etc/systemd/system/ssh.service.d/50-skep.conf",
				      ssh_drop_in, 0644, e) < 0)
		return -e->no;
	return ssh < 0 && ssh != -ENOENT ? ssh : mask_units(root, e);
}

/*
 * minbase has no init. This one starts what the packages enabled for runlevel 2, then /etc/rc.local, and reaps what is orphaned (a shell's wait takes
 * any child). SIGTERM: it asks the same services to stop, then everybody, and ends when nobody is left, or after 5 s.
 */
static const char small_init[] =
	"#!/bin/sh\n"
	"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"others() { set -- /proc/[0-9]*; [ $# -gt 1 ]; }\n"
	"run() { for s in /etc/$1; do [ ! -x \"$s\" ] || \"$s\" \"$2\"; done; }\n"
	"stop() {\n"
	"\ttrap '' TERM\n"
	"\trun 'rc2.d/S*' stop\n"
	"\tkill -TERM -1 2>/dev/null\n"
	"\tn=0\n"
	"\twhile others && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done\n"
	"\texit 0\n"
	"}\n"
	"trap stop TERM\n"
	"[ ! -x /usr/bin/ssh-keygen ] || ssh-keygen -A\n"
	"run 'rc2.d/S*' start\n"
	"[ ! -x /etc/rc.local ] || /etc/rc.local\n"
	"while :; do\n"
	"\tsleep 1000000 &\n"
	"\twait $!\n"
	"done\n";

static int set_up_minbase(int root, struct err *e)
{
	auto_fd int there = path_try_open_in(root, "sbin/init", O_PATH, e);
	auto_fd int fd = -EBADF;

	if (there != -ENOENT)
		return there < 0 ? there : 0;
	if (path_write_in(root, "sbin/init", small_init, 0755, e) < 0)
		return -e->no;
	fd = path_open_in(root, "sbin/init", O_RDONLY, 0, e);
	if (fd < 0)
		return fd;
	return fchmod(fd, 0755) < 0 ? err_sys(e, "make /sbin/init") : 0;
}

/* What would make two containers of one template the same machine, and what names the host that built it. */
static int make_anonymous(int root, struct err *e)
{
	static const char *const keys[] = {"ssh_host_rsa_key", "ssh_host_ecdsa_key",
					   "ssh_host_ed25519_key"};
	char pub[64];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(pub, sizeof(pub), "%s.pub", keys[i]);
		if (remove_in(root, "etc/ssh", keys[i], e) < 0 ||
		    remove_in(root, "etc/ssh", pub, e) < 0)
			return -e->no;
	}
	if (remove_in(root, "var/lib/dbus", "machine-id", e) < 0 ||
	    path_write_in(root, "etc/machine-id", "", 0444, e) < 0 ||
	    path_write_in(root, "etc/hostname", "skep\n", 0644, e) < 0 ||
	    path_write_in(root, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n",
			  0644, e) < 0)
		return -e->no;
	return path_write_in(root, "etc/resolv.conf", "", 0644, e);
}

int st_build_debian(int templates, const char *name, const struct st_debian *spec, struct err *e)
{
	struct st_template_build b = ST_TEMPLATE_BUILD_INIT;
	struct archives a = {0};
	struct st_template t = {0};
	const char *number = NULL;
	const char *suite = code_name(spec->release, &number);
	int r;

	if (!suite) {
		err_set(e, EINVAL, "no such Debian release: '%.40s'", spec->release);
		err_class(e, ERR_VALUE);
		return err_hint(e, "it is a number (12, 13) or a code name (bookworm, trixie)");
	}
	r = st_template_begin(templates, name, &b, e);
	if (r >= 0)
		r = find_archives(b.dir, &a, e);
	if (r >= 0)
		r = run_mmdebstrap(&b, &a, suite, spec, e);
	if (r >= 0)
		r = spec->systemd ? set_up_systemd(b.root, e) : set_up_minbase(b.root, e);
	if (r >= 0)
		r = make_anonymous(b.root, e);
	if (r >= 0) {
		snprintf(t.distribution, sizeof(t.distribution), "debian-%s", number);
		snprintf(t.variant, sizeof(t.variant), "%s", spec->systemd ? "systemd" : "minbase");
		snprintf(t.init_path, sizeof(t.init_path), "/sbin/init");
		snprintf(t.stop_signal, sizeof(t.stop_signal), "%s",
			 spec->systemd ? "SIGRTMIN+3" : "SIGTERM");
		r = st_template_commit(&b, &t, e);
	}
	st_template_abandon(&b);
	return r < 0 ? err_wrap(e, "build template '%s'", name) : 0;
}
