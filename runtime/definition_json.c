// SPDX-License-Identifier: GPL-2.0-only
/* A definition as JSON: one table of members, read by both directions. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/definition.h"
#include "runtime/definition_json.h"

/* Each kind has one case in get_member() and one in put_member(): a member cannot be written and not read. */
enum kind {
	STRING, /* char[width] */
	WORDS,	/* char[CT_WORDS_MAX][width], up to the first empty one */
	BOOL,
	INT,
	UINT, /* uint32_t or unsigned */
	U64,
	NETWORK,
	NETFILTER, /* full: not written, and a skep that does not know the member takes the container */
	LIMITS,
	NETS,
	MODE,
	MAC,  /* all zero: not written */
	ADDR, /* family 0: not written */
	ADDRS,
};

struct member {
	const char *key;
	enum kind kind;
	size_t offset, width;
};

#define D(key_, kind_, field)                                         \
	{                                                             \
		key_, kind_, offsetof(struct ct_definition, field), 0 \
	}
#define D_STRING(field)                                                \
	{                                                              \
#field, STRING, offsetof(struct ct_definition, field), \
			sizeof(((struct ct_definition *)0)->field)     \
	}
#define D_WORDS(field)                                                \
	{                                                             \
#field, WORDS, offsetof(struct ct_definition, field), \
			sizeof(((struct ct_definition *)0)->field[0]) \
	}

/* "version" stands before these. */
static const struct member definition_members[] = {
	D_STRING(name),
	D_STRING(uuid),
	D_STRING(template),
	D_STRING(description),
	D_STRING(hostname),
	D_WORDS(init),
	D_WORDS(env),
	D("id_base", UINT, id_base),
	D("limits", LIMITS, limits),
	D("network", NETWORK, network),
	D("nets", NETS, nets),
	D("disk_bytes", U64, disk_bytes),
	D("autostart", BOOL, autostart),
	D("order", INT, order),
	D("nesting", BOOL, nesting),
	D("netfilter", NETFILTER, netfilter),
	D_WORDS(cap_add),
	D_WORDS(cap_drop),
	D_STRING(stop_signal),
	D("stop_timeout_s", INT, stop_timeout_s),
	D_STRING(preset),
};

#define N(key_, kind_, field)                                  \
	{                                                      \
		key_, kind_, offsetof(struct net_if, field), 0 \
	}
#define N_STRING(field)                                         \
	{                                                       \
#field, STRING, offsetof(struct net_if, field), \
			sizeof(((struct net_if *)0)->field)     \
	}

static const struct member net_members[] = {
	N_STRING(name),
	N("mode", MODE, mode),
	N_STRING(bridge),
	N_STRING(uplink),
	N("mac", MAC, mac),
	N("mtu", UINT, mtu),
	N("addrs", ADDRS, addrs),
	N("gateway4", ADDR, gateway4),
	N("gateway6", ADDR, gateway6),
	N("rate_bits", U64, rate_bits),
	N("guard", BOOL, guard),
	N("isolated", BOOL, isolated),
};

static int get_members(const json_t *j, const struct member *table, size_t n, void *to,
		       struct err *e);
static int put_members(json_t *j, const struct member *table, size_t n, const void *from,
		       struct err *e);

int ct_member_bad(struct err *e, const char *key, const char *why)
{
	err_set(e, EINVAL, "\"%s\" %s", key, why);
	return err_class(e, ERR_CONFIG);
}

int ct_member_unknown(struct err *e, const char *key)
{
	ct_member_bad(e, key, "is not known here");
	return err_hint(e,
			"a newer skep may have written it: update the one that does not know it");
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* Takes value; NULL is a failure of jansson: no memory, or a string that is not UTF-8 (which ct_definition_check refuses before). */
int ct_member_put(json_t *j, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(j, key, value) < 0 ? no_memory(e) : 0;
}

int ct_member_append(json_t *a, json_t *value, struct err *e)
{
	return json_array_append_new(a, value) < 0 ? no_memory(e) : 0;
}

int ct_member_string(const json_t *j, const char *key, char *to, size_t size, struct err *e)
{
	const char *text = NULL;
	int r = json_get_str(j, key, &text, e);

	if (r <= 0)
		return r;
	if (strlen(text) >= size)
		return ct_member_bad(e, key, "is too long");
	memcpy(to, text, strlen(text) + 1);
	return 1;
}

int ct_member_number(const json_t *j, const char *key, int64_t least, int64_t most, int64_t *to,
		     struct err *e)
{
	int64_t v = 0;
	int r = json_get_int(j, key, &v, e);

	if (r <= 0)
		return r;
	if (v < least || v > most)
		return ct_member_bad(e, key, "is out of range");
	*to = v;
	return 1;
}

/* ---- from JSON ---- */

static int get_words(const json_t *j, const char *key, char *to, size_t width, struct err *e)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_get_array(j, key, &list, e) <= 0)
		return -e->no;
	if (json_array_size(list) > CT_WORDS_MAX)
		return ct_member_bad(e, key, "has more than 32 entries");
	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (!text || !text[0] || strlen(text) >= width)
			return ct_member_bad(e, key,
					     "has an entry that is no string, empty or too long");
		memcpy(to + i * width, text, strlen(text) + 1);
	}
	return 1;
}

