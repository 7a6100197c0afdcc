// SPDX-License-Identifier: GPL-2.0-only
/* The flags of /proc/cpuinfo that programs depend on. */
#include "checkpoint/cpu.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define CPUINFO_MOST (16u << 20)

/*
 * Of x86's, arch/x86/include/asm/cpufeatures.h: instructions and registers that a program can use without asking the kernel, and that are an error where they
 * are not. Those that say that something is fast (erms), or that are read as nothing elsewhere (hle, cldemote), may be missing. A star: all that begin so.
 */
static const char *const used[] = {
	"fpu",	     "cx8",	"cmov",	     "mmx",	  "fxsr",	"sse*",	   "pni",
	"pclmulqdq", "ssse3",	"fma*",	     "cx16",	  "movbe",	"popcnt",  "aes",
	"xsave*",    "avx*",	"f16c",	     "rdrand",	  "lahf_lm",	"abm",	   "3dnow*",
	"xop",	     "tbm",	"fsgsbase",  "bmi*",	  "rtm",	"rdseed",  "adx",
	"clflush*",  "clwb",	"sha*",	     "vaes",	  "vpclmulqdq", "gfni",	   "rdpid",
	"rdtscp",    "movdir*", "enqcmd",    "serialize", "amx*",	"xgetbv1", "pku",
	"ospke",     "waitpkg", "cmpccxadd", "raoint",	  "clzero",	"mwaitx",  "rdpru",
	"sm3",	     "sm4",
};

static bool matters(const char *flag, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		size_t len = strlen(used[i]);

		if (used[i][len - 1] == '*' ? n >= len - 1 && !strncmp(flag, used[i], len - 1)
					    : n == len && !strncmp(flag, used[i], len))
			return true;
	}
	return false;
}

static void append(char *list, size_t size, const char *word, size_t n)
{
	size_t used_up = strlen(list);

	if (used_up + n + 2 <= size)
		snprintf(list + used_up, size - used_up, "%s%.*s", used_up ? " " : "", (int)n,
			 word);
}

/* Calls for each word of a line. */
static const char *next_word(const char **at, size_t *n)
{
	const char *word = *at + strspn(*at, " \t");

	*n = strcspn(word, " \t\n");
	*at = word + *n;
	return *n ? word : NULL;
}

void cr_cpu_flags_in(const char *cpuinfo, char flags[CR_CPU_FLAGS_SIZE])
{
	const char *line = strstr(cpuinfo, "\nflags"), *word;
	size_t n;

	flags[0] = 0;
	line = line ? strchr(line, ':') : NULL;
	if (!line)
		return;
	for (line++; (word = next_word(&line, &n));)
		if (matters(word, n))
			append(flags, CR_CPU_FLAGS_SIZE, word, n);
}

int cr_cpu_flags(char flags[CR_CPU_FLAGS_SIZE], struct err *e)
{
	auto_free char *text = NULL;
	int r = file_read_at(AT_FDCWD, "/proc/cpuinfo", CPUINFO_MOST, &text, e);

	if (r < 0)
		return r;
	cr_cpu_flags_in(text, flags);
	return 0;
}

static bool has(const char *list, const char *flag, size_t n)
{
	const char *word;
	size_t len;

	while ((word = next_word(&list, &len)))
		if (len == n && !memcmp(word, flag, n))
			return true;
	return false;
}

size_t cr_cpu_missing(const char *needed, const char *there, char *missing, size_t size)
{
	const char *word;
	size_t n, count = 0;

	missing[0] = 0;
	while ((word = next_word(&needed, &n)))
		if (matters(word, n) && !has(there, word, n)) {
			append(missing, size, word, n);
			count++;
		}
	return count;
}
