/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-256 (FIPS 180-4), for content ids. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct st_sha256 {
	uint32_t h[8];
	uint64_t len;
	uint8_t block[64];
};

void st_sha256_init(struct st_sha256 *s);
void st_sha256_add(struct st_sha256 *s, const void *data, size_t len);
void st_sha256_done(struct st_sha256 *s, uint8_t sum[32]);
