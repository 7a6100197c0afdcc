/* SPDX-License-Identifier: GPL-2.0-only */
/* Raw ARP and IPv6 neighbour discovery frames, and the socket they go through. */
#pragma once

#include "net/iface.h"

struct err;

#define NET_FRAME_MAX 96

/* ARP, Ethernet broadcast. op: 1 request, 2 reply. spa NULL: a probe (0.0.0.0). Returns its length (42). */
size_t net_frame_arp(uint8_t frame[NET_FRAME_MAX], int op, const uint8_t mac[6], const uint8_t *spa,
		     const uint8_t *tpa);

/* A neighbour solicitation for target from the unspecified address (DAD probe). Returns its length. */
size_t net_frame_solicit(uint8_t frame[NET_FRAME_MAX], const uint8_t mac[6],
			 const uint8_t target[16]);

/* An unsolicited neighbour advertisement with override, from target itself to all nodes. Returns its length. */
size_t net_frame_advertise(uint8_t frame[NET_FRAME_MAX], const uint8_t mac[6],
			   const uint8_t target[16]);

/*
 * A packet socket in netns (< 0: ours) bound to link ifname, receiving EtherType `type` (0: nothing). Fills mac with the link's,
 * unless mac is NULL. Closing it waits for an RCU grace period (packet_release). Returns the fd.
 */
int net_frame_socket(int netns, const char *ifname, unsigned short type, uint8_t *mac,
		     struct err *e);
