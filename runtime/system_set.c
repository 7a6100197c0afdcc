// SPDX-License-Identifier: GPL-2.0-only
/* Changing a system container: judged, applied where it runs, saved; or nothing of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/live.h"
#include "runtime/reservation.h"
#include "runtime/state.h"
#include "runtime/system.h"
#include "runtime/system_doubt.h"
#include "storage/disk.h"

/* What a set is about to tell the kernel: of one that died in between, the next one takes it back first. */
#define SETTING_FILE "definition.setting"

static int never(const char *what, struct err *e)
{
	err_set(e, EINVAL, "its %s cannot be changed", what);
	err_hint(e, "make another container, and destroy this one");
	return err_class(e, ERR_VALUE);
}

/* What the files on disk depend on. */
static int refuse_always(const struct ct_definition *old, const struct ct_definition *new,
			 struct err *e)
{
	if (strcmp(old->name, new->name) != 0)
		return never("name", e);
	if (strcmp(old->uuid, new->uuid) != 0)
		return never("uuid", e);
	if (strcmp(old->template, new->template) != 0)
		return never("template", e);
	if (old->id_base != new->id_base)
		return never("id range", e);
	if (!old->disk_bytes != !new->disk_bytes) {
		err_set(e, EINVAL,
			old->disk_bytes
				? "its disk image cannot become a directory"
				: "its files are in a directory, which cannot become a disk image");
		err_hint(e, "that is chosen when it is made: skepctl create --disk");
		return err_class(e, ERR_VALUE);
	}
	return 0;
}

static int stop_first(const char *what, const struct ct_definition *old, bool suspended,
		      struct err *e)
{
	err_set(e, EBUSY, "its %s cannot change while it %s", what,
		suspended ? "is suspended" : "runs");
	err_hint(e,
		 suspended ? "resume it, or drop its memory: skepctl stop %s"
			   : "stop it first: skepctl stop %s",
		 old->name);
	return err_class(e, ERR_RUNNING);
}

/* All of an interface but addresses, gateways and rate. */
static bool same_interface(const struct net_if *a, const struct net_if *b)
{
	return !strcmp(a->name, b->name) && a->mode == b->mode && !strcmp(a->bridge, b->bridge) &&
	       !strcmp(a->uplink, b->uplink) && !memcmp(a->mac, b->mac, 6) && a->mtu == b->mtu &&
	       a->guard == b->guard && a->isolated == b->isolated;
}

static bool same_addresses(const struct net_if *a, const struct net_if *b)
{
	if (a->addr_count != b->addr_count || a->gateway4.family != b->gateway4.family ||
	    a->gateway6.family != b->gateway6.family)
		return false;
	for (size_t i = 0; i < a->addr_count; i++)
		if (!net_addr_same(&a->addrs[i], &b->addrs[i]) ||
		    a->addrs[i].prefix != b->addrs[i].prefix)
			return false;
	return (!a->gateway4.family || net_addr_same(&a->gateway4, &b->gateway4)) &&
	       (!a->gateway6.family || net_addr_same(&a->gateway6, &b->gateway6));
}

static int refuse_while_it_lives(const struct ct_definition *old, const struct ct_definition *new,
				 bool suspended, struct err *e)
{
	if (old->disk_bytes != new->disk_bytes)
		return stop_first("disk", old, suspended, e);
	if (old->network != new->network || old->net_count != new->net_count)
		return stop_first("network", old, suspended, e);
	for (unsigned i = 0; i < old->net_count; i++) {
		if (!same_interface(&old->nets[i], &new->nets[i]))
			return stop_first("network interfaces", old, suspended, e);
		/* Its sockets are bound to them. */
		if (suspended && !same_addresses(&old->nets[i], &new->nets[i]))
			return stop_first("addresses", old, suspended, e);
	}
	return 0;
}

static bool same_words(const char *a, const char *b, size_t width)
{
	for (size_t i = 0; i < CT_WORDS_MAX; i++)
		if (strcmp(a + i * width, b + i * width) != 0)
			return false;
	return true;
}

#define SAME_TEXT(field)  (strcmp(old->field, new->field) == 0)
#define SAME_WORDS(field) same_words(old->field[0], new->field[0], sizeof(old->field[0]))

void ct_system_waits(const struct ct_definition *old, const struct ct_definition *new, char *names,
		     size_t size)
{
	const struct {
		const char *name;
		bool same;
	} fields[] = {
		{"hostname", SAME_TEXT(hostname)},
		{"init", SAME_WORDS(init)},
		{"env", SAME_WORDS(env)},
		{"cap-add", SAME_WORDS(cap_add)},
		{"cap-drop", SAME_WORDS(cap_drop)},
		{"nesting", old->nesting == new->nesting},
		{"netfilter", old->netfilter == new->netfilter},
		{"stop-signal", SAME_TEXT(stop_signal)},
		{"preset", SAME_TEXT(preset)},
		/* It cannot be left empty: there is no "all" to write. */
		{"cpuset", (!old->limits.cpus[0] || new->limits.cpus[0]) &&
				   (!old->limits.mems[0] || new->limits.mems[0])},
	};
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(fields) && used < size; i++)
		if (!fields[i].same)
			used += (size_t)snprintf(names + used, size - used, "%s%s",
						 used ? ", " : "", fields[i].name);
}

static bool is_new(const struct ct_definition *old, const struct net_addr *a)
{
	for (unsigned i = 0; i < old->net_count; i++)
		for (size_t k = 0; k < old->nets[i].addr_count; k++)
			if (net_addr_same(&old->nets[i].addrs[k], a))
				return false;
	return true;
}

