// SPDX-License-Identifier: GPL-2.0-only
/* Frames over a socket pair: what was sent arrives, and whatever else a peer may send is refused in one line. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/protocol.h"

struct pair {
	int ours, theirs;
	struct cr_link link, peer;
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fd[2];

	if (!p || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	p->ours = fd[0];
	p->theirs = fd[1];
	p->link = (struct cr_link){.in = fd[0], .out = fd[0], .peer = "host-b"};
	p->peer = (struct cr_link){.in = fd[1], .out = fd[1], .peer = "the source"};
	signal(SIGPIPE, SIG_IGN);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	own_close_fd(&p->ours);
	own_close_fd(&p->theirs);
	free(p);
	return 0;
}

static void sends(struct pair *p, const void *data, size_t len)
{
	struct err e = {0};

	assert_int_equal(file_write_all(p->theirs, data, len, &e), 0);
}

static void sends_frame(struct pair *p, uint32_t magic, uint32_t type, uint32_t length,
			const char *body)
{
	const uint32_t h[3] = {htole32(magic), htole32(type), htole32(length)};

	sends(p, h, sizeof(h));
	sends(p, body, strlen(body));
}

/* A host without power ends no connection. */
static void silence_in_the_middle(struct pair *p)
{
	auto_fd int file = memfd_create("received", MFD_CLOEXEC);
	char data[8];
	struct err e = {0};

	assert_int_equal(cr_link_bound(&p->link, 100, &e), 0);
	sends(p, "half", 4);
	assert_int_equal(cr_link_receive_bytes(&p->link, data, sizeof(data), &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "host-b took or sent nothing for too long"));
	err_clear(&e);
	sends(p, "half", 4);
	assert_int_equal(cr_link_receive_file(&p->link, file, 8, &e), -ETIMEDOUT);
	assert_int_equal(e.class, ERR_MIGRATE);
	err_clear(&e);
	/* In the middle of a frame, too. */
	sends(p, "skm1", 4);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -ETIMEDOUT);
}

static void test_silence_in_the_middle(void **state)
{
	silence_in_the_middle(*state);
}

static void test_silence_of_a_pipe(void **state)
{
	struct pair *p = *state;
	struct err e = {0};
	int fd[2];

	assert_int_equal(cr_link_silence(&p->link), -1);
	own_close_fd(&p->ours);
	own_close_fd(&p->theirs);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	p->ours = p->link.in = fd[0];
	p->theirs = fd[1];
	silence_in_the_middle(p);
	assert_int_equal(cr_link_silence(&p->link), 100);
	/* As long as something comes it takes what time it takes. */
	assert_int_equal(cr_link_bound(&p->link, 60000, &e), 0);
	assert_int_equal(cr_link_silence(&p->link), 60000);
}

static void test_round_trip(void **state)
{
	struct pair *p = *state;
	auto_json json_t *sent = json_pack("{s:s, s:i}", "name", "web", "bytes", 7);
	auto_json json_t *got = NULL;
	struct err e = {0};

	assert_int_equal(cr_link_send(&p->peer, CR_FRAME_OFFER, sent, &e), 0);
	assert_int_equal(cr_link_send(&p->peer, CR_FRAME_COMMIT, NULL, &e), 0);
	assert_int_equal(cr_link_receive(&p->link, &got, 1000, &e), CR_FRAME_OFFER);
	assert_true(json_equal(sent, got));
	assert_int_equal(cr_link_expect(&p->link, CR_FRAME_COMMIT, NULL, 1000, &e), 0);
	assert_int_equal(p->link.received, p->peer.sent);
}

