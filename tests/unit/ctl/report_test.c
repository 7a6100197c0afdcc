// SPDX-License-Identifier: GPL-2.0-only
/* How a failure is printed: which container, one line, one hint, the class's exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/report.h"

static const struct ctl_option globals[] = {{.name = "quiet", .letter = 'q'}, {0}};
static const struct ctl_command start_cmd = {
	.name = "start", .words = "NAME...", .least = 1, .most = -1};
static const struct ctl_command template_cmd = {
	.name = "template", .words = "list | build KIND", .least = 1, .most = -1};
static const struct ctl_command *const commands[] = {&start_cmd, &template_cmd, NULL};
static const struct ctl_front front = {.name = "skepctl", .global = globals, .commands = commands};

static char said[2048];

/* Reports e for "skepctl VERB NAME", what it prints to `said`. */
static int report(const struct ctl_command *command, const char *name, const struct err *e)
{
	char word[64];
	char *words[] = {word, NULL};
	struct ctl_line line = {.front = &front, .command = command, .words = words, .nwords = 1};
	int saved = dup(STDERR_FILENO), fd = memfd_create("said", MFD_CLOEXEC), code;
	ssize_t n;

	snprintf(word, sizeof(word), "%s", name);
	assert_true(saved >= 0 && fd >= 0);
	fflush(stderr);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	code = ctl_report(&line, e);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(fd, said, sizeof(said) - 1, 0);
	assert_true(n >= 0);
	said[n] = '\0';
	close(saved);
	close(fd);
	return code;
}

static struct err failure(enum err_class class, const char *text, const char *hint)
{
	struct err e = {0};

	err_set(&e, EINVAL, "%s", text);
	err_class(&e, class);
	if (hint)
		err_hint(&e, "%s", hint);
	return e;
}

static void the_container_is_named_once(void **state)
{
	struct err bare = failure(ERR_RUNNING, "it runs already", NULL);
	struct err named = failure(ERR_RUNNING, "container 101 runs already", NULL);

	(void)state;
	assert_int_equal(report(&start_cmd, "101", &bare), 32);
	assert_string_equal(said, "skepctl: CT 101: it runs already\n");
	report(&start_cmd, "101", &named);
	assert_string_equal(said, "skepctl: container 101 runs already\n");
}

static void a_name_within_a_word_or_a_path_is_not_said(void **state)
{
	struct err e = failure(ERR_SYSTEM, "open /srv/ct/10/lock for 10.0.0.1", NULL);

	(void)state;
	assert_int_equal(report(&start_cmd, "10", &e), 3);
	assert_string_equal(said, "skepctl: CT 10: open /srv/ct/10/lock for 10.0.0.1\n");
}

static void hint_is_a_line_of_its_own(void **state)
{
	struct err e = failure(ERR_NOT_RUNNING, "it is not running", "skepctl start 101");

	(void)state;
	assert_int_equal(report(&start_cmd, "101", &e), 31);
	assert_string_equal(said, "skepctl: CT 101: it is not running\nhint: skepctl start 101\n");
}

static void wrong_words_are_about_no_container(void **state)
{
	struct err e = failure(ERR_USAGE, "one word too many: x", NULL);
	struct err other = failure(ERR_VALUE, "there is no recipe", NULL);

	(void)state;
	assert_int_equal(report(&start_cmd, "101", &e), 20);
	assert_string_equal(said, "skepctl: one word too many: x\n");
	assert_int_equal(report(&template_cmd, "build", &other), 21);
	assert_string_equal(said, "skepctl: there is no recipe\n");
}

static void a_name_cannot_forge_a_line(void **state)
{
	struct err e = failure(ERR_VALUE, "bad name\nskepctl: all is well", "no\nthing");

	(void)state;
	report(&start_cmd, "a\nskepctl: b", &e);
	assert_string_equal(said, "skepctl: bad name skepctl: all is well\nhint: no thing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_container_is_named_once),
		cmocka_unit_test(a_name_within_a_word_or_a_path_is_not_said),
		cmocka_unit_test(hint_is_a_line_of_its_own),
		cmocka_unit_test(wrong_words_are_about_no_container),
		cmocka_unit_test(a_name_cannot_forge_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
