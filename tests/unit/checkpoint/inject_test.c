// SPDX-License-Identifier: GPL-2.0-only
/* System calls in other processes, which must not notice: whatever they were doing comes out as if nobody had been there. */
#include "visited.h"

#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>

/* The visits to all of them have to come to an end before this is up, also where this machine does something else for a second. */
#define TIMEOUT_MS 3000
#define TIMEOUT_TS \
	((struct timespec){.tv_sec = TIMEOUT_MS / 1000, .tv_nsec = TIMEOUT_MS % 1000 * 1000000})

/* Each blocks until we write, or until its time is up, and answers 1 when the call gave anything else than it should. */
static int in_read(void)
{
	char c;

	return read(3, &c, 1) == 1 ? ANSWER : 1;
}

static int in_epoll(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, 3, &ev);
	return epoll_wait(ep, &ev, 1, -1) == 1 ? ANSWER : 1;
}

static int in_epoll_timed(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, 3, &ev);
	return epoll_wait(ep, &ev, 1, TIMEOUT_MS) == 0 ? ANSWER : 1;
}

static int in_poll_timed(void)
{
	struct pollfd p = {.fd = 3, .events = POLLIN};

	return poll(&p, 1, TIMEOUT_MS) == 0 ? ANSWER : 1;
}

static int in_ppoll(void)
{
	struct pollfd p = {.fd = 3, .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, 1, NULL, &none) == 1 ? ANSWER : 1;
}

static uint64_t now_ms(void)
{
	return log_now_ns() / 1000000u;
}

static int in_nanosleep(void)
{
	struct timespec ts = TIMEOUT_TS;
	uint64_t since = now_ms();

	if (nanosleep(&ts, NULL))
		return 1;
	return now_ms() - since >= TIMEOUT_MS ? ANSWER : 2;
}

static int in_futex(void)
{
	static int word = 1;
	struct timespec ts = TIMEOUT_TS;
	uint64_t since = now_ms();

	if (syscall(SYS_futex, &word, FUTEX_WAIT, 1, &ts, NULL, 0) != -1 || errno != ETIMEDOUT)
		return 1;
	return now_ms() - since >= TIMEOUT_MS ? ANSWER : 2;
}

static int in_semop(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf down = {.sem_op = -1};
	struct timespec ts = TIMEOUT_TS;
	int r = semtimedop(id, &down, 1, &ts) == -1 && errno == EAGAIN ? ANSWER : 1;

	semctl(id, 0, IPC_RMID);
	return r;
}

static int in_sigtimedwait(void)
{
	struct timespec ts = TIMEOUT_TS;
	sigset_t usr;

	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR2);
	return sigtimedwait(&usr, NULL, &ts) == -1 && errno == EAGAIN ? ANSWER : 1;
}

static int in_recv_timed(void)
{
	struct timeval tv = {.tv_sec = TIMEOUT_MS / 1000};
	int pair[2];
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return recv(pair[0], &c, 1, 0) == -1 && errno == EAGAIN ? ANSWER : 1;
}

static void blocked_calls_go_on(void **state)
{
	static const struct {
		const char *name;
		int (*fn)(void);
		long nr;
		bool told; /* ends when we write */
	} calls[] = {
		{"read", in_read, SYS_read, true},
		{"epoll_wait", in_epoll, SYS_epoll_wait, true},
		{"ppoll", in_ppoll, SYS_ppoll, true},
		{"epoll_wait with a timeout", in_epoll_timed, SYS_epoll_wait, false},
		{"poll with a timeout", in_poll_timed, SYS_poll, false},
		{"nanosleep", in_nanosleep, SYS_clock_nanosleep, false},
		{"futex with a timeout", in_futex, SYS_futex, false},
		{"semtimedop", in_semop, SYS_semtimedop, false},
		{"sigtimedwait", in_sigtimedwait, SYS_rt_sigtimedwait, false},
		{"recv with a timeout", in_recv_timed, SYS_recvfrom, false},
	};

	struct child c[ARRAY_SIZE(calls)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		c[i] = child_of(calls[i].fn);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		print_message("%s\n", calls[i].name);
		wait_for(c[i].pid, 'S', calls[i].nr);
		for (int k = 0; k < 3; k++) {
			visit_ok(&c[i]);
			wait_for(c[i].pid, 'S', -1);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].told)
			say(&c[i]);
		comes_out(&c[i]);
	}
}

