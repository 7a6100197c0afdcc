// SPDX-License-Identifier: GPL-2.0-only
/* A program of BPF that the kernel runs for each mapping, and that writes down where it is and its flags. */
#include "checkpoint/vma_flags.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/btf.h"

/* vm.max_map_count is 65530 by default. */
#define MAPPINGS_MOST (1u << 20)
/* The kernel gives no more than its buffer of eight pages in one read (bpf_seq_read() in kernel/bpf/bpf_iter.c). */
#define ONE_READ (8 * 4096 / sizeof(struct cr_vma))

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static struct bpf_insn insn(int code, int dst, int src, int64_t off, int32_t imm)
{
	return (struct bpf_insn){.code = (uint8_t)code,
				 .dst_reg = (uint8_t)dst & 0xf,
				 .src_reg = (uint8_t)src & 0xf,
				 .off = (int16_t)off,
				 .imm = imm};
}

/* What our program has to know. */
struct places {
	uint32_t function;
	int64_t start, end, flags; /* in struct vm_area_struct */
	int64_t seq;		   /* in struct bpf_iter_meta */
	int64_t meta, vma;	   /* in the program's context */
};

static int find_places(struct places *p, struct err *e)
{
	static const char area[] = "vm_area_struct", context[] = "bpf_iter__task_vma";
	auto_btf struct cr_btf btf = {0};

	if (cr_btf_load(&btf, e) < 0)
		return -e->no;
	/* Before Linux 6.1 the kernel takes no notice of the task that is named, and goes over those of the whole host. */
	if (cr_btf_member(&btf, "bpf_iter_aux_info", "task") < 0)
		return err_set(e, EOPNOTSUPP,
			       "this kernel has no iterator over the mappings of one task");
	*p = (struct places){.function = cr_btf_function(&btf, "bpf_iter_task_vma"),
			     .start = cr_btf_member(&btf, area, "vm_start"),
			     .end = cr_btf_member(&btf, area, "vm_end"),
			     .flags = cr_btf_member(&btf, area, "vm_flags"),
			     .seq = cr_btf_member(&btf, "bpf_iter_meta", "seq"),
			     .meta = cr_btf_member(&btf, context, "meta"),
			     .vma = cr_btf_member(&btf, context, "vma")};
	if (!p->function || p->start < 0 || p->end < 0 || p->flags < 0 || p->seq < 0 ||
	    p->meta < 0 || p->vma < 0)
		return err_set(e, EOPNOTSUPP, "this kernel has no iterator over mappings");
	return 0;
}

/* A struct cr_vma on the stack, which goes to the reader of the iterator; a call without a mapping is the last. */
static int load(const struct places *p, struct err *e)
{
	enum { VMA = BPF_REG_7, CONTEXT = BPF_REG_6, RECORD = -(int)sizeof(struct cr_vma) };
	static const char license[] = "GPL";
	const int get = BPF_LDX | BPF_MEM | BPF_DW, put = BPF_STX | BPF_MEM | BPF_DW;
	const struct bpf_insn program[] = {
		insn(BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, BPF_REG_1, 0, 0),
		insn(get, VMA, CONTEXT, p->vma, 0),
		insn(BPF_JMP | BPF_JEQ | BPF_K, VMA, 0, 12, 0), /* to the end */
		insn(get, BPF_REG_2, VMA, p->start, 0),
		insn(put, BPF_REG_10, BPF_REG_2, RECORD, 0),
		insn(get, BPF_REG_2, VMA, p->end, 0),
		insn(put, BPF_REG_10, BPF_REG_2, RECORD + 8, 0),
		insn(get, BPF_REG_2, VMA, p->flags, 0),
		insn(put, BPF_REG_10, BPF_REG_2, RECORD + 16, 0),
		insn(get, BPF_REG_1, CONTEXT, p->meta, 0),
		insn(get, BPF_REG_1, BPF_REG_1, p->seq, 0),
		insn(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		insn(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, RECORD),
		insn(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, sizeof(struct cr_vma)),
		insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write),
		insn(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = BPF_TRACE_ITER;
	attr.attach_btf_id = p->function;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_SIZE(program);
	attr.license = (uintptr_t)license;
	memcpy(attr.prog_name, "skep_mappings", sizeof("skep_mappings"));
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	return fd < 0 ? err_sys(e, "load the iterator over mappings") : fd;
}

int cr_vma_flags_open(struct err *e)
{
	struct places places = {0};
	int fd = find_places(&places, e);

	if (fd >= 0)
		fd = load(&places, e);
	return fd < 0 ? err_class(e, ERR_UNSUPPORTED) : fd;
}

/* Over one task: of a group the kernel would go over each thread that shares no descriptors with the first. */
static int open_iterator(int program, pid_t pid, struct err *e)
{
	union bpf_iter_link_info of = {.task = {.tid = (uint32_t)pid}};
	auto_fd int link = -EBADF;
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	attr.link_create.iter_info = (uintptr_t)&of;
	attr.link_create.iter_info_len = sizeof(of);
	link = sys_bpf(BPF_LINK_CREATE, &attr);
	if (link < 0)
		return err_sys(e, "make an iterator over the mappings of process %d", pid);
	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)link;
	fd = sys_bpf(BPF_ITER_CREATE, &attr);
	return fd < 0 ? err_sys(e, "start an iterator over the mappings of process %d", pid) : fd;
}

/*
 * The next ones, at most `room`; 0: there are none. Where a list took more than one read the kernel does not stop at its end: the iterator lets go of the task there, the next read takes the
 * same one again, and goes on behind the mapping at which the last read but one had to stop (task_seq_get_next() and task_vma_seq_get_next() in kernel/bpf/task_iter.c, Linux 6.1 to 6.18). So the
 * last of them come again and again; `before`, where the list ended so far, tells.
 */
static int read_more(int iterator, struct cr_vma *v, size_t room, uint64_t before)
{
	ssize_t n;

	do
		n = read(iterator, v, room * sizeof(*v));
	while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return -errno;
	if ((size_t)n % sizeof(*v))
		return -EPROTO;
	return n == 0 || v->start < before ? 0 : (int)((size_t)n / sizeof(*v));
}

int cr_vma_flags_read(int program, pid_t pid, struct cr_vma **v, struct err *e)
{
	auto_fd int iterator = open_iterator(program, pid, e);
	auto_free struct cr_vma *all = NULL;
	size_t have = 0, room = 0;
	int n = iterator;

	*v = NULL;
	if (n < 0)
		return n;
	do {
		if (room - have < ONE_READ) {
			struct cr_vma *more =
				reallocarray(all, room = 2 * room + ONE_READ, sizeof(*all));

			if (!more)
				return err_set(e, ENOMEM, "read mappings: out of memory");
			all = more;
		}
		n = read_more(iterator, all + have, room - have, have ? all[have - 1].end : 0);
		if (n < 0)
			return err_set(e, -n, "read the mappings of process %d: %s", pid,
				       strerror(-n));
		have += (size_t)n;
		if (have > MAPPINGS_MOST)
			return err_set(e, E2BIG, "process %d has too many mappings", pid);
	} while (n > 0);
	*v = take_ptr(&all);
	return (int)have;
}
