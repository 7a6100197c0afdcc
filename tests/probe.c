// SPDX-License-Identifier: GPL-2.0-only
/* The init, server, client and troublemaker of containers in tests: one static program that needs no file at all. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS	256
#define ANSWER_LIMIT_MS 60000
#define STOP_LIMIT_MS	20000
#define MB		(1024UL * 1024)

static volatile sig_atomic_t stopped;

static void on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

/* PID 1 gets only signals it has a handler for, and orphans come to it: both are settled here. */
static void behave_as_init(void)
{
	struct sigaction stop = {.sa_handler = on_stop}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGCHLD, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 1;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* CLOCK_REALTIME: a restored process lives in a time namespace in which the monotonic clock hides part of the gap. */
static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static bool address(const char *text, int port, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		*len = sizeof(*in);
		return true;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	*len = sizeof(*in6);
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1;
}

/* Answers every newline with the connection's next number. False: the connection is over. */
static bool answer(int fd, uint64_t *count)
{
	char in[512], out[32];
	ssize_t n = recv(fd, in, sizeof(in), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	for (ssize_t i = 0; i < n; i++) {
		if (in[i] != '\n')
			continue;
		int len = snprintf(out, sizeof(out), "%llu\n", (unsigned long long)++*count);

		if (send(fd, out, (size_t)len, 0) != len)
			return false;
	}
	return true;
}

static int counter_listen(int port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd;

	/* One IPv6 socket serves both families; without IPv6 the plain one does. */
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (!bind(fd, (struct sockaddr *)&any6, sizeof(any6)) && !listen(fd, 64))
			return fd;
		close(fd);
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 64))
		return -1;
	return fd;
}

static int cmd_touch(char **arg);

/* With memory: another process has it, and writes to it. */
static int cmd_counter(char **arg)
{
	struct pollfd fds[CONNECTIONS + 1];
	uint64_t counts[CONNECTIONS + 1] = {0};
	nfds_t used = 1;

	if (arg[1]) {
		pid_t writer = fork();

		if (writer < 0)
			return fail("fork");
		if (writer == 0)
			return cmd_touch(arg + 1);
	}
	fds[0] = (struct pollfd){.fd = counter_listen(atoi(arg[0])), .events = POLLIN};
	if (fds[0].fd < 0)
		return fail("listen");
	ready();
	while (!stopped) {
		if (poll(fds, used, -1) < 0)
			continue;
		for (nfds_t i = used; i-- > 1;) {
			if (!fds[i].revents || answer(fds[i].fd, &counts[i]))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--used];
			counts[i] = counts[used];
		}
		if (!(fds[0].revents & POLLIN))
			continue;
		int fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && used > CONNECTIONS)
			close(fd);
		else if (fd >= 0) {
			counts[used] = 0;
			fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
	return 0;
}

/* One number from the server; 0 on a lost connection or none within the limit, which is shorter after SIGTERM. */
static uint64_t next_number(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t limit = now_us() + ANSWER_LIMIT_MS * 1000LL;
	char line[32];
	size_t len = 0;

	while (len < sizeof(line) - 1 && now_us() < limit) {
		int r = poll(&p, 1, 100);

		if (stopped && limit > now_us() + STOP_LIMIT_MS * 1000LL)
			limit = now_us() + STOP_LIMIT_MS * 1000LL;
		if (r < 0 && errno != EINTR)
			return 0;
		if (r <= 0)
			continue;
		if (recv(fd, line + len, 1, 0) != 1)
			return 0;
		if (line[len++] == '\n') {
			line[len] = '\0';
			return strtoull(line, NULL, 10);
		}
	}
	return 0;
}

