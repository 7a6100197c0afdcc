/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a container's tmpfs, as criu wants it in an image: a compressed tar archive, made and read without tar and gzip. */
#pragma once

/*
 * While the tasks are stopped criu runs `tar --create --gzip` for each tmpfs, and `tar --extract --gzip` before they go on: three processes each time, 3 ms of them, and gzip packs at 30 MB a second
 * what the next host unpacks at once. Of the five tmpfs of a small container that was a fifth of the time for which nobody was answered. So a program of ours
 * stands in tar's place in criu's PATH (skep_criu_tool_main.c). Its archives are ustar in gzip's frame, with the data stored as they are (RFC 1951, 3.2.4): tar reads them, too.
 *
 * Packed is what such a file system has: directories, files, links, fifos, devices, with owner, mode and time; sockets are left out, as tar does (criu restores them). What is rare is
 * left to tar: hard links, sparse files, long names, what does not fit into ustar's numbers. Unpacked is what was packed here, known by a field in gzip's header.
 */

#include <stdint.h>
#include <sys/types.h>

struct err;

/* The archive of the directory `dir` to `out`. 1: it is written; 0: nothing is written, this is for tar. */
int cr_tmpfs_pack(int dir, int out, struct err *e);

/*
 * The archive at `in`'s present position into `dir`, a directory that nobody else writes in. 1: done; 0: not one of ours, and `in` stands where it stood. The archive comes from another host:
 * nothing is made outside of dir, or through a link. -EPROTO, -EBADMSG: it is damaged.
 */
int cr_tmpfs_unpack(int in, int dir, struct err *e);

/* --- what both know --- */

#define CR_TAR_BLOCK  512
#define CR_TAR_STORED 65535 /* most bytes of one stored block */

/* POSIX.1-1988 ustar; numbers are octal digits. */
struct cr_tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct cr_tar_header) == CR_TAR_BLOCK, "a block");

/* RFC 1952: deflate, with an extra field of 6 bytes: "SK", of 2 bytes, version 1; no time, system unknown. */
#define CR_GZIP_HEAD                     \
	"\x1f\x8b\x08\x04\0\0\0\0\0\xff" \
	"\x06\0SK\x02\0\x01\0"
#define CR_GZIP_HEAD_LEN 18

/* Goes on from crc (0 at first). */
uint32_t cr_gzip_crc(uint32_t crc, const void *data, size_t len);

/* Of the header, whose own field counts as blanks. */
unsigned cr_tar_sum(const struct cr_tar_header *h);