/* A sleep must not begin anew at each visit. */
static void a_sleep_keeps_its_end(void **state)
{
	struct child c = child_of(in_nanosleep);
	uint64_t since = now_ms();
	const uint64_t last = TIMEOUT_MS * 2 / 3;

	(void)state;
	wait_for(c.pid, 'S', SYS_clock_nanosleep);
	while (now_ms() - since < last) {
		visit_ok(&c);
		poll(NULL, 0, 20);
	}
	comes_out(&c);
	/* Begun anew by the last visit it would have lasted until then. */
	assert_in_range(now_ms() - since, TIMEOUT_MS, last + TIMEOUT_MS - 1);
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	handled = sig;
}

static int in_read_with_handler(void)
{
	struct sigaction act = {.sa_handler = on_signal};
	char c;

	sigaction(SIGUSR1, &act, NULL);
	if (write(4, "r", 1) != 1 || read(3, &c, 1) != -1 || errno != EINTR || handled != SIGUSR1)
		return 1;
	return ANSWER;
}

/* A signal that comes while it is stopped has its usual effect, handler and EINTR, after the visit. */
static void a_signal_is_delivered_after(void **state)
{
	struct child c = child_of(in_read_with_handler);
	struct err e = {0};
	struct cr_inject in;
	long pid = 0;
	char r;

	(void)state;
	assert_int_equal(read(c.out, &r, 1), 1);
	wait_for(c.pid, 'S', SYS_read);
	OK(cr_inject_begin(&in, c.pid, c.ticks, 2000, &e));
	kill(c.pid, SIGUSR1);
	OK(cr_inject_syscall(&in, SYS_getpid, (uint64_t[6]){0}, &pid, &e));
	assert_int_equal(pid, c.pid);
	OK(cr_inject_end(&in, NULL, &e));
	comes_out(&c);
}

/* Computes with all registers, and checks the result against itself. */
static int in_computing(void)
{
	uint64_t a = 1, b = 2;
	double x = 1, y = 1;
	char go;

	fcntl(3, F_SETFL, O_NONBLOCK);
	do {
		a = b = 88172645463325252ull;
		x = y = 1.000001;
		for (int i = 0; i < 20000; i++) {
			a ^= a << 13, a ^= a >> 7, a ^= a << 17;
			x = x * 1.0000001 + 0.5;
			__asm__ volatile("" : "+r"(a), "+x"(x)::"memory");
			b ^= b << 13, b ^= b >> 7, b ^= b << 17;
			y = y * 1.0000001 + 0.5;
			__asm__ volatile("" : "+r"(b), "+x"(y)::"memory");
		}
	} while (a == b && memcmp(&x, &y, sizeof(x)) == 0 && read(3, &go, 1) != 1);
	return a == b && memcmp(&x, &y, sizeof(x)) == 0 ? ANSWER : 1;
}

static void registers_come_back(void **state)
{
	struct child c = child_of(in_computing);

	(void)state;
	for (int i = 0; i < 200; i++)
		visit_ok(&c);
	say(&c);
	comes_out(&c);
}

static volatile char *leave; /* shared with the child */

