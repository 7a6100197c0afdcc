// SPDX-License-Identifier: GPL-2.0-only
/* Between our terminal and a program's: bytes, window sizes, signals, and at the end its exit status. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/exec.h"
#include "runtime/patience.h"

#define END_OF_FILE "\004" /* what a terminal makes the end of input of */

/* Not those that a fault of our own raises, nor those of job control, which belong to our shell. */
static const int passed[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2,
			     SIGALRM, SIGTERM, SIGPWR,	SIGVTALRM, SIGWINCH};

/* One direction. */
#define PUMP_ROOM 8192

struct pump {
	int from, to;
	size_t len, done;
	bool ended; /* nothing more comes */
	bool lost;  /* nobody takes it any more: what comes is thrown away */
	char *buf;  /* PUMP_ROOM */
};

struct joint {
	struct ct_executed *run;
	int signals;
	int keeper; /* a slave of our own: while it is open, a program that closes its terminal for a while is no end */
	bool is_tty, raw, joined;
	bool ended;
	bool lost; /* nobody takes what it said last */
	struct termios before;
	struct sigaction pipe_before;
	struct pump in, out;
};

static void passed_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaddset(set, passed[i]);
}

int ct_exec_signals(struct err *e)
{
	sigset_t set;

	passed_set(&set);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? err_sys(e, "block signals") : 0;
}

void ct_exec_size(struct ct_process *p)
{
	struct winsize size;

	p->plain_lines = !isatty(STDOUT_FILENO);
	if (!p->terminal || p->rows || p->cols || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	p->rows = size.ws_row;
	p->cols = size.ws_col;
}

/* Ours is the program's; a size that cannot be read is nobody's loss. */
static void copy_size(const struct joint *j)
{
	struct winsize size;

	if (j->run->console < 0 || !j->is_tty)
		return;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		(void)ioctl(j->run->console, TIOCSWINSZ, &size);
}

/*
 * In the background, as under timeout(1), the kernel stops who changes the terminal, unless SIGTTOU is blocked (tcsetattr(3), POSIX). Reading then still stops us, as it does any program there.
 * TCSADRAIN: what the user typed ahead is the program's.
 */
static int set_terminal(const struct termios *t)
{
	sigset_t set, before;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &before);
	r = tcsetattr(STDIN_FILENO, TCSADRAIN, t);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int go_raw(struct joint *j, struct err *e)
{
	struct termios raw;

	if (!j->is_tty)
		return 0;
	if (tcgetattr(STDIN_FILENO, &j->before) < 0)
		return err_sys(e, "read the terminal's settings");
	raw = j->before;
	cfmakeraw(&raw);
	if (set_terminal(&raw) < 0)
		return err_sys(e, "make the terminal raw");
	j->raw = true;
	return 0;
}

static int join_console(struct joint *j, struct err *e)
{
	static char room[2][PUMP_ROOM]; /* untouched, and so no memory, without a terminal */
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int master = j->run->console;

	j->is_tty = isatty(STDIN_FILENO);
	j->in = (struct pump){.from = STDIN_FILENO, .to = master, .buf = room[0]};
	j->out = (struct pump){.from = master, .to = STDOUT_FILENO, .buf = room[1]};
	sigaction(SIGPIPE, &ignore, &j->pipe_before);
	j->joined = true;
	if (fcntl(master, F_SETFL, O_NONBLOCK | fcntl(master, F_GETFL)) < 0)
		return err_sys(e, "prepare the terminal of the program");
	j->keeper = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	copy_size(j);
	return go_raw(j, e);
}

static void leave_console(struct joint *j)
{
	if (j->raw)
		set_terminal(&j->before);
	if (j->joined)
		sigaction(SIGPIPE, &j->pipe_before, NULL);
	own_close_fd(&j->keeper);
	own_close_fd(&j->signals);
}

static void pass_signals(struct joint *j)
{
	struct signalfd_siginfo info;

	while (read(j->signals, &info, sizeof(info)) == sizeof(info)) {
		/* The program is no more: who asks for an end means us. */
		if (j->ended)
			j->lost |= info.ssi_signo != SIGWINCH;
		else if (info.ssi_signo == SIGWINCH)
			copy_size(j);
		else
			/* It may be gone already: then its end is what we see next. */
			(void)pidfd_send_signal(j->run->pidfd, (int)info.ssi_signo, NULL, 0);
	}
}

static void fill(struct pump *p, struct joint *j)
{
	ssize_t n = read(p->from, p->buf, PUMP_ROOM);

	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !j->ended)))
		return;
	p->done = 0;
	p->len = n > 0 ? (size_t)n : 0;
	p->ended = n <= 0;
	/* The reader of a terminal does not see that our pipe has ended. */
	if (p->ended && p == &j->in && !j->is_tty && p->buf) {
		memcpy(p->buf, END_OF_FILE, 1);
		p->len = 1;
	}
}

