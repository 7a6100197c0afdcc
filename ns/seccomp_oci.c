// SPDX-License-Identifier: GPL-2.0-only
/* linux.seccomp of an OCI config.json, rule by rule into libseccomp. */
#include <ctype.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/seccomp.h"
#include "ns/seccomp_build.h"

#define ARGS_MOST     6
#define RULES_MOST    (2 * BPF_MAXINSNS)
#define X32_BIT	      0x40000000u
#define WAIT_KILLABLE (1u << 5) /* not in the headers of Debian 12 */

#define NOT_GIVEN -1 /* errnoRet: EPERM then */

static int bad(struct err *e, const char *what, const char *word)
{
	err_set(e, EINVAL, "linux.seccomp: unknown %s '%.60s'", what, word ? word : "(none)");
	return err_class(e, ERR_CONFIG);
}

static int parse_action(const char *name, int64_t errno_ret, uint32_t *action, struct err *e)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
		{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
	};

	bool given;

	if (!name)
		return bad(e, "action", NULL);
	if (errno_ret < NOT_GIVEN || errno_ret > 4095)
		return bad(e, "errno value with action", name);
	given = errno_ret != NOT_GIVEN;
	if (!given)
		errno_ret = EPERM;
	if (!strcmp(name, "SCMP_ACT_ERRNO")) {
		*action = SCMP_ACT_ERRNO((uint32_t)errno_ret);
		return 0;
	}
	if (!strcmp(name, "SCMP_ACT_TRACE")) {
		*action = SCMP_ACT_TRACE((uint32_t)errno_ret);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(name, actions[i].name)) {
			/* runtime-spec, "Seccomp": to be refused. */
			if (given)
				return bad(e, "use: errnoRet with", name);
			*action = actions[i].action;
			return 0;
		}
	return bad(e, "action", name);
}

static int parse_op(const char *name, enum scmp_compare *op, struct err *e)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE},
		{"SCMP_CMP_LT", SCMP_CMP_LT},
		{"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ},
		{"SCMP_CMP_GE", SCMP_CMP_GE},
		{"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};

	for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++)
		if (!strcmp(name, ops[i].name)) {
			*op = ops[i].op;
			return 0;
		}
	return bad(e, "operator", name);
}

static int add_arches(scmp_filter_ctx ctx, const json_t *list, bool *x32, struct err *e)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *name = json_string_value(item);
		char lower[32];
		uint32_t arch;
		int r;

		if (!name || strncmp(name, "SCMP_ARCH_", 10) || strlen(name) - 10 >= sizeof(lower))
			return bad(e, "architecture", name);
		name += 10;
		for (size_t k = 0; k <= strlen(name); k++)
			lower[k] = (char)tolower((unsigned char)name[k]);
		arch = seccomp_arch_resolve_name(lower);
		if (!arch)
			return bad(e, "architecture", name);
		*x32 |= arch == SCMP_ARCH_X32;
		r = seccomp_arch_add(ctx, arch);
		if (r < 0 && r != -EEXIST)
			return err_set(e, -r, "linux.seccomp: architecture %s: %s", name,
				       strerror(-r));
	}
	return 0;
}

static int parse_args(const json_t *list, struct scmp_arg_cmp args[ARGS_MOST], size_t *n,
		      bool *repeated, struct err *e)
{
	unsigned seen = 0;
	size_t i;
	json_t *item;

	*n = 0;
	*repeated = false;
	if (json_array_size(list) > ARGS_MOST)
		return bad(e, "number of arguments", "more than 6");
	json_array_foreach (list, i, item) {
		int64_t index = -1, value = 0, two = 0;
		const char *op = NULL;
		struct scmp_arg_cmp *a = &args[*n];
		int r = json_get_int(item, "index", &index, e);

		if (r >= 0)
			r = json_get_int(item, "value", &value, e);
		if (r >= 0)
			r = json_get_int(item, "valueTwo", &two, e);
		if (r >= 0)
			r = json_get_str(item, "op", &op, e);
		if (r < 0)
			return r;
		if (index < 0 || index >= ARGS_MOST)
			return bad(e, "argument index", "not 0 to 5");
		r = parse_op(op, &a->op, e);
		if (r < 0)
			return r;
		a->arg = (unsigned)index;
		a->datum_a = (scmp_datum_t)value;
		a->datum_b = (scmp_datum_t)two;
		*repeated |= seen >> index & 1;
		seen |= 1u << index;
		(*n)++;
	}
	return 0;
}

