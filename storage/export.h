/* SPDX-License-Identifier: GPL-2.0-only */
/* A template as an archive, from which `template import` makes the same template on another host. */
#pragma once

struct err;

/*
 * Writes template `name` to a new file at path ("-": standard output): tar (pax), compressed as the name ends (.zst, .gz, .xz, .bz2; .tar: not at all; "-": zstd).
 * First comes ST_TEMPLATE_ENTRY, with the digest that the import must find. The same template gives the same bytes. -EEXIST, class EXISTS: the file is
 * there already.
 */
int st_export_template(int templates, const char *name, const char *path, struct err *e);
