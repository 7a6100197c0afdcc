// SPDX-License-Identifier: GPL-2.0-only
/* Signals that end the link instead of us. */
#include "checkpoint/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
static struct sigaction before[ARRAY_SIZE(caught)];
static volatile sig_atomic_t came, shell_pid, shell_link = -1, held;

static void on_signal(int sig)
{
	if (held)
		return;
	came = sig;
	if (shell_pid > 0)
		kill((pid_t)shell_pid, SIGTERM);
	/* Whoever the shell has started, as a script does that calls ssh, holds the other end on behind its death: our own end is what we wait at. */
	if (shell_link >= 0)
		shutdown((int)shell_link, SHUT_RDWR); /* signal-safety(7) */
}

void cr_interrupt_begin(void)
{
	/* Restarting: what waits is woken by the end of the link, never by the signal. */
	const struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	came = shell_pid = held = 0;
	shell_link = -1;
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++) {
		sigaction(caught[i], NULL, &before[i]);
		/* nohup(1) means it. */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &act, NULL);
	}
}

void cr_interrupt_shell(pid_t shell, int link)
{
	shell_pid = shell;
	shell_link = link;
}

void cr_interrupt_hold(void)
{
	held = 1;
}

void cr_interrupt_end(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &before[i], NULL);
}

int cr_interrupt_check(struct err *e)
{
	if (!came)
		return 0;
	err_set(e, EINTR, "interrupted (%s)", strsignal(came));
	return err_class(e, ERR_MIGRATE);
}
