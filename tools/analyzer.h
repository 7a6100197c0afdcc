/* SPDX-License-Identifier: GPL-2.0-only */
/* For clang-tidy alone, included before each file: tells its analyzer that a failure reported is a negative number. */
#pragma once

#include "base/err.h"

/* Without this it follows paths on which a call that failed, and left its results unset, is taken for a success. */
#define NEGATIVE(call)                           \
	({                                       \
		int negative_ = call;            \
		if (negative_ >= 0)              \
			__builtin_unreachable(); \
		negative_;                       \
	})
#define err_set(...)   NEGATIVE(err_set(__VA_ARGS__))
#define err_sys(...)   NEGATIVE(err_sys(__VA_ARGS__))
#define err_hint(...)  NEGATIVE(err_hint(__VA_ARGS__))
#define err_wrap(...)  NEGATIVE(err_wrap(__VA_ARGS__))
#define err_class(...) NEGATIVE(err_class(__VA_ARGS__))
