/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers as people write them: 512M, 1.5, 50%, 100mbit; and back. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

#define SIZE_UNLIMITED UINT64_MAX

/*
 * Bytes: a decimal number with an optional fraction and suffix B K M G T (powers of 1024, also KB, KiB, lower case) or P for
 * pages of 4096 bytes as in OpenVZ; "unlimited" and "max" give SIZE_UNLIMITED. what names the option in the message.
 */
int size_parse(const char *what, const char *text, uint64_t *bytes, struct err *e);

/* A whole decimal number from least to most. */
int size_parse_number(const char *what, const char *text, int64_t least, int64_t most, int64_t *out,
		      struct err *e);

/* CPUs in thousandths: "1.5" gives 1500; "50%" gives 500. 0 < value <= 1024 CPUs. */
int size_parse_cpus(const char *what, const char *text, uint32_t *milli, struct err *e);

/* Bits a second: 100mbit, 1gbit, 500kbit, or a bare number of bits. */
int size_parse_rate(const char *what, const char *text, uint64_t *bits, struct err *e);

/* "512M", "1.5G", "unlimited". Returns buf. */
const char *size_to_str(uint64_t bytes, char *buf, size_t len);
