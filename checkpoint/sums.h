/* SPDX-License-Identifier: GPL-2.0-only */
/* A checksum of each image: sums.json beside them. */
#pragma once

/*
 * Life: cr_sums_write() when criu and we have written all images, before they are told to be whole or are sent; cr_sums_check() before criu reads the first
 * of them, on whatever host. They find what disks, links and programs did to them. Who can write images can write sums, so nothing is believed for their sake: what became of
 * the images is judged by verify.h.
 */

struct err;

#define CR_SUMS_FILE "sums.json"

int cr_sums_write(int images, struct err *e);

/*
 * Every image is there as it was written, nothing else that criu would read, and no name leads elsewhere. Class RESTORE naming the file: -EBADMSG it is another one, -ELOOP it is no
 * regular file.
 */
int cr_sums_check(int images, struct err *e);
