// SPDX-License-Identifier: GPL-2.0-only
/* A table of what criu says when it cannot do something, and what that means. */
#include "checkpoint/explain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define LOG_MOST (64u << 20)

/*
 * The first entry that has a line wins: so the more telling ones come first. words: all of them, in this order, in one line. Where criu names a thing
 * (a path, a pid) the whole line is shown as well.
 */
/* clang-format off */
static const struct {
	const char *words[3];
	int no;
	enum err_class class; /* ERR_SYSTEM: the caller's */
	bool show;
	const char *cause, *remedy;
} known[] = {
	/* A full disk is behind many other errors. */
	{{"No space left on device"}, ENOSPC, ERR_NO_SPACE, false, "no room for the images", "make room on the disk; the images take about as much as the container's memory"},
	{{"Disk quota exceeded"}, EDQUOT, ERR_NO_SPACE, false, "no room for the images: the quota is used up", "raise the quota"},
	/* What a container may hold and criu cannot take along. */
	{{"Can't dump nested", "namespace"}, EOPNOTSUPP, 0, true, "a program in it has namespaces of its own", "containers inside it, or services with PrivateIPC=, ProtectHostname=, PrivateUsers=: stop them first"},
	{{"Nested mount namespaces"}, EOPNOTSUPP, 0, false, "a program in it has a mount namespace of its own", "stop that service first"},
	{{"anon_inode:[io_uring]"}, EOPNOTSUPP, 0, true, "a program in it uses io_uring", "stop that program, or switch io_uring off in it"},
	{{"io_uring"}, EOPNOTSUPP, 0, true, "a program in it uses io_uring", "stop that program, or switch io_uring off in it"},
	{{"anon_inode:[perf_event]"}, EOPNOTSUPP, 0, true, "a program in it counts performance events", "stop it (perf) first"},
	{{"anon_inode:[userfaultfd]"}, EOPNOTSUPP, 0, true, "a program in it uses userfaultfd", "stop it first"},
	{{"anon_inode:[fanotify]"}, EOPNOTSUPP, 0, true, "a program in it watches files by fanotify", "stop it first"},
	{{"anon_inode:[landlock"}, EOPNOTSUPP, 0, true, "a program in it has a landlock rule set open", "stop it first"},
	{{"anon_inode:seccomp notify"}, EOPNOTSUPP, 0, true, "a program in it listens to a seccomp filter", "stop it first"},
	{{"anon_inode:[fscontext]"}, EOPNOTSUPP, 0, true, "a program in it is just making a mount", "let it finish, or stop it"},
	{{"anon_inode:bpf"}, EOPNOTSUPP, 0, true, "a program in it has a BPF map, program or link", "stop it first"},
	{{"BPF map type"}, EOPNOTSUPP, 0, true, "a program in it has a BPF map that cannot be taken along", "stop it first"},
	/* io_uring's own descriptor cannot be sent to criu (EINVAL); nothing else is refused there. */
	{{"send_fds failed (-22)"}, EOPNOTSUPP, 0, false, "a program in it uses io_uring", "stop that program, or switch io_uring off in it"},
	{{"Can't dump file", "of that type", "chr"}, EOPNOTSUPP, 0, true, "a program in it has a device open that cannot be taken along", "stop it first"},
	{{"Can't dump file", "of that type"}, EOPNOTSUPP, 0, true, "a program in it has something open that cannot be taken along", "stop it first"},
	{{"Unknown shit", "secretmem"}, EOPNOTSUPP, 0, false, "a program in it has secret memory (memfd_secret)", "stop it first"},
	{{"Unknown shit"}, EOPNOTSUPP, 0, true, "a program in it has memory of a kind that cannot be taken along", "stop it first"},
	{{"Can't handle non-regular mapping"}, EOPNOTSUPP, 0, true, "a program in it has a device in its memory", "stop it first"},
	{{"has uprobes vma"}, EBUSY, 0, true, "a program in it is traced by the host (uprobes)", "end what traces it (perf, bpftrace) first"},
	{{"No NS ID with kid"}, EOPNOTSUPP, 0, true, "a program in it holds a namespace in which none of its processes is", "restart that program"},
	{{"PIDFD_THREAD flag"}, EOPNOTSUPP, 0, false, "a program in it holds a pidfd of a thread", "stop it first"},
	{{"Dump eventpoll"}, EOPNOTSUPP, 0, true, "a program in it watches by epoll a file that it has closed and another process has open", "restart that program"},
	{{"Zombies with threads"}, EOPNOTSUPP, 0, false, "a program in it has ended its first thread and goes on in others", "restart that program"},
	{{"Can't make VM id"}, EAGAIN, 0, true, "two of its processes share their memory", "try again; if they do for long, stop them first"},
	{{"Can't make FS id"}, EAGAIN, 0, true, "two of its processes share their working directory", "try again; if they do for long, stop them first"},
	{{"session leader of", "outside of its pid namespace"}, EBUSY, 0, true, "a program in it belongs to a session outside", "end it, or start it with setsid, or by `skepctl exec`"},
	{{"Unsupported link", "kind"}, EOPNOTSUPP, 0, true, "it has a network link of a kind that cannot be taken along", "remove it: ip link delete"},
	{{"a macvlan parent for"}, EOPNOTSUPP, 0, true, "it had a macvlan link, which cannot be made again", "it cannot be resumed: `skepctl stop` drops its memory"},
	{{"mqueue isn't empty"}, EOPNOTSUPP, 0, false, "it has POSIX message queues", "remove them, or end the program whose they are"},
	{{"FS mnt", "unsupported"}, EOPNOTSUPP, 0, true, "it has a file system mounted whose kind cannot be taken along", "unmount it first"},
	{{"Can't link remap to"}, EOPNOTSUPP, 0, true, "a program in it has a file open that a mount hides", "restart that program"},
	{{"Unaccessible path opened"}, EOPNOTSUPP, 0, true, "a program in it has a file open that a mount hides", "restart that program"},
	{{"Can't dump corked dgram socket"}, EAGAIN, 0, false, "a program in it holds back a UDP packet that it is writing", "try again, or restart that program"},
	{{"netlink: The socket has data to read"}, EAGAIN, 0, false, "a program in it has not read what the kernel told it (netlink)", "try again, or restart that program"},
	{{"netlink socket", "groups"}, EOPNOTSUPP, 0, true, "a program in it listens to a netlink group that cannot be joined again", "stop it first"},
	{{"socket from an external network namespace"}, EOPNOTSUPP, 0, false, "a program in it has a socket of a network namespace in which none of its processes is", "restart that program"},
	{{"Unknown socket collected"}, EOPNOTSUPP, 0, true, "a program in it has a socket of a kind that cannot be taken along", "stop it first"},
	{{"Unix socket", "without peer"}, EBUSY, 0, true, "a program in it is connected to a program outside", "end that connection first"},
	{{"Unsupported socket family: 17"}, EOPNOTSUPP, 0, false, "a program in it has a packet socket open", "stop it (tcpdump, a DHCP client) first"},
	{{"Unsupported socket family"}, EOPNOTSUPP, 0, true, "a program in it has a socket of a kind that cannot be taken along", "stop it first"},
	{{"Unsupported proto"}, EOPNOTSUPP, 0, true, "a program in it has a socket of a protocol that cannot be taken along", "stop it first"},
	{{"Can't get 1:16 opt"}, EOPNOTSUPP, ERR_UNSUPPORTED, false, "this criu is too old for this kernel", "kernels from 6.16 on need criu 4.2"},
	{{"Unexpected rt vDSO area bounds"}, EOPNOTSUPP, ERR_UNSUPPORTED, false, "this criu is too old for this kernel", "kernels from 6.13 on need criu 4.1"},
	{{"half of stream unix connection"}, EBUSY, 0, true, "a program in it is connected to a program outside", "end that connection first"},
	{{"Connected TCP socket in image"}, EOPNOTSUPP, 0, false, "it was checkpointed with established TCP connections", "restore it with --tcp-established, too"},
	{{"Connected TCP socket"}, EOPNOTSUPP, 0, false, "a program in it has an established TCP connection", "--tcp-established takes connections along; or end them first"},
	{{"External socket is used"}, EBUSY, 0, true, "a program in it has a socket of a program outside", "end that connection first"},
	{{"In-flight connection"}, EAGAIN, 0, false, "a connection is just being made", "try again"},
	{{"Can't dump ghost file", "increase limit"}, EFBIG, 0, true, "a deleted file that is still open is too large to be kept", "end the program that holds it"},
	{{"Can't lookup mount="}, EOPNOTSUPP, 0, true, "a program in it has a file open that is on no mount of the container", "a program brought in by `skepctl exec` or `enter` may hold it: end it first"},
	{{"overmounted mounts"}, EOPNOTSUPP, 0, true, "a program in it has a file open that another mount hides", "stop that program first"},
	{{"in-flight socket"}, EAGAIN, 0, false, "a connection between two of its programs is just being made", "try again"},
	{{"pidfd pid", "not a part of process tree"}, EAGAIN, 0, false, "a program in it holds a pidfd of a process that has ended", "try again, or restart that program"},
	{{"Control messages in queue"}, EAGAIN, 0, false, "descriptors or credentials are on their way between two of its programs", "try again"},
	{{"SCM", "not supported"}, EAGAIN, 0, false, "descriptors are on their way between two of its programs", "try again"},
	{{"error parsing [inotify"}, EAGAIN, 0, false, "a program in it watches a file that was just removed", "try again"},
	{{"Can't dump that handle"}, EOPNOTSUPP, 0, false, "a program in it watches (inotify) a file that has no path any more", "restart that program first"},
	{{"Corrupted master peer"}, EIO, 0, false, "its console was hung up when it was suspended", "it cannot be resumed: `skepctl stop` drops its memory"},
	{{"Can't connect inet socket back"}, EADDRNOTAVAIL, 0, true, "a connection of it cannot be made again", "its network must be as it was when it was suspended"},
	{{"find suitable path for handle"}, EOPNOTSUPP, 0, true, "a watched file cannot be found by its handle", "the file system of the container cannot tell: stop the program that watches files (inotify)"},
	{{"autodetected external mount"}, EOPNOTSUPP, 0, true, "it has a mount from outside that cannot be made again", "unmount it first"},
	{{"doesn't have a proper root mount"}, EOPNOTSUPP, 0, true, "it has a mount whose source cannot be seen", "unmount it first"},
	{{"Individually stopped threads"}, EOPNOTSUPP, 0, true, "a program in it is being debugged", "detach the debugger first"},
	{{"seize", "already being traced"}, EBUSY, 0, true, "a program in it is being traced", "end strace, gdb, or whatever traces it, first"},
	{{"Unseizable non-zombie"}, EBUSY, 0, true, "a program in it is being traced", "end strace, gdb, or whatever traces it, first"},
	{{"Unable to seize"}, EBUSY, 0, true, "a program in it cannot be stopped", "is it being traced? end strace or gdb first"},
	{{"memfd", "hugetlb"}, EOPNOTSUPP, 0, true, "a program in it has huge pages that cannot be taken along", "stop it first"},
	{{"kerndat_tcp_repair failed"}, ENETUNREACH, ERR_UNSUPPORTED, false, "criu cannot try connections on this host's lo", "bring up lo: `ip link set lo up`"},
	{{"Can't connect to server"}, ECONNREFUSED, 0, true, "no page server takes its memory", "begin `criu page-server` first, where its --port is that one"},
	/* A restore. */
	{{"Address already in use"}, EADDRINUSE, ERR_ADDR_IN_USE, true, "an address that it had is in use", "free it, then resume again"},
	{{"Cannot assign requested address"}, EADDRNOTAVAIL, 0, true, "an address that its connections had is not there", "its network must be as it was when it was suspended"},
	{{"CPU", "not match"}, EOPNOTSUPP, 0, true, "this processor lacks something that its programs use", "resume it on a host with the same or a newer processor"},
	{{"CPU", "isn't supported"}, EOPNOTSUPP, 0, true, "this processor lacks something that its programs use", "resume it on a host with the same or a newer processor"},
	{{"has bad size"}, ESTALE, 0, true, "a file of it has changed since it was suspended", "its files must not be touched while it is suspended"},
	{{"has bad build-ID"}, ESTALE, 0, true, "a program of it has changed since it was suspended", "its files must not be touched while it is suspended"},
	{{"has bad mode"}, ESTALE, 0, true, "a file of it has changed since it was suspended", "its files must not be touched while it is suspended"},
	{{"Can't open file", "No such file"}, ENOENT, 0, true, "a file that it had open is gone", "its files must not be touched while it is suspended"},
	{{"Cgroup dir", "doesn't exist"}, ENOENT, 0, true, "a control group that it had cannot be made again", "report this with the log"},
	{{"Can't move", "into"}, EBUSY, 0, true, "a process cannot be put into its control group", "is a limit of the container used up? see `skepctl stat`"},
	{{"nsid", "mount", "Operation not permitted"}, EPERM, 0, true, "a mount of it cannot be made again", "report this with the log"},
	{{"Can't init fanotify mark"}, EPERM, 0, false, "a program in it watched by fanotify as only the host's root may", "it cannot be resumed: `skepctl stop` drops its memory"},
	{{"Can't fork"}, EAGAIN, 0, true, "its processes cannot be made again", "is its limit of processes lower than when it was suspended?"},
	{{"Cannot allocate memory"}, ENOMEM, 0, false, "not enough memory", "free memory, or raise the container's limit with `skepctl set`"},
	{{"killed by signal 9"}, ENOMEM, 0, true, "a process died while it was made again", "is its memory limit lower than when it was suspended? raise it with `skepctl set`"},
	{{"Magic doesn't match"}, EINVAL, 0, true, "the images are damaged", "they cannot be resumed: `skepctl stop` drops them"},
	{{"Unexpected EOF"}, EINVAL, 0, false, "the images are damaged", "they cannot be resumed: `skepctl stop` drops them"},
	{{"Unable to open", ".img", "No such file"}, ENOENT, 0, true, "an image is missing", "they cannot be resumed: `skepctl stop` drops them"},
};