/* In a restartable sequence until it is told to leave; an abort begins it anew. Who finds its own sequence forgotten at the end was in it unprotected. */
static int in_sequence(void)
{
	static struct rseq_cs sequence;
	struct rseq *mine = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	uint64_t left;

	if (__rseq_size == 0 || write(4, "r", 1) != 1)
		return 1;
	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"
			 "mov %%rax, 8(%[sequence])\n\t"
			 "lea 2f(%%rip), %%rcx\n\t"
			 "sub %%rax, %%rcx\n\t"
			 "mov %%rcx, 16(%[sequence])\n\t"
			 "lea 4f(%%rip), %%rcx\n\t"
			 "mov %%rcx, 24(%[sequence])\n\t"
			 "5:\n\t"
			 "mov %[sequence], (%[at])\n\t"
			 "1:\n\t"
			 "cmpb $0, (%[leave])\n\t"
			 "je 1b\n\t"
			 "mov (%[at]), %[left]\n\t"
			 "2:\n\t"
			 "jmp 3f\n\t"
			 ".long 0x53053053\n\t"
			 "4:\n\t"
			 "jmp 5b\n\t"
			 "3:\n\t"
			 : [left] "=&r"(left)
			 : [sequence] "r"(&sequence), [at] "r"(&mine->rseq_cs), [leave] "r"(leave)
			 : "rax", "rcx", "memory", "cc");
	mine->rseq_cs = 0;
	return left == (uint64_t)(uintptr_t)&sequence ? ANSWER : 2;
}

static void a_restartable_sequence_is_aborted(void **state)
{
	struct child c;
	char r;

	(void)state;
	leave = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c = child_of(in_sequence);
	assert_int_equal(read(c.out, &r, 1), 1);
	for (int i = 0; i < 20; i++)
		visit_ok(&c);
	*leave = 1;
	comes_out(&c);
	munmap((void *)leave, 4096);
}

static int in_stopped(void)
{
	char c;

	raise(SIGSTOP);
	return read(3, &c, 1) == 1 ? ANSWER : 1;
}

/* It stays stopped, its parent hears of no second stop, and SIGCONT lets it go on. */
static void a_stopped_process_stays_so(void **state)
{
	struct child c = child_of(in_stopped);
	int status;

	(void)state;
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	assert_true(WIFSTOPPED(status));
	for (int i = 0; i < 3; i++) {
		visit_ok(&c);
		wait_for(c.pid, 'T', -1);
	}
	poll(NULL, 0, 20);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED | WNOHANG), 0);
	assert_int_equal(state_of(c.pid), 'T');
	kill(c.pid, SIGCONT);
	say(&c);
	comes_out(&c);
}

static int in_strict(void)
{
	char c;

	if (write(4, "r", 1) != 1 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	c = 0;
	syscall(SYS_read, 3, &c, 1);
	syscall(SYS_exit, c == 'x' ? ANSWER : 2);
	return 1;
}

/* Any call but read, write, exit kills it: ours do not, and its own still would. */
static void seccomp_does_not_matter(void **state)
{
	struct child c = child_of(in_strict);
	struct err e = {0};
	char r;

	(void)state;
	assert_int_equal(read(c.out, &r, 1), 1);
	wait_for(c.pid, 'S', SYS_read);
	OK(visit(&c, &e));
	say(&c);
	comes_out(&c);
}

/* No vdso and all: any mapped text will do. */
static int in_no_vdso(void)
{
	auto_file FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], c;
	unsigned long from, to;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			munmap((void *)from, to - from);
	return syscall(SYS_write, 4, "r", 1) == 1 && syscall(SYS_read, 3, &c, 1) == 1 ? ANSWER : 1;
}

static void without_vdso(void **state)
{
	struct child c = child_of(in_no_vdso);
	char r;

	(void)state;
	assert_int_equal(read(c.out, &r, 1), 1);
	wait_for(c.pid, 'S', SYS_read);
	visit_ok(&c);
	say(&c);
	comes_out(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_calls_go_on),
		cmocka_unit_test(a_sleep_keeps_its_end),
		cmocka_unit_test(a_signal_is_delivered_after),
		cmocka_unit_test(registers_come_back),
		cmocka_unit_test(a_restartable_sequence_is_aborted),
		cmocka_unit_test(a_stopped_process_stays_so),
		cmocka_unit_test(seccomp_does_not_matter),
		cmocka_unit_test(without_vdso),
	};

	return cmocka_run_group_tests_name("inject", tests, NULL, NULL);
}
