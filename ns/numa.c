// SPDX-License-Identifier: GPL-2.0-only
/* set_mempolicy(2). */
#include "ns/numa.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

/* Since Linux 6.9, and so not in every header. */
#define WEIGHTED_INTERLEAVE 6

struct word {
	const char *text;
	int value;
};

static int find(const struct word *words, size_t n, const char *text, int *value)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i].text, text)) {
			*value = words[i].value;
			return 0;
		}
	return -EINVAL;
}

int ns_numa_mode(const char *text, int *mode)
{
	static const struct word words[] = {
		{"MPOL_DEFAULT", MPOL_DEFAULT},
		{"MPOL_PREFERRED", MPOL_PREFERRED},
		{"MPOL_BIND", MPOL_BIND},
		{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
		{"MPOL_LOCAL", MPOL_LOCAL},
		{"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
		{"MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE},
	};

	return find(words, ARRAY_SIZE(words), text, mode);
}

int ns_numa_flag(const char *text, int *flag)
{
	static const struct word words[] = {
		{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
		{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
		{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
	};

	return find(words, ARRAY_SIZE(words), text, flag);
}

int ns_numa_apply(const struct ns_numa *numa, struct err *e)
{
	/* The kernel takes one off the number of bits (get_nodes(), mm/mempolicy.c). */
	unsigned long bits = numa->has_nodes ? CPU_SETSIZE + 1 : 0;

	if (!numa->given || syscall(SYS_set_mempolicy, numa->mode,
				    numa->has_nodes ? &numa->nodes : NULL, bits) == 0)
		return 0;
	err_sys(e, "linux.memoryPolicy: set_mempolicy");
	if (e->no == EINVAL)
		err_hint(
			e,
			"its mode, nodes and flags do not go together, or are none of this host's (set_mempolicy(2))");
	else if (e->no == ENOSYS)
		err_hint(e, "this kernel is built without NUMA");
	return err_class(e, e->no == EINVAL ? ERR_CONFIG : ERR_UNSUPPORTED);
}
