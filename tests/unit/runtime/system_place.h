/* SPDX-License-Identifier: GPL-2.0-only */
/* A host with a template, in a network of its own, and definitions for containers on it. */
#pragma once

#include "tests/unit/runtime/place.h"

#include <sched.h>

#include "runtime/system.h"
#include "storage/template.h"

/* A network without anybody in it, so that the host's own links and addresses play no part. */
PLACE_UNUSED static int own_network(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

PLACE_UNUSED static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A host with a template "t". */
PLACE_UNUSED static struct ct_host host_of(struct place *p)
{
	char root[256], state[256], conf[256];
	struct st_template_build b;
	struct st_template info = {0};
	struct ct_host h = {0};
	auto_fd int templates = -EBADF;

	place_path(p, "root", root);
	place_path(p, "run", state);
	place_path(p, "conf", conf);
	write_file(conf, "{\"pool4\": \"10.209.0.0/24\", \"pool6\": \"fd00:5ce9::/64\"}");
	setenv(CT_CONF_ENV, conf, 1);
	ok(ct_host_init(&h, root, state, &e));
	templates = ok(ct_host_templates(&h, &e));
	ok(st_template_begin(templates, "t", &b, &e));
	ok(st_template_commit(&b, &info, &e));
	st_template_abandon(&b);
	return h;
}

PLACE_UNUSED static struct ct_definition definition(const char *name)
{
	struct ct_definition d;

	ct_definition_init(&d, name);
	snprintf(d.template, sizeof(d.template), "t");
	return d;
}

PLACE_UNUSED static struct net_if *add_interface(struct ct_definition *d, const char *addr)
{
	struct net_if *ifc = &d->nets[d->net_count++];

	snprintf(ifc->name, sizeof(ifc->name), "eth%u", d->net_count - 1);
	if (addr)
		ok(net_addr_parse(addr, &ifc->addrs[ifc->addr_count++], &e));
	return ifc;
}

/* What is in ROOT/ct. */
PLACE_UNUSED static int directories(const struct ct_host *h)
{
	struct place ct;

	snprintf(ct.state, sizeof(ct.state), "%.60s/ct", h->root);
	return place_count(&ct);
}
