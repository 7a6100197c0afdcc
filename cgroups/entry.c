// SPDX-License-Identifier: GPL-2.0-only
/* The ways of a process into the groups of a container. */
#include "cgroups/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/freezer.h"

/* Whether a process may be put here: a frozen group would hang it, an inner node or threaded one refuse it. */
static bool takes_processes(int dir)
{
	auto_free char *control = NULL, *type = NULL;
	struct err ignored = {0};

	return file_try_read_at(dir, "cgroup.subtree_control", 4096, &control, &ignored) >= 0 &&
	       !control[strspn(control, " \n")] &&
	       file_try_read_at(dir, "cgroup.type", 64, &type, &ignored) >= 0 &&
	       !strcmp(type, "domain\n") && !cg_dir_frozen(dir);
}

int cg_exec_fd(const struct cg *cg, struct err *e)
{
	if (cg->ct < 0)
		return -EBADF;
	if (takes_processes(cg->ct)) {
		int fd = openat(cg->ct, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? err_sys(e, "open control group %s/ct", cg->path) : fd;
	}
	/* The subtree is the container's: it may have spoilt the name, so there is more than one. */
	for (int i = 0; i < 8; i++) {
		auto_fd int fd = -EBADF;
		char name[32];

		snprintf(name, sizeof(name), i ? "skep-exec-%d" : "skep-exec", i);
		if (mkdirat(cg->ct, name, 0755) && errno != EEXIST)
			return err_sys(e, "make control group %s/ct/%s", cg->path, name);
		fd = openat(cg->ct, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && takes_processes(fd))
			return take_fd(&fd);
	}
	return err_set(e, EBUSY, "control group %s/ct has no place for a new process", cg->path);
}

int cg_add(const struct cg *cg, pid_t pid, bool v2_too, struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (v2_too && cg->ct >= 0 && file_write_at(cg->ct, "cgroup.procs", text, e) < 0)
		return err_wrap(e, "put process %d into %s/ct", pid, cg->path);
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (cg->v1[c] >= 0 && file_write_at(cg->v1[c], "cgroup.procs", text, e) < 0)
			return err_wrap(e, "put process %d into %s of %s", pid, cg->path,
					cg_controller_to_str((enum cg_controller)c));
	return 0;
}

int cg_doors_open(const struct cg *cg, struct cg_doors *doors, struct err *e)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		if (cg->v1[c] < 0)
			continue;
		doors->tasks[c] = openat(cg->v1[c], "tasks", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (doors->tasks[c] < 0) {
			err_sys(e, "open tasks of %s in %s", cg->path,
				cg_controller_to_str((enum cg_controller)c));
			cg_doors_close(doors);
			return -e->no;
		}
	}
	return 0;
}

void cg_doors_close(struct cg_doors *doors)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		own_close_fd(&doors->tasks[c]);
}

/*
 * cgroup_procs_write_start() takes cgroup_threadgroup_rwsem, whose first writer waits for RCU (4 to 17 ms), unless a thread moves itself alone: "0" into
 * `tasks` (kernel/cgroup/cgroup.c, since 5.12).
 */
int cg_doors_enter(const struct cg_doors *doors, struct err *e)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (doors->tasks[c] >= 0 && write(doors->tasks[c], "0", 1) < 0)
			return err_sys(e, "enter the control group of %s",
				       cg_controller_to_str((enum cg_controller)c));
	return 0;
}
