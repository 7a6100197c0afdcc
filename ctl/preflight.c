// SPDX-License-Identifier: GPL-2.0-only
/* What stands in the way of a checkpoint, as a command prints it. */
#include "ctl/preflight.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "checkpoint/preflight.h"
#include "ctl/target.h"

int ctl_preflight(const struct ctl_line *line, const struct ct_system *s, json_t **list,
		  struct err *e)
{
	auto_preflight struct cr_preflight found = {0};
	auto_ct struct ct ct = CT_INIT;

	if (ctl_runtime_running(s, &ct, e) < 0 ||
	    cr_preflight(&ct, &s->d, CR_PREFLIGHT_CHECK, &found, e) < 0)
		return -e->no;
	if (ctl_flag(line, "json")) {
		*list = cr_preflight_to_json(&found);
		return *list ? (int)found.count : err_set(e, ENOMEM, "out of memory for JSON");
	}
	for (size_t i = 0; i < found.count; i++) {
		char text[1024];

		cr_blocker_to_str(&found.list[i], text, sizeof(text));
		printf("CT %s: %s\n", s->d.name, text);
	}
	if (found.more)
		printf("CT %s: and more\n", s->d.name);
	return (int)found.count;
}

int ctl_preflight_print(const char *name, const char *mode, json_t *list, struct err *e)
{
	auto_json json_t *j =
		json_pack("{s:s, s:s*, s:o}", "name", name, "mode", mode, "blockers", list);

	if (!j)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

int ctl_preflight_judge(int count, struct err *e)
{
	if (!count)
		return 0;
	if (count == 1)
		err_set(e, EBUSY, "one thing stands in the way of a checkpoint");
	else
		err_set(e, EBUSY, "%d things stand in the way of a checkpoint", count);
	return err_class(e, ERR_CHECKPOINT);
}
