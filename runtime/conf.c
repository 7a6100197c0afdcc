// SPDX-License-Identifier: GPL-2.0-only
/* skep.conf: one function a member, and no member that is not known. */
#include "runtime/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/path.h"
#include "net/pool.h"
#include "runtime/state.h"
#include "runtime/system.h"

void ct_conf_init(struct ct_conf *c)
{
	struct err never = {0};

	memset(c, 0, sizeof(*c));
	snprintf(c->root, sizeof(c->root), CT_ROOT_DIR);
	snprintf(c->state, sizeof(c->state), CT_STATE_DIR);
	snprintf(c->bridge, sizeof(c->bridge), NET_DEFAULT_BRIDGE);
	net_addr_parse(NET_POOL_DEFAULT4, &c->pool4, &never);
	c->nat = true;
}

static int bad(struct err *e, const char *key, const char *why)
{
	err_set(e, EINVAL, "\"%s\" %s", key, why);
	return err_class(e, ERR_CONFIG);
}

/* The text of a member; NULL with e filled if it is no string, or too long for size. */
static const char *text_of(const char *key, const json_t *v, size_t size, struct err *e)
{
	const char *text = json_string_value(v);

	if (!text)
		bad(e, key, "must be a string");
	else if (strlen(text) >= size)
		bad(e, key, "is too long");
	else
		return text;
	return NULL;
}

static int get_path(const char *key, const json_t *v, char *out, size_t size, struct err *e)
{
	const char *text = text_of(key, v, size, e);

	if (!text)
		return -e->no;
	if (text[0] != '/')
		return bad(e, key, "must be an absolute path");
	snprintf(out, size, "%s", text);
	return 0;
}

static int get_root(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_path(key, v, c->root, sizeof(c->root), e);
}

static int get_state(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_path(key, v, c->state, sizeof(c->state), e);
}

static int get_link(const char *key, const json_t *v, char out[IFNAMSIZ], struct err *e)
{
	const char *text = text_of(key, v, IFNAMSIZ, e);

	if (!text)
		return -e->no;
	if (!net_link_name_ok(text))
		return bad(e, key, "is not the name of a link");
	snprintf(out, IFNAMSIZ, "%s", text);
	return 0;
}

static int get_bridge(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_link(key, v, c->bridge, e);
}

static int get_uplink(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_link(key, v, c->uplink, e);
}

static int get_addr(const char *key, const json_t *v, struct net_addr *out, struct err *e)
{
	const char *text = text_of(key, v, NET_ADDR_STR_MAX, e);

	if (!text)
		return -e->no;
	if (net_addr_parse(text, out, e) == 0)
		return 0;
	e->class = ERR_CONFIG;
	return err_wrap(e, "\"%s\"", key);
}

/* A subnet with room for a gateway and a container. null or "none": no pool of this family. */
static int get_pool(const char *key, const json_t *v, uint8_t family, struct net_addr *out,
		    struct err *e)
{
	unsigned most = family == AF_INET ? 30 : 126;
	struct net_addr pool = {0}, network;

	if (json_is_null(v) || (json_is_string(v) && !strcmp(json_string_value(v), "none"))) {
		memset(out, 0, sizeof(*out));
		return 0;
	}
	if (get_addr(key, v, &pool, e) < 0)
		return -e->no;
	if (pool.family != family)
		return bad(e, key, family == AF_INET ? "must be of IPv4" : "must be of IPv6");
	if (pool.prefix < 8 || pool.prefix > most)
		return bad(e, key, "must be a subnet with room, as in 10.209.0.0/16");
	network = net_addr_network(&pool);
	if (memcmp(network.bytes, pool.bytes, sizeof(pool.bytes)) != 0)
		return bad(e, key, "has bits set behind its prefix");
	*out = pool;
	return 0;
}

static int get_pool4(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_pool(key, v, AF_INET, &c->pool4, e);
}

static int get_pool6(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	return get_pool(key, v, AF_INET6, &c->pool6, e);
}

static int get_nat(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	if (!json_is_boolean(v))
		return bad(e, key, "must be true or false");
	c->nat = json_is_true(v);
	return 0;
}

static int get_dns(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v) || json_array_size(v) > CT_DNS_MAX)
		return bad(e, key, "must be a list of at most 3 addresses");
	memset(c->dns, 0, sizeof(c->dns));
	json_array_foreach (v, i, item)
		if (get_addr(key, item, &c->dns[i], e) < 0)
			return -e->no;
	return 0;
}

/* It becomes a line of resolv.conf. */
static int get_search(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	const char *text = text_of(key, v, sizeof(c->search), e);

	if (!text)
		return -e->no;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return bad(e, key, "has a character that no domain has");
	snprintf(c->search, sizeof(c->search), "%s", text);
	return 0;
}

static int get_template(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	const char *text = text_of(key, v, sizeof(c->template), e);

	if (!text)
		return -e->no;
	if (!path_name_ok(text))
		return bad(e, key, "is not a name that a template can have");
	snprintf(c->template, sizeof(c->template), "%s", text);
	return 0;
}

static const struct {
	const char *key;
	int (*get)(const char *key, const json_t *v, struct ct_conf *c, struct err *e);
} members[] = {
	{"root", get_root},	    {"state", get_state}, {"bridge", get_bridge},
	{"pool4", get_pool4},	    {"pool6", get_pool6}, {"nat", get_nat},
	{"uplink", get_uplink},	    {"dns", get_dns},	  {"search", get_search},
	{"template", get_template},
};

static int get_member(const char *key, const json_t *v, struct ct_conf *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!strcmp(key, members[i].key))
			return members[i].get(key, v, c, e);
	err_set(e, EINVAL, "\"%.64s\" is not known here", key);
	err_hint(e, "known: root state bridge pool4 pool6 nat uplink dns search template");
	return err_class(e, ERR_CONFIG);
}

int ct_conf_load_file(const char *path, struct ct_conf *c, struct err *e)
{
	auto_json json_t *j = NULL;
	const char *key;
	json_t *v;

	ct_conf_init(c);
	if (json_load_at(AT_FDCWD, path, &j, e) < 0)
		return err_class(e, ERR_CONFIG);
	json_object_foreach (j, key, v)
		if (get_member(key, v, c, e) < 0)
			return err_wrap(e, "%s", path);
	return 0;
}

int ct_conf_load(struct ct_conf *c, struct err *e)
{
	const char *other = getenv(CT_CONF_ENV);
	bool named = other && other[0];
	int r;

	r = ct_conf_load_file(named ? other : CT_CONF_FILE, c, e);
	if (r == -ENOENT && !named) {
		err_clear(e);
		return 0;
	}
	return r;
}
