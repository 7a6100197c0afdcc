// SPDX-License-Identifier: GPL-2.0-only
/* The words of the kernel's flags of mappings, tried out, and the text that is made of them. */
#include "checkpoint/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/uffd.h"
#include "checkpoint/vma_flags.h"

#define PAGE	  4096u
#define TEXT_MOST (64u << 20)

/* By their bits, in the order of include/linux/mm.h. What has none here is not known. */
static const char words[][3] = {
	[0] = "rd",  [1] = "wr",  [2] = "ex",  [3] = "sh",  [4] = "mr",	 [5] = "mw",
	[6] = "me",  [7] = "ms",  [8] = "gd",  [9] = "um",  [10] = "pf", [12] = "uw",
	[13] = "lo", [14] = "io", [15] = "sr", [16] = "rr", [17] = "dc", [18] = "de",
	[19] = "lf", [20] = "ac", [21] = "nr", [22] = "ht", [23] = "sf", [25] = "wf",
	[26] = "dd", [27] = "sd", [28] = "mm", [29] = "hg", [30] = "nh", [31] = "mg",
};

/* "VmFlags: rd wr ", each word with a blank behind it. False: a flag has no word here. What cannot be written shows at finish(). */
static bool add_flags(FILE *to, uint64_t flags)
{
	fputs("VmFlags: ", to);
	for (unsigned bit = 0; bit < 64 && flags >> bit; bit++) {
		if (!(flags >> bit & 1))
			continue;
		if (bit >= ARRAY_SIZE(words) || !words[bit][0])
			return false;
		fprintf(to, "%s ", words[bit]);
	}
	fputc('\n', to);
	return true;
}

/* All of it is there, or -ENOMEM: criu would take a line that is missing for a mapping that is not there. NULL is a stream that was not made. */
static int finish(FILE *to, struct err *e)
{
	bool bad = !to || fflush(to) != 0 || ferror(to);

	if (to && fclose(to) != 0)
		bad = true;
	return bad ? err_set(e, ENOMEM, "make a list of mappings: out of memory") : 0;
}

static bool read_range(const char *line, uint64_t *start, uint64_t *end)
{
	int perms = 0;

	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %n", start, end, &perms) == 2 && perms &&
	       strchr("r-", line[perms]) != NULL;
}

/* --- trying it out --- */

/* One page with each kind of flag that a program can ask for; what this kernel refuses stays unknown. */
static int make_samples(void **samples, int room)
{
	static const int advice[] = {MADV_SEQUENTIAL, MADV_RANDOM,    MADV_DONTFORK,
				     MADV_WIPEONFORK, MADV_DONTDUMP,  MADV_HUGEPAGE,
				     MADV_NOHUGEPAGE, MADV_MERGEABLE, -1};
	static const int flags[] = {MAP_PRIVATE, MAP_PRIVATE | MAP_NORESERVE,
				    MAP_PRIVATE | MAP_GROWSDOWN, MAP_SHARED};
	int n = 0;

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
		for (size_t a = 0; a < ARRAY_SIZE(advice) && n < room; a++) {
			void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					flags[f] | MAP_ANONYMOUS, -1, 0);

			if (at == MAP_FAILED)
				continue;
			if (advice[a] >= 0)
				(void)madvise(at, PAGE, advice[a]);
			else
				(void)mlock2(at, PAGE, 0); /* sanitizers make of mlock() nothing */
			samples[n++] = at;
		}
	return n;
}

/* One that is followed (uffd.h), as those of the container are; it is while what is returned is open. -EBADF: there is none. */
static int make_followed(void **sample)
{
	struct err without = {0};
	auto_fd int uffd = cr_uffd_own(&without);
	void *at = uffd < 0 ? MAP_FAILED
			    : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

	if (at == MAP_FAILED)
		return -EBADF;
	(void)cr_uffd_follow(uffd, (uintptr_t)at, (uintptr_t)at + PAGE);
	*sample = at;
	return take_fd(&uffd);
}

static const struct cr_vma *find(const struct cr_vma *v, int count, uint64_t start, uint64_t end)
{
	for (int i = 0; i < count; i++)
		if (v[i].start == start && v[i].end == end)
			return &v[i];
	return NULL;
}

