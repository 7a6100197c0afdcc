/* SPDX-License-Identifier: GPL-2.0-only */
/* The tiny template: the host's static busybox and nothing from the network. */
#pragma once

struct err;

/*
 * Makes template `name` with /sbin/init, /bin/sh and all applets. Stopped by SIGUSR2 (busybox init: power off); its inittab runs /etc/init.d/rcS if there is
 * one and a shell on the console. -ENOENT, class UNSUPPORTED, when the host has no static busybox.
 */
int st_build_busybox(int templates, const char *name, struct err *e);