/* Each is refused as nonsense, without waiting for more of it and without taking memory for it. */
static void test_nonsense(void **state)
{
	static const struct {
		uint32_t magic, type, length;
		const char *body;
	} bad[] = {
		{0x20687373, CR_FRAME_READY, 2, "{}"}, /* "ssh " */
		{CR_FRAME_MAGIC, CR_FRAME_NONE, 2, "{}"},
		{CR_FRAME_MAGIC, CR_FRAME_END, 2, "{}"},
		{CR_FRAME_MAGIC, UINT32_MAX, 2, "{}"},
		{CR_FRAME_MAGIC, CR_FRAME_READY, CR_FRAME_MAX + 1, ""},
		{CR_FRAME_MAGIC, CR_FRAME_READY, UINT32_MAX, ""},
		{CR_FRAME_MAGIC, CR_FRAME_READY, 0, ""},
		{CR_FRAME_MAGIC, CR_FRAME_READY, 2, "[]"},
		{CR_FRAME_MAGIC, CR_FRAME_READY, 4, "{]}}"},
		{CR_FRAME_MAGIC, CR_FRAME_READY, 16, "{\"a\": 1, \"a\": 2}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		void *one = NULL;
		struct pair *p;
		struct err e = {0};

		assert_int_equal(set_up(&one), 0);
		p = one;
		sends_frame(p, bad[i].magic, bad[i].type, bad[i].length, bad[i].body);
		assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -EPROTO);
		assert_int_equal(e.class, ERR_MIGRATE);
		assert_non_null(strstr(e.text, "host-b"));
		tear_down(&one);
	}
	(void)state;
}

static void test_out_of_order(void **state)
{
	struct pair *p = *state;
	struct err e = {0};

	cr_link_send(&p->peer, CR_FRAME_DONE, NULL, &e);
	assert_int_equal(cr_link_expect(&p->link, CR_FRAME_READY, NULL, 1000, &e), -EPROTO);
	assert_non_null(strstr(e.text, "DONE"));
	assert_non_null(strstr(e.text, "READY"));
}

static void test_end_is_no_answer(void **state)
{
	struct pair *p = *state;
	struct err e = {0};

	sends(p, "skm1", 4);
	own_close_fd(&p->theirs);
	assert_int_equal(cr_link_expect(&p->link, CR_FRAME_READY, NULL, 1000, &e), -EPIPE);
	assert_int_equal(e.class, ERR_MIGRATE);
	assert_false(p->link.refused);
}

static void test_silence_has_an_end(void **state)
{
	struct pair *p = *state;
	struct err e = {0};

	assert_int_equal(cr_link_receive(&p->link, NULL, 10, &e), -ETIMEDOUT);
}

static int notices;

static void count_notice(enum log_level level, const char *line)
{
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_non_null(strstr(line, "host-b has been silent for 1 s; it is waited for, 1 s more"));
	notices++;
}

static void test_silence_is_told(void **state)
{
	struct pair *p = *state;
	struct err e = {0};

	log_to(count_notice, LOG_LEVEL_WARN);
	assert_int_equal(cr_link_receive(&p->link, NULL, 10, &e), -ETIMEDOUT);
	p->link.notice_ms = 1000;
	assert_int_equal(cr_link_receive(&p->link, NULL, 10, &e), -ETIMEDOUT);
	assert_int_equal(notices, 0);
	assert_int_equal(cr_link_receive(&p->link, NULL, 2000, &e), -ETIMEDOUT);
	assert_int_equal(notices, 1);
	log_to(NULL, LOG_LEVEL_WARN);
}

static void test_error_carries_the_words(void **state)
{
	struct pair *p = *state;
	struct err why = {0}, e = {0};

	err_set(&why, ENOSPC, "no room");
	err_hint(&why, "make some");
	err_class(&why, ERR_NO_SPACE);
	cr_link_send_error(&p->peer, &why);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -ENOSPC);
	assert_string_equal(e.text, "host-b: no room");
	assert_string_equal(e.hint, "make some");
	assert_int_equal(e.class, ERR_NO_SPACE);
	assert_true(p->link.refused);
}

/* A file name that is no UTF-8 is in the text: something must arrive nevertheless. */
static void test_error_with_odd_bytes(void **state)
{
	struct pair *p = *state;
	struct err why = {0}, e = {0};

	err_set(&why, ENOENT, "open \xff\xfe");
	cr_link_send_error(&p->peer, &why);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -ENOENT);
}

