/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals as people write them. */
#pragma once

struct err;

/* "SIGTERM", "term", "15", "SIGRTMIN+3", "RTMAX-1". Returns the number, 1..64; -EINVAL, class VALUE. what names the option in the message. */
int ct_signal_from_str(const char *what, const char *text, struct err *e);
