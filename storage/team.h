/* SPDX-License-Identifier: GPL-2.0-only */
/* A few threads for a job that is many small ones. */
#pragma once

#include <stddef.h>

/*
 * Calls job(arg, i) for each i below n, on as many threads as the process may use processors (at most 8), of which the caller is one; returns when all are
 * done and the threads are gone, so that the caller can fork again. They take no signals. The jobs share arg and bring their own locks.
 */
void st_team_run(size_t n, void (*job)(void *arg, size_t i), void *arg);
