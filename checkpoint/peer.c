// SPDX-License-Identifier: GPL-2.0-only
/* Starting the remote shell and listening to what it says when it fails. */
#include "checkpoint/peer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/interrupt.h"
#include "checkpoint/journal.h"
#include "checkpoint/plan.h"

/* A link that takes nothing for so long is as good as dead: the container may be frozen meanwhile. */
#define NOTICE_MS 10000
#define STALLED_S 60
#define ENDING_MS 5000
#define SAID_MAX  (64 * 1024)
#define BUFFER	  (4 << 20)

/* What a shell leaves alone; all else is quoted, as the remote shell makes one line of the words and reads it again. */
static bool plain(const char *word)
{
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("_/.:=@%+,-", *word))
			return false;
	return true;
}

static char *quoted(const char *word)
{
	char *out, *to;

	if (word[0] && plain(word))
		return strdup(word);
	out = to = malloc(4 * strlen(word) + 3);
	if (!out)
		return NULL;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	}
	*to++ = '\'';
	*to = 0;
	return out;
}

struct words {
	char *argv[2 * CR_REMOTE_WORDS + 3];
	size_t n;
	size_t ours; /* so many behind the first are options of our own */
};

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->argv[i]);
}

static void add(struct words *w, char *word)
{
	if (word && w->n + 1 < ARRAY_SIZE(w->argv))
		w->argv[w->n++] = word;
	else
		free(word);
}

static int make_words(struct words *w, const struct cr_remote *remote, struct err *e)
{
	/* A host without power says nothing: without these TCP alone would wait for it, a quarter of an hour, with the container frozen. */
	static const char *const ssh[] = {"ssh", "-oServerAliveInterval=10",
					  "-oServerAliveCountMax=3", NULL};
	static const char *const skepctl[] = {"skepctl", NULL};
	const char *const *a = remote->rsh ? remote->rsh : ssh;
	const char *const *b = remote->skepctl ? remote->skepctl : skepctl;
	size_t want = 2;

	w->ours = remote->rsh ? 0 : ARRAY_SIZE(ssh) - 2;

	/* "-oProxyCommand=..." as a host would be an option that runs a program here. */
	if (!remote->host || !remote->host[0] || remote->host[0] == '-') {
		err_set(e, EINVAL, "\"%s\" is not the name of a host",
			remote->host ? remote->host : "");
		return err_class(e, ERR_VALUE);
	}
	for (; *a; a++, want++)
		add(w, strdup(*a));
	add(w, strdup(remote->host));
	for (; *b; b++, want++)
		add(w, quoted(*b));
	add(w, strdup("migrate-receive"));
	return w->n == want ? 0
			    : err_set(e, ENOMEM,
				      "start the remote shell: too many words, or out of memory");
}

/* I am the child that becomes the remote shell. errno goes back through report when it cannot be executed. */
static _Noreturn void become_shell(const struct words *w, int sock, int said, int report)
{
	enum { REPORT = 3 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(sock, 0) < 0 || dup2(sock, 1) < 0 || dup2(said, 2) < 0 ||
	    (report != REPORT && dup3(report, REPORT, O_CLOEXEC) < 0))
		_exit(127);
	syscall(SYS_close_range, REPORT + 1, ~0U, 0);
	execvp(w->argv[0], w->argv);
	report = errno;
	(void)!write(REPORT, &report, sizeof(report));
	_exit(127);
}

/* 0: it is executed, or died before it could say that it is not. */
static int hear_report(int report, const char *program, struct err *e)
{
	int no = 0;
	ssize_t n;

	do
		n = read(report, &no, sizeof(no));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(no) || !no)
		return 0;
	if (no != ENOENT)
		return err_set(e, no, "start %s: %s", program, strerror(no));
	err_set(e, no, "the program %s is not installed", program);
	if (!strcmp(program, "ssh"))
		return err_hint(
			e,
			"apt-get install openssh-client, or name what reaches the other host with --rsh");
	return err_hint(e, "it is what --rsh names");
}

static int open_socket(int pair[2], struct err *e)
{
	const struct timeval stalled = {.tv_sec = STALLED_S};
	const int size = BUFFER;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	for (int i = 0; i < 2; i++) {
		/* A bigger buffer is fewer switches between us and the shell; without the right to it, the default does. */
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	}
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &stalled, sizeof(stalled)) < 0)
		return err_sys(e, "set the time limit of the link");
	return 0;
}

