// SPDX-License-Identifier: GPL-2.0-only
/* A migration's memory: what is written is read again, and a file that is not ours decides nothing. Offers are judged, too. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/journal.h"
#include "checkpoint/offer.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

struct place {
	char path[64];
	int dir;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	snprintf(p->path, sizeof(p->path), "/tmp/skep-journal-XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	int r = file_remove_tree_at(AT_FDCWD, p->path, &e);

	own_close_fd(&p->dir);
	free(p);
	return r;
}

static void test_round_trip(void **state)
{
	struct place *p = *state;
	const char *const rsh[] = {"ssh", "-p", "22 22", NULL};
	const char *const skepctl[] = {"skepctl", "--root", "/srv/ü", NULL};
	const struct cr_remote remote = {.host = "host-b", .rsh = rsh, .skepctl = skepctl};
	struct cr_journal j, again;
	struct err e = {0};

	assert_int_equal(cr_journal_load(p->dir, &again, &e), 0);
	assert_int_equal(cr_journal_init(&j, &remote, &e), 0);
	assert_true(cr_token_ok(j.token));
	j.point = CR_POINT_COMMITTED;
	j.mode = CR_MODE_SUSPEND;
	j.was = CR_LIFE_RUNNING;
	j.keep = true;
	assert_int_equal(cr_journal_save(p->dir, &j, &e), 0);
	assert_int_equal(cr_journal_load(p->dir, &again, &e), 1);
	assert_memory_equal(&j, &again, sizeof(j));
	assert_int_equal(cr_journal_remove(p->dir, &e), 0);
	assert_int_equal(cr_journal_remove(p->dir, &e), 0);
	assert_int_equal(cr_journal_load(p->dir, &again, &e), 0);
}

static void test_tokens_differ(void **state)
{
	const struct cr_remote remote = {.host = "host-b"};
	struct cr_journal a, b;
	struct err e = {0};

	(void)state;
	assert_int_equal(cr_journal_init(&a, &remote, &e), 0);
	assert_int_equal(cr_journal_init(&b, &remote, &e), 0);
	assert_string_not_equal(a.token, b.token);
}

static void test_words_that_do_not_fit(void **state)
{
	const char *many[CR_REMOTE_WORDS + 2] = {NULL};
	const char *const empty[] = {"ssh", "", NULL};
	struct cr_remote remote = {.host = "host-b", .rsh = many};
	struct cr_journal j;
	struct err e = {0};

	(void)state;
	for (int i = 0; i <= CR_REMOTE_WORDS; i++)
		many[i] = "x";
	assert_int_equal(cr_journal_init(&j, &remote, &e), -E2BIG);
	assert_int_equal(e.class, ERR_VALUE);
	err_clear(&e);
	remote.rsh = empty;
	assert_int_equal(cr_journal_init(&j, &remote, &e), -E2BIG);
}

static void test_strange_journals(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"version\": 2, \"point\": \"moved\", \"mode\": \"restart\", \"was\": \"running\", \"token\": \"" TOKEN
		"\"}",
		"{\"version\": 1, \"point\": \"lost\", \"mode\": \"restart\", \"was\": \"running\", \"token\": \"" TOKEN
		"\"}",
		"{\"version\": 1, \"point\": \"moved\", \"mode\": \"warp\", \"was\": \"running\", \"token\": \"" TOKEN
		"\"}",
		"{\"version\": 1, \"point\": \"moved\", \"mode\": \"restart\", \"was\": 1, \"token\": \"" TOKEN
		"\"}",
		"{\"version\": 1, \"point\": \"moved\", \"mode\": \"restart\", \"was\": \"running\", \"token\": \"../../x\"}",
		"{\"version\": 1, \"point\": \"moved\", \"mode\": \"restart\", \"was\": \"running\", \"token\": \"" TOKEN
		"\", \"rsh\": [1]}",
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cr_journal j;
		struct err e = {0};

		assert_int_equal(file_replace_volatile_at(p->dir, CT_JOURNAL_FILE, bad[i],
							  strlen(bad[i]), 0600, &e),
				 0);
		assert_true(cr_journal_load(p->dir, &j, &e) < 0);
		assert_non_null(strstr(e.text, CT_JOURNAL_FILE));
	}
}

static void test_records(void **state)
{
	struct place *p = *state;
	const struct cr_taken t = {.name = "web", .uuid = "u-1"};
	struct cr_taken again;
	struct err e = {0};

	assert_int_equal(cr_taken_load(p->path, TOKEN, &again, &e), 0);
	assert_int_equal(cr_taken_save(p->path, TOKEN, &t, &e), 0);
	assert_int_equal(cr_taken_load(p->path, TOKEN, &again, &e), 1);
	assert_string_equal(again.name, "web");
	assert_string_equal(again.uuid, "u-1");
	assert_int_equal(cr_taken_moved_on(p->path, "u-2", "host-c", &e), 0);
	assert_int_equal(cr_taken_load(p->path, TOKEN, &again, &e), 1);
	assert_string_equal(again.moved_to, "");
	assert_int_equal(cr_taken_moved_on(p->path, "u-1", "host-c", &e), 0);
	assert_int_equal(cr_taken_moved_on(p->path, "u-1", "host-d", &e), 0);
	assert_int_equal(cr_taken_load(p->path, TOKEN, &again, &e), 1);
	assert_string_equal(again.moved_to, "host-c");
	assert_int_equal(cr_taken_remove(p->path, TOKEN, &e), 0);
	assert_int_equal(cr_taken_remove(p->path, TOKEN, &e), 0);
	assert_int_equal(cr_taken_load(p->path, TOKEN, &again, &e), 0);
}

/* It becomes a file name. */
static void test_tokens(void **state)
{
	(void)state;
	assert_true(cr_token_ok(TOKEN));
	assert_false(cr_token_ok(""));
	assert_false(cr_token_ok(TOKEN "0"));
	assert_false(cr_token_ok("0123456789abcdef0123456789abcde/"));
	assert_false(cr_token_ok("0123456789ABCDEF0123456789abcdef"));
	assert_false(cr_token_ok("../../../../../../../../etc/cron"));
}

