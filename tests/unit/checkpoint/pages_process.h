/* SPDX-License-Identifier: GPL-2.0-only */
/* For the tests of skep-pages: a process that speaks criu's protocol and takes its steps when the test says so. */
#pragma once

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "cgroups/entry.h"
#include "tests/unit/checkpoint/pages_lab.h"

#define ID	 7u
#define BASE	 0x300000000000ul /* nobody else's: 1000 0000 0000 is in AddressSanitizer's shadow */
#define FINISHED 0x52535446u

/* --- a process that is restored: it says each of its steps to the test --- */

static int to_criu, steps, held_uffd; /* in the process */

#define want(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                               \
		}                                                               \
	} while (0)

static inline void step(char word)
{
	char got;

	want(write(steps, &word, 1) == 1);
	want(read(steps, &got, 1) == 1 && got == word);
}

static inline void tell_criu(const void *data, size_t len)
{
	want(send(to_criu, data, len, 0) == (ssize_t)len);
}

static inline void send_fd(int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {"", 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	want(sendmsg(to_criu, &m, 0) == 1);
}

/* As criu's restorer: npages of new memory at BASE under a userfaultfd that the daemon has, too. */
static inline uint8_t *be_held(const struct lab *l, uint64_t npages)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
					     UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMOVE};
	struct uffdio_register reg = {.range = {BASE, npages * PAGE},
				      .mode = UFFDIO_REGISTER_MODE_MISSING};
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	uint32_t id = ID;

	want(mmap((void *)BASE, npages * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)BASE);
	want(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0);
	want(ioctl(uffd, UFFDIO_REGISTER, &reg) == 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" CR_PAGES_CRIU_SOCKET,
		 l->images);
	to_criu = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	want(connect(to_criu, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	tell_criu(&(int32_t){-3}, 4); /* a zombie */
	tell_criu(&id, sizeof(id));
	send_fd(uffd);
	held_uffd = uffd;
	return (uint8_t *)BASE;
}

/* The same; only the daemon has it. */
static inline uint8_t *be_restored(const struct lab *l, uint64_t npages)
{
	uint8_t *m = be_held(l, npages);

	close(held_uffd);
	return m;
}

static inline void finish(void)
{
	tell_criu(&(uint32_t){FINISHED}, 4);
}

struct process {
	pid_t pid;
	int steps;
};

static inline struct process spawn(struct lab *l, void (*body)(const struct lab *l))
{
	struct process p;
	struct err e = {0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(DEADLINE_MS / 1000);
		close(pair[0]);
		steps = pair[1];
		step('b');
		body(l);
		_exit(0);
	}
	close(pair[1]);
	p.steps = pair[0];
	must(cg_add(&l->cg, p.pid, true, &e));
	return p;
}

static inline void let(const struct process *p, char word)
{
	struct pollfd f = {.fd = p->steps, .events = POLLIN};
	char got = 0;

	assert_int_equal(poll(&f, 1, DEADLINE_MS), 1);
	assert_int_equal(read(p->steps, &got, 1), 1);
	assert_int_equal(got, word);
	assert_int_equal(write(p->steps, &word, 1), 1);
}

/* The process has told the daemon that it waits for a page. */
static inline void await_fault(const struct lab *l)
{
	struct cr_pages_report report = {0};
	struct err e = {0};

	for (int ms = 0; ms < DEADLINE_MS && !report.faults; ms++) {
		must(cr_pages_daemon_ask(l->state, &report, &e));
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(report.faults, 1);
}

/* Has the process come to this step? It goes on by go(). */
static inline void arrive(const struct process *p, char word)
{
	struct pollfd f = {.fd = p->steps, .events = POLLIN};
	char got = 0;

	assert_int_equal(poll(&f, 1, DEADLINE_MS), 1);
	assert_int_equal(read(p->steps, &got, 1), 1);
	assert_int_equal(got, word);
}

static inline void go(const struct process *p, char word)
{
	assert_int_equal(write(p->steps, &word, 1), 1);
}

static inline void end_well(struct lab *l, const struct process *p)
{
	struct err e = {0};

	assert_int_equal(lab_end_of(p->pid), 0);
	close(p->steps);
	assert_int_equal(cr_pages_wait(l->state, DEADLINE_MS, &e), 0);
	assert_int_equal(cr_pages_resident(l->state, &e), 1);
}