/* A bounded file: a host that talks without end fills no memory of ours. */
static int open_said(struct err *e)
{
	auto_fd int fd = memfd_create("skep-said", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, SAID_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		return err_sys(e, "keep what the remote shell says");
	return take_fd(&fd);
}

static int start(struct cr_peer *p, const struct words *w, struct err *e)
{
	int pair[2], report[2], r = open_socket(pair, e);

	if (r < 0)
		return r;
	if (pipe2(report, O_CLOEXEC) < 0) {
		err_sys(e, "make a pipe");
		close(pair[0]);
		close(pair[1]);
		return -e->no;
	}
	p->fd = pair[0];
	p->said = open_said(e);
	fflush(NULL);
	p->pid = p->said < 0 ? -1 : fork();
	if (p->pid == 0)
		become_shell(w, pair[1], p->said, report[1]);
	close(pair[1]);
	close(report[1]);
	if (p->pid < 0 && p->said >= 0)
		err_sys(e, "start the remote shell");
	else if (p->pid >= 0)
		hear_report(report[0], w->argv[0], e);
	close(report[0]);
	if (p->pid < 0)
		return -e->no;
	cr_interrupt_shell(p->pid, p->fd);
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0 && !e->no)
		return err_sys(e, "watch the remote shell");
	return -e->no;
}

/* What the operator may try: the words without our own options, and without the last, which only we can talk to. */
static void note_call(struct cr_peer *p, const struct words *w)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < w->n && n < sizeof(p->call); i++) {
		if (w->ours && i > 0 && i <= w->ours)
			continue;
		bool bare = w->argv[i][0] == '\'' || (w->argv[i][0] && plain(w->argv[i]));
		auto_free char *word = bare ? strdup(w->argv[i]) : quoted(w->argv[i]);

		if (word)
			n += (size_t)snprintf(p->call + n, sizeof(p->call) - n, "%s%s",
					      i ? " " : "", word);
	}
}

int cr_peer_open(struct cr_peer *p, const struct cr_remote *remote, int ms, struct err *e)
{
	struct words w = {.n = 0};
	int r;

	*p = (struct cr_peer)CR_PEER_INIT;
	r = make_words(&w, remote, e);
	if (r >= 0) {
		note_call(p, &w);
		r = start(p, &w, e);
	}
	words_free(&w);
	if (r < 0)
		return err_class(e, ERR_MIGRATE);
	p->link = (struct cr_link){
		.in = p->fd, .out = p->fd, .peer = remote->host, .notice_ms = NOTICE_MS};
	r = cr_link_greet(&p->link, true, cr_can_here(), ms, e);
	return r < 0 ? cr_peer_explain(p, e) : 0;
}

/* The last line that it wrote but for a hint, without control characters; empty: none. */
static void last_words(int said, char *out, size_t size)
{
	char text[4097];
	off_t end = lseek(said, 0, SEEK_CUR);
	off_t from = end > (off_t)sizeof(text) - 1 ? end - ((off_t)sizeof(text) - 1) : 0;
	ssize_t n = end <= 0 ? 0 : pread(said, text, (size_t)(end - from), from);
	char *line, *rest = text;

	out[0] = 0;
	text[n > 0 ? n : 0] = 0;
	while ((line = strsep(&rest, "\n")))
		if (line[strspn(line, " \t\r")] && strncmp(line, "hint: ", 6) != 0)
			snprintf(out, size, "%s", line);
	err_one_line(out);
	for (size_t len = strlen(out); len > 0 && out[len - 1] == ' '; len--)
		out[len - 1] = 0;
}

/* Returns its wait status, or < 0. */
static int reap(struct cr_peer *p)
{
	struct err ignored = {0};
	int status;

	cr_interrupt_shell(0, -1);
	if (p->pidfd < 0 || p->pid <= 0)
		return -ECHILD;
	status = proc_wait(p->pidfd, ENDING_MS, &ignored);
	if (status < 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
	own_close_fd(&p->pidfd);
	return status;
}

int cr_peer_explain(struct cr_peer *p, struct err *e)
{
	char last[200];
	size_t n;
	int status;

	if (e->no != EPIPE || p->link.refused || p->pidfd < 0)
		return err_class(e, ERR_MIGRATE);
	shutdown(p->fd, SHUT_RDWR);
	status = reap(p);
	last_words(p->said, last, sizeof(last));
	/* ssh's own failures (ssh(1), EXIT STATUS): nobody there has ended anything. */
	if (!p->link.received && status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 255) {
		err_clear(e);
		err_set(e, EPIPE, "cannot reach %s", p->link.peer);
	}
	n = strlen(e->text);
	if (last[0])
		snprintf(e->text + n, sizeof(e->text) - n, " (%s)", last);
	if (!p->link.received)
		err_hint(e, "does `%s doctor` work?", p->call);
	return err_class(e, ERR_MIGRATE);
}

void cr_peer_close(struct cr_peer *p)
{
	if (p->fd >= 0)
		shutdown(p->fd, SHUT_RDWR);
	reap(p);
	own_close_fd(&p->fd);
	own_close_fd(&p->said);
	own_close_fd(&p->pidfd);
}
