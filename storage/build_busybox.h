/* SPDX-License-Identifier: GPL-2.0-only */
/* The tiny template: the host's static busybox and nothing from the network. */
#pragma once

struct err;

/*
 * Makes template `name` with /sbin/init, /bin/sh and all applets. Stopped by SIGQUIT: init ends everything, then itself. It runs /etc/init.d/rcS, which starts
 * what is executable in /etc/rc.d. -ENOENT, class UNSUPPORTED, when the host has no static busybox.
 */
int st_build_busybox(int templates, const char *name, struct err *e);
