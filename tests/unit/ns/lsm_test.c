// SPDX-License-Identifier: GPL-2.0-only
/* A label is written to our own file of a whole proc, or to none (CVE-2019-16884, CVE-2015-1334). No module has to be there for that. */
#include "tests/unit/ns/lab.h"

#include <errno.h>
#include <sys/mount.h>

#include "ns/lsm.h"

/* What is put over /proc, or a part of it, before each label; in a mount namespace of ours. */
static const char *over;

/* Where the container's attacker would have the label go: a file, that takes it. */
static int overmount(struct lab *lab, struct err *e)
{
	char target[64], made[128];

	LAB_CHECK(lab, mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
	LAB_CHECK(lab, mount("proc", "/proc", "proc", 0, NULL) == 0);
	snprintf(target, sizeof(target), over, getpid());
	if (!strcmp(target, "/proc")) {
		LAB_CHECK(lab, mount("fake", target, "tmpfs", 0, NULL) == 0);
		for (int i = 0; i < 2; i++) {
			snprintf(made, sizeof(made), i ? "/proc/%d/attr" : "/proc/%d", getpid());
			LAB_CHECK(lab, mkdir(made, 0755) == 0);
		}
		snprintf(made, sizeof(made), "/proc/%d/attr/exec", getpid());
		LAB_CHECK(lab, close(open(made, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)) == 0);
	} else {
		snprintf(made, sizeof(made), "%s/etc/label", lab->root);
		LAB_CHECK(lab, mount(made, target, NULL, MS_BIND, NULL) == 0);
	}
	return ns_lsm_exec(NS_LSM_SELINUX, "label", e);
}

static void written_nowhere(const char *what, int no)
{
	struct lab lab;
	char path[128];
	struct stat st;

	over = what;
	lab_make(&lab);
	lab_file(&lab, "etc/label", "");
	assert_int_equal(lab_run(&lab, CLONE_NEWNS | CLONE_NEWPID, overmount), -no);
	snprintf(path, sizeof(path), "%s/etc/label", lab.root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	lab_drop(&lab);
}

static void another_file_system_on_proc(void **state)
{
	(void)state;
	written_nowhere("/proc", EINVAL);
}

static void a_mount_on_our_file(void **state)
{
	(void)state;
	if (access("/proc/self/attr/exec", F_OK) < 0) {
		print_message("skip: this kernel has no security modules\n");
		skip();
	}
	written_nowhere("/proc/%d/attr/exec", EXDEV);
}

/* A part of a proc has its magic, too. */
static int part_of_proc(struct lab *lab, struct err *e)
{
	LAB_CHECK(lab, mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
	LAB_CHECK(lab, mount("proc", "/proc", "proc", 0, NULL) == 0);
	LAB_CHECK(lab, mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
	return ns_lsm_exec(NS_LSM_SELINUX, "label", e);
}

static void a_part_of_proc_on_proc(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWNS | CLONE_NEWPID, part_of_proc), -EINVAL);
	lab_drop(&lab);
}

/* A kernel without the module takes no label, as one with it takes none that is unknown to it. */
static int unknown(struct lab *lab, struct err *e)
{
	(void)lab;
	return ns_lsm_exec(NS_LSM_SELINUX, "x`y`", e);
}

/* Podman looks for `/proc/.../attr/...` in a message, and says by it that the security attribute could not be assigned (libpod/oci_util.go). */
static void a_refused_label_names_its_file(void **state)
{
	const char *file;
	struct lab lab;

	(void)state;
	if (access("/proc/self/attr/exec", F_OK) < 0 || ns_lsm_has(NS_LSM_SELINUX)) {
		print_message("skip: this kernel has no security modules, or has SELinux\n");
		skip();
	}
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, 0, unknown), -EINVAL);
	file = strstr(lab.shared->err.text, "`/proc/");
	assert_non_null(file);
	assert_non_null(strstr(file, "/attr/exec`: Invalid argument"));
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_file_system_on_proc),
		cmocka_unit_test(a_mount_on_our_file),
		cmocka_unit_test(a_part_of_proc_on_proc),
		cmocka_unit_test(a_refused_label_names_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
