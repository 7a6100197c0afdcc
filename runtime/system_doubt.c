// SPDX-License-Identifier: GPL-2.0-only
/* What a migration's journal means to the commands that refuse its container. */
#include "runtime/system_doubt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "runtime/system.h"

/* Of a journal (checkpoint/journal.h) these alone: the rest of it, and what it decides, is the migration's. */
struct journal {
	char point[16];
	char host[256];
};

/* One that cannot be read is of a migration that is not finished. */
static void read_journal(int dir, struct journal *j)
{
	auto_json json_t *o = NULL;
	const char *point = "", *host = "";
	struct err none = {0};

	*j = (struct journal){0};
	if (json_load_at(dir, CT_JOURNAL_FILE, &o, &none) < 0 ||
	    json_get_str(o, "point", &point, &none) < 0 ||
	    json_get_str(o, "host", &host, &none) < 0)
		return;
	snprintf(j->point, sizeof(j->point), "%s", point);
	snprintf(j->host, sizeof(j->host), "%s", host);
}

bool ct_dir_is_kept(int dir)
{
	struct journal j;

	read_journal(dir, &j);
	return !strcmp(j.point, "kept");
}

int ct_dir_in_doubt(int dir, const char *name, struct err *e)
{
	struct journal j;

	read_journal(dir, &j);
	if (!strcmp(j.point, "kept")) {
		err_set(e, EBUSY, "it was moved to %s, and kept here", j.host);
		err_hint(e, "`skepctl destroy --force %s` removes this copy", name);
	} else if (!strcmp(j.point, "moved")) {
		err_set(e, EBUSY, "it was moved to %s, and what is left here is to be removed",
			j.host);
		err_hint(e, "remove it with `skepctl migrate %s --continue`", name);
	} else {
		err_set(e, EBUSY, "its migration is not finished");
		err_hint(e, "finish it with `skepctl migrate %s --continue`", name);
	}
	return err_class(e, ERR_IN_DOUBT);
}
