// SPDX-License-Identifier: GPL-2.0-only
/* Every member of config.json: a value that it cannot have is an error that names it, so nothing is passed over in silence; and where its effect is tested. spec_fields.txt has the list. Beside it, spec_musts.txt: what the specification demands, and its tests. */
#include "tests/unit/runtime/place.h"

#include "runtime/spec.h"

#define HERE	   "tests/unit/runtime/"
#define LINES_MOST 512

struct field {
	char *member, *what, *file, *words;
};

static struct field fields[LINES_MOST];
static size_t n_fields;
static char *text;
static json_t *full;

/* Objects whose members' names are the user's own. */
static const char *const maps[] = {"annotations", "linux.sysctl", "linux.resources.unified",
				   "linux.netDevices", "linux.resources.rdma"};

static int load(void **state)
{
	struct err e = {0};
	char *rest, *line;

	(void)state;
	if (file_read_at(AT_FDCWD, HERE "spec_fields.txt", 1 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		struct field *f = &fields[n_fields];

		if (!line[0] || line[0] == '#')
			continue;
		f->member = strsep(&line, "\t");
		f->what = strsep(&line, "\t");
		f->file = strsep(&line, "\t");
		f->words = strsep(&line, "\t");
		if (!f->words || line)
			fail_msg("%s: has not four columns", f->member);
		assert_true(++n_fields < LINES_MOST);
	}
	full = json_load_file(HERE "spec_full.json", 0, NULL);
	assert_non_null(full);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	free(text);
	json_decref(full);
	return 0;
}

/* As `skep create` does, up to where there is a host to be touched. */
static int judge(const json_t *config, struct err *e)
{
	const struct ns_seccomp_options opt = {0};
	struct ns_filter filter = {0};
	auto_spec struct ct_spec spec = {0};
	int r = ct_spec_from_json(config, "/bundle", &spec, e);

	if (r >= 0 && spec.seccomp)
		r = ns_seccomp_get(-EBADF, spec.seccomp, NULL, &opt, &filter, e);
	ns_seccomp_done(&filter);
	return r;
}

static void nothing_is_wrong_with_all_of_it(void **state)
{
	struct err e = {0};

	(void)state;
	if (judge(full, &e) < 0)
		fail_msg("%s", e.text);
}

/* Where value is put: the parent, and the last name of the member, which may be of an object that is made for it. */
static json_t *parent_of(json_t *config, const char *member, char last[64])
{
	json_t *at = config;

	while (1) {
		size_t n = strcspn(member, ".[{");

		snprintf(last, 64, "%.*s", (int)n, member);
		member += n;
		if (!*member)
			return at;
		at = json_object_get(at, last);
		for (; at && (*member == '[' || *member == '{'); member += 2)
			at = *member == '[' ? json_array_get(at, 0)
					    : json_object_iter_value(json_object_iter(at));
		if (!at)
			return NULL;
		member += *member == '.';
	}
}

/* A list and an object cannot be a number, all else can be no list. */
static json_t *wrong_value(const json_t *right)
{
	return json_is_array(right) || json_is_object(right) ? json_integer(7)
							     : json_pack("[i]", 7);
}

/* Its name, with what is around it, as far as that is not the user's own. */
static bool names(const char *said, const char *member)
{
	const char *leaf = strrchr(member, '.');
	char top[200];

	snprintf(top, sizeof(top), "%.*s", (int)strcspn(member, "[{"), member);
	/* A filter is compiled, not read by members: its errors have no numbers of rules. */
	if (!strncmp(member, "linux.seccomp.", strlen("linux.seccomp.")))
		top[strlen("linux.seccomp")] = 0;
	return strstr(said, top) && strstr(said, leaf ? leaf + 1 : member);
}

static int failed;

static void must_fail(const struct field *f, const json_t *config, const char *because)
{
	struct err e = {0};

	if (judge(config, &e) >= 0)
		print_error("%s: %s is accepted\n", f->member, because);
	else if (!names(e.text, f->member))
		print_error("%s: %s is an error that does not name it: %s\n", f->member, because,
			    e.text);
	else
		return;
	failed++;
}

static void a_wrong_type_is_named(void **state)
{
	(void)state;
	failed = 0;
	for (size_t i = 0; i < n_fields; i++) {
		auto_json json_t *config = json_deep_copy(full);
		char last[64];
		json_t *parent = parent_of(config, fields[i].member, last);
		bool refused = !strcmp(fields[i].what, "refused");

		assert_non_null(parent);
		json_object_set_new(parent, last,
				    refused ? json_pack("{s:i}", "x", 1)
					    : wrong_value(json_object_get(parent, last)));
		must_fail(&fields[i], config, refused ? "a value" : "a wrong type");
	}
	assert_int_equal(failed, 0);
}

static void what_is_required_is_missed(void **state)
{
	(void)state;
	failed = 0;
	for (size_t i = 0; i < n_fields; i++) {
		auto_json json_t *config = json_deep_copy(full);
		char last[64];
		json_t *parent = parent_of(config, fields[i].member, last);
		struct err e = {0};

		if (strcmp(fields[i].what, "required") != 0)
			continue;
		assert_int_equal(json_object_del(parent, last), 0);
		if (judge(config, &e) >= 0) {
			print_error("%s: is not missed\n", fields[i].member);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static bool is_map(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (!strcmp(path, maps[i]))
			return true;
	return false;
}

static const struct field *find(const char *member)
{
	for (size_t i = 0; i < n_fields; i++)
		if (!strcmp(fields[i].member, member))
			return &fields[i];
	return NULL;
}

/* Counts the members below, of a list those of its first item that has them. */
static void walk(json_t *at, const char *path, size_t *n, json_t *seen)
{
	const char *key;
	json_t *value;
	char below[256];

	json_object_foreach (at, key, value) {
		if (is_map(path))
			snprintf(below, sizeof(below), "%s{}", path);
		else
			snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "." : "", key);
		if (!is_map(path) && !json_object_get(seen, below)) {
			json_object_set_new(seen, below, json_true());
			(*n)++;
			if (!find(below)) {
				print_error("%s: is in spec_full.json and not in the list\n",
					    below);
				failed++;
			}
		}
		walk(value, below, n, seen);
	}
	for (size_t i = 0; i < json_array_size(at); i++) {
		snprintf(below, sizeof(below), "%s[]", path);
		walk(json_array_get(at, i), below, n, seen);
	}
}

static void the_list_and_the_full_config_are_the_same(void **state)
{
	auto_json json_t *seen = json_object();
	size_t n = 0, honoured = 0;

	(void)state;
	failed = 0;
	walk(full, "", &n, seen);
	for (size_t i = 0; i < n_fields; i++) {
		bool in_full = strcmp(fields[i].what, "refused") && strcmp(fields[i].what, "label");

		honoured += in_full;
		if (in_full && !json_object_get(seen, fields[i].member)) {
			print_error("%s: is not in spec_full.json\n", fields[i].member);
			failed++;
		}
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(fields[i].member, fields[k].member);
	}
	assert_int_equal(failed, 0);
	assert_int_equal(n, honoured);
}

/* In the name of a test, if the file has some; a bats test's is a line. */
static bool has_words(const char *name, const char *words)
{
	auto_free char *file = NULL;
	struct err e = {0};
	size_t len = strlen(name);
	char *rest, *line;

	if (file_read_at(AT_FDCWD, name, 1 << 20, &file, &e) < 0)
		return false;
	if (len < 5 || strcmp(name + len - 5, ".bats") != 0)
		return strstr(file, words);
	for (rest = file; (line = strsep(&rest, "\n"));)
		if (!strncmp(line, "@test ", 6) && strstr(line, words))
			return true;
	return false;
}

static void each_has_a_test(void **state)
{
	(void)state;
	failed = 0;
	for (size_t i = 0; i < n_fields; i++) {
		if (has_words(fields[i].file, fields[i].words))
			continue;
		print_error("%s: no '%s' in %s\n", fields[i].member, fields[i].words,
			    fields[i].file);
		failed++;
	}
	assert_int_equal(failed, 0);
}

static void each_demand_has_a_test(void **state)
{
	auto_free char *list = NULL;
	struct err e = {0};
	char *rest, *line;
	size_t n = 0;

	(void)state;
	failed = 0;
	if (file_read_at(AT_FDCWD, HERE "spec_musts.txt", 1 << 20, &list, &e) < 0)
		fail_msg("%s", e.text);
	for (rest = list; (line = strsep(&rest, "\n"));) {
		const char *part[5] = {NULL};

		if (!line[0] || line[0] == '#')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(part); i++)
			part[i] = strsep(&line, "\t");
		n++;
		if (part[4] && !line && has_words(part[3], part[4]))
			continue;
		print_error("%s, %s: %s: no test\n", part[0], part[1], part[2]);
		failed++;
	}
	assert_int_equal(failed, 0);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong_with_all_of_it),
		cmocka_unit_test(a_wrong_type_is_named),
		cmocka_unit_test(what_is_required_is_missed),
		cmocka_unit_test(the_list_and_the_full_config_are_the_same),
		cmocka_unit_test(each_has_a_test),
		cmocka_unit_test(each_demand_has_a_test),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
