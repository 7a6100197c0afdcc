// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as each of the files that the state of a container is: state.json, hooks.json, ledger, exit. */
// words of: runtime/state_json.c runtime/state.h runtime/hook.h runtime/spec_hooks.c runtime/ledger.h
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/hook.h"
#include "runtime/ledger.h"
#include "runtime/state.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "fuzzed"

static void put(struct ct *ct, const char *name, const uint8_t *data, size_t size)
{
	place_file(ct->dir, name, data, size);
}

/* What was read can be told, and written and read again. What is *true* is asked of the kernel, about whatever process the file names. */
static void as_state(struct ct *ct)
{
	auto_json json_t *told = NULL;
	struct ct again = {.dir = ct->dir, .lock = -EBADF};
	struct err e = {0};

	if (ct_state_reload(ct, &e) < 0) {
		judge_error(&e);
		return;
	}
	if (ct_state_to_oci(ct, &told, &e) < 0) {
		judge_error(&e);
		return;
	}
	memcpy(again.s.id, ct->s.id, sizeof(again.s.id));
	if (ct_state_save(ct, &e) < 0 || ct_state_reload(&again, &e) < 0)
		abort();
	if (strcmp(again.s.id, ct->s.id) || strcmp(again.s.bundle, ct->s.bundle) ||
	    strcmp(again.s.cgroup, ct->s.cgroup) || again.s.status != ct->s.status ||
	    again.s.pid != ct->s.pid || again.s.pid_start != ct->s.pid_start ||
	    again.s.id_base != ct->s.id_base || again.s.system != ct->s.system ||
	    !again.s.annotations != !ct->s.annotations ||
	    (ct->s.annotations && !json_equal(again.s.annotations, ct->s.annotations)))
		abort();
	json_decref(again.s.annotations);
}

static void as_hooks(struct ct *ct)
{
	auto_hooks struct ct_hooks hooks = {0};
	struct err e = {0};

	if (ct_hooks_load(ct, &hooks, &e) < 0) {
		judge_error(&e);
		return;
	}
	for (int p = 0; p < CT_HOOK_POINTS; p++)
		for (size_t i = 0; i < hooks.n[p]; i++)
			if (hooks.list[p][i].path[0] != '/' || hooks.list[p][i].timeout_s < 0)
				abort();
}

static int see_line(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	if (kind > CT_LEDGER_NFTLOCK || !name[0] || strchr(name, '\n'))
		abort();
	return 0;
}

static void as_the_others(struct ct *ct)
{
	struct err e = {0};
	int status;

	if (ct_ledger_walk(ct->dir, see_line, NULL, &e) < 0)
		judge_error(&e);
	e = (struct err){0};
	if (ct_exit_read(ct, &status, &e) < 0)
		judge_error(&e);
	else if (status < 0 || status > 0xffff)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct ct = {.dir = place_dir(), .lock = -EBADF};

	snprintf(ct.s.id, sizeof(ct.s.id), "%s", ID);
	put(&ct, CT_STATE_FILE, data, size);
	put(&ct, "hooks.json", data, size);
	put(&ct, CT_LEDGER_FILE, data, size);
	put(&ct, CT_EXIT_FILE, data, size);
	as_state(&ct);
	as_hooks(&ct);
	as_the_others(&ct);
	json_decref(ct.s.annotations);
	return 0;
}
