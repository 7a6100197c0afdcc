// SPDX-License-Identifier: GPL-2.0-only
/* migrate --status: what the journal and the command that works on it have written down. */
#include "ctl/migrate_status.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"
#include "base/size.h"
#include "checkpoint/journal.h"
#include "checkpoint/progress.h"

static void tell_round(const json_t *round, size_t number)
{
	json_int_t pages = 0, pending = 0, predicted = 0;

	(void)json_unpack((json_t *)round, "{s:I, s:I, s:I}", "pages", &pages, "pending", &pending,
			  "predicted_ns", &predicted);
	printf("  round %zu: %lld pages sent, %lld KiB written since, predicted to be frozen for %lld ms\n",
	       number, (long long)pages, (long long)pending / 1024, (long long)predicted / 1000000);
}

/* Of a migration that is under way in another command. */
static int tell_progress(const struct ctl_line *line, const struct cr_journal *j,
			 const json_t *progress)
{
	const json_t *rounds = json_object_get(json_object_get(progress, "report"), "rounds");
	const char *stage = json_string_value(json_object_get(progress, "stage"));
	time_t now = time(NULL);
	json_int_t began = json_integer_value(json_object_get(progress, "began"));
	json_int_t since = json_integer_value(json_object_get(progress, "since"));
	json_int_t total = json_integer_value(json_object_get(progress, "total"));
	char sent[24], of[24];
	const json_t *round;
	size_t i;

	printf("CT %s: to %s, mode %s, for %lld s; %s for %lld s", line->words[0], j->host,
	       cr_mode_to_str(j->mode), (long long)(now - began), stage ? stage : "?",
	       (long long)(now - since));
	if (total > 0)
		printf(", %s of %s", size_to_str(cr_progress_sent(progress), sent, sizeof(sent)),
		       size_to_str((uint64_t)total, of, sizeof(of)));
	putchar('\n');
	json_array_foreach (rounds, i, round)
		tell_round(round, i + 1);
	return 0;
}

int ctl_migrate_status(const struct ctl_line *line, const struct ct_system *s, struct err *e)
{
	auto_json json_t *progress = NULL;
	enum ct_system_status now;
	struct cr_journal j;
	int r = cr_journal_load(s->dir, &j, e);

	if (r >= 0 && ct_system_status(s, &now, e) < 0)
		return -e->no;
	/* One that runs, and nobody works on it: it died in its first passes, and the next migration clears it. */
	if (r == 0 || (r > 0 && now != CT_SYSTEM_MIGRATING)) {
		err_set(e, ENOENT, "no migration of it is under way");
		return err_class(e, ERR_MIGRATE);
	}
	if (r > 0 && j.point == CR_POINT_STARTED)
		r = cr_progress_read(s->dir, &progress, e);
	if (r < 0)
		return r;
	if (progress &&
	    json_object_set_new(progress, "sent",
				json_integer((json_int_t)cr_progress_sent(progress))) < 0)
		return err_set(e, ENOMEM, "out of memory for JSON");
	if (ctl_flag(line, "json")) {
		auto_json json_t *all = json_pack("{s:i, s:s, s:s, s:s, s:O?}", "version", 1,
						  "host", j.host, "mode", cr_mode_to_str(j.mode),
						  "point", cr_point_to_str(j.point), "progress",
						  progress);

		if (!all)
			return err_set(e, ENOMEM, "out of memory for JSON");
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		return 0;
	}
	if (progress)
		return tell_progress(line, &j, progress);
	printf("CT %s: to %s, mode %s, %s\n", line->words[0], j.host, cr_mode_to_str(j.mode),
	       cr_point_to_str(j.point));
	return 0;
}
