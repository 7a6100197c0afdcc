// SPDX-License-Identifier: GPL-2.0-only
/* Filters: every call of the profile, by an interpreter of classic BPF; some by the kernel; OCI;
 * the cache. */
#include "tests/unit/ns/lab.h"

#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/json.h"
#include "ns/seccomp.h"

#define LAST_CALL 470

/* Runs the filter on one call, as the kernel would: only the instructions that libseccomp and we
 * emit. */
static uint32_t verdict_of(const struct ns_filter *f, const struct seccomp_data *data)
{
	const char *bytes = (const char *)data;
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (unsigned pc = 0; pc < f->len; pc++) {
		const struct sock_filter *i = &f->prog[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, bytes + i->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_LD | BPF_MEM:
			a = mem[i->k];
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_MISC | BPF_TXA:
			a = x;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %u has code 0x%x", pc, i->code);
		}
	}
	fail_msg("the filter has no end");
	return 0;
}

static uint32_t verdict(const struct ns_filter *f, int nr, uint64_t arg0, uint64_t arg1)
{
	struct seccomp_data data = {.nr = nr, .arch = seccomp_arch_native(), .args = {arg0, arg1}};

	return verdict_of(f, &data);
}

static uint32_t verdict3(const struct ns_filter *f, int nr, uint64_t a, uint64_t b, uint64_t c)
{
	struct seccomp_data data = {.nr = nr, .arch = seccomp_arch_native(), .args = {a, b, c}};

	return verdict_of(f, &data);
}

static uint32_t by_name(const struct ns_filter *f, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	assert_true(nr >= 0);
	return verdict(f, nr, 0, 0);
}

#define ALLOW	 SECCOMP_RET_ALLOW
#define FAIL(no) (SECCOMP_RET_ERRNO | (no))

static const char *const eperm[] = {
	"acct",
	"bpf",
	"clock_settime",
	"delete_module",
	"finit_module",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kexec_file_load",
	"kexec_load",
	"lookup_dcookie",
	"open_by_handle_at",
	"perf_event_open",
	"quotactl",
	"quotactl_fd",
	"settimeofday",
	"swapoff",
	"swapon",
	"syslog",
	"userfaultfd",
};

/* Refused as if the kernel lacked them: keyrings, what no filter can judge, what kernels really
 * dropped long ago. */
static const char *const enosys[] = {
	"_sysctl",	 "add_key",	   "afs_syscall",     "clone3",		 "create_module",
	"epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "get_thread_area", "getpmsg",
	"keyctl",	 "memfd_secret",   "modify_ldt",      "nfsservctl",	 "putpmsg",
	"query_module",	 "request_key",	   "security",	      "set_thread_area", "sysfs",
	"tuxcall",	 "uselib",	   "ustat",	      "vserver",
};

static bool listed(const char *const list[], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static void test_every_call(void **state)
{
	struct ns_filter f;
	struct err e = {0};
	int refused = 0;

	(void)state;
	assert_int_equal(ns_seccomp_from_profile(NULL, &f, &e), 0);
	for (int nr = 0; nr <= LAST_CALL; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), nr);
		uint32_t want = name ? ALLOW : FAIL(ENOSYS);

		if (name && listed(eperm, ARRAY_SIZE(eperm), name))
			want = FAIL(EPERM);
		else if (name && listed(enosys, ARRAY_SIZE(enosys), name))
			want = FAIL(ENOSYS);
		else if (nr >= 457 && nr <= 469)
			want = ALLOW;
		if (verdict(&f, nr, 0, 0) != want)
			fail_msg("call %d (%s): 0x%x, not 0x%x", nr, name ? name : "?",
				 verdict(&f, nr, 0, 0), want);
		refused += want == FAIL(EPERM);
		free(name);
	}
	assert_int_equal(refused, ARRAY_SIZE(eperm));
	assert_int_equal(verdict(&f, 100000, 0, 0), FAIL(ENOSYS));
	print_message("profile: %u instructions\n", f.len);
	ns_seccomp_done(&f);
}

