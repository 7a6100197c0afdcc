// SPDX-License-Identifier: GPL-2.0-only
/* Filters: exported, cached, loaded. */
#include "ns/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/seccomp_build.h"

#define CACHE_MAGIC "SKEPBPF1"
#define CACHE_MOST  (4u << 20)

/*
 * Of what makes a program from rules: seccomp_oci.c, seccomp_profile.c, and the attributes below. It goes up with each change of what they make, for the cache outlives an upgrade, and a filter that
 * an older program made of the same rules must not be taken for ours.
 */
#define COMPILER 3

scmp_filter_ctx ns_seccomp_context(uint32_t default_action, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(default_action);

	if (!ctx) {
		err_set(e, EINVAL, "libseccomp refused to make a filter");
		return NULL;
	}
	/* 2: a binary tree over the numbers instead of a list: loads three times as fast, runs 25
	 * times shorter. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return ctx;
}

void ns_seccomp_context_done(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
	*ctx = NULL;
}

int ns_seccomp_export(scmp_filter_ctx ctx, const struct sock_filter *prologue, size_t n,
		      struct ns_filter *out, struct err *e)
{
	auto_fd int fd = memfd_create("skep-seccomp", MFD_CLOEXEC);
	auto_free struct sock_filter *prog = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0)
		return err_sys(e, "make a memory file for a filter");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(e, -r, "libseccomp could not compile the filter: %s", strerror(-r));
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat a filter");
	len = (size_t)st.st_size / sizeof(*prog);
	if (len + n == 0 || len + n > BPF_MAXINSNS) {
		err_set(e, E2BIG, "seccomp filter has %zu instructions; the kernel takes %d",
			len + n, BPF_MAXINSNS);
		return err_class(e, ERR_CONFIG);
	}
	prog = malloc((len + n) * sizeof(*prog));
	if (!prog)
		return err_set(e, ENOMEM, "out of memory for a filter");
	if (n)
		memcpy(prog, prologue, n * sizeof(*prog));
	if (pread(fd, prog + n, len * sizeof(*prog), 0) != (ssize_t)(len * sizeof(*prog)))
		return err_set(e, EIO, "short read of a compiled filter");
	out->len = (uint16_t)(len + n);
	out->prog = take_ptr(&prog);
	return 0;
}

void ns_seccomp_done(struct ns_filter *f)
{
	free(f->prog);
	*f = (struct ns_filter){0};
}

/* What a cache file begins with; the source text and the program follow. */
struct cache_head {
	char magic[8];
	uint32_t text_len;
	uint32_t flags;
	uint16_t len;
	uint16_t notify;
	uint32_t unused;
};

static int compile(const json_t *oci, const struct ns_seccomp_options *opt, struct ns_filter *out,
		   struct err *e)
{
	return oci ? ns_seccomp_from_oci(oci, out, e) : ns_seccomp_from_profile(opt, out, e);
}

/* Everything that decides the program: our compiler, library and machine, and the rules. */
struct key {
	char about[64];
	const char *rules;
	size_t about_len, len; /* len: of the rules */
};

static void key_about(struct key *k)
{
	const struct scmp_version *v = seccomp_version();

	k->about_len = (size_t)snprintf(k->about, sizeof(k->about),
					"compiler %d libseccomp %u.%u.%u arch %x\n", COMPILER,
					v->major, v->minor, v->micro, seccomp_arch_native());
}

/* What is not given as text is made to one. The caller's. */
static char *rules_text(const json_t *oci, const struct ns_seccomp_options *opt)
{
	char *text = NULL;
	size_t len;
	FILE *to;

	if (oci)
		return json_dumps(oci, JSON_COMPACT | JSON_SORT_KEYS);
	to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	ns_seccomp_profile_text(opt, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* Eight bytes at a time: a profile is 12 KB, and read at each start. Of two texts with one name the later keeps the place. */
static uint64_t mix(uint64_t h, const char *text, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		h = (h ^ word) * 0x9fb21c651e98df25ULL;
		h ^= h >> 32;
	}
	for (word = 1; len > 0; len--)
		word = word << 8 | (unsigned char)text[len - 1];
	h = (h ^ word) * 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

static void cache_name(const struct key *k, char name[48])
{
	uint64_t h = mix(0xcbf29ce484222325ULL, k->about, k->about_len);

	snprintf(name, 48, "seccomp-%016" PRIx64 ".bpf", mix(h, k->rules, k->len));
}

/* Whether the file goes on with this text. By pieces: a buffer for all of it would cost more page faults than the reading does. */
static bool reads_as(int fd, const char *text, size_t len)
{
	char piece[2048];

	while (len > 0) {
		size_t n = len < sizeof(piece) ? len : sizeof(piece);

		if (read(fd, piece, n) != (ssize_t)n || memcmp(piece, text, n) != 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

/* Whether the file is whole and was made from exactly this text; then out is filled. */
static bool cache_load(int dir, const char *name, const struct key *k, struct ns_filter *out)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_free struct sock_filter *prog = NULL;
	size_t len = k->about_len + k->len, size;
	struct cache_head head;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    read(fd, &head, sizeof(head)) != sizeof(head))
		return false;
	size = head.len * sizeof(*prog);
	if (memcmp(head.magic, CACHE_MAGIC, 8) || head.text_len != len || !head.len ||
	    st.st_size != (off_t)(sizeof(head) + len + size) ||
	    !reads_as(fd, k->about, k->about_len) || !reads_as(fd, k->rules, k->len))
		return false;
	prog = malloc(size);
	if (!prog || read(fd, prog, size) != (ssize_t)size)
		return false;
	out->prog = take_ptr(&prog);
	out->len = head.len;
	out->flags = head.flags;
	out->notify = head.notify;
	return true;
}

static int cache_save(int dir, const char *name, const struct key *k, const struct ns_filter *f,
		      struct err *e)
{
	struct cache_head head = {.text_len = (uint32_t)(k->about_len + k->len),
				  .flags = f->flags,
				  .len = f->len,
				  .notify = f->notify};
	size_t prog = f->len * sizeof(struct sock_filter),
	       len = sizeof(head) + head.text_len + prog;
	auto_free char *data = malloc(len);
	char *p = data;

	if (!data)
		return err_set(e, ENOMEM, "out of memory for the filter cache");
	memcpy(head.magic, CACHE_MAGIC, 8);
	p = mempcpy(p, &head, sizeof(head));
	p = mempcpy(p, k->about, k->about_len);
	p = mempcpy(p, k->rules, k->len);
	memcpy(p, f->prog, prog);
	return file_replace_at(dir, name, data, len, 0600, e);
}

int ns_seccomp_get(int cache_dir, const json_t *oci, const char *source,
		   const struct ns_seccomp_options *opt, struct ns_filter *out, struct err *e)
{
	auto_free char *text = NULL;
	struct err cache_err = {0};
	struct key k = {.rules = source};
	char name[48];
	int r;

	*out = (struct ns_filter){0};
	if (cache_dir < 0)
		return compile(oci, opt, out, e);
	if (!source) {
		text = rules_text(oci, opt);
		k.rules = text;
	}
	if (!k.rules)
		return err_set(e, ENOMEM, "out of memory for a filter's source");
	k.len = strlen(k.rules);
	key_about(&k);
	cache_name(&k, name);
	if (cache_load(cache_dir, name, &k, out))
		return 0;
	r = compile(oci, opt, out, e);
	if (r < 0)
		return r;
	if (k.len <= CACHE_MOST && cache_save(cache_dir, name, &k, out, &cache_err) < 0)
		log_warn("compiled filter not cached: %s", cache_err.text);
	return 0;
}

bool ns_seccomp_known(int cache_dir, const char *source, size_t len, struct ns_filter *out)
{
	struct key k = {.rules = source, .len = len};
	char name[48];

	*out = (struct ns_filter){0};
	if (cache_dir < 0)
		return false;
	key_about(&k);
	cache_name(&k, name);
	if (cache_load(cache_dir, name, &k, out) && !out->notify)
		return true;
	ns_seccomp_done(out);
	return false;
}

int ns_seccomp_load(const struct ns_filter *f, struct err *e)
{
	struct sock_fprog prog = {.len = f->len, .filter = f->prog};
	uint32_t flags = f->flags | (f->notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	long r;

	if (!f->prog)
		return 0;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r >= 0)
		return f->notify ? (int)r : 0;
	err_sys(e, "load the system call filter");
	if (e->no == EACCES)
		err_hint(e, "it needs no_new_privs or CAP_SYS_ADMIN in the user namespace");
	return -e->no;
}
