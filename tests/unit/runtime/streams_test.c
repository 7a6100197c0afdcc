// SPDX-License-Identifier: GPL-2.0-only
/* What standard streams are called: always as readlink(2) says, whether it is asked or not. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/streams.h"

static void assert_as_readlink(const int fds[3])
{
	auto_json json_t *streams = NULL;
	struct err e = {0};

	assert_int_equal(ct_streams_note(fds, &streams, &e), 0);
	assert_int_equal(json_array_size(streams), 3);
	for (size_t i = 0; i < 3; i++) {
		char path[32], name[PATH_MAX];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
		n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = 0;
		assert_string_equal(json_string_value(json_array_get(streams, i)), name);
	}
}

static void names_are_those_of_readlink(void **state)
{
	char fifo[] = "/tmp/skep-streams-XXXXXX";
	int ends[2], pair[2];

	(void)state;
	assert_return_code(pipe2(ends, O_CLOEXEC), errno);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	assert_as_readlink((const int[]){ends[0], ends[1], pair[0]});
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_fd int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	auto_fd int file = mkstemp(fifo);
	assert_as_readlink((const int[]){null, zero, file});
	/* One with a name; one that is not open. */
	assert_return_code(unlink(fifo), errno);
	assert_return_code(mkfifo(fifo, 0600), errno);
	auto_fd int named = open(fifo, O_RDWR | O_CLOEXEC);
	assert_as_readlink((const int[]){named, -1, file});
	assert_return_code(unlink(fifo), errno);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(pair[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_readlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
