// SPDX-License-Identifier: GPL-2.0-only
/* Device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program, assembled by hand. */
#include <errno.h>
#include <linux/bpf.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/device.h"

#define MOST_RULES     512
#define INSNS_PER_RULE 8
#define INSNS_AROUND   12
#define MOST_PROGRAMS  8
#define ALL_ACCESSES   (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)

/* What the registers hold all through the program. */
enum {
	TYPE = BPF_REG_2,
	WANTED = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5,
	SCRATCH = BPF_REG_6
};

struct program {
	struct bpf_insn *insns;
	size_t count;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	p->insns[p->count++] = (struct bpf_insn){
		.code = code, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm};
}

static void load(struct program *p, uint8_t dst, size_t member)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, (int16_t)member, 0);
}

/* R0 is 1 all through the program. */
static void leave(struct program *p, int32_t verdict)
{
	if (!verdict)
		emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Past what follows if r is not v; land() says where that is. */
static size_t unless(struct program *p, uint8_t r, int64_t v)
{
	emit(p, BPF_JMP | BPF_JNE | BPF_K, r, 0, 0, (int32_t)v);
	return p->count - 1;
}

static void land(struct program *p, size_t jump)
{
	p->insns[jump].off = (int16_t)(p->count - jump - 1);
}

static int32_t accesses(const struct cg_device_rule *r)
{
	return (r->r ? BPF_DEVCG_ACC_READ : 0) | (r->w ? BPF_DEVCG_ACC_WRITE : 0) |
	       (r->m ? BPF_DEVCG_ACC_MKNOD : 0);
}

/*
 * One rule. WANTED has the accesses that no later rule has decided yet: an allowing rule strikes out its own and ends when
 * none is left; a denying one ends as soon as it has one of them.
 */
static void emit_rule(struct program *p, const struct cg_device_rule *r)
{
	size_t begin = p->count;

	if (r->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->major >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, 0, (int32_t)r->major);
	if (r->minor >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 0, (int32_t)r->minor);
	if (r->allow) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, WANTED, 0, 0, ~accesses(r));
		emit(p, BPF_JMP | BPF_JNE | BPF_K, WANTED, 0, 0, 0);
	} else {
		emit(p, BPF_ALU64 | BPF_MOV | BPF_X, SCRATCH, WANTED, 0, 0);
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, SCRATCH, 0, 0, accesses(r));
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, SCRATCH, 0, 0, 0);
	}
	leave(p, r->allow);
	/* Every conditional jump of this rule goes to its end. */
	for (size_t i = begin; i < p->count; i++) {
		struct bpf_insn *in = &p->insns[i];

		if (BPF_CLASS(in->code) == BPF_JMP && BPF_OP(in->code) != BPF_EXIT)
			in->off = (int16_t)(p->count - i - 1);
	}
}

static bool allows_all(const struct cg_device_rule *r)
{
	return r->allow && r->type != 'a' && accesses(r) == ALL_ACCESSES;
}

/* The last of `count` rules is one of a run of this type. */
static bool runs_on(const struct cg_device_rule *rules, size_t count, char type)
{
	return count > 0 && allows_all(&rules[count - 1]) && rules[count - 1].type == type;
}

/*
 * Those of one major number, from the last of `count` on. Returns how many rules are before them. *all: one of them has any minor number. What stands before that one
 * says nothing more, and as instructions nothing would lead there, for which the verifier refuses the program (check_cfg(): "unreachable insn").
 */
static size_t emit_major(struct program *p, const struct cg_device_rule *rules, size_t count,
			 bool *all)
{
	const struct cg_device_rule *last = &rules[count - 1];

	*all = false;
	for (; runs_on(rules, count, last->type) && rules[count - 1].major == last->major;
	     count--) {
		int64_t minor = rules[count - 1].minor;
		size_t other;

		if (*all)
			continue;
		*all = minor < 0;
		other = *all ? 0 : unless(p, MINOR, minor);
		leave(p, 1);
		if (other)
			land(p, other);
	}
	return count;
}

/*
 * Rules that allow all accesses of one type of device, which is what most are: nothing has to be remembered of them, and the type, and a major number that several
 * share, are looked at once. Half the instructions, a quarter of the verifier's time. Returns how many of the last `count` they are.
 */
