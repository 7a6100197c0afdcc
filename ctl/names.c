// SPDX-License-Identifier: GPL-2.0-only
/* One container or many. */
#include "ctl/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ctl/report.h"
#include "ctl/target.h"

struct names {
	char (*list)[65];
	size_t count;
};

static int take(struct ct_system *s, const struct err *broken, void *arg, struct err *e)
{
	struct names *names = arg;
	void *list = reallocarray(names->list, names->count + 1, sizeof(*names->list));

	(void)broken; /* the verb says what is wrong with it */
	if (!list)
		return err_set(e, ENOMEM, "out of memory for names");
	names->list = list;
	memcpy(names->list[names->count++], s->d.name, sizeof(s->d.name));
	return 0;
}

/* Each in its turn, as a line of its own. */
static int each(struct ctl_line *line, const struct ct_host *h, char **words, size_t count,
		ctl_for_one fn)
{
	int first = 0;

	for (size_t i = 0; i < count; i++) {
		struct ctl_line one = *line;
		struct err e = {0};
		int r, code;

		one.words = words + i;
		one.nwords = 1;
		r = fn(&one, h, words[i], &e);
		code = r < 0 ? ctl_report(&one, &e) : r;
		if (!first)
			first = code;
	}
	return first;
}

static int all(struct ctl_line *line, const struct ct_host *h, ctl_for_one fn, struct err *e)
{
	struct names names = {0};
	int r = ct_system_each(h, take, &names, e);
	auto_free char(*list)[65] = names.list;
	auto_free char **words = calloc(names.count + 1, sizeof(*words));

	if (r < 0)
		return r;
	if (!words)
		return err_set(e, ENOMEM, "out of memory for names");
	for (size_t i = 0; i < names.count; i++)
		words[i] = list[i];
	return each(line, h, words, names.count, fn);
}

int ctl_each_name(struct ctl_line *line, ctl_for_one fn, struct err *e)
{
	struct ct_host h;

	if (ctl_flag(line, "all") && line->nwords) {
		err_set(e, EINVAL, "--all and names at once: which is it?");
		return err_class(e, ERR_USAGE);
	}
	if (!ctl_flag(line, "all") && !line->nwords) {
		err_set(e, EINVAL, "%s needs the name of a container, or --all",
			line->command->name);
		err_hint(e, "skepctl list shows them");
		return err_class(e, ERR_USAGE);
	}
	if (ctl_host(line, &h, e) < 0)
		return -e->no;
	if (ctl_flag(line, "all"))
		return all(line, &h, fn, e);
	if (line->nwords == 1)
		return fn(line, &h, line->words[0], e);
	return each(line, &h, line->words, (size_t)line->nwords, fn);
}
