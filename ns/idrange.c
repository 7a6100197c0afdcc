// SPDX-License-Identifier: GPL-2.0-only
/* The pool of host ids, and a free place in it. */
#include "ns/idrange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

static int bad_line(size_t number, struct err *e)
{
	err_set(e, EINVAL, "/etc/subuid line %zu: not 'skep:FIRST:COUNT' with room for %u ids",
		number, NS_IDRANGE_WIDTH);
	return err_class(e, ERR_CONFIG);
}

/* A whole decimal number up to 2^32 that ends at `end`. */
static bool parse_number(const char *p, const char *end, uint64_t *out)
{
	uint64_t v = 0;

	if (p == end)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX + 1ULL)
			return false;
	}
	*out = v;
	return true;
}

int ns_idrange_pool_parse(const char *text, struct ns_idrange_pool *pool, struct err *e)
{
	size_t number = 0;
	uint64_t best = 0;

	*pool = (struct ns_idrange_pool){NS_IDRANGE_DEFAULT_FIRST, NS_IDRANGE_DEFAULT_LAST};
	for (const char *line = text; line && *line; number++) {
		const char *end = line + strcspn(line, "\n");
		const char *next = *end ? end + 1 : end;
		uint64_t first, count, last;
		const char *colon;

		if (strncmp(line, "skep:", 5)) {
			line = next;
			continue;
		}
		line += 5;
		colon = memchr(line, ':', (size_t)(end - line));
		if (!colon || !parse_number(line, colon, &first) ||
		    !parse_number(colon + 1, end, &count))
			return bad_line(number + 1, e);
		/* The last id, -1, is nobody's: a range that holds it loses its last block. */
		last = first + count;
		if (last > UINT32_MAX)
			last = UINT32_MAX;
		first = (first + NS_IDRANGE_WIDTH - 1) / NS_IDRANGE_WIDTH * NS_IDRANGE_WIDTH;
		last = last / NS_IDRANGE_WIDTH * NS_IDRANGE_WIDTH;
		if (first == 0) /* the host's own ids are never a container's */
			first = NS_IDRANGE_WIDTH;
		if (last <= first)
			return bad_line(number + 1, e);
		if (last - first > best) {
			best = last - first;
			*pool = (struct ns_idrange_pool){(uint32_t)first, (uint32_t)last};
		}
		line = next;
	}
	return 0;
}

int ns_idrange_pool_load(struct ns_idrange_pool *pool, struct err *e)
{
	enum { MOST = 1 << 20 };
	auto_fd int fd = open("/etc/subuid", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	ssize_t got;
	size_t len = 0;

	if (fd < 0 && errno == ENOENT)
		return ns_idrange_pool_parse(NULL, pool, e);
	if (fd < 0)
		return err_sys(e, "open /etc/subuid");
	text = malloc(MOST + 1);
	if (!text)
		return err_set(e, ENOMEM, "out of memory for /etc/subuid");
	while (len < MOST && (got = read(fd, text + len, MOST - len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read /etc/subuid");
		len += (size_t)got;
	}
	text[len] = 0;
	return ns_idrange_pool_parse(text, pool, e);
}

/* FNV-1a: no secret is kept by it, it only spreads. */
static uint64_t spread(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h ^ (h >> 32);
}

static bool is_taken(uint32_t base, const uint32_t taken[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint64_t)base < (uint64_t)taken[i] + NS_IDRANGE_WIDTH &&
		    (uint64_t)taken[i] < (uint64_t)base + NS_IDRANGE_WIDTH)
			return true;
	return false;
}

int ns_idrange_pick(const struct ns_idrange_pool *pool, const char *seed, const uint32_t taken[],
		    size_t n, uint32_t *base, struct err *e)
{
	uint32_t slots = pool->last > pool->first ? (pool->last - pool->first) / NS_IDRANGE_WIDTH
						  : 0;
	uint32_t start = slots ? (uint32_t)(spread(seed) % slots) : 0;

	for (uint32_t i = 0; i < slots; i++) {
		uint32_t at = pool->first +
			      (uint32_t)((start + (uint64_t)i) % slots) * NS_IDRANGE_WIDTH;

		if (is_taken(at, taken, n))
			continue;
		*base = at;
		return 0;
	}
	err_set(e, ENOSPC, "all %u id ranges of the pool are taken", slots);
	return err_hint(e, "give user skep a larger range in /etc/subuid, or destroy containers");
}