static int get_addr(const json_t *value, const char *key, struct net_addr *to, struct err *e)
{
	const char *text = json_string_value(value);

	if (!text)
		return ct_member_bad(e, key, "must be an address as text");
	if (net_addr_parse(text, to, e) < 0) {
		e->class = ERR_CONFIG;
		return err_wrap(e, "\"%s\"", key);
	}
	return 1;
}

/* addrs[] and addr_count of the interface. */
static int get_addrs(const json_t *j, const char *key, struct net_if *ifc, struct err *e)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_get_array(j, key, &list, e) <= 0)
		return -e->no;
	if (json_array_size(list) > NET_ADDRS_MAX)
		return ct_member_bad(e, key, "has more than 8 entries");
	json_array_foreach (list, i, item)
		if (get_addr(item, key, &ifc->addrs[i], e) < 0)
			return -e->no;
	ifc->addr_count = json_array_size(list);
	return 1;
}

static int get_word(const json_t *j, const char *key, enum kind kind, void *to, struct err *e)
{
	const char *text = NULL;
	int r = json_get_str(j, key, &text, e);

	if (r <= 0)
		return r;
	if (kind == MODE)
		r = net_mode_parse(text, to, e);
	else if (kind == MAC)
		r = net_mac_parse(text, to, e);
	else if (kind == NETFILTER)
		r = ct_netfilter_parse(text, to, e);
	else if (!strcmp(text, "host"))
		*(enum ct_network *)to = CT_NETWORK_HOST;
	else if (!strcmp(text, "private"))
		*(enum ct_network *)to = CT_NETWORK_PRIVATE;
	else
		return ct_member_bad(e, key, "must be \"private\" or \"host\"");
	if (r < 0) {
		e->class = ERR_CONFIG;
		return err_wrap(e, "\"%s\"", key);
	}
	return 1;
}

static int get_nets(const json_t *j, const char *key, struct ct_definition *d, struct err *e)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_get_array(j, key, &list, e) <= 0)
		return -e->no;
	if (json_array_size(list) > CT_NETS_MAX)
		return ct_member_bad(e, key, "has more than 4 entries");
	json_array_foreach (list, i, item) {
		if (!json_is_object(item))
			return ct_member_bad(e, key, "has an entry that is no object");
		if (get_members(item, net_members, ARRAY_SIZE(net_members), &d->nets[i], e) < 0)
			return err_wrap(e, "\"%s\" entry %zu", key, i);
	}
	d->net_count = (unsigned)json_array_size(list);
	return 1;
}

/* base: the struct that the member is in. */
static int get_member(const json_t *j, const struct member *m, void *base, struct err *e)
{
	void *to = (char *)base + m->offset;
	int64_t n = 0;
	int r = 0;

	switch (m->kind) {
	case STRING:
		return ct_member_string(j, m->key, to, m->width, e);
	case WORDS:
		return get_words(j, m->key, to, m->width, e);
	case BOOL:
		return json_get_bool(j, m->key, to, e);
	case INT:
		r = ct_member_number(j, m->key, INT_MIN, INT_MAX, &n, e);
		if (r > 0)
			*(int *)to = (int)n;
		return r;
	case UINT:
		r = ct_member_number(j, m->key, 0, UINT32_MAX, &n, e);
		if (r > 0)
			*(uint32_t *)to = (uint32_t)n;
		return r;
	case U64:
		r = ct_member_number(j, m->key, 0, INT64_MAX, &n, e);
		if (r > 0)
			*(uint64_t *)to = (uint64_t)n;
		return r;
	case LIMITS:
		return ct_member_limits(j, m->key, to, e);
	case NETS:
		return get_nets(j, m->key, base, e);
	case NETWORK:
	case NETFILTER:
	case MODE:
	case MAC:
		return get_word(j, m->key, m->kind, to, e);
	case ADDR:
		return get_addr(json_object_get(j, m->key), m->key, to, e);
	case ADDRS:
		return get_addrs(j, m->key, base, e);
	}
	return ct_member_bad(e, m->key, "is of no kind");
}

/* Walks what is in the object, so that nothing in it goes unread. */
static int get_members(const json_t *j, const struct member *table, size_t n, void *to,
		       struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)j, key, value) {
		size_t i = 0;

		while (i < n && strcmp(key, table[i].key) != 0)
			i++;
		if (i == n && table == definition_members && !strcmp(key, "version"))
			continue;
		if (i == n)
			return ct_member_unknown(e, key);
		if (json_is_null(value))
			return ct_member_bad(e, key, "is null");
		if (get_member(j, &table[i], to, e) < 0)
			return -e->no;
	}
	return 0;
}