/* Of one mapping of ours, whether the kernel's line is what we would have written. */
static int compare(struct cr_smaps *s, const struct cr_vma *v, const char *line, struct err *e)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	bool all = to && add_flags(to, v->flags);

	if (finish(to, e) < 0)
		return -e->no;
	if (!all)
		return 0;
	if (strncmp(line, text, len) != 0)
		return err_set(e, EOPNOTSUPP, "this kernel calls flags of mappings by other names");
	s->known |= v->flags;
	return 0;
}

/* What we map between the two readings is in one of them only. */
static int learn(struct cr_smaps *s, struct err *e)
{
	auto_free struct cr_vma *v = NULL;
	auto_free char *text = NULL;
	const struct cr_vma *now = NULL;
	int count = cr_vma_flags_read(s->program, getpid(), &v, e);

	if (count < 0 || file_read_at(AT_FDCWD, "/proc/self/smaps", TEXT_MOST, &text, e) < 0)
		return -e->no;
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		uint64_t from, to;

		if (read_range(line, &from, &to))
			now = find(v, count, from, to);
		else if (now && !strncmp(line, "VmFlags:", 8) && compare(s, now, line, e) < 0)
			return -e->no;
	}
	return 0;
}

int cr_smaps_open(struct cr_smaps *s, struct err *e)
{
	void *samples[40];
	auto_fd int followed = -EBADF;
	int n, r;

	*s = (struct cr_smaps)CR_SMAPS_INIT;
	r = s->program = cr_vma_flags_open(e);
	if (r < 0)
		return r;
	n = make_samples(samples, ARRAY_SIZE(samples) - 1);
	followed = make_followed(&samples[n]);
	n += followed >= 0;
	r = learn(s, e);
	while (n > 0) {
		n--;
		munmap(samples[n], PAGE);
	}
	if (r < 0)
		cr_smaps_close(s);
	return r < 0 ? err_class(e, ERR_UNSUPPORTED) : 0;
}

void cr_smaps_close(struct cr_smaps *s)
{
	own_close_fd(&s->program);
}

/* --- of others --- */

/* Each line of maps with its flags; what both name must be the same. */
static int merge(const struct cr_smaps *s, const char *maps, const struct cr_vma *v, int count,
		 FILE *to, struct err *e)
{
	int at = 0;

	for (const char *line = maps, *end; (end = strchr(line, '\n')); line = end + 1) {
		uint64_t from, until;

		if (!read_range(line, &from, &until))
			return err_set(e, EPROTO, "a list of mappings is not understood");
		if (fwrite(line, 1, (size_t)(end + 1 - line), to) != (size_t)(end + 1 - line))
			return err_set(e, ENOMEM, "make a list of mappings: out of memory");
		/* [vsyscall] belongs to the kernel, and criu leaves it alone. */
		if (from >> 63)
			continue;
		if (at == count || v[at].start != from || v[at].end != until)
			return err_set(e, ESTALE, "its mappings have changed");
		if (v[at].flags & ~s->known || !add_flags(to, v[at].flags))
			return err_set(e, EOPNOTSUPP, "the flags %" PRIx64 " of a mapping",
				       v[at].flags);
		at++;
	}
	return at == count ? 0 : err_set(e, ESTALE, "its mappings have changed");
}

int64_t cr_smaps_make(const struct cr_smaps *s, pid_t pid, char **text, struct err *e)
{
	auto_free struct cr_vma *v = NULL;
	auto_free char *maps = NULL, *out = NULL;
	char path[48];
	size_t len = 0;
	FILE *to;
	int count = cr_vma_flags_read(s->program, pid, &v, e), r;

	*text = NULL;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (count < 0 || file_read_at(AT_FDCWD, path, TEXT_MOST, &maps, e) < 0)
		return -e->no;
	to = open_memstream(&out, &len);
	r = to ? merge(s, maps, v, count, to, e) : 0;
	if (r < 0)
		fclose(to);
	else
		r = finish(to, e);
	if (r < 0)
		return r;
	*text = take_ptr(&out);
	return (int64_t)len;
}
