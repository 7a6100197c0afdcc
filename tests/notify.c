// SPDX-License-Identifier: GPL-2.0-only
/* Both ends of sd_notify(3): a program that tells, and one that hears as systemd does. Static: the first runs inside. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Nobody has to end us. */
#define MOST_SECONDS 400

static int tell(const char *text)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || strlen(path) >= sizeof(sa.sun_path))
		return fprintf(stderr, "no NOTIFY_SOCKET\n"), 1;
	memcpy(sa.sun_path, path, strlen(path));
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return perror(path), 1;
	return 0;
}

/* A line each, its own line ends as "; ". What comes with it is closed when it has been written down: that is what a barrier waits for. */
static int hear(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return fprintf(stderr, "too long: %s\n", path), 1;
	memcpy(sa.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return perror(path), 1;
	puts("ready");
	for (;;) {
		char text[256], control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
		struct msghdr mh = {.msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control)};
		ssize_t n;

		fflush(stdout);
		n = recvmsg(fd, &mh, 0);
		if (n < 0)
			return perror("recvmsg"), 1;
		text[n] = 0;
		for (char *at = text; *at; at++)
			if (*at == '\n')
				fputs("; ", stdout);
			else
				putchar(*at);
		if (CMSG_FIRSTHDR(&mh)) {
			int given;

			memcpy(&given, CMSG_DATA(CMSG_FIRSTHDR(&mh)), sizeof(given));
			fputs(" with a descriptor", stdout);
			fflush(stdout);
			close(given);
		}
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	alarm(argc == 4 ? (unsigned)atoi(argv[3]) : MOST_SECONDS);
	if (argc == 3 && !strcmp(argv[1], "tell"))
		return tell(argv[2]);
	if (argc >= 3 && !strcmp(argv[1], "hear"))
		return hear(argv[2]);
	fprintf(stderr, "usage: notify tell TEXT | hear SOCKET [SECONDS]\n");
	return 2;
}