/* Fills what is to be picked, and asks who has the new addresses. The caller has the host lock until the definition is saved. */
static int reserve(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	if (ct_reserve(s->host, &s->d, CT_RESERVE_CREATE, NULL, 0, e) < 0)
		return -e->no;
	for (unsigned i = 0; i < s->d.net_count; i++)
		for (size_t k = 0; k < s->d.nets[i].addr_count; k++) {
			const struct net_addr *a = &s->d.nets[i].addrs[k];
			int r = is_new(old, a) ? ct_addr_busy(&s->d.nets[i], a, e) : 0;

			if (r < 0)
				return r;
			if (r > 0)
				return ct_addr_refuse(&s->d.nets[i], a, r, e);
		}
	return 0;
}

static int save(struct ct_system *s, struct err *e)
{
	if (fault_at("set.save", e) < 0)
		return -e->no;
	return ct_definition_save(s->dir, &s->d, e);
}

/* Only against a kill: after a reboot nothing runs. */
static int note_setting(struct ct_system *s, struct err *e)
{
	auto_json json_t *j = NULL;
	auto_free char *text = NULL;

	if (ct_definition_to_json(&s->d, &j, e) < 0)
		return -e->no;
	text = json_dumps(j, JSON_COMPACT);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	return file_replace_volatile_at(s->dir, SETTING_FILE, text, strlen(text), 0600, e);
}

static void forget_setting(struct ct_system *s)
{
	if (unlinkat(s->dir, SETTING_FILE, 0) < 0 && errno != ENOENT)
		log_warn("container %s: remove %s: %s", s->d.name, SETTING_FILE, strerror(errno));
}

/* Nothing runs: the files are all there is. A disk that has grown and is not on record is larger than promised, which harms nobody. */
static int set_stopped(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	if (s->d.disk_bytes != old->disk_bytes &&
	    st_disk_grow(s->dir, "disk.img", -EBADF, s->d.disk_bytes, e) < 0)
		return -e->no;
	return save(s, e);
}

/* The first cause is in the caller's err; what cannot be put back is a notice. */
static void put_back(struct ct *ct, const struct ct_definition *from,
		     const struct ct_definition *old)
{
	struct err why = {0};

	if (ct_live_network(ct, from, old, &why) < 0)
		log_warn("container %s: put the network back: %s", old->name, why.text);
	err_clear(&why);
	if (ct_live_limits(ct, &from->limits, &old->limits, true, &why) < 0)
		log_warn("container %s: put the limits back: %s", old->name, why.text);
}

/* A set that died after it told the kernel, and before it saved. */
static void take_back_interrupted(struct ct_system *s, struct ct *ct,
				  const struct ct_definition *old)
{
	struct ct_definition interrupted;
	struct err quiet = {0};

	if (ct_definition_load_as(s->dir, SETTING_FILE, &interrupted, &quiet) < 0 ||
	    refuse_while_it_lives(old, &interrupted, false, &quiet) < 0)
		return;
	log_info("container %s: an earlier set died on the way: taken back", old->name);
	put_back(ct, &interrupted, old);
}

static int set_running(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	char waits[128];
	int r = ct_open(s->host->state, s->d.name, "set", &ct, e);

	if (r >= 0)
		r = ct_may(&ct, CT_EVENT_UPDATE, NULL, e);
	if (r < 0)
		return r;
	take_back_interrupted(s, &ct, old);
	r = note_setting(s, e);
	if (r >= 0)
		r = fault_at("set.limits", e);
	if (r >= 0)
		r = ct_live_limits(&ct, &old->limits, &s->d.limits, s->host->best_effort, e);
	if (r >= 0)
		r = fault_at("set.network", e);
	if (r >= 0)
		r = ct_live_network(&ct, old, &s->d, e);
	if (r >= 0)
		r = save(s, e);
	if (r < 0)
		put_back(&ct, &s->d, old);
	forget_setting(s);
	if (r < 0)
		return r;
	ct_system_waits(old, &s->d, waits, sizeof(waits));
	return waits[0] != '\0';
}

static int judge(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	struct cg_limits diff;

	if (ct_definition_check(&s->d, e) < 0 || refuse_always(old, &s->d, e) < 0)
		return -e->no;
	/* What it was given by --best-effort before is not this command's matter. */
	ct_live_limits_diff(&old->limits, &s->d.limits, &diff);
	return s->host->best_effort ? 0 : cg_limits_check(&diff, e);
}

static int set(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	auto_fd int lock = -EBADF;
	enum ct_system_status status;

	if (judge(s, old, e) < 0 || ct_system_status(s, &status, e) < 0)
		return -e->no;
	lock = ct_host_lock(s->host, "set", e);
	if (lock < 0 || reserve(s, old, e) < 0)
		return -e->no;
	switch (status) {
	case CT_SYSTEM_STOPPED:
		return set_stopped(s, old, e);
	case CT_SYSTEM_SUSPENDED:
		if (refuse_while_it_lives(old, &s->d, true, e) < 0)
			return -e->no;
		return save(s, e) < 0 ? -e->no : 1;
	case CT_SYSTEM_STARTING:
	case CT_SYSTEM_RUNNING:
	case CT_SYSTEM_PAUSED:
		if (refuse_while_it_lives(old, &s->d, false, e) < 0)
			return -e->no;
		return set_running(s, old, e);
	case CT_SYSTEM_MIGRATING:
	case CT_SYSTEM_MOVED:
		return ct_dir_in_doubt(s->dir, s->d.name, e);
	case CT_SYSTEM_BROKEN:
		break;
	}
	return err_set(e, EINVAL, "its definition cannot be read");
}

int ct_system_set(struct ct_system *s, const struct ct_definition *old, struct err *e)
{
	int r = set(s, old, e);

	return r < 0 ? err_wrap(e, "set container %s", old->name) : r;
}