/* Harmless, and what follows a failure instead of causing it. */
static const char *const noise[] = {
	"iptables", "ip6tables", "Can't setup RLIMIT_NOFILE", "RLIMIT_NOFILE", "Dumping FAILED", "Restoring FAILED", "action scripts failed", "exited with",
	"kerndat", "soft-dirty", "cgroupd: recv req error", "TASK_HELPERS", "can't dump: no suitable", "Script ", "Killing processes because", "Unable to wait",
	"net: The kernel", "Can't load", "criu.kdat", "Unsupported sock_diag", "Post-dump", "Aborting restore due to", "Pre-resume script", "doesn't support",
	/* check_tun_netns_cr() only looks at what the kernel has, and says yes or no. */
	"Unable to create tun", NULL};
/* clang-format on */

static bool has_all(const char *line, size_t len, const char *const words[3])
{
	const char *at = line, *stop = line + len;

	for (int i = 0; i < 3 && words[i]; i++) {
		at = memmem(at, (size_t)(stop - at), words[i], strlen(words[i]));
		if (!at)
			return false;
		at += strlen(words[i]);
	}
	return true;
}

static bool is_noise(const char *line, size_t len)
{
	/* The one of kerndat's complaints that ends it. */
	if (memmem(line, len, "kerndat_tcp_repair", strlen("kerndat_tcp_repair")))
		return false;
	for (int i = 0; noise[i]; i++)
		if (memmem(line, len, noise[i], strlen(noise[i])))
			return true;
	return false;
}

