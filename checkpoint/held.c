// SPDX-License-Identifier: GPL-2.0-only
/* Frames that arrived for a container while it was on the move, between the two hosts of a migration. */
#include "checkpoint/held.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/protocol.h"
#include "runtime/network.h"

void cr_held_open(const struct ct_system *s, struct net_hold *hold)
{
	struct err why = {0};

	*hold = (struct net_hold)NET_HOLD_INIT;
	if (s->d.network != CT_NETWORK_PRIVATE || s->d.net_count == 0)
		return;
	if (net_hold_open(hold, s->d.name, &why) < 0)
		log_info("what arrives for %s meanwhile will be lost: %s", s->d.name, why.text);
}

int cr_held_send(struct cr_link *l, struct net_hold *hold, struct err *e)
{
	struct net_hold_stats stats = {0};
	struct err why = {0};
	auto_fd int batch = net_hold_take(hold, &stats, &why);
	off_t bytes = batch < 0 ? 0 : lseek(batch, 0, SEEK_END);
	auto_json json_t *j = NULL;
	int r;

	if (batch < 0 || bytes < 0) {
		log_info("%s", why.no ? why.text : strerror(errno));
		bytes = 0;
	}
	log_debug("%u frames held, %llu bytes, %u not", stats.frames,
		  (unsigned long long)stats.bytes, stats.refused);
	j = json_pack("{s:I}", "bytes", (json_int_t)bytes);
	if (!j)
		return err_set(e, ENOMEM, "send the held frames: out of memory");
	r = cr_link_send(l, CR_FRAME_HELD, j, e);
	return r < 0 || bytes == 0 ? r : cr_link_send_file(l, batch, (uint64_t)bytes, e);
}

int cr_held_receive(struct cr_link *l, int ms, struct err *e)
{
	auto_fd int batch = memfd_create("skep-held", MFD_CLOEXEC);
	auto_json json_t *j = NULL;
	int64_t bytes = 0;
	int r;

	if (batch < 0)
		return err_sys(e, "receive the held frames");
	r = cr_link_expect(l, CR_FRAME_HELD, &j, ms, e);
	if (r >= 0)
		r = json_get_int(j, "bytes", &bytes, e);
	if (r < 0)
		return r;
	if (bytes < 0 || bytes > NET_HOLD_BYTES_MAX)
		return err_set(e, EPROTO, "%s sends %lld bytes of held frames", l->peer,
			       (long long)bytes);
	r = cr_link_receive_file(l, batch, (uint64_t)bytes, e);
	return r < 0 ? r : take_fd(&batch);
}

void cr_held_give(int sock, const struct net_if *nets, unsigned count, int batch)
{
	struct net_hold_stats stats = {0};
	struct err why = {0};

	if (sock < 0 || batch < 0)
		return;
	if (net_hold_replay(sock, nets, count, batch, &stats, &why) < 0)
		log_info("held frames: %s", why.text);
	log_debug("%u held frames given, %u refused", stats.frames, stats.refused);
}

static void give_by_names(int sock, const struct ct_system *s, const struct ct *ct, int batch)
{
	char names[CT_NETS_MAX][IFNAMSIZ];
	struct net_if nets[CT_NETS_MAX];
	struct err why = {0};
	int n = ct_network_links(ct, names, &why);

	if (n < 0)
		log_info("held frames: %s", why.text);
	for (int i = 0; i < n && i < (int)s->d.net_count; i++) {
		nets[i] = s->d.nets[i];
		memcpy(nets[i].host_name, names[i], IFNAMSIZ);
	}
	if (n > 0)
		cr_held_give(sock, nets,
			     (unsigned)n < s->d.net_count ? (unsigned)n : s->d.net_count, batch);
}

void cr_held_give_running(int sock, const struct ct_system *s, int batch)
{
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};

	if (sock < 0 || batch < 0 || lseek(batch, 0, SEEK_END) <= 0)
		return;
	if (ct_open(s->host->state, s->d.name, NULL, &ct, &why) < 0)
		log_info("held frames: %s", why.text);
	else
		give_by_names(sock, s, &ct, batch);
}

void cr_held_return(const struct ct_system *s, const struct ct *ct, struct net_hold *hold)
{
	struct net_hold_stats stats = {0};
	struct err why = {0};
	auto_fd int batch = -EBADF;
	auto_fd int sock = -EBADF;

	if (!hold || hold->fd < 0)
		return;
	batch = net_hold_take(hold, &stats, &why);
	if (batch < 0)
		log_info("held frames: %s", why.text);
	if (stats.frames == 0)
		return;
	sock = net_hold_socket(&why);
	if (sock < 0)
		log_info("held frames: %s", why.text);
	give_by_names(sock, s, ct, batch);
}