static void test_arguments(void **state)
{
	const uint64_t high = UINT64_C(1) << 32;
	struct ns_seccomp_options nesting = {.userns = true};
	struct ns_filter f;
	struct err e = {0};
	int sock = SCMP_SYS(socket), ctl = SCMP_SYS(ioctl);

	(void)state;
	assert_int_equal(ns_seccomp_from_profile(NULL, &f, &e), 0);
	assert_int_equal(verdict(&f, sock, AF_INET, 0), ALLOW);
	assert_int_equal(verdict(&f, sock, AF_NETLINK, 0), ALLOW);
	assert_int_equal(verdict(&f, sock, AF_ALG, 0), FAIL(EAFNOSUPPORT));
	assert_int_equal(verdict(&f, sock, AF_VSOCK, 0), FAIL(EAFNOSUPPORT));
	assert_int_equal(verdict(&f, SCMP_SYS(socketpair), AF_VSOCK, 0), FAIL(EAFNOSUPPORT));
	assert_int_equal(verdict(&f, ctl, 0, TCGETS), ALLOW);
	assert_int_equal(verdict(&f, ctl, 0, TIOCSTI), FAIL(EPERM));
	assert_int_equal(verdict(&f, ctl, 0, TIOCLINUX), FAIL(EPERM));
	/* The kernel looks at 32 bits only; a filter that looks at 64 can be passed
	 * (CVE-2019-10063). */
	assert_int_equal(verdict(&f, ctl, 0, TIOCSTI | high), FAIL(EPERM));
	assert_int_equal(verdict(&f, sock, AF_ALG | high, 0), FAIL(EAFNOSUPPORT));
	assert_int_equal(verdict(&f, SCMP_SYS(unshare), CLONE_NEWNS, 0), ALLOW);
	assert_int_equal(verdict(&f, SCMP_SYS(unshare), CLONE_NEWUSER | CLONE_NEWNS, 0),
			 FAIL(EPERM));
	assert_int_equal(verdict(&f, SCMP_SYS(clone), SIGCHLD, 0), ALLOW);
	assert_int_equal(verdict(&f, SCMP_SYS(clone), CLONE_NEWUSER | high, 0), FAIL(EPERM));
	assert_int_equal(verdict(&f, SCMP_SYS(personality), 0xffffffff, 0), ALLOW);
	/* ADDR_NO_RANDOMIZE */
	assert_int_equal(verdict(&f, SCMP_SYS(personality), 0x0040000, 0), FAIL(ENOSYS));
	ns_seccomp_done(&f);

	assert_int_equal(ns_seccomp_from_profile(&nesting, &f, &e), 0);
	assert_int_equal(verdict(&f, SCMP_SYS(unshare), CLONE_NEWUSER, 0), ALLOW);
	assert_int_equal(by_name(&f, "clone3"), ALLOW);
	assert_int_equal(by_name(&f, "bpf"), FAIL(EPERM));
	ns_seccomp_done(&f);
}

/* One of getsockopt and setsockopt: the filter makes no difference between them. */
static void options_are(const struct ns_filter *f, int call, uint32_t refused)
{
	static const unsigned v4[] = {64, 65, 66, 67, 83, 96, 97, 98, 99, 128, 129, 130, 131};
	static const unsigned v6[] = {64, 65, 68, 69};
	const uint64_t high = UINT64_C(1) << 32;

	for (unsigned name = 0; name < 256; name++) {
		bool is_v4 = false, is_v6 = false;

		for (size_t i = 0; i < ARRAY_SIZE(v4); i++)
			is_v4 |= v4[i] == name;
		for (size_t i = 0; i < ARRAY_SIZE(v6); i++)
			is_v6 |= v6[i] == name;
		assert_int_equal(verdict3(f, call, 3, SOL_IP, name), is_v4 ? refused : ALLOW);
		assert_int_equal(verdict3(f, call, 3, SOL_IPV6, name), is_v6 ? refused : ALLOW);
		assert_int_equal(verdict3(f, call, 3, SOL_SOCKET, name), ALLOW);
		assert_int_equal(verdict3(f, call, 3, IPPROTO_TCP, name), ALLOW);
		assert_int_equal(verdict3(f, call, 3, high | SOL_IP, high | name),
				 is_v4 ? refused : ALLOW);
		assert_int_equal(verdict3(f, call, 3, high | SOL_IPV6, high | name),
				 is_v6 ? refused : ALLOW);
	}
}

static void netlink_is(const struct ns_filter *f, uint32_t refused)
{
	const int calls[] = {SCMP_SYS(socket), SCMP_SYS(socketpair)};
	const uint64_t high = UINT64_C(1) << 32;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (unsigned p = 0; p < MAX_LINKS; p++)
			assert_int_equal(verdict3(f, calls[i], AF_NETLINK, SOCK_RAW, p),
					 p == NETLINK_NETFILTER ? refused : ALLOW);
		assert_int_equal(verdict3(f, calls[i], high | AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
					  high | NETLINK_NETFILTER),
				 refused);
		/* Another family's protocol of that number: IPPROTO_PUP. */
		assert_int_equal(verdict3(f, calls[i], AF_INET, SOCK_RAW, NETLINK_NETFILTER),
				 ALLOW);
	}
}

