// SPDX-License-Identifier: GPL-2.0-only
/* The names of scopes, and which cgroupsPath is one. */
#include "runtime/scope.h"

#include "runtime/spec.h"
#include "tests/unit/runtime/place.h"

static void is_named(char *path, const char *name)
{
	struct ct_spec s = {.cgroup = path, .manager = CT_MANAGER_SYSTEMD};
	char got[CT_SCOPE_MOST];

	ok(ct_scope_judge(&s, &e));
	ok(ct_scope_name(&s, "id", got, &e));
	assert_string_equal(got, name);
}

static void is_no_name(char *path)
{
	struct ct_spec s = {.cgroup = path, .manager = CT_MANAGER_SYSTEMD};

	refused(ct_scope_judge(&s, &e), ERR_CONFIG);
}

static void names(void **state)
{
	(void)state;
	is_named(NULL, "system:skep-id.scope");
	is_named("machine.slice:box:one", "system:box-one.scope");
	is_named(":box:one", "system:box-one.scope");
	is_named("machine.slice::one", "system:one.scope");
	is_named("machine.slice:box:one.scope", "system:box-one.scope");
	/* crun's, of two words: no prefix. */
	is_named("machine.slice:one", "system:one.scope");
	is_named("machine.slice:one.scope", "system:one.scope");
	is_named(":one", "system:one.scope");
}

static void none(void **state)
{
	(void)state;
	is_no_name("one");
	is_no_name("/a/b");
	is_no_name("machine.slice:");
	is_no_name("machine.slice:box:");
	is_no_name("a:b:c:d");
	is_no_name("a/b:c");
}

static void subgroups(void **state)
{
	static const char *const wrong[] = {"a/b", "..", ".", "/a"};
	struct ct_spec s = {.manager = CT_MANAGER_SYSTEMD};

	(void)state;
	assert_null(ct_scope_subgroup(&s));
	s.annotations = json_pack("{s: s}", "run.oci.systemd.subgroup", "");
	ok(ct_scope_judge(&s, &e));
	assert_null(ct_scope_subgroup(&s));
	json_object_set_new(s.annotations, "run.oci.systemd.subgroup", json_string("inside"));
	ok(ct_scope_judge(&s, &e));
	assert_string_equal(ct_scope_subgroup(&s), "inside");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_object_set_new(s.annotations, "run.oci.systemd.subgroup",
				    json_string(wrong[i]));
		refused(ct_scope_judge(&s, &e), ERR_CONFIG);
	}
	json_decref(s.annotations);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(none),
					   cmocka_unit_test(subgroups)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
