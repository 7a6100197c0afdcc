// SPDX-License-Identifier: GPL-2.0-only
/* Where notices go. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static log_sink sink;
static enum log_level most = LOG_LEVEL_WARN;

void log_to(log_sink to, enum log_level upto)
{
	sink = to;
	most = upto;
}

bool log_wants(enum log_level level)
{
	return sink && level <= most;
}

static void say(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	sink(level, line);
}

#define DEFINE_LOG(name, level)               \
	void log_##name(const char *fmt, ...) \
	{                                     \
		va_list ap;                   \
                                              \
		if (!log_wants(level))        \
			return;               \
		va_start(ap, fmt);            \
		say(level, fmt, ap);          \
		va_end(ap);                   \
	}

DEFINE_LOG(warn, LOG_LEVEL_WARN)
DEFINE_LOG(info, LOG_LEVEL_INFO)
DEFINE_LOG(debug, LOG_LEVEL_DEBUG)

uint64_t log_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void log_step(const char *step, uint64_t *since_ns)
{
	uint64_t now;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	now = log_now_ns();
	log_debug("%-16s %6llu us", step, (unsigned long long)((now - *since_ns) / 1000));
	*since_ns = now;
}