/* SECONDS 0: until SIGTERM. It never connects again: a broken connection is the failure it looks for. */
static int cmd_client(char **arg)
{
	int64_t last, now, gap = 0, until = now_us() + (int64_t)(atof(arg[2]) * 1e6);
	uint64_t count = 0, lost = 0, got;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	if (!address(arg[0], atoi(arg[1]), &ss, &len)) {
		fprintf(stderr, "probe: %s is no address\n", arg[0]);
		return 2;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len))
		return fail("connect");
	ready();
	last = now_us();
	while (!stopped && (atof(arg[2]) == 0 || now_us() < until)) {
		if (send(fd, "n\n", 2, 0) != 2 || !(got = next_number(fd))) {
			fail("connection lost");
			lost++;
			break;
		}
		now = now_us();
		if (count && now - last > gap)
			gap = now - last;
		last = now;
		if (got != count + 1)
			lost++;
		count = got;
		/* For whoever watches that it goes on. */
		if (count % 20 == 0) {
			printf("%llu\n", (unsigned long long)count);
			fflush(stdout);
		}
		pause_ms(atoi(arg[3]));
	}
	printf("count=%llu lost=%llu max_gap_ms=%.1f\n", (unsigned long long)count,
	       (unsigned long long)lost, (double)gap / 1000);
	return lost || !count;
}

/* Half of the pages hold random bytes, half are alike, as in a real program. */
static void dirty(unsigned char *mem, size_t from, size_t to, uint64_t *seed)
{
	for (size_t at = from; at < to; at += 4096) {
		for (size_t i = 0; i < 4096; i += sizeof(*seed)) {
			*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
			*(uint64_t *)(mem + at + i) = at & 4096 ? *seed : at;
		}
	}
}

/* MB [MB_A_SECOND]: by the clock, whatever a pause really takes; what it could not write while it was stopped is not made up for. */
static int cmd_touch(char **arg)
{
	size_t size = strtoul(arg[0], NULL, 10) * MB, at = 0, step;
	double rate = arg[1] ? atof(arg[1]) * (double)MB : 0, due = 0;
	unsigned char *mem =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int64_t now, last;
	uint64_t seed = 1;

	if (mem == MAP_FAILED)
		return fail("mmap");
	dirty(mem, 0, size, &seed);
	ready();
	last = now_us();
	while (!stopped) {
		if (rate == 0) {
			pause_ms(-1);
			continue;
		}
		now = now_us();
		if (now > last)
			due += rate * (double)(now - last < 200000 ? now - last : 200000) / 1e6;
		last = now;
		while (due >= 4096) {
			if (at >= size)
				at = 0;
			step = (size_t)due & ~4095UL;
			step = at + step < size ? step : size - at;
			dirty(mem, at, at + step, &seed);
			due -= (double)step;
			at += step;
		}
		pause_ms(10);
	}
	return 0;
}

static int cmd_idle(char **arg)
{
	(void)arg;
	ready();
	while (!stopped)
		pause_ms(-1);
	return 0;
}

/* Prints what it got of the CPU: two of them side by side show how one was shared. SECONDS are of the wall's clock. */
static int cmd_hog_cpu(char **arg)
{
	int64_t began = now_us();
	int64_t until = arg[0] ? began + (int64_t)(atof(arg[0]) * 1e6) : INT64_MAX;
	volatile uint64_t step = 0;
	struct timespec used;

	while (!stopped && now_us() < until) {
		for (step = 0; step < 100000; step++)
			;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("cpu_ms=%lld wall_ms=%lld\n", (long long)used.tv_sec * 1000 + used.tv_nsec / 1000000,
	       (long long)(now_us() - began) / 1000);
	return 0;
}

static int cmd_hog_mem(char **arg)
{
	size_t limit = arg[0] ? strtoul(arg[0], NULL, 10) : 4096;
	size_t got;

	for (got = 0; got < limit && !stopped; got++) {
		void *mem =
			mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return fail("mmap");
		memset(mem, (int)got | 1, MB);
	}
	printf("%zu\n", got);
	return 0;
}

static int cmd_fork(char **arg)
{
	int want = atoi(arg[0]), made = 0;

	for (; made < want && made < 4096; made++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid) {
			while (!stopped)
				pause_ms(-1);
			_exit(0);
		}
	}
	printf("%d\n", made);
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}

static int cmd_true(char **arg)
{
	return arg[0] ? atoi(arg[0]) : 0;
}

