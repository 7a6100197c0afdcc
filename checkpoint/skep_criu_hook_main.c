// SPDX-License-Identifier: GPL-2.0-only
/* criu's action script: asks the command that runs criu what to do at this stage, and decides by itself if that is dead. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "checkpoint/heir.h"
#include "checkpoint/hook.h"

#define DEPTH_MOST \
	256 /* of processes below each other; what is deeper dies with init, a moment later */

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static bool wanted(const char *stage)
{
	const char *list = env(CR_HOOK_ENV_STAGES), *at;
	size_t n = strlen(stage);

	for (at = list; n && (at = strstr(at, stage)); at++)
		if (at > list && at[-1] == ',' && at[n] == ',')
			return true;
	return false;
}

/* A path of any length fits into sun_path by way of its directory. */
static int reach(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[4096];
	const char *slash = strrchr(path, '/');
	int at, fd;

	if (!slash || (size_t)(slash - path) >= sizeof(dir))
		return -1;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (at < 0 || fd < 0)
		return -1;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d%.64s", at, slash);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -1 : fd;
}

/* '0', '1', or 0: nobody answers. As long as the command lives we wait: a decision may depend on another host. *command: the connection to it, -1: none. */
static char ask(const char *stage, int *command)
{
	char text[64], answer = 0;
	int fd = *command = reach(env(CR_HOOK_ENV_SOCKET));
	ssize_t n;

	if (fd < 0)
		return 0;
	n = snprintf(text, sizeof(text), "%s %d", stage, atoi(env("CRTOOLS_INIT_PID")));
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return 0;
	do
		n = recv(fd, &answer, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 ? answer : 0;
}

static bool exists(const char *path)
{
	return path[0] && access(path, F_OK) == 0;
}

/* Children before their parent: they would be somebody else's when it is dead. */
static void kill_tree(int pid, int depth)
{
	char path[64], list[4096];
	DIR *threads;
	struct dirent *t;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = depth < DEPTH_MOST ? opendir(path) : NULL;
	while (threads && (t = readdir(threads))) {
		FILE *f;
		int child;

		if (t->d_name[0] == '.')
			continue;
		snprintf(list, sizeof(list), "%s/%.16s/children", path, t->d_name);
		f = fopen(list, "re");
		while (f && fscanf(f, "%d", &child) == 1)
			kill_tree(child, depth + 1);
		if (f)
			fclose(f);
	}
	if (threads)
		closedir(threads);
	kill(pid, SIGKILL);
}

/*
 * None of them may run: they have their signal before criu is gone, whose stop they are in. And criu has to go: it would wait for init, which waits in the
 * kernel for the other dead ones (zap_pid_ns_processes()), whom only their tracer, criu, could reap. It leads our process group (become() in criu.c).
 */
static void end_all(int init)
{
	if (init > 1)
		kill_tree(init, 0);
	if (getppid() == getpgrp())
		kill(getppid(), SIGKILL);
}

/*
 * Whether the journal of a live migration (cr_journal_save()) gave the container away: its tasks may run at the target. None, or one that says that it only began: they are
 * ours. In any doubt they are not.
 */
static bool given_away(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[1024], point[32];
	bool started = !f && errno == ENOENT;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " \"point\" : \"%31[^\"]\"", point) == 1)
			started = !strcmp(point, "started");
	if (f)
		fclose(f);
	return !started;
}

static void thaw(const char *freezer)
{
	int fd = open(freezer, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		perror(freezer);
	if (fd >= 0)
		close(fd);
}

/* Asked when the command is dead. */
static bool ours(void)
{
	const char *journal = env(CR_HOOK_ENV_JOURNAL);

	return !exists(env(CR_HOOK_ENV_DECIDED)) && !(journal[0] && given_away(journal));
}

/*
 * It was refused, or nobody is there to say that it was taken: criu lets them go on. A living command thaws them; for a dead one, or one that dies before it has, we leave somebody.
 * Without criu, who leads our group, they wait for the next command.
 */
static int not_dumped(char answer, int command)
{
	const char *freezer = env(CR_HOOK_ENV_FREEZER);

	if (freezer[0] && (answer || ours()) && getppid() == getpgrp())
		(void)cr_heir_leave(getppid(), (unsigned)atoi(env(CR_HOOK_ENV_KEPT)), freezer,
				    answer ? command : -1, ours);
	return 1;
}

int main(void)
{
	const char *stage = env("CRTOOLS_SCRIPT_ACTION");
	int init = atoi(env("CRTOOLS_INIT_PID"));
	char answer;
	int command;

	if (!wanted(stage))
		return 0;
	answer = ask(stage, &command);
	if (answer == '0')
		return 0;
	if (!strcmp(stage, "post-dump"))
		return answer == 0 && exists(env(CR_HOOK_ENV_DECIDED))
			       ? 0
			       : not_dumped(answer, command);
	if (strcmp(stage, "pre-resume"))
		return answer ? 1 : 0;
	/* Without the word of a living command the tasks may run only if that word was given before it died. */
	if (answer == 0 && env(CR_HOOK_ENV_UNDECIDED)[0] && !exists(env(CR_HOOK_ENV_UNDECIDED))) {
		if (env(CR_HOOK_ENV_FREEZER)[0])
			thaw(env(CR_HOOK_ENV_FREEZER));
		return 0;
	}
	end_all(init);
	return 1;
}
