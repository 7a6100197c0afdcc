// SPDX-License-Identifier: GPL-2.0-only
/* Capability sets through libcap. */
#include "ns/caps.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/self.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* What reaches beyond a container even from inside its user namespace, or has no meaning there.
 * SYS_BOOT stays: reboot(2) in a pid namespace ends just its init. */
static const int beyond[] = {
	CAP_SYS_MODULE, CAP_SYS_RAWIO,	  CAP_SYS_TIME,	     CAP_SYSLOG,
	CAP_MAC_ADMIN,	CAP_MAC_OVERRIDE, CAP_AUDIT_CONTROL, CAP_BPF,
	CAP_PERFMON,	CAP_WAKE_ALARM,	  CAP_BLOCK_SUSPEND,
};

static const int podman[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE,	   CAP_FOWNER,	   CAP_FSETID,
	CAP_KILL,    CAP_NET_BIND_SERVICE, CAP_SETFCAP,	   CAP_SETGID,
	CAP_SETPCAP, CAP_SETUID,	   CAP_SYS_CHROOT,
};

uint64_t ns_caps_all(void)
{
	int n = cap_max_bits();

	return n >= 64 ? UINT64_MAX : BIT(n) - 1;
}

int ns_caps_from_str(const char *name, int *cap, struct err *e)
{
	char full[64];
	cap_value_t v;
	const char *bare = strncasecmp(name, "cap_", 4) ? name : name + 4;
	int len = snprintf(full, sizeof(full), "cap_%s", bare);

	/* libcap takes numbers and prefixes of longer texts, too: only whole words are a name here.
	 */
	for (const char *p = bare; *p; p++)
		if (!isalpha((unsigned char)*p) && *p != '_')
			len = -1;
	if (*bare && len > 0 && len < (int)sizeof(full)) {
		for (char *p = full; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		if (cap_from_name(full, &v) == 0 && v < cap_max_bits()) {
			*cap = v;
			return 0;
		}
	}
	err_set(e, EINVAL, "unknown capability '%.60s'", name);
	return err_class(e, ERR_CONFIG);
}

const char *ns_caps_to_str(int cap, char *buf, size_t len)
{
	char *name = cap_to_name(cap);

	snprintf(buf, len, "%s", name ? name : "?");
	if (name)
		cap_free(name);
	for (char *p = buf; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return buf;
}

void ns_caps_system(struct ns_caps *caps)
{
	uint64_t set = ns_caps_all();

	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		set &= ~BIT(beyond[i]);
	*caps = (struct ns_caps){.bounding = set, .effective = set, .permitted = set};
}

void ns_caps_oci(struct ns_caps *caps)
{
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(podman); i++)
		set |= BIT(podman[i]);
	*caps = (struct ns_caps){.bounding = set, .effective = set, .permitted = set};
}

int ns_caps_check(const struct ns_caps *caps, struct err *e)
{
	if (caps->effective & ~caps->permitted)
		err_set(e, EINVAL, "effective capabilities must be within the permitted ones");
	else if (caps->ambient & ~(caps->permitted & caps->inheritable))
		err_set(e, EINVAL, "ambient capabilities must be permitted and inheritable");
	else
		return 0;
	return err_class(e, ERR_CONFIG);
}

static int drop_bounding(uint64_t keep, struct err *e)
{
	for (int cap = 0; cap < cap_max_bits(); cap++) {
		if (keep & BIT(cap) || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* Who may not drop any (EPERM) is content where there is nothing to be dropped. */
		if (errno == EINVAL || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue;
		errno = EPERM;
		return err_sys(e, "drop capability %d from the bounding set", cap);
	}
	return 0;
}

/* With the right to set groups, EPERM says that the user namespace denies it, as one must that was made without that right (user_namespaces(7)): there nobody gets rid of a group. */
static bool groups_are_denied(void)
{
	cap_t mine = cap_get_proc();
	cap_flag_value_t may = CAP_CLEAR;

	if (mine)
		cap_get_flag(mine, CAP_SETGID, CAP_EFFECTIVE, &may);
	cap_free(mine);
	return may == CAP_SET;
}

static int change_ids(uid_t uid, gid_t gid, const gid_t *gids, int n_gids, struct err *e)
{
	if (n_gids >= 0 && setgroups((size_t)n_gids, gids) < 0 &&
	    !(errno == EPERM && n_gids == 0 && groups_are_denied())) {
		err_sys(e, "set %d supplementary groups", n_gids);
		return err_hint(e, "each group id must be mapped in the user namespace");
	}
	if (setresgid(gid, gid, gid) < 0) {
		err_sys(e, "become group %u", gid);
		return err_hint(e, "group ids must be mapped in the user namespace");
	}
	if (setresuid(uid, uid, uid) < 0) {
		err_sys(e, "become user %u", uid);
		return err_hint(e, "user ids must be mapped in the user namespace");
	}
	/* Until execve decides anew, whatever fs.suid_dumpable says (CVE-2016-9962). */
	return ns_self_undumpable(e);
}

static int fill(cap_t c, cap_flag_t flag, uint64_t set)
{
	for (int cap = 0; cap < cap_max_bits(); cap++) {
		cap_value_t v = cap;

		if (set & BIT(cap) && cap_set_flag(c, flag, 1, &v, CAP_SET) < 0)
			return -1;
	}
	return 0;
}

/* The permitted set we have now. */
static int permitted_now(uint64_t *set, struct err *e)
{
	cap_t c = cap_get_proc();

	*set = 0;
	if (!c)
		return err_sys(e, "read our capabilities");
	for (int cap = 0; cap < cap_max_bits(); cap++) {
		cap_flag_value_t on = CAP_CLEAR;

		if (cap_get_flag(c, cap, CAP_PERMITTED, &on) == 0 && on == CAP_SET)
			*set |= BIT(cap);
	}
	cap_free(c);
	return 0;
}

static int set_three(const struct ns_caps *caps, uint64_t have, struct err *e)
{
	cap_t c = cap_init();
	int r = 0;

	if (!c)
		return err_set(e, ENOMEM, "out of memory for capabilities");
	if (fill(c, CAP_PERMITTED, caps->permitted & have) < 0 ||
	    fill(c, CAP_EFFECTIVE, caps->effective & have) < 0 ||
	    fill(c, CAP_INHERITABLE, caps->inheritable & have) < 0 || cap_set_proc(c) < 0)
		r = err_sys(e, "set capabilities");
	cap_free(c);
	return r;
}

int ns_caps_apply(const struct ns_caps *caps, uid_t uid, gid_t gid, const gid_t *gids, int n_gids,
		  struct err *e)
{
	uint64_t have, ambient;
	int r = ns_caps_check(caps, e);

	if (r >= 0)
		r = permitted_now(&have, e);
	if (r < 0)
		return r;
	if (caps->permitted & ~have)
		log_info("capabilities 0x%llx are not ours to give; left out",
			 (unsigned long long)(caps->permitted & ~have));
	/* While we still have CAP_SETPCAP. */
	r = drop_bounding(caps->bounding, e);
	if (r < 0)
		return r;
	/* Else the kernel empties the permitted set when the uid leaves 0 (capabilities(7)). */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, "keep capabilities over the change of user");
	r = change_ids(uid, gid, gids, n_gids, e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return err_sys(e, "end keeping capabilities");
	r = set_three(caps, have, e);
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(e, "clear ambient capabilities");
	ambient = caps->ambient & have;
	for (int cap = 0; cap < cap_max_bits(); cap++)
		if (ambient & BIT(cap) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(e, "raise ambient capability %d", cap);
	return 0;
}
