// SPDX-License-Identifier: GPL-2.0-only
/* The socket that skep-criu-hook asks, and our answers. */
#include "checkpoint/hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/libexec.h"

/* A hook that connected says its stage at once; one that does not is not ours to wait for. */
#define HOOK_PATIENCE_S 10

static const char *const stage_words[CR_STAGE_COUNT] = {
#define X(name, word) [CR_STAGE_##name] = word,
	CR_STAGES(X)
#undef X
};

const char *cr_stage_to_str(enum cr_stage s)
{
	return (unsigned)s < CR_STAGE_COUNT ? stage_words[s] : "unknown";
}

int cr_hook_open(struct cr_hook *h, int dir, const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int fd = -EBADF;
	int r = ct_libexec_find("skep-criu-hook", h->program, sizeof(h->program), e);

	if (r < 0)
		return r;
	if (snprintf(h->socket_path, sizeof(h->socket_path), "%s/" CR_HOOK_SOCKET_FILE, path) >=
	    (int)sizeof(h->socket_path))
		return err_set(e, ENAMETOOLONG, "the path of criu's hook is too long");
	/* One that a killed command left. */
	if (unlinkat(dir, CR_HOOK_SOCKET_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove the old socket of criu's hook");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" CR_HOOK_SOCKET_FILE, dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4) < 0)
		return err_sys(e, "make the socket of criu's hook");
	h->listener = take_fd(&fd);
	return 0;
}

void cr_hook_close(struct cr_hook *h)
{
	if (h->listener >= 0)
		(void)unlink(h->socket_path);
	own_close_fd(&h->listener);
	cr_hook_dismiss(h);
}

void cr_hook_dismiss(struct cr_hook *h)
{
	char byte = 0;

	if (h->refused >= 0 && send(h->refused, &byte, 1, MSG_NOSIGNAL) == 1)
		while (recv(h->refused, &byte, 1, 0) < 0 && errno == EINTR)
			;
	own_close_fd(&h->refused);
}

void cr_hook_ready(struct cr_hook *h)
{
	size_t n = (size_t)snprintf(h->stages, sizeof(h->stages), ",");

	for (int i = 0; i < CR_STAGE_COUNT; i++)
		if (h->fn[i] && n < sizeof(h->stages))
			n += (size_t)snprintf(h->stages + n, sizeof(h->stages) - n, "%s,",
					      stage_words[i]);
}

/* "STAGE PID" */
static int understand(const char *text, enum cr_stage *stage, pid_t *init)
{
	char word[32];
	int pid = 0;

	if (sscanf(text, "%31s %d", word, &pid) < 1 || pid < 0)
		return -EPROTO;
	*init = pid;
	for (int i = 0; i < CR_STAGE_COUNT; i++)
		if (!strcmp(word, stage_words[i])) {
			*stage = (enum cr_stage)i;
			return 0;
		}
	return -EPROTO;
}

int cr_hook_serve(struct cr_hook *h, struct err *e)
{
	auto_fd int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval patience = {.tv_sec = HOOK_PATIENCE_S};
	enum cr_stage stage;
	uint64_t began;
	char text[64];
	pid_t init;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return err_sys(e, "hear criu's hook");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	if (n <= 0 || understand(text, &stage, &init) < 0)
		return err_set(e, EPROTO, "criu's hook said '%.40s'", text);
	began = log_now_ns();
	if (h->fn[stage])
		r = h->fn[stage](init, h->arg, e);
	log_step(stage_words[stage], &began);
	if (send(fd, r ? "1" : "0", 1, MSG_NOSIGNAL) != 1 && !r)
		return err_sys(e, "answer criu's hook at %s", stage_words[stage]);
	if (r && stage == CR_STAGE_POST_DUMP)
		h->refused = take_fd(&fd);
	return r ? 1 : 0;
}