/* A peer's words go to a terminal: no second line, no escape sequence; and its numbers into our errno. */
static void test_error_is_untrusted(void **state)
{
	struct pair *p = *state;
	auto_json json_t *j = json_pack("{s:I, s:s, s:s}", "errno", (json_int_t)-5, "class",
					"NO_SUCH_CLASS", "text",
					"bad\n\033[2J news \xc2\x9b"
					"2J \xc3\xa9\xe2\x82\xac");
	struct err e = {0};

	cr_link_send(&p->peer, CR_FRAME_ERROR, j, &e);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -EIO);
	assert_null(strpbrk(e.text, "\n\033"));
	assert_null(strstr(e.text, "\xc2\x9b"));
	assert_non_null(strstr(e.text, "2J \xc3\xa9\xe2\x82\xac"));
	assert_int_equal(e.class, ERR_SYSTEM);
}

/* Whose disk is full is not for the reader to guess; a hint of the peer's own stays. */
static void test_no_room_names_the_host(void **state)
{
	struct pair *p = *state;
	struct err why = {0}, e = {0};

	err_set(&why, ENOSPC, "write a file");
	err_class(&why, ERR_NO_SPACE);
	cr_link_send_error(&p->peer, &why);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -ENOSPC);
	assert_string_equal(e.text, "host-b: write a file");
	assert_string_equal(e.hint,
			    "skepctl doctor on host-b says how much room there is, and where");
	err_hint(&why, "remove something");
	cr_link_send_error(&p->peer, &why);
	err_clear(&e);
	assert_int_equal(cr_link_receive(&p->link, NULL, 1000, &e), -ENOSPC);
	assert_string_equal(e.hint, "remove something");
}

/* What is no UTF-8 comes by other ways than JSON. */
static void test_one_line(void **state)
{
	static const struct {
		const char *is, *becomes;
	} lines[] = {
		{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\t\n\x7f.", "   ."},
		{"\x9b"
		 "31m",
		 " 31m"},
		{"\xc2\x9b"
		 "31m",
		 "  31m"},
		{"\xc2\xa9", "\xc2\xa9"},
		{"\xc3\xa9\x9b"
		 "A",
		 "\xc3\xa9 A"},
		{"\xe2\x82\xac\xc2\x85", "\xe2\x82\xac  "},
		{"\xc2", "\xc2"},
		{"\xe9t\xe9", "\xe9t\xe9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", lines[i].is);
		err_one_line(text);
		assert_string_equal(text, lines[i].becomes);
	}
}

/* One that says nothing to the point, and does not end. */
static void test_blame_has_an_end(void **state)
{
	struct pair *p = *state;
	uint64_t began = log_now_ns();
	struct err e = {0};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		own_close_fd(&p->ours);
		while (cr_link_send(&p->peer, CR_FRAME_ACCEPT, NULL, &e) >= 0)
			usleep(1000);
		_exit(0);
	}
	err_set(&e, EPIPE, "broken");
	assert_int_equal(cr_link_blame(&p->link, &e), -EPIPE);
	assert_true(log_now_ns() - began < 20000000000ull);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_blame(void **state)
{
	struct pair *p = *state;
	struct err why = {0}, e = {0};

	err_set(&why, ENOSPC, "no room");
	cr_link_send(&p->peer, CR_FRAME_ACCEPT, NULL, &e);
	cr_link_send_error(&p->peer, &why);
	own_close_fd(&p->theirs);
	assert_int_equal(cr_link_send(&p->link, CR_FRAME_DELTA, NULL, &e), -EPIPE);
	assert_int_equal(cr_link_blame(&p->link, &e), -ENOSPC);
}

static void test_greeting(void **state)
{
	struct pair *p = *state;
	struct err e = {0};

	sends_frame(p, CR_FRAME_MAGIC, CR_FRAME_HELLO, 14, "{\"version\":99}");
	assert_int_equal(cr_link_greet(&p->link, true, 0, 1000, &e), -EPROTO);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "99"));
}

static void test_greeting_of_another_machine(void **state)
{
	struct pair *p = *state;
	auto_json json_t *j =
		json_pack("{s:i, s:s}", "version", CR_PROTOCOL_VERSION, "machine", "pdp11");
	struct err e = {0};

	cr_link_send(&p->peer, CR_FRAME_HELLO, j, &e);
	assert_int_equal(cr_link_greet(&p->link, false, 0, 1000, &e), -ENOEXEC);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
}

