// SPDX-License-Identifier: GPL-2.0-only
/* Boot id and ROOT's inode. */
#include "checkpoint/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define SIZE	96

int cr_home_boot(char out[CR_BOOT_SIZE], struct err *e)
{
	auto_free char *boot = NULL;

	if (file_read_at(AT_FDCWD, BOOT_ID, 64, &boot, e) < 0)
		return -e->no;
	snprintf(out, CR_BOOT_SIZE, "%.*s", (int)strcspn(boot, "\n"), boot);
	return 0;
}

static int home(const char *root, char out[SIZE], struct err *e)
{
	char boot[CR_BOOT_SIZE];
	struct stat st;

	if (cr_home_boot(boot, e) < 0)
		return -e->no;
	if (stat(root, &st) < 0)
		return err_sys(e, "look at %s", root);
	snprintf(out, SIZE, "%s %llx:%llx", boot, (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return 0;
}

int cr_home_offer(const char *root, json_t *offer, struct err *e)
{
	char ours[SIZE];

	if (home(root, ours, e) < 0)
		return -e->no;
	if (json_object_set_new(offer, "home", json_string(ours)) < 0)
		return err_set(e, ENOMEM, "describe the container: out of memory");
	return 0;
}

int cr_home_check(const char *root, const json_t *offer, struct err *e)
{
	const char *theirs = "";
	char ours[SIZE];

	if (json_get_str(offer, "home", &theirs, e) < 0 || home(root, ours, e) < 0)
		return -e->no;
	if (strcmp(theirs, ours) != 0)
		return 0;
	err_set(e, EINVAL, "this is the very host that it is on");
	return err_class(e, ERR_MIGRATE);
}
