/* SPDX-License-Identifier: GPL-2.0-only */
/* Running nftables commands in this process: one transaction a call, the complaint turned into an err. */
#pragma once

struct err;

/* Runs the commands atomically in the namespace we are in. what: for the error ("set the guard of sk0"). -errno. */
int net_nft_run(const char *commands, const char *what, struct err *e);

/* Runs one list command; *out is the caller's. -ENOENT leaves e untouched. */
int net_nft_list(const char *command, char **out, struct err *e);

/* Removes a table of ours ("netdev", "skep_lock_sk0"); gone already is success. */
int net_nft_drop_table(const char *family, const char *table, struct err *e);
