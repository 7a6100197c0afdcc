/* SPDX-License-Identifier: GPL-2.0-only */
/* What `skepctl doctor` finds out: one list of findings, a file for each part of the host. */
#pragma once

/*
 * Life: cmd_doctor.c makes an empty struct ctl_doctor, each ctl_doctor_PART() adds its findings, ctl_doctor_print() or
 * ctl_doctor_to_json() shows them. A part never fails: what it cannot find out is a finding, too. Nothing on the host is changed, except for
 * a directory below the root that the storage part makes and removes again, and vm.unprivileged_userfaultfd, which goes back to what it was if a killed command of ours had set it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "runtime/conf.h"

/* X(NAME, "word"): WARNING: something optional is missing; MISSING: skep cannot do its work here. */
#define CTL_VERDICTS(X)       \
	X(OK, "ok")           \
	X(WARNING, "warning") \
	X(MISSING, "missing")

enum ctl_verdict {
#define X(name, word) CTL_VERDICT_##name,
	CTL_VERDICTS(X)
#undef X
};

struct ctl_finding {
	const char *part; /* "kernel", "cgroups"... */
	enum ctl_verdict verdict;
	char what[48];	  /* one word or two: "userfaultfd", "CRIU" */
	char text[320];	  /* what was seen; may be empty when all is well */
	char remedy[256]; /* what to do; empty when all is well */
};

struct ctl_doctor {
	const struct ct_conf *conf;
	struct ctl_finding *list; /* owned */
	size_t count;
	bool no_memory;
};

#define auto_doctor __attribute__((cleanup(ctl_doctor_done)))
void ctl_doctor_done(struct ctl_doctor *d);

/* Adds a finding. remedy may be NULL. */
void ctl_doctor_find(struct ctl_doctor *d, const char *part, enum ctl_verdict verdict,
		     const char *what, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* Adds what a failed call said; its hint is the remedy, or else `remedy` is. */
void ctl_doctor_find_err(struct ctl_doctor *d, const char *part, enum ctl_verdict verdict,
			 const char *what, const char *remedy, const struct err *e);

/* Whether a program is in PATH. */
bool ctl_doctor_program(const char *name);

/* The directory that exists at path or above it: a descriptor, and its name in found. -errno. */
int ctl_doctor_nearest(const char *path, char *found, size_t size);

void ctl_doctor_kernel(struct ctl_doctor *d);
void ctl_doctor_cgroups(struct ctl_doctor *d);
void ctl_doctor_network(struct ctl_doctor *d);
void ctl_doctor_storage(struct ctl_doctor *d);
void ctl_doctor_checkpoint(struct ctl_doctor *d);

/* The worst of all findings. */
enum ctl_verdict ctl_doctor_verdict(const struct ctl_doctor *d);

/* One screen; colour: with the colours of a terminal. */
void ctl_doctor_print(const struct ctl_doctor *d, bool colour, FILE *out);
/* {"version": 1, "verdict": "...", "findings": [{part, what, verdict, text, remedy}]}; the caller's; NULL without memory. */
json_t *ctl_doctor_to_json(const struct ctl_doctor *d);
