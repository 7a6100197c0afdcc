// SPDX-License-Identifier: GPL-2.0-only
/* What criu wrote, and what the operator reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "checkpoint/explain.h"

/* Of every dump on a host without iptables and without CAP_SYS_RESOURCE. */
#define NOISE                                                                                         \
	"(00.000113) Version: 4.2.1 (gitid 0)\n"                                                      \
	"(00.016282) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: "          \
	"Operation not permitted\n"                                                                   \
	"Warn  (criu/irmap.c:105): irmap: Can't stat /no-such-path: No such file or directory\n"      \
	"Error (criu/util.c:642): execvp(\"iptables-save\", ...) failed: No such file or directory\n" \
	"(00.060086) Error (criu/util.c:1723): iptables-save -V failed\n"                             \
	"(00.061121) Error (criu/tun.c:85): tun: Unable to create tun: Operation not permitted\n"

static const struct {
	const char *log;
	int no;
	enum err_class class;
	const char *text, *hint; /* parts of them */
} cases[] = {
	{NOISE "(00.050727) Error (criu/fsnotify.c:284): fsnotify: 	Can't dump that handle\n"
	       "(00.050800) Error (criu/cr-dump.c:1545): Dump files (pid: 20955) failed with -1\n"
	       "(00.071129) Error (criu/cr-dump.c:1975): Dumping FAILED.\n",
	 EOPNOTSUPP, ERR_SYSTEM, "inotify", "restart"},
	{NOISE "(00.1) Error (criu/sockets.c:700): Unsupported socket family: 17\n"
	       "(00.2) Error (criu/cr-dump.c:1975): Dumping FAILED.\n",
	 EOPNOTSUPP, ERR_SYSTEM, "packet socket", "tcpdump"},
	{"Error (criu/namespaces.c:300): Can't dump nested uts namespace for 21\n", EOPNOTSUPP,
	 ERR_SYSTEM, "Can't dump nested uts namespace for 21", "ProtectHostname"},
	{"Error (criu/cr-dump.c:99): one failed: unknown\n"
	 "Error (criu/image.c:44): Can't write image: No space left on device\n",
	 ENOSPC, ERR_NO_SPACE, "no room", "make room"},
	{"(00.1) pie: 1: Error (criu/pie/restorer.c:1): Can't bind inet socket: Address already in "
	 "use\n",
	 EADDRINUSE, ERR_ADDR_IN_USE, "in use", "resume"},
	{"Error (criu/files-reg.c:2134): File usr/bin/redis-server has bad size 12 (expect 13)\n",
	 ESTALE, ERR_SYSTEM, "has bad size 12", "must not be touched"},
	{"(00.067549) Error (criu/kerndat.c:732): Unable to connect a socket: Network is unreachable\n"
	 "(00.067620) Error (criu/kerndat.c:2010): kerndat_tcp_repair failed when initializing "
	 "kerndat.\n"
	 "(00.067676) Error (criu/crtools.c:280): Could not initialize kernel features detection.\n",
	 ENETUNREACH, ERR_UNSUPPORTED, "this host's lo", "ip link set lo up"},
	{"(00.001) Error (criu/protobuf.c:72): Unexpected EOF\n", EINVAL, ERR_SYSTEM,
	 "images are damaged", "skepctl stop"},
	{"(00.003) Connecting to server 127.0.0.1:9\n(00.003) Can't connect to server 127.0.0.1:9\n"
	 "(00.003) Error (compel/src/lib/infect.c:417): Unable to detach from 27051: No such "
	 "process\n",
	 ECONNREFUSED, ERR_SYSTEM, "Can't connect to server 127.0.0.1:9", "page-server"},
	{NOISE "(00.1) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using "
	       "--tcp-established option.\n",
	 EOPNOTSUPP, ERR_SYSTEM, "a program in it has", "takes connections along"},
	{NOISE "(00.1) Error (criu/sk-inet.c:865): inet: Connected TCP socket in image\n",
	 EOPNOTSUPP, ERR_SYSTEM, "was checkpointed with", "restore it with --tcp-established"},
	{NOISE, EIO, ERR_SYSTEM, "without saying why", ""},
	{"", EIO, ERR_SYSTEM, "without saying why", ""},
	{"Error (no end of the place", EIO, ERR_SYSTEM, "without saying why", ""},
	{"Error (criu/x.c:1): no newline at the end", EIO, ERR_SYSTEM, "no newline at the end", ""},
};

static void test_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = {0};

		assert_int_equal(cr_explain(cases[i].log, "checkpoint", &e), -cases[i].no);
		assert_int_equal(e.class, cases[i].class);
		if (!strstr(e.text, cases[i].text) || !strstr(e.hint, cases[i].hint))
			fail_msg("case %zu: %s | %s", i, e.text, e.hint);
		assert_null(strchr(e.text, '\n'));
		assert_ptr_equal(strstr(e.text, "checkpoint: "), e.text);
	}
}

/* A line of any length fits into an err. */
static void test_long_line(void **state)
{
	static char log[100000] = "Error (criu/x.c:1): Unsupported socket family: 40 ";
	struct err e = {0};

	(void)state;
	memset(log + strlen(log), 'x', sizeof(log) - strlen(log) - 1);
	assert_int_equal(cr_explain(log, "checkpoint", &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "socket of a kind"));
	assert_in_range(strlen(e.text), 50, sizeof(e.text) - 1);
}

static void test_no_log(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(cr_explain_at(AT_FDCWD, "no-such-log", "restore", &e), -EIO);
	assert_non_null(strstr(e.text, "without a log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
