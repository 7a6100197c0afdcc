/* SPDX-License-Identifier: GPL-2.0-only */
/* Notices on the way (not failures: those are struct err): level, sink, and microseconds per step. */
#pragma once

/*
 * The library never writes to a terminal by itself. ctl chooses a sink once at start; before that, and in
 * processes that have none, notices go nowhere. A failure that we choose to survive is a log_warn.
 */

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Called for each notice at or under the chosen level. `line` has no newline at the end. */
typedef void (*log_sink)(enum log_level level, const char *line);

/* Chooses where notices go and how many. */
void log_to(log_sink sink, enum log_level most);

/* Whether a notice of this level would be seen: to spare the work of making it. */
bool log_wants(enum log_level level);

void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* CLOCK_MONOTONIC in nanoseconds: for durations only. */
uint64_t log_now_ns(void);

/* Notes at debug level that `step` took the time since *since_ns, and starts the next one. */
void log_step(const char *step, uint64_t *since_ns);
