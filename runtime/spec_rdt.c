// SPDX-License-Identifier: GPL-2.0-only
/* The spec's linux.intelRdt. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/rdt.h"
#include "runtime/spec_read.h"

/* An empty one is not given. */
static int read_text(const json_t *value, const char *path, void *into, struct err *e)
{
	char **text = into;

	if (ct_read_str(value, path, text, e) < 0)
		return -e->no;
	if ((*text)[0])
		return 0;
	free(*text);
	*text = NULL;
	return 0;
}

static int read_clos(const json_t *value, const char *path, void *into, struct err *e)
{
	char **clos = into;

	if (read_text(value, path, clos, e) < 0)
		return -e->no;
	return !*clos || !strcmp(*clos, "/") || cg_rdt_name_ok(*clos)
		       ? 0
		       : ct_refuse(e, path, "'%.60s' is not the name of a group", *clos);
}

static int read_bandwidth(const json_t *value, const char *path, void *into, struct err *e)
{
	char **text = into;

	if (read_text(value, path, text, e) < 0)
		return -e->no;
	return !*text || (!strncmp(*text, "MB:", 3) && !strchr(*text, '\n'))
		       ? 0
		       : ct_refuse(e, path, "must be one line that starts with MB:");
}

static int read_schemata(const json_t *value, const char *path, void *into, struct err *e)
{
	char ***lines = into;

	if (ct_read_strings(value, path, lines, e) < 0)
		return -e->no;
	for (char **s = *lines; *s; s++)
		if (strchr(*s, '\n'))
			return ct_refuse(e, path, "each member must be one line");
	return 0;
}

int ct_read_rdt(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"closID", read_clos, offsetof(struct cg_rdt, clos)},
		{"l3CacheSchema", read_text, offsetof(struct cg_rdt, l3)},
		{"memBwSchema", read_bandwidth, offsetof(struct cg_rdt, mb)},
		{"schemata", read_schemata, offsetof(struct cg_rdt, schemata)},
		{"enableMonitoring", ct_read_bool, offsetof(struct cg_rdt, monitor)},
		/* runtime-spec 1.1 and 1.2; a group that counts, counts all there is. */
		{"enableCMT", ct_read_bool, offsetof(struct cg_rdt, cmt)},
		{"enableMBM", ct_read_bool, offsetof(struct cg_rdt, mbm)},
	};
	struct cg_rdt *rdt = into;

	rdt->given = true;
	return ct_read_members(value, path, members, ARRAY_SIZE(members), rdt, e);
}

void ct_rdt_done(struct cg_rdt *rdt)
{
	for (char **s = rdt->schemata; s && *s; s++)
		free(*s);
	free(rdt->schemata);
	free(rdt->clos);
	free(rdt->l3);
	free(rdt->mb);
}
