// SPDX-License-Identifier: GPL-2.0-only
/* Options of stop and restart. */
#include "ctl/stop_options.h"

#include <errno.h>

#include "base/err.h"
#include "base/size.h"

#define MOST_SECONDS 86400

const struct ctl_option ctl_stop_options[] = {
	{.name = "timeout",
	 .letter = 't',
	 .arg = "SECONDS",
	 .help = "how long it may take to end by itself"},
	{.name = "kill",
	 .letter = 'k',
	 .help = "do not ask: kill it at once, also when a stop waits for it"},
	{.name = "fast", .help = "OpenVZ's word for it", .means = "kill"},
	{0},
};

int ctl_stop(const struct ctl_line *line, struct ct_system *s, struct err *e)
{
	const char *text = ctl_value(line, "timeout");
	enum ct_system_status status;
	int64_t seconds = -1;

	/* Whoever stops all of them, as a host that goes down, does not mean to lose what was put to disk. */
	if (ctl_flag(line, "all") && ct_system_status(s, &status, &(struct err){0}) >= 0 &&
	    status == CT_SYSTEM_SUSPENDED) {
		err_set(e, ESRCH, "container %s is suspended", s->d.name);
		return err_class(e, ERR_NOT_RUNNING);
	}
	if (text && size_parse_number("--timeout", text, 0, MOST_SECONDS, &seconds, e) < 0)
		return -e->no;
	return ct_system_stop(s, (int)seconds, ctl_flag(line, "kill"), e);
}