static void test_netfilter(void **state)
{
	struct ns_seccomp_options opt = {.no_netfilter = true};
	struct ns_filter f;
	struct err e = {0};

	(void)state;
	assert_int_equal(ns_seccomp_from_profile(NULL, &f, &e), 0);
	options_are(&f, SCMP_SYS(setsockopt), ALLOW);
	netlink_is(&f, ALLOW);
	ns_seccomp_done(&f);
	for (int nesting = 0; nesting < 2; nesting++) {
		opt.userns = nesting;
		assert_int_equal(ns_seccomp_from_profile(&opt, &f, &e), 0);
		options_are(&f, SCMP_SYS(setsockopt), FAIL(EPERM));
		options_are(&f, SCMP_SYS(getsockopt), FAIL(EPERM));
		netlink_is(&f, FAIL(EPERM));
		/* The others have their say still. */
		assert_int_equal(verdict(&f, SCMP_SYS(socket), AF_ALG, 0), FAIL(EAFNOSUPPORT));
		assert_int_equal(verdict(&f, SCMP_SYS(unshare), CLONE_NEWUSER, 0),
				 nesting ? ALLOW : FAIL(EPERM));
		assert_int_equal(by_name(&f, "read"), ALLOW);
		ns_seccomp_done(&f);
	}
	opt.x86_32 = true;
	assert_int_equal(ns_seccomp_from_profile(&opt, &f, &e), -EINVAL);
	assert_non_null(strstr(e.text, "socketcall"));
}

static void test_other_architectures(void **state)
{
	struct ns_seccomp_options both = {.x86_32 = true};
	struct seccomp_data data = {.nr = 20 /* getpid of i386 */, .arch = AUDIT_ARCH_I386};
	struct ns_filter f;
	struct err e = {0};

	(void)state;
	if (seccomp_arch_native() != SCMP_ARCH_X86_64)
		skip();
	assert_int_equal(ns_seccomp_from_profile(NULL, &f, &e), 0);
	assert_int_equal(verdict_of(&f, &data), SECCOMP_RET_KILL_PROCESS);
	/* x32 numbers on the native architecture */
	assert_int_not_equal(verdict(&f, 0x40000000 | 39, 0, 0), ALLOW);
	ns_seccomp_done(&f);
	assert_int_equal(ns_seccomp_from_profile(&both, &f, &e), 0);
	assert_int_equal(verdict_of(&f, &data), ALLOW);
	data.nr = 357; /* bpf of i386 */
	assert_int_equal(verdict_of(&f, &data), FAIL(EPERM));
	ns_seccomp_done(&f);
}

/* Loaded for real, then a few calls. */
static int loaded(struct lab *lab, struct err *e)
{
	struct ns_filter f;
	int r = ns_seccomp_from_profile(NULL, &f, e);

	if (r >= 0)
		r = ns_self_no_new_privs(e);
	if (r >= 0)
		r = ns_seccomp_load(&f, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, prctl(PR_GET_SECCOMP) == 2);
	LAB_CHECK(lab, syscall(SYS_bpf, 0, 0, 0) < 0 && errno == EPERM);
	LAB_CHECK(lab, syscall(SYS_keyctl, 0, 0, 0) < 0 && errno == ENOSYS);
	LAB_CHECK(lab, syscall(SYS_clone3, 0, 0) < 0 && errno == ENOSYS);
	LAB_CHECK(lab, unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	LAB_CHECK(lab, socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EAFNOSUPPORT);
	LAB_CHECK(lab, ioctl(0, TIOCSTI, "x") < 0 && errno == EPERM);
	LAB_CHECK(lab, getpid() > 0 && unshare(CLONE_FS) == 0);
	ns_seccomp_done(&f);
	return 0;
}

static void test_load(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, 0, loaded), 0);
	lab_drop(&lab);
}

static int from_text(const char *text, struct ns_filter *f, struct err *e)
{
	auto_json json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return ns_seccomp_from_oci(j, f, e);
}