/* Who is outside of its own root goes up as far as that leads, and shows what the name is there. */
static int cmd_escape(char **arg)
{
	char text[64];
	ssize_t n;
	int fd;

	if (chroot("/tmp") < 0)
		return fail("chroot");
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return fail("chdir");
	fd = open(arg[0], O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n < 0)
		return fail(arg[0]);
	return fwrite(text, 1, (size_t)n, stdout) != (size_t)n;
}

/* Its number is the same for all who have it, in whichever namespaces they are. */
static int cmd_keyring(char **arg)
{
	(void)arg;
	printf("%ld\n", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
	return 0;
}

static int cmd_caps(char **arg)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	(void)arg;
	if (!f)
		return fail("/proc/self/status");
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) ||
		    !strncmp(line, "Seccomp", 7))
			fputs(line, stdout);
	}
	fclose(f);
	return 0;
}

/* Prints each descriptor above 2 that came in from outside, as "FD TARGET"; exits 1 if there is one. */
static int cmd_fds(char **arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int leaked = 0;

	(void)arg;
	if (!dir)
		return fail("/proc/self/fd");
	while ((entry = readdir(dir))) {
		char target[512];
		int fd = atoi(entry->d_name);
		ssize_t n;

		if (fd <= 2 || fd == dirfd(dir))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		printf("%d %s\n", fd, target);
		leaked = 1;
	}
	closedir(dir);
	return leaked;
}

/* Prints each process that can be seen, but itself: "PID COMMAND LINE", sorted by PID. */
static int cmd_ps(char **arg)
{
	(void)arg;
	for (int pid = 1; pid < 32768; pid++) {
		char path[32], line[256];
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		fd = pid == getpid() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
		close(fd);
		for (ssize_t i = 0; i < n - 1; i++)
			line[i] = line[i] ? line[i] : ' ';
		if (n > 0)
			printf("%d %.*s\n", pid, (int)n - 1, line);
	}
	return 0;
}

static const struct command {
	const char *name;
	int words;
	int (*run)(char **arg);
	const char *use;
} commands[] = {
	{"counter", 1, cmd_counter, "PORT [MB [DIRTY_MB_PER_SECOND]]"},
	{"client", 4, cmd_client, "ADDRESS PORT SECONDS INTERVAL_MS"},
	{"touch", 1, cmd_touch, "MB [DIRTY_MB_PER_SECOND]"},
	{"idle", 0, cmd_idle, ""},
	{"hog-cpu", 0, cmd_hog_cpu, "[SECONDS]"},
	{"hog-mem", 0, cmd_hog_mem, "[MB]"},
	{"fork", 1, cmd_fork, "N"},
	{"true", 0, cmd_true, "[EXIT_CODE]"},
	{"keyring", 0, cmd_keyring, ""},
	{"escape", 1, cmd_escape, "NAME"},
	{"caps", 0, cmd_caps, ""},
	{"fds", 0, cmd_fds, ""},
	{"ps", 0, cmd_ps, ""},
};

static int run(int argc, char **argv)
{
	for (size_t i = 0; argc > 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(argv[0], commands[i].name) && argc - 1 >= commands[i].words)
			return commands[i].run(argv + 1);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "probe %s %s\n", commands[i].name, commands[i].use);
	return 2;
}

/* As /sbin/init of a test's template: the words are in /etc/probe ("counter 7000"); without that file it idles. */
static int run_as_init(void)
{
	static char line[256];
	char *words[8] = {0}, *save = NULL;
	FILE *f = fopen("/etc/probe", "re");
	int n = 0;

	if (f && fgets(line, sizeof(line), f)) {
		for (char *w = strtok_r(line, " \n", &save); w && n < 7;
		     w = strtok_r(NULL, " \n", &save))
			words[n++] = w;
	}
	if (f)
		fclose(f);
	return n ? run(n, words) : cmd_idle(NULL);
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	/* The program that the start of a container is measured with. */
	if (!strcmp(base, "true"))
		return 0;
	behave_as_init();
	return strcmp(base, "init") ? run(argc - 1, argv + 1) : run_as_init();
}