static size_t emit_run(struct program *p, const struct cg_device_rule *rules, size_t count)
{
	char type = rules[count - 1].type;
	size_t i = count;
	size_t end = unless(p, TYPE, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);

	while (runs_on(rules, i, type)) {
		int64_t major = rules[i - 1].major;
		size_t jump = major < 0 ? 0 : unless(p, MAJOR, major);
		bool all;

		i = emit_major(p, rules, i, &all);
		if (jump)
			land(p, jump);
		/* Every device of the type: nothing leads to the rest of the run either. */
		while (!jump && all && runs_on(rules, i, type))
			i--;
	}
	land(p, end);
	return count - i;
}

static void assemble(struct program *p, const struct cg_device_rule *rules, size_t count)
{
	load(p, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, WANTED, TYPE, 0, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, WANTED, 0, 0, 16);
	load(p, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(p, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	for (size_t i = count; i > 0;)
		if (allows_all(&rules[i - 1]))
			i -= emit_run(p, rules, i);
		else
			emit_rule(p, &rules[--i]);
	leave(p, 0);
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load_program(const struct program *p, struct err *e)
{
	static const char license[] = "GPL";
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)p->insns;
	attr.insn_cnt = (uint32_t)p->count;
	attr.license = (uintptr_t)license;
	memcpy(attr.prog_name, "skep_devices", sizeof("skep_devices"));
	fd = sys_bpf(BPF_PROG_LOAD, &attr); /* CLOEXEC by itself */
	if (fd >= 0)
		return fd;
	err_sys(e, "load the device filter");
	err_hint(e, "the kernel needs CONFIG_CGROUP_BPF, and root outside of containers");
	return err_class(e, ERR_LIMIT);
}

/* The filter that an earlier call left: its fd, -ENOENT if there is none (e untouched). */
static int present_program(int dir, struct err *e)
{
	uint32_t ids[MOST_PROGRAMS] = {0};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = MOST_PROGRAMS;
	if (sys_bpf(BPF_PROG_QUERY, &attr)) {
		err_sys(e, "ask for the device filter");
		return err_class(e, ERR_LIMIT);
	}
	if (attr.query.prog_cnt == 0)
		return -ENOENT;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = ids[0];
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	return fd < 0 ? err_sys(e, "open the present device filter") : fd;
}

/* ALLOW_MULTI: a filter that a service manager inside adds can only take away; REPLACE: no moment without any. */
static int attach(int dir, int program, struct err *e)
{
	auto_fd int old = present_program(dir, e);
	union bpf_attr attr;

	if (old < 0 && e->no)
		return -e->no;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (old >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old;
	}
	if (!sys_bpf(BPF_PROG_ATTACH, &attr))
		return 0;
	err_sys(e, "attach the device filter");
	return err_class(e, ERR_LIMIT);
}

static int check(const struct cg_device_rule *rules, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const struct cg_device_rule *r = &rules[i];

		if ((r->type == 'a' || r->type == 'b' || r->type == 'c') && accesses(r) &&
		    r->major <= INT_MAX && r->minor <= INT_MAX)
			continue;
		err_set(e, EINVAL, "device rule %zu has no type, no access, or too great a number",
			i + 1);
		return err_class(e, ERR_VALUE);
	}
	if (count <= MOST_RULES)
		return 0;
	err_set(e, E2BIG, "%zu device rules are more than %d", count, MOST_RULES);
	return err_class(e, ERR_VALUE);
}

int cg_devices_bpf_apply(int dir, const struct cg_device_rule *rules, size_t count, struct err *e)
{
	auto_free struct bpf_insn *insns = NULL;
	auto_fd int fd = -EBADF;
	struct program p = {0};

	if (check(rules, count, e) < 0)
		return -e->no;
	insns = calloc(count * INSNS_PER_RULE + INSNS_AROUND, sizeof(*insns));
	if (!insns)
		return err_set(e, ENOMEM, "no memory for the device filter");
	p.insns = insns;
	assemble(&p, rules, count);
	fd = load_program(&p, e);
	return fd < 0 ? fd : attach(dir, fd, e);
}
