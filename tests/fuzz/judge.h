/* SPDX-License-Identifier: GPL-2.0-only */
/* What every fuzzer wants of an error. */
#pragma once

#include <stdlib.h>

#include "base/err.h"

/* It says something, in one line, whatever the input held. */
static inline void judge_error(const struct err *e)
{
	if (!e->no || !e->text[0])
		abort();
	for (const char *p = e->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}