static void drain(struct pump *p)
{
	ssize_t n = write(p->to, p->buf + p->done, p->len - p->done);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* Who has closed its end wants no more; a full disk has lost something. */
	if (n < 0 && p->to == STDOUT_FILENO && errno != EPIPE)
		log_warn("the program's output from here on is lost: %s", strerror(errno));
	if (n < 0)
		p->lost = true;
	p->done = n < 0 ? p->len : p->done + (size_t)n;
}

/* What a pump waits for now: to be emptied before it is filled again. */
static void ask(const struct pump *p, struct pollfd *from, struct pollfd *to)
{
	bool full = p->done < p->len;

	*from = (struct pollfd){.fd = full || p->ended ? -1 : p->from, .events = POLLIN};
	*to = (struct pollfd){.fd = full ? p->to : -1, .events = POLLOUT};
}

static void serve(struct pump *p, const struct pollfd *from, const struct pollfd *to,
		  struct joint *j)
{
	if (from->fd >= 0 && from->revents)
		fill(p, j);
	else if (to->fd >= 0 && to->revents)
		drain(p);
	if (p->lost)
		p->done = p->len;
}

/* What it wrote before its end is in the terminal still; a process that it left behind may hold that open without end. */
static bool all_said(const struct joint *j)
{
	return j->run->console < 0 || (j->out.ended && j->out.done == j->out.len);
}

static int wait_for_end(struct joint *j, struct err *e)
{
	enum { PROGRAM, SIGNALS, IN, MASTER_OUT, MASTER_IN, OUT, COUNT };

	while (!j->ended || !all_said(j)) {
		struct pollfd p[COUNT] = {
			[PROGRAM] = {.fd = j->ended ? -1 : j->run->pidfd, .events = POLLIN},
			[SIGNALS] = {.fd = j->signals, .events = POLLIN},
			[IN... OUT] = {.fd = -1},
		};
		int n;

		if (j->run->console >= 0) {
			ask(&j->out, &p[MASTER_IN], &p[OUT]);
			if (!j->ended)
				ask(&j->in, &p[IN], &p[MASTER_OUT]);
		}
		/* At the end the terminal is read until it says that there is no more, not until it becomes readable. */
		n = poll(p, COUNT, !j->ended ? -1 : p[MASTER_IN].fd >= 0 ? 0 : ct_patience_ms());
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "wait for the program");
		}
		j->lost |= n == 0 && p[MASTER_IN].fd < 0;
		if (p[SIGNALS].revents)
			pass_signals(j);
		if (j->lost) {
			log_warn("the end of the program's output is lost: nobody reads it");
			return 0;
		}
		if (j->ended)
			p[MASTER_IN].revents = POLLIN;
		serve(&j->in, &p[IN], &p[MASTER_OUT], j);
		serve(&j->out, &p[MASTER_IN], &p[OUT], j);
		if (p[PROGRAM].revents) {
			j->ended = true;
			own_close_fd(&j->keeper);
		}
	}
	return 0;
}

static int exit_status(const struct ct_executed *run, struct err *e)
{
	siginfo_t info = {0};
	int r;

	do
		r = waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "learn how the program ended");
	return info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
}

int ct_exec_wait(struct ct_executed *run, struct err *e)
{
	struct joint j = {.run = run, .signals = -EBADF, .keeper = -EBADF};
	sigset_t set, before;
	int r = 0;

	passed_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, &before) < 0)
		return err_sys(e, "block signals");
	j.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (j.signals < 0)
		r = err_sys(e, "make a descriptor for signals");
	if (r >= 0 && run->console >= 0)
		r = join_console(&j, e);
	if (r >= 0)
		r = wait_for_end(&j, e);
	leave_console(&j);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r >= 0)
		r = exit_status(run, e);
	/* Nobody could tell how it ends any more, or what it says. */
	if (r < 0)
		ct_exec_kill(run);
	return r;
}