static int check_version(const json_t *j, struct err *e)
{
	int64_t version = 0;

	if (json_get_int(j, "version", &version, e) < 0)
		return -e->no;
	if (version == CT_DEFINITION_VERSION)
		return 0;
	if (version > CT_DEFINITION_VERSION) {
		err_set(e, EPROTO, "definition of version %" PRId64 ": this skep knows up to %d",
			version, CT_DEFINITION_VERSION);
		err_hint(e, "it was written by a newer skep: update this one");
	} else {
		err_set(e, EINVAL, "definition without a valid \"version\"");
	}
	return err_class(e, ERR_CONFIG);
}

int ct_definition_from_json(const json_t *j, struct ct_definition *d, struct err *e)
{
	struct ct_definition got;

	if (!json_is_object(j))
		return ct_member_bad(e, "definition", "must be an object");
	ct_definition_init(&got, "");
	got.uuid[0] = '\0';
	if (check_version(j, e) < 0 ||
	    get_members(j, definition_members, ARRAY_SIZE(definition_members), &got, e) < 0)
		return -e->no;
	if (ct_definition_check(&got, e) < 0 || ct_definition_check_complete(&got, e) < 0) {
		e->class = ERR_CONFIG;
		return -e->no;
	}
	*d = got;
	return 0;
}

/* ---- to JSON ---- */

static int put_words(json_t *j, const char *key, const char *from, size_t width, struct err *e)
{
	json_t *a = json_array();

	if (ct_member_put(j, key, a, e) < 0)
		return -e->no;
	for (size_t i = 0; i < CT_WORDS_MAX && from[i * width]; i++)
		if (ct_member_append(a, json_string(from + i * width), e) < 0)
			return -e->no;
	return 0;
}

static int put_addrs(json_t *j, const char *key, const struct net_if *ifc, struct err *e)
{
	char text[NET_ADDR_STR_MAX];
	json_t *a = json_array();

	if (ct_member_put(j, key, a, e) < 0)
		return -e->no;
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (ct_member_append(a, json_string(net_addr_to_str(&ifc->addrs[i], text)), e) < 0)
			return -e->no;
	return 0;
}

static int put_nets(json_t *j, const char *key, const struct ct_definition *d, struct err *e)
{
	json_t *a = json_array();

	if (ct_member_put(j, key, a, e) < 0)
		return -e->no;
	for (unsigned i = 0; i < d->net_count; i++) {
		json_t *o = json_object();

		if (ct_member_append(a, o, e) < 0 ||
		    put_members(o, net_members, ARRAY_SIZE(net_members), &d->nets[i], e) < 0)
			return -e->no;
	}
	return 0;
}

static int put_member(json_t *j, const struct member *m, const void *base, struct err *e)
{
	const void *from = (const char *)base + m->offset;
	char text[NET_ADDR_STR_MAX];

	switch (m->kind) {
	case STRING:
		return ct_member_put(j, m->key, json_string(from), e);
	case WORDS:
		return put_words(j, m->key, from, m->width, e);
	case BOOL:
		return ct_member_put(j, m->key, json_boolean(*(const bool *)from), e);
	case INT:
		return ct_member_put(j, m->key, json_integer(*(const int *)from), e);
	case UINT:
		return ct_member_put(j, m->key, json_integer(*(const uint32_t *)from), e);
	case U64:
		return ct_member_put(j, m->key, json_integer((json_int_t) * (const uint64_t *)from),
				     e);
	case NETWORK:
		return ct_member_put(j, m->key,
				     json_string(*(const enum ct_network *)from == CT_NETWORK_HOST
							 ? "host"
							 : "private"),
				     e);
	case NETFILTER:
		return *(const enum ct_netfilter *)from == CT_NETFILTER_FULL
			       ? 0
			       : ct_member_put(j, m->key,
					       json_string(ct_netfilter_to_str(
						       *(const enum ct_netfilter *)from)),
					       e);
	case LIMITS:
		return ct_member_put_limits(j, m->key, from, e);
	case NETS:
		return put_nets(j, m->key, base, e);
	case MODE:
		return ct_member_put(j, m->key,
				     json_string(net_mode_to_str(*(const enum net_mode *)from)), e);
	case MAC:
		return net_mac_is_zero(from)
			       ? 0
			       : ct_member_put(j, m->key, json_string(net_mac_to_str(from, text)),
					       e);
	case ADDR:
		return ((const struct net_addr *)from)->family
			       ? ct_member_put(j, m->key, json_string(net_addr_to_str(from, text)),
					       e)
			       : 0;
	case ADDRS:
		return put_addrs(j, m->key, base, e);
	}
	return 0;
}

static int put_members(json_t *j, const struct member *table, size_t n, const void *from,
		       struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (put_member(j, &table[i], from, e) < 0)
			return err_wrap(e, "write \"%s\"", table[i].key);
	return 0;
}

int ct_definition_to_json(const struct ct_definition *d, json_t **out, struct err *e)
{
	auto_json json_t *j = json_object();

	if (ct_definition_check(d, e) < 0 || ct_definition_check_complete(d, e) < 0)
		return -e->no;
	if (ct_member_put(j, "version", json_integer(CT_DEFINITION_VERSION), e) < 0 ||
	    put_members(j, definition_members, ARRAY_SIZE(definition_members), d, e) < 0)
		return -e->no;
	*out = take_ptr(&j);
	return 0;
}
