// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as linux.seccomp: refused, or a program that the kernel could take. */
// words of: ns/seccomp_oci.c ns/seccomp_profile.c
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "ns/seccomp.h"
#include "tests/fuzz/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As bpf_check_classic() and seccomp_check_filter(): jumps end inside, what is loaded is inside struct seccomp_data, the last is a return. */
static void judge_program(const struct ns_filter *f)
{
	if (!f->prog || !f->len || f->len > BPF_MAXINSNS)
		abort();
	for (unsigned i = 0; i < f->len; i++) {
		const struct sock_filter *s = &f->prog[i];
		unsigned left = f->len - i - 1;

		if (BPF_CLASS(s->code) == BPF_LD && BPF_MODE(s->code) == BPF_ABS &&
		    (s->k % 4 || s->k >= sizeof(struct seccomp_data)))
			abort();
		if (BPF_CLASS(s->code) != BPF_JMP)
			continue;
		if (BPF_OP(s->code) == BPF_JA ? s->k >= left : s->jt >= left || s->jf >= left)
			abort();
	}
	if (BPF_CLASS(f->prog[f->len - 1].code) != BPF_RET)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct ns_filter f = {0};
	struct err e = {0};

	if (!j)
		return 0;
	if (ns_seccomp_from_oci(j, &f, &e) < 0)
		judge_error(&e);
	else
		judge_program(&f);
	ns_seccomp_done(&f);
	return 0;
}
