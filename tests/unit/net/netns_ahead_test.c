// SPDX-License-Identifier: GPL-2.0-only
// A network namespace made by a thread without a libc: sent, handed over, refused; the caller's errno and namespace are its own.
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/sync.h"
#include "net/netns_ahead.h"

#define STEP 7u

static const char *step_name(unsigned step)
{
	return step == STEP ? "network" : "?";
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static ino_t own(void)
{
	auto_fd int fd = ok(net_netns_open(0, &e));

	return inode(fd);
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static bool loopback_is_up(int netns)
{
	auto_fd int s = ok(net_netns_socket(netns, AF_INET, SOCK_DGRAM, 0, &e));
	struct ifreq lo = {.ifr_name = "lo"};

	assert_int_equal(ioctl(s, SIOCGIFFLAGS, &lo), 0);
	return lo.ifr_flags & IFF_UP;
}

struct pair {
	struct sync ours, theirs;
};

static bool begin(struct pair *p)
{
	const struct sync_msg msg = {.step = STEP, .kind = SYNC_FD, .value = 5};

	*p = (struct pair){.ours = {.peer = "init", .step_to_str = step_name},
			   .theirs = {.peer = "host", .step_to_str = step_name}};
	ok(sync_pair(&p->ours.fd, &p->theirs.fd, &e));
	return net_netns_begin(p->ours.fd, &msg, sizeof(msg));
}

static void end(struct pair *p)
{
	own_close_fd(&p->ours.fd);
	own_close_fd(&p->theirs.fd);
}

static void test_sent(void **state)
{
	ino_t home = own();

	(void)state;
	for (int i = 0; i < 20; i++) {
		auto_fd int sent = -EBADF;
		auto_fd int got = -EBADF;
		int64_t value = 0;
		struct pair p;

		assert_true(begin(&p));
		ok(sync_expect(&p.theirs, STEP, SYNC_FD, &value, &sent, &e));
		got = ok(net_netns_await(&e));
		assert_int_equal(value, 5);
		assert_true(inode(sent) == inode(got));
		assert_true(inode(got) != home);
		assert_true(own() == home);
		assert_true(loopback_is_up(got));
		assert_int_equal(threads(), 1);
		end(&p);
	}
}

static void test_one_at_a_time(void **state)
{
	auto_fd int got = -EBADF;
	struct pair p, q;

	(void)state;
	assert_true(begin(&p));
	assert_false(begin(&q));
	got = ok(net_netns_await(&e));
	end(&p);
	end(&q);
}

/* Nobody reads it any more: said, and the descriptor is not left open. */
static void test_gone(void **state)
{
	struct err why = {0};
	struct pair p;
	int next;

	(void)state;
	ok(sync_pair(&p.ours.fd, &p.theirs.fd, &e));
	own_close_fd(&p.theirs.fd);
	next = dup(0);
	close(next);
	assert_true(net_netns_begin(p.ours.fd, "x", 1));
	assert_int_equal(net_netns_await(&why), -EPIPE);
	assert_non_null(strstr(why.text, "send the new network namespace"));
	assert_int_equal(dup(0), next);
	close(next);
	own_close_fd(&p.ours.fd);
}

/* In a user namespace that may have none. */
static int refused(void)
{
	struct err e = {0}, ignored = {0};
	struct pair p;

	if (unshare(CLONE_NEWUSER) ||
	    file_write_at(AT_FDCWD, "/proc/sys/user/max_net_namespaces", "0", &ignored) < 0)
		return 2;
	if (!begin(&p))
		return 3;
	errno = EXDEV;
	if (net_netns_await(&e) != -ENOSPC || !strstr(e.text, "make a network namespace") ||
	    !strstr(e.hint, "max_net_namespaces"))
		return 4;
	return sync_peek(&p.theirs, MSG_DONTWAIT, &ignored) ? 5 : 0;
}

static void test_refused(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(refused());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sent, lab_setup),
		cmocka_unit_test_setup(test_one_at_a_time, lab_setup),
		cmocka_unit_test_setup(test_gone, lab_setup),
		cmocka_unit_test_setup(test_refused, lab_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
