// SPDX-License-Identifier: GPL-2.0-only
/* Numbers as people write them. */
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

static int bad_value(struct err *e, const char *what, const char *text, const char *wanted)
{
	err_set(e, EINVAL, "%s: '%.64s' is not %s", what, text, wanted);
	return err_class(e, ERR_VALUE);
}

/* A plain decimal, "12" or "1.5": no sign, no exponent, no hexadecimal, no white space. Returns its end, NULL when there is none. */
static const char *decimal(const char *text, long double *value)
{
	const char *p = text;
	long double scale = 1;

	*value = 0;
	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++)
		*value = *value * 10 + (*p - '0');
	if (*p != '.')
		return p;
	if (!isdigit((unsigned char)*++p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++)
		*value += (*p - '0') * (scale /= 10);
	return p;
}

int size_parse(const char *what, const char *text, uint64_t *bytes, struct err *e)
{
	static const char units[] = "BKMGT";
	const char *wanted = "a size such as 512M, 1.5G or unlimited";
	const char *unit;
	long double n;
	const char *end;

	if (!strcmp(text, "unlimited") || !strcmp(text, "max")) {
		*bytes = SIZE_UNLIMITED;
		return 0;
	}
	end = decimal(text, &n);
	if (!end)
		return bad_value(e, what, text, wanted);
	if (!strcasecmp(end, "P")) {
		n *= 4096;
	} else if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || (end[1] && strcasecmp(end + 1, "B") && strcasecmp(end + 1, "iB")))
			return bad_value(e, what, text, wanted);
		for (; unit > units; unit--)
			n *= 1024;
	}
	if (n >= 9223372036854775808.0L)
		return bad_value(e, what, text, "a size that a computer can have");
	*bytes = (uint64_t)n;
	return 0;
}

int size_parse_number(const char *what, const char *text, int64_t least, int64_t most, int64_t *out,
		      struct err *e)
{
	char wanted[96];
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text) || *text == '+' ||
	    n < least || n > most) {
		snprintf(wanted, sizeof(wanted), "a whole number from %lld to %lld",
			 (long long)least, (long long)most);
		return bad_value(e, what, text, wanted);
	}
	*out = n;
	return 0;
}

int size_parse_cpus(const char *what, const char *text, uint32_t *milli, struct err *e)
{
	const char *wanted = "a number of CPUs such as 1.5 or 50%, at most 1024";
	long double n;
	const char *end = decimal(text, &n);

	if (!end || (*end && strcmp(end, "%") != 0))
		return bad_value(e, what, text, wanted);
	n *= *end ? 10 : 1000;
	if (n < 1 || n > 1024000)
		return bad_value(e, what, text, wanted);
	*milli = (uint32_t)(n + 0.5L);
	return 0;
}

int size_parse_rate(const char *what, const char *text, uint64_t *bits, struct err *e)
{
	static const struct {
		const char *name;
		long double factor;
	} units[] = {{"", 1},	 {"bit", 1},	{"k", 1e3}, {"kbit", 1e3},
		     {"m", 1e6}, {"mbit", 1e6}, {"g", 1e9}, {"gbit", 1e9}};
	long double n;
	const char *end = decimal(text, &n);

	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		n *= units[i].factor;
		if (n < 1 || n > 1e15L)
			break;
		*bits = (uint64_t)n;
		return 0;
	}
	return bad_value(e, what, text, "a rate such as 100mbit or 1gbit");
}

const char *size_to_str(uint64_t bytes, char *buf, size_t len)
{
	static const char units[] = "BKMGT";
	double n = (double)bytes;
	int u = 0;

	if (bytes == SIZE_UNLIMITED) {
		snprintf(buf, len, "unlimited");
		return buf;
	}
	for (; n >= 1024 && units[u + 1]; u++)
		n /= 1024;
	if (u == 0)
		snprintf(buf, len, "%llu", (unsigned long long)bytes);
	else if (n == (double)(uint64_t)n)
		snprintf(buf, len, "%.0f%c", n, units[u]);
	else
		snprintf(buf, len, "%.1f%c", n, units[u]);
	return buf;
}
