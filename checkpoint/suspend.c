// SPDX-License-Identifier: GPL-2.0-only
/* Suspend and resume: images with a marker that decides, around criu's dump and restore. */
#include "checkpoint/suspend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/criu.h"
#include "checkpoint/dump.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/held.h"
#include "checkpoint/restore.h"
#include "net/netns.h"
#include "net/veth.h"
#include "ns/orphan.h"
#include "runtime/container.h"
#include "runtime/guardian.h"
#include "runtime/network.h"

/* Images of a resumed one, on their way out. */
#define GONE_DIR CT_CHECKPOINT_DIR ".gone"

#define MARKER_PATH CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER

int cr_checkpoint_exists(const struct ct_system *s, struct err *e)
{
	if (faccessat(s->dir, MARKER_PATH, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "look for a checkpoint");
}

static void marker_path(const struct ct_system *s, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/ct/%s/" MARKER_PATH, s->host->root, s->d.name);
}

/* Removed first and for good: half-removed images that a power failure brings back must not look whole. */
static int remove_marker(int images, struct err *e)
{
	if (unlinkat(images, CT_CHECKPOINT_MARKER, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "remove the checkpoint's marker");
	return fsync(images) < 0 ? err_sys(e, "flush the checkpoint's directory") : 0;
}

int cr_checkpoint_drop(struct ct_system *s, struct err *e)
{
	auto_fd int images =
		openat(s->dir, CT_CHECKPOINT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (images < 0 && errno != ENOENT)
		return err_sys(e, "open the checkpoint");
	if (file_remove_tree_at(s->dir, GONE_DIR, e) < 0)
		return -e->no;
	if (images < 0)
		return 0;
	if (remove_marker(images, e) < 0)
		return -e->no;
	return file_remove_tree_at(s->dir, CT_CHECKPOINT_DIR, e);
}

/* An empty directory; what a failed suspend left there goes. */
static int make_images(struct ct_system *s, struct err *e)
{
	int fd = fault_at("suspend.directory", e);

	if (fd < 0 || cr_checkpoint_drop(s, e) < 0)
		return -e->no;
	if (mkdirat(s->dir, CT_CHECKPOINT_DIR, 0700) < 0)
		return err_sys(e, "make a directory for the images");
	fd = openat(s->dir, CT_CHECKPOINT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(e, "open the images' directory") : fd;
}

/* Calls for each regular file of the images; fn's failure ends it. */
static int each_image(int images, int (*fn)(int dir, const char *name, struct err *e),
		      struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int r = 0, copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list the images");
	while (r >= 0 && (entry = readdir(d)))
		if (entry->d_type == DT_REG)
			r = fn(images, entry->d_name, e);
	return r;
}

static int start_flush(int dir, const char *name, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	(void)e;
	/* Only a hint: flush() waits for each, while all are on their way. */
	if (fd >= 0)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int flush(int dir, const char *name, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || fdatasync(fd) < 0 ? err_sys(e, "flush image %s", name) : 0;
}

/* Images, then their directory, then the marker, then the directory again: whoever sees the marker sees whole images. */
static int write_marker(int images, struct err *e)
{
	int r = each_image(images, start_flush, e);

	if (r >= 0)
		r = each_image(images, flush, e);
	if (r < 0)
		return r;
	if (fsync(images) < 0)
		return err_sys(e, "flush the images' directory");
	r = fault_at("suspend.marker", e);
	return r < 0 ? r : file_replace_at(images, CT_CHECKPOINT_MARKER, "1\n", 2, 0600, e);
}

static int write_volatile_marker(int images, struct err *e)
{
	int r = fault_at("suspend.marker", e);

	return r < 0 ? r
		     : file_replace_volatile_at(images, CT_CHECKPOINT_MARKER, "1\n", 2, 0600, e);
}

struct suspend {
	const struct cr_suspend *how;
	int images;
	int *netns; /* with frames to be held: its links go with it, some ms after the last task, and with them the place where frames arrive */
	uint64_t stopped_ns;
	bool refused; /* by the caller's commit: the log knows nothing of that */
};

static int stopping(void *arg, struct err *e)
{
	struct suspend *s = arg;
	int r = s->how->stopping ? s->how->stopping(s->how->arg, e) : 0;

	s->refused = r < 0;
	return r;
}

static int commit(void *arg, struct err *e)
{
	struct suspend *s = arg;
	int r = fault_at("suspend.commit", e);

	if (s->how->stopped_at_ns)
		*s->how->stopped_at_ns = s->stopped_ns;
	if (r >= 0 && s->how->commit)
		r = s->how->commit(s->images, s->how->arg, e);
	s->refused = r < 0;
	if (r < 0 || s->how->keep_running || s->how->live)
		return r;
	r = s->how->unflushed ? write_volatile_marker(s->images, e) : write_marker(s->images, e);
	if (r >= 0)
		(void)fault_at("suspend.marked",
			       &(struct err){0}); /* only a kill: nothing can fail it any more */
	return r;
}

/* What the images, or another host, may already have. */
static bool stays(void *arg)
{
	const struct suspend *s = arg;

	return (s->how->stay && *s->how->stay) ||
	       faccessat(s->images, CT_CHECKPOINT_MARKER, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_log(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".log");
}

static int remove_unless_log(int dir, const char *name, struct err *e)
{
	return is_log(name) || unlinkat(dir, name, 0) == 0 || errno == ENOENT
		       ? 0
		       : err_sys(e, "remove image %s", name);
}

/* Where the log is belongs to the cause: it is behind it, in the same line. */
static void name_log(const struct ct_system *s, const char *log, struct err *e)
{
	size_t n = strlen(e->text);

	if (faccessat(s->dir, log, F_OK, 0) == 0)
		snprintf(e->text + n, sizeof(e->text) - n, "; log: %s/ct/%s/%s", s->host->root,
			 s->d.name, log);
}

/* Of a failed dump only the log is kept, until the next one. */
static void clear_failed(const struct ct_system *s, int images, struct ct *ct, bool stay,
			 struct err *e)
{
	struct err ignored = {0};

	if (each_image(images, remove_unless_log, &ignored) < 0)
		log_warn("%s", ignored.text);
	err_clear(&ignored);
	if (!stay && cr_dump_recover(ct, &ignored) < 0)
		log_warn("after a failed checkpoint: %s", ignored.text);
	name_log(s, CT_CHECKPOINT_DIR "/dump.log", e);
}

/*
 * The links go before the lock on them does: its network outlives the sockets for a moment (and for as long as anybody has it open), and would answer a packet for them with a
 * reset.
 */
static void remove_links(const struct ct *ct)
{
	char names[CT_NETS_MAX][IFNAMSIZ];
	struct err why = {0};
	int n = ct_network_links(ct, names, &why);

	for (int i = 0; i < n; i++)
		(void)net_veth_destroy(names[i], &why);
	if (why.no)
		log_warn("after a suspend: %s", why.text);
}

/* The tasks are dead, and what they had on the host goes. A failure here is none of the suspend: `start`, `resume` and `destroy` clean it, too. */
static int clean(struct suspend *s, struct ct *ct, struct err *e)
{
	struct err why = {0};
	int r = fault_at("suspend.killed", e);

	if (r >= 0)
		r = ct_destroy_processes(ct, e);
	if (r >= 0 && s->how->killed)
		r = s->how->killed(s->how->arg, e);
	own_close_fd(s->netns);
	remove_links(ct);
	if (ct_delete(ct, true, &why) < 0)
		log_warn("after a suspend: %s", why.text);
	return r < 0 ? r : 0;
}

int cr_suspend(struct ct_system *s, const struct cr_suspend *how, struct err *e)
{
	static const struct cr_suspend plain = {0};
	auto_fd int netns = -EBADF;
	struct suspend what = {.how = how ? how : &plain, .images = -EBADF, .netns = &netns};
	auto_ct struct ct ct = CT_INIT;
	auto_fd int images = -EBADF;
	/* Until its links are gone, see remove_links(). */
	auto_fd int hold = -EBADF;
	char decided[PATH_MAX], journal[PATH_MAX], criu[256];
	struct cr_dump dump = {.s = s,
			       .ct = &ct,
			       .leave_running = what.how->keep_running,
			       .unchecked = what.how->unchecked,
			       .commit = commit,
			       .stopping = stopping,
			       .stays = stays,
			       .arg = &what,
			       .decided = decided,
			       .journal = what.how->live ? journal : NULL,
			       .hold = what.how->keep_running ? NULL : &hold,
			       .frames = what.how->frames,
			       .frozen_ns = &what.stopped_ns};
	int r = ct_open(s->host->state, s->d.name, "suspend", &ct, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		err_set(e, ESRCH, "container %s is not running", s->d.name);
		return err_class(e, ERR_NOT_RUNNING);
	}
	if (r >= 0)
		r = ct_may(&ct, CT_EVENT_SUSPEND, NULL, e);
	/* It came by a migration lately: a page that is still on its way would be lost. */
	if (r >= 0)
		r = cr_pages_wait(ct.dir, CR_RESIDENT_MS, e);
	/* Without it the log of the last one that failed stays. */
	if (r >= 0)
		r = cr_criu_find(criu, e);
	if (r >= 0)
		r = images = make_images(s, e);
	if (r < 0)
		return r;
	marker_path(s, decided);
	snprintf(journal, sizeof(journal), "%s/ct/%s/" CT_JOURNAL_FILE, s->host->root, s->d.name);
	what.images = dump.images = images;
	if (what.how->frames)
		r = netns = net_netns_open(ct.s.pid, e);
	if (r >= 0)
		r = cr_dump(&dump, e);
	if (r < 0 && cr_checkpoint_exists(s, &(struct err){0}) != 1) {
		bool stay = how && how->stay && *how->stay;

		clear_failed(s, images, &ct, stay, what.refused ? &(struct err){0} : e);
		if (!stay)
			cr_held_return(s, &ct, what.how->frames);
		return -e->no;
	}
	if (what.how->keep_running)
		cr_held_return(s, &ct, what.how->frames);
	/* A criu that failed after the marker was written has killed them, or left it to us: the images are what counts. */
	if (!what.how->keep_running)
		r = clean(&what, &ct, r < 0 ? &(struct err){0} : e);
	if (what.how->frozen_ns)
		*what.how->frozen_ns = what.stopped_ns ? log_now_ns() - what.stopped_ns : 0;
	if (r >= 0 && what.how->hold)
		*what.how->hold = take_fd(&hold);
	return r < 0 ? -e->no : 0;
}

struct resume {
	const struct cr_resume_last *last;
	int images;
};

/* In the later monitor. After the marker is gone it runs, so nothing that can fail comes behind its removal. */
static int last_word(struct ct *ct, void *arg, struct err *e)
{
	struct resume *what = arg;
	int r = fault_at("resume.ready", e);

	(void)ct;
	if (r >= 0 && what->last && what->last->ready)
		r = what->last->ready(what->last->arg, e);
	if (r >= 0)
		r = fault_at("resume.marker", e);
	/* The command may die now without taking along what cannot be brought back. */
	if (r >= 0 && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return err_sys(e, "outlive the command");
	if (r >= 0)
		r = remove_marker(what->images, e);
	if (r < 0)
		return r;
	(void)fault_at("resume.running",
		       &(struct err){0}); /* only a kill: nothing can fail it any more */
	return 0;
}

static int make_container(struct ct_system *s, void *arg, struct ct *ct, struct ct_created *made,
			  struct err *e)
{
	struct resume *what = arg;
	char undecided[PATH_MAX];
	const struct cr_restore how = {.s = s,
				       .images = what->images,
				       .ready = last_word,
				       .arg = what,
				       .held = what->last ? what->last->held : NULL,
				       .held_sock = what->last ? what->last->held_sock : -EBADF,
				       .pages = what->last ? what->last->pages : NULL,
				       .hungry = what->last ? what->last->hungry : NULL,
				       .hungry_arg = what->last ? what->last->arg : NULL,
				       .undecided = undecided};

	marker_path(s, undecided);
	return cr_restore(&how, ct, made, e);
}

static int check_stopped(struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	enum ct_status status;
	int r = ct_open(s->host->state, s->d.name, "resume", &ct, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		return 0;
	}
	if (r >= 0)
		r = ct_status(&ct, &status, e);
	if (r < 0)
		return r;
	if (status == CT_STOPPED)
		return ct_delete(&ct, true, e); /* what an earlier run left */
	/* Frozen, and its images complete: what a resume that was killed has made of them, or a suspend has left. Nobody is to hear of its end. */
	if (status == CT_PAUSED && cr_checkpoint_exists(s, e) > 0) {
		remove_links(&ct);
		return ct_delete(&ct, true, e);
	}
	/* Running with a marker: a suspend was killed between its marker and the end of the tasks, which criu brings about, or could not. */
	err_set(e, EALREADY, "container %s is %s", s->d.name, ct_status_to_str(status));
	return err_class(e, ERR_RUNNING);
}

/* Before anybody is told that it runs: whoever hears that sends nothing to where it was. */
static void announce(struct ct_system *s, pid_t init, const struct cr_resume_last *last)
{
	int socks[CT_NETS_MAX];
	struct err quiet = {0};
	auto_fd int netns = net_netns_open(init, &quiet);

	if (netns >= 0)
		(void)ct_system_announce_open(s, netns, socks, &quiet);
	if (quiet.no)
		log_info("announce %s: %s", s->d.name, quiet.text);
	if (last && last->runs)
		last->runs(last->arg);
	if (netns >= 0)
		ct_system_announce_close(socks);
}

/*
 * The images are dead files by now. To remove them can take longer than the resume took (ext4 with discard: 200 ms for 180 MB), so nobody waits for it: a
 * grandchild does it, under another name, which the next suspend or destroy removes if we are killed.
 */
static void drop_behind(struct ct_system *s)
{
	struct err quiet = {0};

	if (fault_at("resume.drop", &quiet) < 0 ||
	    file_remove_tree_at(s->dir, GONE_DIR, &quiet) < 0 ||
	    renameat(s->dir, CT_CHECKPOINT_DIR, s->dir, GONE_DIR) < 0) {
		log_warn("the images of %s are still there: %s", s->d.name,
			 quiet.no ? quiet.text : strerror(errno));
		return;
	}
	if (ns_orphan("skep-drop", (int[]){s->dir}, 1) == 0) {
		(void)file_remove_tree_at(s->dir, GONE_DIR, &quiet);
		_exit(0);
	}
}

int cr_resume_when(struct ct_system *s, const struct cr_resume_last *last, struct err *e)
{
	auto_fd int images =
		openat(s->dir, CT_CHECKPOINT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct resume what = {.last = last, .images = images};
	int keep[8] = {images};
	struct ct_guardian_task task = {.name = "resume",
					.make = make_container,
					.arg = &what,
					.no_way_back = true,
					.keep = keep,
					.n_keep = 1};
	pid_t init = 0;
	int r = check_stopped(s, e);

	if (r >= 0)
		r = cr_checkpoint_exists(s, e);
	if (r < 0)
		return r;
	if (r == 0 || images < 0) {
		err_set(e, ENOENT, "container %s is not suspended", s->d.name);
		err_hint(e, "`skepctl start %s` boots it", s->d.name);
		return err_class(e, ERR_NOT_RUNNING);
	}
	for (size_t i = 0; last && i < last->n_keep; i++) {
		if (task.n_keep >= ARRAY_SIZE(keep))
			return err_set(e, E2BIG, "too many descriptors to keep");
		keep[task.n_keep++] = last->keep[i];
	}
	r = ct_guardian_run(s, &task, &init, e);
	if (r < 0) {
		name_log(s, CT_CHECKPOINT_DIR "/restore.log", e);
		return -e->no;
	}
	announce(s, init, last);
	drop_behind(s);
	return 0;
}

int cr_resume(struct ct_system *s, struct err *e)
{
	return cr_resume_when(s, NULL, e);
}
