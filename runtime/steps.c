// SPDX-License-Identifier: GPL-2.0-only
/* The names of a start's steps. */
#include "runtime/steps.h"

#include "base/own.h"

const char *ct_step_to_str(unsigned step)
{
	static const char *const names[] = {
#define X(name, word, who) [CT_STEP_##name] = word,
		CT_STEPS(X)
#undef X
	};

	return step < ARRAY_SIZE(names) ? names[step] : "unknown";
}
