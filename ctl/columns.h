/* SPDX-License-Identifier: GPL-2.0-only */
/* The columns of `list`: names, widths, order, text and JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"

struct err;

/*
 * X(name, kind, meaning). TEXT sorts by name and goes left; COUNT, BYTES, MILLI (thousandths) and SECONDS are numbers, go right. In JSON: a string or
 * a number (MILLI as a real number of CPUs), null where there is none. Names are the JSON members: stable.
 */
#define CTL_COLUMNS(X)                                          \
	X(name, TEXT, "the container's name")                   \
	X(status, TEXT, "stopped, running, paused, suspended…") \
	X(ip, TEXT, "its addresses")                            \
	X(used, BYTES, "memory in use")                         \
	X(memory, BYTES, "memory limit")                        \
	X(swap, BYTES, "swap limit")                            \
	X(cpus, MILLI, "CPU limit")                             \
	X(weight, COUNT, "CPU weight (100 is the default)")     \
	X(cpuset, TEXT, "CPUs it may run on")                   \
	X(procs, COUNT, "processes and threads")                \
	X(pids, COUNT, "their limit")                           \
	X(disk, BYTES, "size of its disk")                      \
	X(template, TEXT, "the template it is made of")         \
	X(uptime, SECONDS, "time since its start")              \
	X(pid, COUNT, "its init, as the host sees it")          \
	X(hostname, TEXT, "its own name for itself")            \
	X(network, TEXT, "bridge, routed, none, host")          \
	X(mac, TEXT, "its first interface's address")           \
	X(netfilter, TEXT, "inside: full, disabled")            \
	X(autostart, TEXT, "started at boot: yes, no")          \
	X(order, COUNT, "its place in that; lower is earlier")  \
	X(idbase, COUNT, "host id of its root")                 \
	X(uuid, TEXT, "what stays when it is renamed or moved") \
	X(description, TEXT, "free text")

enum ctl_column {
#define X(name, kind, text) CTL_COLUMN_##name,
	CTL_COLUMNS(X)
#undef X
		CTL_COLUMN_COUNT
};

/* One container's values. Numbers: has[] false is "none". Text: "" is none. */
struct ctl_row {
	char text[CTL_COLUMN_COUNT][256];
	uint64_t number[CTL_COLUMN_COUNT];
	bool has[CTL_COLUMN_COUNT];
};

struct ctl_table {
	enum ctl_column shown[CTL_COLUMN_COUNT];
	size_t count;
	enum ctl_column sort;
	bool backwards;
	struct ctl_row *rows; /* owned */
	size_t n_rows;
};

#define auto_table __attribute__((cleanup(ctl_table_done)))
void ctl_table_done(struct ctl_table *t);

/* "name,ip,uptime"; NULL: the usual ones. sort: "uptime", "-uptime"; NULL: by name. Class USAGE with the nearest column as a hint. */
int ctl_table_init(struct ctl_table *t, const char *columns, const char *sort, struct err *e);

bool ctl_table_shows(const struct ctl_table *t, enum ctl_column c);
/* A new zeroed row; NULL when there is no memory. */
struct ctl_row *ctl_table_add(struct ctl_table *t);
void ctl_row_number(struct ctl_row *row, enum ctl_column c, uint64_t value);
void ctl_row_text(struct ctl_row *row, enum ctl_column c, const char *value);

/* As it is shown: "512M", "1.5", "12m03s", "-" where there is none. Returns buf. */
#define CTL_CELL 256
const char *ctl_row_cell(const struct ctl_row *row, enum ctl_column c, char buf[CTL_CELL]);
const char *ctl_seconds_to_str(uint64_t seconds, char *buf, size_t size);

/* Sorts; names that are numbers sort as numbers. */
void ctl_table_sort(struct ctl_table *t);
/* Aligned columns; "-" where there is none; the last column is not padded. */
void ctl_table_print(const struct ctl_table *t, bool header, FILE *out);
/* {"version": 1, "containers": [{...}]}: the caller owns it, NULL when there is no memory. */
json_t *ctl_table_to_json(const struct ctl_table *t);

/* For the help and for hints. */
const char *ctl_column_name(enum ctl_column c);
const char *ctl_column_meaning(enum ctl_column c);
