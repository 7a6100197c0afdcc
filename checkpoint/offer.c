// SPDX-License-Identifier: GPL-2.0-only
/* Making, sending, reading and judging an offer. */
#include "checkpoint/offer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/size.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/pages_daemon.h"
#include "net/link.h"
#include "net/netlink.h"
#include "runtime/container.h"
#include "storage/tree.h"

static int template_id(const struct ct_host *h, const char *name, char id[ST_DIGEST_SIZE],
		       struct err *e)
{
	auto_fd int templates = ct_host_templates(h, e);
	auto_fd int root = -EBADF;
	struct st_template info;

	if (templates < 0)
		return templates;
	root = st_template_open(templates, name, &info, e);
	if (root < 0)
		return root;
	snprintf(id, ST_DIGEST_SIZE, "%s", info.content_id);
	return 0;
}

/* 1: link name is there, *info filled; 0: not. */
static int find_link(const char *name, struct net_link_info *info, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r = net_nl_open(&nl, -1, e);

	if (r >= 0)
		r = net_link_get(&nl, name, info, e);
	if (r == -ENODEV)
		return 0;
	return r < 0 ? r : 1;
}

/* A start makes a bridge that is missing. One that leads somewhere is none of ours, and ours would lead nowhere. */
static int find_foreign(struct cr_offer *o, struct err *e)
{
	for (unsigned i = 0; i < o->d.net_count; i++) {
		const struct net_if *n = &o->d.nets[i];
		struct net_link_info info;
		int r = 0;

		if (n->mode == NET_MODE_BRIDGE && n->bridge[0])
			r = find_link(n->bridge, &info, e);
		if (r < 0)
			return r;
		if (r > 0 && strcmp(info.alias, "skep") != 0)
			o->foreign |= 1U << i;
	}
	return 0;
}

int cr_offer_describe(const struct ct_system *s, int upper, struct cr_offer *o, struct err *e)
{
	struct st_tree_size size;
	int r = template_id(s->host, s->d.template, o->template_id, e);

	if (r >= 0)
		r = st_tree_measure(upper, &size, e);
	if (r < 0)
		return r;
	o->bytes = size.bytes;
	o->inodes = size.inodes;
	o->d = s->d;
	r = find_foreign(o, e);
	if (r < 0)
		return r;
	if (!cr_offer_has_images(o))
		return 0;
	o->criu_version = cr_kerndat_version(s->host, e);
	return o->criu_version < 0 ? o->criu_version : cr_cpu_flags(o->cpu, e);
}

/* Resident pages of one process; 0: it is gone. Shared ones are counted in each that shares them: it is a guess from above. */
static uint64_t resident(pid_t pid)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	unsigned long long pages = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (file_try_read_at(AT_FDCWD, path, 256, &text, &gone) < 0 ||
	    sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t anonymous(pid_t pid)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	unsigned long long kib = 0;
	char path[32];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_try_read_at(AT_FDCWD, path, 64 << 10, &text, &gone) < 0)
		return 0;
	at = strstr(text, "\nRssAnon:");
	return at && sscanf(at + 9, "%llu", &kib) == 1 ? kib * 1024 : 0;
}

int cr_offer_measure_memory(const struct ct_system *s, struct cr_offer *o, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	auto_free pid_t *pids = NULL;
	int n = ct_open(s->host->state, s->d.name, NULL, &ct, e);

	o->memory = o->apart = 0;
	/* What a migration to here has still under way would not be counted, and C, of A to B to C, would be asked for too little. */
	if (n >= 0)
		n = cr_pages_wait(ct.dir, CR_RESIDENT_MS, e);
	if (n >= 0)
		n = cg_open(ct.s.cgroup, &cg, e);
	if (n >= 0)
		n = cg_pids(&cg, &pids, e);
	for (int i = 0; i < n; i++) {
		o->memory += resident(pids[i]);
		o->apart += anonymous(pids[i]);
	}
	return n < 0 ? n : 0;
}

int cr_offer_to_json(const struct cr_offer *o, json_t **out, struct err *e)
{
	json_t *definition;
	int r = ct_definition_to_json(&o->d, &definition, e);

	if (r < 0)
		return r;
	*out = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:s, s:i, s:s, s:i, s:o}", "token",
			 o->token, "mode", cr_mode_to_str(o->mode), "was", cr_life_to_str(o->was),
			 "dry_run", o->dry_run, "memory", (json_int_t)o->memory, "bytes",
			 (json_int_t)o->bytes, "inodes", (json_int_t)o->inodes, "template_id",
			 o->template_id, "criu", o->criu_version, "cpu", o->cpu, "foreign",
			 (int)o->foreign, "definition", definition);
	return *out ? 0 : err_set(e, ENOMEM, "describe the container: out of memory");
}