static void test_oci(void **state)
{
	struct ns_filter f;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		from_text(
			"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,"
			"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],"
			"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
			"{\"names\":[\"getpid\",\"no_such_call\",\"statx\"],\"action\":\"SCMP_ACT_ALLOW\"},"
			"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
			"{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
			"{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
			"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13},"
			"{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
			&f, &e),
		0);
	assert_int_equal(by_name(&f, "getpid"), ALLOW);
	assert_int_equal(by_name(&f, "mount"), FAIL(EACCES));
	assert_int_equal(by_name(&f, "kill"), FAIL(EPERM));
	assert_int_equal(by_name(&f, "read"), FAIL(EACCES));
	assert_int_equal(verdict(&f, SCMP_SYS(socket), 1, 0), ALLOW);
	assert_int_equal(verdict(&f, SCMP_SYS(socket), 2, 0), ALLOW);
	assert_int_equal(verdict(&f, SCMP_SYS(socket), 3, 0), FAIL(EACCES));
	/* Newer than statx, the newest call that the author knew. */
	assert_int_equal(by_name(&f, "openat2"), FAIL(ENOSYS));
	assert_int_equal(f.flags, SECCOMP_FILTER_FLAG_LOG);
	ns_seccomp_done(&f);
}

static void test_oci_bad(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"defaultAction\":\"SCMP_ACT_MAYBE\"}",
		"{\"defaultAction\":7}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_PDP11\"]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":9,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":0,\"op\":\"==\"}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ns_filter f = {0};
		struct err e = {0};

		if (from_text(bad[i], &f, &e) >= 0 || !e.text[0])
			fail_msg("accepted: %s", bad[i]);
		ns_seccomp_done(&f);
	}
}

/* Found by tests/fuzz/seccomp.c: libseccomp 2.5.4 never came back from the second rule. The first alone, and a newer libseccomp that does come back, are fine. */
static void test_endless(void **state)
{
	static const char one[] =
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"socket\"],"
		"\"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\": 16, \"op\":"
		"\"SCMP_CMP_GE\"}, {\"index\": 1, \"value\": 9, \"op\": \"SCMP_CMP_LT\"}]}]}";
	static const char other[] =
		"{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0,"
		"\"value\": 16, \"op\": \"SCMP_CMP_GE\"}, {\"index\": 2, \"value\": 9,"
		"\"op\": \"SCMP_CMP_LT\"}]}";
	auto_json json_t *j = json_loads(one, 0, NULL);
	struct ns_filter f = {0};
	struct err e = {0};
	int r;

	(void)state;
	assert_int_equal(ns_seccomp_from_oci(j, &f, &e), 0);
	ns_seccomp_done(&f);
	json_array_append_new(json_object_get(j, "syscalls"), json_loads(other, 0, NULL));
	r = ns_seccomp_from_oci(j, &f, &e);
	if (r < 0) {
		assert_int_equal(r, -ELOOP);
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, "rules for socket"));
	}
	ns_seccomp_done(&f);
}

static void test_cache(void **state)
{
	struct ns_seccomp_options nesting = {.userns = true};
	struct ns_filter a, b, c;
	struct err e = {0};
	struct lab lab;
	char command[160];
	int dir;

	(void)state;
	lab_make(&lab);
	dir = open(lab.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(ns_seccomp_get(dir, NULL, NULL, NULL, &a, &e), 0);
	assert_int_equal(ns_seccomp_get(dir, NULL, NULL, NULL, &b, &e), 0);
	assert_int_equal(ns_seccomp_get(dir, NULL, NULL, &nesting, &c, &e), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.prog, b.prog, a.len * sizeof(*a.prog));
	assert_int_equal(a.flags, b.flags);
	assert_int_not_equal(a.len, c.len);
	ns_seccomp_done(&b);
	/* A damaged file is not believed. */
	snprintf(command, sizeof(command), "%s", lab.dir);
	{
		auto_dir DIR *d = opendir(lab.dir);
		struct dirent *entry;

		while (d && (entry = readdir(d)))
			if (!strncmp(entry->d_name, "seccomp-", 8))
				assert_int_equal(
					truncate((snprintf(command, sizeof(command), "%s/%.60s",
							   lab.dir, entry->d_name),
						  command),
						 100),
					0);
	}
	assert_int_equal(ns_seccomp_get(dir, NULL, NULL, NULL, &b, &e), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.prog, b.prog, a.len * sizeof(*a.prog));
	ns_seccomp_done(&a);
	ns_seccomp_done(&b);
	ns_seccomp_done(&c);
	close(dir);
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call), cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_netfilter),  cmocka_unit_test(test_other_architectures),
		cmocka_unit_test(test_load),	   cmocka_unit_test(test_oci),
		cmocka_unit_test(test_oci_bad),	   cmocka_unit_test(test_endless),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
