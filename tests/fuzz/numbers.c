// SPDX-License-Identifier: GPL-2.0-only
/* Any text as a number of any kind: the first byte says of which. */
// words of: base/size.c runtime/signal_name.c ns/idrange.c
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/size.h"
#include "ns/idmap.h"
#include "ns/idrange.h"
#include "runtime/definition.h"
#include "runtime/signal_name.h"
#include "tests/fuzz/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read, and is written as people write it, reads as nearly the same: size_to_str() rounds, over the largest there is, too. */
static int as_bytes(const char *text, struct err *e)
{
	uint64_t n = 0, again = 0;
	char buf[32];
	int r = size_parse("x", text, &n, e);

	if (r >= 0 && (n < INT64_MAX / 8 || n == SIZE_UNLIMITED) &&
	    (size_parse("x", size_to_str(n, buf, sizeof(buf)), &again, e) < 0 ||
	     (n > again ? n - again : again - n) > n / 8))
		abort();
	return r;
}

static int as_number(const char *text, struct err *e)
{
	int64_t n = 0;
	int r = size_parse_number("x", text, -7, INT64_MAX - 1, &n, e);

	if (r >= 0 && (n < -7 || n == INT64_MAX))
		abort();
	return r;
}

static int as_cpus(const char *text, struct err *e)
{
	uint32_t milli = 0;
	int r = size_parse_cpus("x", text, &milli, e);

	if (r >= 0 && (milli == 0 || milli > 1024000))
		abort();
	return r;
}

static int as_rate(const char *text, struct err *e)
{
	uint64_t bits;

	return size_parse_rate("x", text, &bits, e);
}

static int as_signal(const char *text, struct err *e)
{
	int r = ct_signal_from_str("x", text, e);

	if (r >= 0 && (r < 1 || r > SIGRTMAX))
		abort();
	return r;
}

static int as_subuid(const char *text, struct err *e)
{
	struct ns_idrange_pool pool;
	uint32_t base = 0;
	int r = ns_idrange_pool_parse(text, &pool, e);

	if (r < 0)
		return r;
	if (pool.first % NS_IDRANGE_WIDTH || pool.last % NS_IDRANGE_WIDTH || !pool.first ||
	    pool.first >= pool.last || ns_idrange_pick(&pool, text, NULL, 0, &base, e) < 0 ||
	    base < pool.first || base > pool.last - NS_IDRANGE_WIDTH)
		abort();
	return 0;
}

static int as_cpu_list(const char *text, struct err *e)
{
	return ct_cpu_list_check("x", text, e);
}

/* Not text: lines of an id map. One that is accepted maps each inside id once, to a host id that no other one has. */
static void as_map(const uint8_t *data, size_t size)
{
	struct ns_idmap map[NS_IDMAP_MOST + 2];
	size_t n = size / sizeof(*map);
	struct err e = {0};

	if (n > NS_IDMAP_MOST + 2)
		return;
	memcpy(map, data, n * sizeof(*map));
	if (ns_idmap_check(map, n, "x", &e) < 0) {
		judge_error(&e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t last = map[i].count - 1, host = 0;

		if (!map[i].count || map[i].inside + last < last || map[i].outside + last < last ||
		    !ns_idmap_to_host(map, n, map[i].inside + last, &host) ||
		    host != map[i].outside + last)
			abort();
		for (size_t k = 0; k < i; k++)
			if ((map[i].inside <= map[k].inside + (map[k].count - 1) &&
			     map[k].inside <= map[i].inside + last) ||
			    (map[i].outside <= map[k].outside + (map[k].count - 1) &&
			     map[k].outside <= map[i].outside + last))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const kinds[])(const char *, struct err *) = {
		['b'] = as_bytes,  ['n'] = as_number, ['c'] = as_cpus,	  ['r'] = as_rate,
		['s'] = as_signal, ['u'] = as_subuid, ['l'] = as_cpu_list};
	auto_free char *text = NULL;
	struct err e = {0};

	if (!size)
		return 0;
	if (data[0] == 'm')
		as_map(data + 1, size - 1);
	if (data[0] >= ARRAY_SIZE(kinds) || !kinds[data[0]])
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (kinds[data[0]](text, &e) < 0)
		judge_error(&e);
	return 0;
}
