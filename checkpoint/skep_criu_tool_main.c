// SPDX-License-Identifier: GPL-2.0-only
/* What criu finds in its PATH before the host's own programs: quick ones for what a container usually needs, which hand on what they cannot do. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/criu_tools.h"
#include "checkpoint/tmpfs_tar.h"

/* I am what the name says that I was called by, with the host's PATH: the real one. */
static int hand_on(char *argv[])
{
	const char *path = getenv(CR_TOOLS_ENV_PATH);

	if (!path || setenv("PATH", path, 1) < 0) {
		fputs("skep-criu-tool is started by criu, and that by skepctl\n", stderr);
		return 2;
	}
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return 127;
}

/* Just the words that criu 4.x uses (criu/filesystems.c); *dir is what --directory names. */
static bool are_known(int argc, char *argv[], const char *verb, const char **dir)
{
	static const char *const known[] = {
		"--gzip",	 "--no-unquote",	   "--no-wildcards", "--one-file-system",
		"--check-links", "--preserve-permissions", "--sparse",	     "--numeric-owner"};
	bool named = false;

	*dir = NULL;
	for (int i = 1; i < argc; i++) {
		bool is = !strcmp(argv[i], ".") && *dir && i == argc - 1;

		for (size_t k = 0; !is && k < sizeof(known) / sizeof(*known); k++)
			is = !strcmp(argv[i], known[k]);
		if (!strcmp(argv[i], "--directory") && i + 1 < argc && !*dir)
			*dir = argv[++i];
		else if (!strcmp(argv[i], verb))
			named = true;
		else if (!is)
			return false;
	}
	return named && *dir;
}

static int be_tar(int argc, char *argv[])
{
	struct err e = {0};
	const char *path;
	int dir, r = 0;

	if (are_known(argc, argv, "--create", &path) && !strcmp(argv[argc - 1], ".")) {
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? 0 : cr_tmpfs_pack(dir, 1, &e);
	} else if (are_known(argc, argv, "--extract", &path)) {
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? 0 : cr_tmpfs_unpack(0, dir, &e);
	}
	if (r < 0)
		fprintf(stderr, "tar: %s\n", e.text);
	return r == 0 ? hand_on(argv) : r < 0;
}

/* criu asks each of them for its version, and leaves rules to nftables when that says so (get_legacy_iptables_bin() in criu/util.c). */
static int be_iptables(int argc, char *argv[])
{
	if (!getenv(CR_TOOLS_ENV_NO_IPTABLES) || argc != 2 || strcmp(argv[1], "-V") != 0)
		return hand_on(argv);
	puts("no rules of the old kind (nf_tables)");
	return 0;
}

int main(int argc, char *argv[])
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;

	name = name ? name + 1 : argc ? argv[0] : "";
	if (!strcmp(name, "tar"))
		return be_tar(argc, argv);
	if (strstr(name, "tables"))
		return be_iptables(argc, argv);
	fputs("skep-criu-tool is started by criu\n", stderr);
	return 2;
}