/* --- images --- */

struct dirs {
	char path[2][64];
	int fd[2];
};

static void make_dirs(struct dirs *d)
{
	for (int i = 0; i < 2; i++) {
		snprintf(d->path[i], sizeof(d->path[i]), "/tmp/skep-protocol-XXXXXX");
		assert_non_null(mkdtemp(d->path[i]));
		d->fd[i] = open(d->path[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(d->fd[i] >= 0);
	}
}

static void remove_dirs(struct dirs *d)
{
	struct err e = {0};

	for (int i = 0; i < 2; i++) {
		own_close_fd(&d->fd[i]);
		assert_int_equal(file_remove_tree_at(AT_FDCWD, d->path[i], &e), 0);
	}
}

static void put(int dir, const char *name, const char *text)
{
	struct err e = {0};

	assert_int_equal(file_replace_volatile_at(dir, name, text, strlen(text), 0600, &e), 0);
}

static void test_images(void **state)
{
	struct pair *p = *state;
	struct dirs d;
	uint64_t bytes = 0;
	auto_free char *text = NULL;
	struct err e = {0};

	make_dirs(&d);
	put(d.fd[0], "pages-1.img", "page");
	put(d.fd[0], "empty.img", "");
	put(d.fd[0], "dump.log", "stays");
	put(d.fd[0], "complete", "stays");
	assert_int_equal(symlinkat("/etc/passwd", d.fd[0], "link.img"), 0);
	assert_int_equal(cr_images_send(&p->peer, d.fd[0], &bytes, &e), 0);
	assert_int_equal(bytes, 4);
	assert_int_equal(cr_images_receive(&p->link, d.fd[1], NULL, &e), 0);
	assert_int_equal(file_read_at(d.fd[1], "pages-1.img", 100, &text, &e), 4);
	assert_string_equal(text, "page");
	assert_int_equal(faccessat(d.fd[1], "empty.img", F_OK, 0), 0);
	assert_int_equal(faccessat(d.fd[1], "dump.log", F_OK, 0), -1);
	assert_int_equal(faccessat(d.fd[1], "complete", F_OK, 0), -1);
	assert_int_equal(faccessat(d.fd[1], "link.img", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	remove_dirs(&d);
}

/* In chunks, packed and not: more than one, one that is noise, small ones. */
static void test_packed_images(void **state)
{
	enum { BIG = 3 * CR_CHUNK + 12345 };
	struct pair *p = *state;
	auto_free char *big = malloc(BIG + 1), *back = NULL;
	struct dirs d;
	uint64_t bytes = 0, random = 1;
	struct err e = {0};
	pid_t pid;
	int status;
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, p->peer.out, 0, &e);

	make_dirs(&d);
	for (size_t i = 0; i < BIG; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		big[i] = (char)(i / CR_CHUNK == 1 ? random >> 56 : i / 1000);
	}
	put(d.fd[0], "small.img", "page");
	assert_int_equal(file_replace_volatile_at(d.fd[0], "pages-1.img", big, BIG, 0600, &e), 0);
	pid = fork();
	if (pid == 0) {
		p->peer.squeeze = s;
		_exit(cr_images_send(&p->peer, d.fd[0], &bytes, &e) < 0);
	}
	assert_int_equal(cr_images_receive(&p->link, d.fd[1], NULL, &e), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(file_read_at(d.fd[1], "pages-1.img", BIG, &back, &e), BIG);
	assert_memory_equal(back, big, BIG);
	own_free(&back);
	assert_int_equal(file_read_at(d.fd[1], "small.img", 100, &back, &e), 4);
	assert_string_equal(back, "page");
	assert_in_range(p->link.received, CR_CHUNK, CR_CHUNK + CR_CHUNK / 8);
	remove_dirs(&d);
}

/* One image of 8 bytes in chunks, of which this is the first head. */
static int receive_chunk(uint32_t head)
{
	const char *images = "{\"files\":1,\"bytes\":8}";
	const char *file = "{\"name\":\"a.img\",\"size\":8,\"chunks\":true}";
	void *one = NULL;
	struct pair *p;
	struct dirs d;
	struct err e = {0};
	int r;

	assert_int_equal(set_up(&one), 0);
	p = one;
	make_dirs(&d);
	sends_frame(p, CR_FRAME_MAGIC, CR_FRAME_IMAGES, (uint32_t)strlen(images), images);
	sends_frame(p, CR_FRAME_MAGIC, CR_FRAME_FILE, (uint32_t)strlen(file), file);
	sends(p, &head, sizeof(head));
	sends(p, "12345678", 8);
	own_close_fd(&p->theirs);
	r = cr_images_receive(&p->link, d.fd[1], NULL, &e);
	remove_dirs(&d);
	tear_down(&one);
	return r;
}

static void test_hostile_chunks(void **state)
{
	(void)state;
	assert_int_equal(receive_chunk(8), 0);
	assert_int_equal(receive_chunk(7), -EPROTO);
	assert_int_equal(receive_chunk(9), -EPROTO);
	assert_int_equal(receive_chunk(0), -EPROTO);
	assert_int_equal(receive_chunk(UINT32_MAX), -EPROTO);
	assert_int_equal(receive_chunk(CR_CHUNK_PACKED | 8), -EPROTO);
	assert_int_equal(receive_chunk(CR_CHUNK_PACKED), -EBADMSG);
	assert_int_equal(receive_chunk(CR_CHUNK_PACKED | 7), -EBADMSG);
}

static int receive_hostile(const char *images, const char *file)
{
	void *one = NULL;
	struct pair *p;
	struct dirs d;
	struct err e = {0};
	int r;

	assert_int_equal(set_up(&one), 0);
	p = one;
	make_dirs(&d);
	put(d.fd[1], "there.img", "before");
	sends_frame(p, CR_FRAME_MAGIC, CR_FRAME_IMAGES, (uint32_t)strlen(images), images);
	if (file)
		sends_frame(p, CR_FRAME_MAGIC, CR_FRAME_FILE, (uint32_t)strlen(file), file);
	sends(p, "12345678", 8);
	own_close_fd(&p->theirs);
	r = cr_images_receive(&p->link, d.fd[1], NULL, &e);
	remove_dirs(&d);
	tear_down(&one);
	return r;
}

static void test_hostile_images(void **state)
{
	const char *one = "{\"files\":1,\"bytes\":8}";

	(void)state;
	assert_int_equal(receive_hostile("{\"files\":-1,\"bytes\":8}", NULL), -EPROTO);
	assert_int_equal(receive_hostile("{\"files\":1000000000,\"bytes\":8}", NULL), -EPROTO);
	assert_int_equal(receive_hostile("{\"files\":1,\"bytes\":4611686018427387904}", NULL),
			 -ENOSPC);
	assert_int_equal(receive_hostile("{\"files\":\"1\",\"bytes\":8}", NULL), -EINVAL);
	assert_int_equal(receive_hostile(one, "{\"name\":\"../x\",\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"/etc/x\",\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"..\",\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"\",\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"complete\",\"size\":8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"a.img\",\"size\":-8}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"a.img\",\"size\":9}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"a.img\",\"size\":7}"), -EPROTO);
	assert_int_equal(receive_hostile(one, "{\"name\":\"there.img\",\"size\":8}"), -EEXIST);
	assert_int_equal(receive_hostile(one, "{\"name\":\"a.img\",\"size\":8}"), 0);
	assert_int_equal(
		receive_hostile("{\"files\":2,\"bytes\":9}", "{\"name\":\"a.img\",\"size\":8}"),
		-EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_silence_in_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_of_a_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test_setup_teardown(test_out_of_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_is_no_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_has_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_error_carries_the_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_error_with_odd_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_error_is_untrusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_names_the_host, set_up, tear_down),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test_setup_teardown(test_blame, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_blame_has_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_greeting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_greeting_of_another_machine, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packed_images, set_up, tear_down),
		cmocka_unit_test(test_hostile_images),
		cmocka_unit_test(test_hostile_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
