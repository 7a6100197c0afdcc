/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container that no longer lives, or that is about to die, has left on the host: ended and undone. */
#pragma once

#include "runtime/state.h"

struct err;

/* Longest wait for killed processes to be gone. One that hangs in the kernel (NFS, a dying disk) takes as long as that. */
#define CT_KILL_WAIT_MS 10000

/*
 * Kills whatever is in the container's control groups and undoes its ledger; STATE/ID stays. Under the lock. All of it is
 * safe to be repeated: what is gone already is success.
 */
int ct_remains_clean(struct ct *ct, struct err *e);