/* EEXIST: the same rule twice. EDOM: not a call of one of the architectures. Both harmless. */
static int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, const struct scmp_arg_cmp *args,
		    size_t n, const char *name, struct err *e)
{
	int r = ns_seccomp_try(ctx, action, nr, args, n, name, e);

	if (r < 0)
		return r;
	r = seccomp_rule_add_array(ctx, action, nr, (unsigned)n, args);
	if (r < 0 && r != -EEXIST && r != -EDOM)
		return err_set(e, -r, "linux.seccomp: rule for %s: %s", name, strerror(-r));
	return 0;
}

static int add_name(scmp_filter_ctx ctx, uint32_t action, const char *name,
		    const struct scmp_arg_cmp *args, size_t n, bool repeated, int *top,
		    struct err *e)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (nr == __NR_SCMP_ERROR) {
		log_debug("seccomp: libseccomp does not know %s; skipped", name);
		return 0;
	}
	if (nr > *top)
		*top = nr;
	if (!repeated)
		return add_rule(ctx, action, nr, args, n, name, e);
	/* libseccomp takes one test an argument; of several on one, each is a rule of its own, as
	 * in runc and crun. */
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_rule(ctx, action, nr, &args[i], 1, name, e);
	return r;
}

static int add_group(scmp_filter_ctx ctx, const json_t *group, uint32_t default_action, int *top,
		     bool *notify, struct err *e)
{
	struct scmp_arg_cmp args[ARGS_MOST];
	const char *action_name = NULL;
	json_t *names = NULL, *arg_list = NULL, *item;
	int64_t errno_ret = NOT_GIVEN;
	uint32_t action;
	bool repeated;
	size_t n, i;
	int r = json_get_str(group, "action", &action_name, e);

	if (r >= 0)
		r = json_get_int(group, "errnoRet", &errno_ret, e);
	if (r >= 0)
		r = json_get_array(group, "names", &names, e);
	if (r >= 0)
		r = json_get_array(group, "args", &arg_list, e);
	if (r >= 0)
		r = parse_action(action_name, errno_ret, &action, e);
	if (r >= 0)
		r = parse_args(arg_list, args, &n, &repeated, e);
	if (r < 0)
		return r;
	if (!json_array_size(names))
		return bad(e, "rule without names, with action", action_name);
	*notify |= action == SCMP_ACT_NOTIFY;
	json_array_foreach (names, i, item) {
		const char *name = json_string_value(item);

		if (!name)
			return bad(e, "name of a system call", NULL);
		/* libseccomp refuses rules that say what the default says. They still count as
		 * known calls. */
		if (action == default_action) {
			int nr = seccomp_syscall_resolve_name(name);

			*top = nr > *top ? nr : *top;
			continue;
		}
		r = add_name(ctx, action, name, args, n, repeated, top, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_flags(const json_t *seccomp, uint32_t *flags, struct err *e)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(seccomp, "flags", &list, e);

	if (r < 0)
		return r;
	/* Without a word on it, no speculation penalty: the kernel's own default since 5.16. */
	*flags = list ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(item);

		if (name && !strcmp(name, "SECCOMP_FILTER_FLAG_LOG"))
			*flags |= SECCOMP_FILTER_FLAG_LOG;
		else if (name && !strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
			*flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		else if (name && !strcmp(name, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
			*flags |= WAIT_KILLABLE;
		else if (!name ||
			 strcmp(name, "SECCOMP_FILTER_FLAG_TSYNC")) /* we have one thread */
			return bad(e, "flag", name);
	}
	return 0;
}

const char *ns_seccomp_stranger(const json_t *seccomp)
{
	size_t i, k;
	json_t *group, *name;

	json_array_foreach (json_object_get(seccomp, "syscalls"), i, group)
		json_array_foreach (json_object_get(group, "names"), k, name)
			if (json_is_string(name) && seccomp_syscall_resolve_name(json_string_value(
							    name)) == __NR_SCMP_ERROR)
				return json_string_value(name);
	return NULL;
}

/*
 * What becomes a filter that the kernel takes is a few thousand tests. libseccomp's time goes with more than the square of them (8,000 for one call 2 s, 16,000 13 s), and its refusal comes at the end.
 */
static int judge_count(const json_t *groups, const json_t *arches, struct err *e)
{
	size_t i, tests = 0, most = RULES_MOST / (1 + json_array_size(arches) / 2);
	json_t *group;

	json_array_foreach (groups, i, group) {
		size_t names = json_array_size(json_object_get(group, "names")),
		       args = json_array_size(json_object_get(group, "args"));

		tests += names * (args > 1 ? args : 1);
		if (tests <= most)
			continue;
		err_set(e, E2BIG,
			"linux.seccomp: over %zu rules for each architecture: the kernel takes filters of %d instructions",
			most, BPF_MAXINSNS);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

static int build(const json_t *seccomp, struct ns_filter *out, struct err *e)
{
	/* A call above the highest one the profile's author knew: ENOSYS makes programs fall back,
	 * EPERM makes them give up. */
	struct sock_filter newer[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	auto_seccomp scmp_filter_ctx ctx = NULL;
	const char *name = NULL, *agent = NULL;
	int64_t errno_ret = NOT_GIVEN;
	json_t *arches = NULL, *groups = NULL, *item;
	uint32_t action = 0, flags = 0;
	bool notify = false, x32 = false, is_errno;
	size_t i;
	int top = 0, r = json_get_str(seccomp, "defaultAction", &name, e);

	*out = (struct ns_filter){0};
	if (r >= 0)
		r = json_get_int(seccomp, "defaultErrnoRet", &errno_ret, e);
	if (r >= 0)
		r = json_get_array(seccomp, "architectures", &arches, e);
	if (r >= 0)
		r = json_get_array(seccomp, "syscalls", &groups, e);
	if (r >= 0)
		r = judge_count(groups, arches, e);
	if (r >= 0)
		r = parse_flags(seccomp, &flags, e);
	if (r >= 0)
		r = json_get_str(seccomp, "listenerPath", &agent, e);
	if (r >= 0)
		r = parse_action(name, errno_ret, &action, e);
	if (r < 0)
		return r;
	ctx = ns_seccomp_context(action, e);
	if (!ctx)
		return -e->no;
	r = add_arches(ctx, arches, &x32, e);
	json_array_foreach (groups, i, item)
		if (r >= 0)
			r = add_group(ctx, item, action, &top, &notify, e);
	if (r < 0)
		return r;
	newer[4].k = (uint32_t)top;
	is_errno = (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
	/* Without a listener there is nobody to wait for, and the kernel refuses it. */
	out->flags = notify ? flags : flags & ~WAIT_KILLABLE;
	/* Who wants to listen may, to a filter that asks nothing, too. */
	out->notify = notify || (agent && *agent);
	return ns_seccomp_export(ctx, newer, is_errno && top > 0 ? ARRAY_SIZE(newer) : 0, out, e);
}

int ns_seccomp_from_oci(const json_t *seccomp, struct ns_filter *out, struct err *e)
{
	static const char where[] = "linux.seccomp";
	int r = build(seccomp, out, e);

	return r < 0 && strncmp(e->text, where, strlen(where)) != 0 ? err_wrap(e, "%s", where) : r;
}
