// SPDX-License-Identifier: GPL-2.0-only
/* Whether CRIU is here, fits this kernel, and works. */
#include "ctl/doctor.h"

#include <string.h>

#include "base/feat.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/criu.h"
#include "checkpoint/uffd_allow.h"

#define PART "checkpoint"

#define CHECK_DEADLINE_MS 20000

/*
 * What `criu check` does not notice: 3.x cannot handle the vdso areas of Linux 6.13, and from 6.16 on the kernel refuses SO_PASSCRED on
 * AF_INET sockets, for which a CRIU before 4.2 gives up the dump.
 */
static const struct {
	unsigned major, minor;
	int criu;
	const char *least, *why;
} facts[] = {
	{6, 16, 40200, "4.2", "an older one can save no internet socket on this kernel"},
	{6, 13, 40100, "4.1", "an older one does not know this kernel's vdso"},
	{0, 0, 31700, "3.17", "an older one is not supported"},
};

#define GET_CRIU \
	"apt-get install criu; where that one does not fit, `make deps` in skep's source brings one"

static bool version_fits(struct ctl_doctor *d, const char *program, int version)
{
	char remedy[96];

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		if (!feat_kernel_at_least(facts[i].major, facts[i].minor))
			continue;
		if (version >= facts[i].criu)
			return true;
		snprintf(remedy, sizeof(remedy),
			 "put criu >= %s in PATH; `make deps` in skep's source brings one",
			 facts[i].least);
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "CRIU", remedy,
				"%s is %d.%d.%d, wanted %s: %s", program, version / 10000,
				version / 100 % 100, version % 100, facts[i].least, facts[i].why);
		return false;
	}
	return true;
}

/* Runs `criu check [--feature NAME]`; said: the end of what it complained. */
static int check(const char *program, const char *feature, char *said, size_t size, struct err *e)
{
	const char *const argv[] = {program, "check", feature ? "--feature" : NULL, feature, NULL};
	const struct proc_run run = {
		.argv = argv, .deadline_ms = CHECK_DEADLINE_MS, .said = said, .said_size = size};

	said[0] = '\0';
	return proc_run(&run, e);
}

static const char *last_line(char *said)
{
	char *line;

	for (size_t n = strlen(said); n > 0 && said[n - 1] == '\n'; n--)
		said[n - 1] = '\0';
	line = strrchr(said, '\n');
	return line ? line + 1 : said;
}

/* A receiving command that was killed in the middle of a live migration has left it 1: it is ours, so it is not only told. */
static void mend_setting(struct ctl_doctor *d)
{
	struct err e = {0};
	int r = feat_has(FEAT_ROOT) ? cr_uffd_mend(&e) : 0;

	if (r < 0)
		ctl_doctor_find_err(d, PART, CTL_VERDICT_WARNING, "unprivileged_userfaultfd",
				    "sysctl vm.unprivileged_userfaultfd=0", &e);
	else if (r > 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "unprivileged_userfaultfd", NULL,
				"a live migration that was killed had left it 1: put back");
}

void ctl_doctor_checkpoint(struct ctl_doctor *d)
{
	char program[256], said[512];
	struct err e = {0};
	int version, r;

	mend_setting(d);
	if (cr_criu_find(program, &e) < 0) {
		ctl_doctor_find_err(d, PART, CTL_VERDICT_MISSING, "CRIU", GET_CRIU, &e);
		return;
	}
	version = cr_criu_version(&e);
	if (version < 0) {
		ctl_doctor_find_err(d, PART, CTL_VERDICT_MISSING, "CRIU", GET_CRIU, &e);
		return;
	}
	if (!version_fits(d, program, version))
		return;
	if (!feat_has(FEAT_ROOT)) {
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "CRIU", feat_remedy(FEAT_ROOT),
				"%s: only root can let it check the kernel", program);
		return;
	}
	r = check(program, NULL, said, sizeof(said), &e);
	if (r < 0)
		ctl_doctor_find_err(d, PART, CTL_VERDICT_MISSING, "CRIU", GET_CRIU, &e);
	else if (r > 0 && strstr(said, "kerndat_tcp_repair failed"))
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "CRIU", "ip link set lo up",
				"%s cannot try connections on lo", program);
	else if (r > 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "CRIU", GET_CRIU, "%s check: %s",
				program, last_line(said));
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "CRIU", NULL,
				"%d.%d.%d (%s), its check passes", version / 10000,
				version / 100 % 100, version % 100, program);
	if (r != 0)
		return;
	/* A criu that does not know the question (before 4.2) is none that lacks the answer. */
	if (check(program, "nftables", said, sizeof(said), &e) == 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "network lock", NULL, "by nftables");
	else if (!strstr(said, "Unknown feature"))
		ctl_doctor_find(
			d, PART, CTL_VERDICT_MISSING, "network lock",
			"use a criu that is built with nftables; `make deps` in skep's source brings one",
			"this criu cannot hold traffic back while connections are saved");
	if (ctl_doctor_program("ip"))
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "ip", NULL, "%s", "");
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "ip", "apt-get install iproute2",
				"criu calls it to save addresses and routes");
}