static json_t *good_offer(void)
{
	struct cr_offer o = {.mode = CR_MODE_SUSPEND,
			     .was = CR_LIFE_RUNNING,
			     .bytes = 4096,
			     .inodes = 3,
			     .template_id = "sha256:00",
			     .criu_version = 40201};
	json_t *j = NULL;
	struct err e = {0};

	memcpy(o.token, TOKEN, sizeof(o.token));
	ct_definition_init(&o.d, "web");
	snprintf(o.d.template, sizeof(o.d.template), "busybox");
	o.d.id_base = 0x40000000;
	assert_int_equal(cr_offer_to_json(&o, &j, &e), 0);
	return j;
}

static void test_offer(void **state)
{
	auto_json json_t *j = good_offer();
	struct cr_offer o;
	struct err e = {0};

	(void)state;
	assert_int_equal(cr_offer_from_json(j, &o, &e), 0);
	assert_string_equal(o.token, TOKEN);
	assert_string_equal(o.d.name, "web");
	assert_int_equal(o.mode, CR_MODE_SUSPEND);
	assert_int_equal(o.was, CR_LIFE_RUNNING);
	assert_int_equal(o.criu_version, 40201);
	assert_true(cr_offer_has_images(&o));
}

static void test_hostile_offers(void **state)
{
	static const char *const bad[] = {
		"{\"token\": \"../../x\"}",
		"{\"token\": 1}",
		"{\"token\": null}",
		"{\"mode\": \"warp\"}",
		"{\"was\": \"paused\"}",
		"{\"bytes\": -1}",
		"{\"bytes\": \"1\"}",
		"{\"inodes\": null}",
		"{\"criu\": 99999999999}",
		/* longer than any digest */
		"{\"template_id\": \"sha256:000000000000000000000000000000000000000000000000000000000000000000000\"}",
		"{\"definition\": null}",
		"{\"definition\": {}}",
		"{\"definition\": []}",
		"{\"definition\": {\"name\": \"../x\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_json json_t *j = good_offer();
		auto_json json_t *change = json_loads(bad[i], 0, NULL);
		struct cr_offer o;
		struct err e = {0};

		assert_non_null(change);
		json_object_update(j, change);
		assert_true(cr_offer_from_json(j, &o, &e) < 0);
		assert_true(e.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test(test_tokens_differ),
		cmocka_unit_test(test_words_that_do_not_fit),
		cmocka_unit_test_setup_teardown(test_strange_journals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_records, set_up, tear_down),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_hostile_offers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