/* "(00.012345) Error (criu/x.c:12): words" and "pie: 12: Error (...)": the words. NULL: another line. */
static const char *error_words(const char *line, size_t len)
{
	static const char mark[] = "Error (", told_lightly[] = "Can't connect to server";
	const char *stop = line + len, *at = memmem(line, len, mark, sizeof(mark) - 1);

	/* At its level of information (setup_tcp_client() in criu/util.c); what ends it then has no words of its own. */
	if (!at)
		return memmem(line, len, told_lightly, sizeof(told_lightly) - 1);
	at = memmem(at, (size_t)(stop - at), "): ", 3);
	return at ? at + 3 : NULL;
}

/* Calls for each error line; not those that are noise. */
static const char *next_error(const char **log, size_t *len)
{
	while (**log) {
		const char *line = *log;
		size_t n = strcspn(line, "\n");
		const char *words = error_words(line, n);

		*log += n + (line[n] != 0);
		if (words && !is_noise(line, n)) {
			*len = (size_t)(line + n - words);
			return words;
		}
	}
	return NULL;
}

static int say(const char *what, const char *line, size_t len, size_t k, struct err *e)
{
	int shown = len > 240 ? 240 : (int)len;

	if (known[k].show)
		err_set(e, known[k].no, "%s: %s (%.*s)", what, known[k].cause, shown, line);
	else
		err_set(e, known[k].no, "%s: %s", what, known[k].cause);
	err_hint(e, "%s", known[k].remedy);
	return known[k].class ? err_class(e, known[k].class) : -e->no;
}

int cr_explain(const char *log, const char *what, struct err *e)
{
	const char *line, *first = NULL, *at;
	size_t len, first_len = 0;

	for (size_t k = 0; k < ARRAY_SIZE(known); k++)
		for (at = log; (line = next_error(&at, &len));)
			if (has_all(line, len, known[k].words))
				return say(what, line, len, k, e);
	at = log;
	first = next_error(&at, &first_len);
	if (!first)
		return err_set(e, EIO, "%s: criu failed without saying why", what);
	err_set(e, EIO, "%s: criu: %.*s", what, first_len > 300 ? 300 : (int)first_len, first);
	return err_hint(e, "the log has more");
}

int cr_explain_at(int dir, const char *name, const char *what, struct err *e)
{
	auto_free char *log = NULL;
	struct err ignored = {0};

	if (file_try_read_at(dir, name, LOG_MOST, &log, &ignored) < 0)
		return err_set(e, EIO, "%s: criu ended without a log", what);
	return cr_explain(log, what, e);
}