int cr_offer_from_json(const json_t *j, struct cr_offer *o, struct err *e)
{
	const char *token = "", *mode = "", *was = "", *id = "", *cpu = "";
	int64_t memory = -1, bytes = -1, inodes = -1, criu = -1, foreign = 0;
	json_t *definition = NULL;

	*o = (struct cr_offer){0};
	if (json_get_str(j, "token", &token, e) < 0 || json_get_str(j, "mode", &mode, e) < 0 ||
	    json_get_str(j, "was", &was, e) < 0 || json_get_str(j, "template_id", &id, e) < 0 ||
	    json_get_bool(j, "dry_run", &o->dry_run, e) < 0 ||
	    json_get_int(j, "memory", &memory, e) < 0 || json_get_int(j, "bytes", &bytes, e) < 0 ||
	    json_get_int(j, "inodes", &inodes, e) < 0 || json_get_int(j, "criu", &criu, e) < 0 ||
	    json_get_str(j, "cpu", &cpu, e) < 0 || json_get_int(j, "foreign", &foreign, e) < 0 ||
	    json_get_object(j, "definition", &definition, e) < 0 ||
	    cr_mode_from_str(mode, &o->mode, e) < 0 || cr_life_from_str(was, &o->was, e) < 0)
		return -e->no;
	if (!cr_token_ok(token) || o->mode == CR_MODE_AUTO || o->mode == CR_MODE_LIVE ||
	    memory < 0 || bytes < 0 || inodes < 0 || criu < 0 || criu > INT32_MAX ||
	    strlen(id) >= sizeof(o->template_id) || strlen(cpu) >= sizeof(o->cpu) || !definition)
		return err_set(e, EPROTO, "the source offered something that is no container");
	memcpy(o->token, token, sizeof(o->token));
	snprintf(o->template_id, sizeof(o->template_id), "%s", id);
	snprintf(o->cpu, sizeof(o->cpu), "%s", cpu);
	o->memory = (uint64_t)memory;
	o->bytes = (uint64_t)bytes;
	o->inodes = (uint64_t)inodes;
	o->criu_version = (int)criu;
	o->foreign = (unsigned)foreign & ((1U << CT_NETS_MAX) - 1);
	return ct_definition_from_json(definition, &o->d, e);
}

static int check_template(const struct ct_host *h, const struct cr_offer *o, struct err *e)
{
	char id[ST_DIGEST_SIZE];
	int r = template_id(h, o->d.template, id, e);

	if (r < 0) {
		if (e->class == ERR_NO_TEMPLATE)
			err_hint(
				e,
				"bring it there: skepctl template export %s - | ssh HOST skepctl template import %s -",
				o->d.template, o->d.template);
		return r;
	}
	if (!strcmp(id, o->template_id))
		return 0;
	err_set(e, ESTALE, "template %s has another content here than on the source",
		o->d.template);
	err_hint(
		e,
		"remove that one there (skepctl template remove), and bring yours: skepctl template export %s - | ssh HOST skepctl template import %s -",
		o->d.template, o->d.template);
	return err_class(e, ERR_NO_TEMPLATE);
}

static int check_room(const struct ct_host *h, const struct cr_offer *o, struct err *e)
{
	char need[24], has[24];
	struct statvfs fs;
	uint64_t room;

	if (statvfs(h->root, &fs) < 0)
		return err_sys(e, "look for room in %s", h->root);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* A file system without a fixed number of inodes says 0. */
	if (o->bytes <= room && (!fs.f_files || o->inodes <= fs.f_favail))
		return 0;
	err_set(e, ENOSPC,
		"no room in %s: %s and %" PRIu64 " files are needed, %s and %" PRIu64 " are free",
		h->root, size_to_str(o->bytes, need, sizeof(need)), o->inodes,
		size_to_str(room, has, sizeof(has)), (uint64_t)fs.f_favail);
	return err_class(e, ERR_NO_SPACE);
}

static int check_criu(const struct ct_host *h, const struct cr_offer *o, struct err *e)
{
	int ours;

	if (!cr_offer_has_images(o))
		return 0;
	ours = cr_kerndat_version(h, e);
	if (ours < 0)
		return ours;
	if (ours >= o->criu_version)
		return 0;
	/* An older one may not know what a newer one writes. */
	err_set(e, EOPNOTSUPP, "criu is older here (%d.%d.%d) than on the source (%d.%d.%d)",
		ours / 10000, ours / 100 % 100, ours % 100, o->criu_version / 10000,
		o->criu_version / 100 % 100, o->criu_version % 100);
	err_hint(e, "update criu there, or migrate with --mode restart");
	return err_class(e, ERR_UNSUPPORTED);
}

static int check_cpu(const struct cr_offer *o, struct err *e)
{
	char ours[CR_CPU_FLAGS_SIZE], missing[128];
	size_t n;

	if (!cr_offer_has_images(o) || !o->cpu[0])
		return 0;
	if (cr_cpu_flags(ours, e) < 0)
		return -e->no;
	n = cr_cpu_missing(o->cpu, ours, missing, sizeof(missing));
	if (!n)
		return 0;
	err_set(e, EOPNOTSUPP, "the processor lacks what the container's programs may use: %s",
		missing);
	err_hint(e, "go to a host with the same or a newer one, or migrate with --mode restart");
	return err_class(e, ERR_UNSUPPORTED);
}

static int check_link(const struct net_if *n, const char *name, const char *what, struct err *e)
{
	struct net_link_info info;
	int r = find_link(name, &info, e);

	if (r)
		return r < 0 ? r : 0;
	err_set(e, ENODEV, "%s: there is no %s %s here", n->name, what, name);
	err_hint(e, "make it there, or change the container's network first: skepctl set");
	return err_class(e, ERR_NETWORK);
}

static int check_links(const struct cr_offer *o, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < o->d.net_count; i++) {
		const struct net_if *n = &o->d.nets[i];

		if (n->mode == NET_MODE_BRIDGE && (o->foreign >> i & 1))
			r = check_link(n, n->bridge, "bridge", e);
		else if (n->mode == NET_MODE_ROUTED && n->uplink[0])
			r = check_link(n, n->uplink, "uplink", e);
	}
	return r;
}

int cr_offer_check(const struct ct_host *h, const struct cr_offer *o, struct err *e)
{
	int r = check_template(h, o, e);

	if (r >= 0)
		r = check_room(h, o, e);
	if (r >= 0)
		r = check_links(o, e);
	if (r >= 0)
		r = check_criu(h, o, e);
	return r < 0 ? r : check_cpu(o, e);
}
