// SPDX-License-Identifier: GPL-2.0-only
/* Columns: what they are called, how values look, how rows are ordered. */
#include "ctl/columns.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/size.h"
#include "ctl/nearest.h"

#define JSON_VERSION 1

enum kind { TEXT, COUNT, BYTES, MILLI, SECONDS };

static const struct {
	const char *name;
	enum kind kind;
	const char *meaning;
} columns[] = {
#define X(name, kind, text) [CTL_COLUMN_##name] = {#name, kind, text},
	CTL_COLUMNS(X)
#undef X
};

#define USUAL "name,status,ip,used,memory,cpus,template,uptime"

const char *ctl_column_name(enum ctl_column c)
{
	return columns[c].name;
}

const char *ctl_column_meaning(enum ctl_column c)
{
	return columns[c].meaning;
}

void ctl_table_done(struct ctl_table *t)
{
	free(t->rows);
	memset(t, 0, sizeof(*t));
}

static int find(const char *name, size_t len, enum ctl_column *out, struct err *e)
{
	char word[65], all[256] = "";
	const char *best = NULL;
	int distance;

	snprintf(word, sizeof(word), "%.*s", (int)(len < 64 ? len : 64), name);
	distance = ctl_too_far(word);
	for (int c = 0; c < CTL_COLUMN_COUNT; c++) {
		size_t used = strlen(all);

		if (strcmp(columns[c].name, word) == 0) {
			*out = (enum ctl_column)c;
			return 0;
		}
		ctl_nearest(word, columns[c].name, &best, &distance);
		snprintf(all + used, sizeof(all) - used, "%s%s", used ? " " : "", columns[c].name);
	}
	err_set(e, EINVAL, "there is no column '%s'", word);
	err_class(e, ERR_USAGE);
	if (best)
		return err_hint(e, "did you mean %s? There are: %s", best, all);
	return err_hint(e, "there are: %s", all);
}

int ctl_table_init(struct ctl_table *t, const char *names, const char *sort, struct err *e)
{
	enum ctl_column c;

	memset(t, 0, sizeof(*t));
	t->sort = CTL_COLUMN_name;
	for (const char *p = names ? names : USUAL;; p++) {
		size_t len = strcspn(p, ",");

		if (find(p, len, &c, e) < 0)
			return -e->no;
		if (!ctl_table_shows(t, c))
			t->shown[t->count++] = c;
		p += len;
		if (!*p)
			break;
	}
	if (!sort)
		return 0;
	t->backwards = *sort == '-';
	sort += t->backwards;
	return find(sort, strlen(sort), &t->sort, e);
}

bool ctl_table_shows(const struct ctl_table *t, enum ctl_column c)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->shown[i] == c)
			return true;
	return false;
}

struct ctl_row *ctl_table_add(struct ctl_table *t)
{
	struct ctl_row *rows = reallocarray(t->rows, t->n_rows + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	t->rows = rows;
	memset(&rows[t->n_rows], 0, sizeof(*rows));
	return &rows[t->n_rows++];
}

void ctl_row_number(struct ctl_row *row, enum ctl_column c, uint64_t value)
{
	row->number[c] = value;
	row->has[c] = true;
}

void ctl_row_text(struct ctl_row *row, enum ctl_column c, const char *value)
{
	snprintf(row->text[c], sizeof(row->text[c]), "%s", value);
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0' && strlen(s) < 19;
}

/* 9 before 10, and numbers before words: OpenVZ's habit of numbered containers. */
static int compare_text(const char *a, const char *b)
{
	bool an = is_number(a), bn = is_number(b);

	if (an && bn) {
		long long x = strtoll(a, NULL, 10), y = strtoll(b, NULL, 10);

		return x < y ? -1 : x > y ? 1 : strcmp(a, b);
	}
	if (an != bn)
		return an ? -1 : 1;
	return strcmp(a, b);
}

/* What has no value stands last, whichever way the others are ordered. */
static int compare(const void *va, const void *vb, void *arg)
{
	const struct ctl_table *t = arg;
	const struct ctl_row *a = va, *b = vb;
	enum ctl_column c = t->sort;
	int r;

	if (columns[c].kind == TEXT) {
		if (!a->text[c][0] != !b->text[c][0])
			return a->text[c][0] ? -1 : 1;
		r = compare_text(a->text[c], b->text[c]);
	} else {
		if (a->has[c] != b->has[c])
			return a->has[c] ? -1 : 1;
		r = a->number[c] < b->number[c] ? -1 : a->number[c] > b->number[c];
	}
	if (r)
		return t->backwards ? -r : r;
	return compare_text(a->text[CTL_COLUMN_name], b->text[CTL_COLUMN_name]);
}

void ctl_table_sort(struct ctl_table *t)
{
	if (t->n_rows > 1)
		qsort_r(t->rows, t->n_rows, sizeof(*t->rows), compare, t);
}

/* 45s, 12m03s, 7h05m, 3d04h: the two units that matter. */
const char *ctl_seconds_to_str(uint64_t s, char *buf, size_t size)
{
	if (s < 60)
		snprintf(buf, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

static void print_milli(uint64_t milli, char *buf, size_t size)
{
	size_t len;

	snprintf(buf, size, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);
	for (len = strlen(buf); buf[len - 1] == '0'; len--)
		buf[len - 1] = '\0';
	if (buf[len - 1] == '.')
		buf[len - 1] = '\0';
}

const char *ctl_row_cell(const struct ctl_row *row, enum ctl_column c, char buf[CTL_CELL])
{
	uint64_t n = row->number[c];

	if (columns[c].kind == TEXT ? !row->text[c][0] : !row->has[c]) {
		snprintf(buf, CTL_CELL, "-");
		return buf;
	}
	switch (columns[c].kind) {
	case TEXT:
		snprintf(buf, CTL_CELL, "%s", row->text[c]);
		break;
	case COUNT:
		snprintf(buf, CTL_CELL, "%" PRId64, (int64_t)n);
		break;
	case BYTES:
		size_to_str(n, buf, CTL_CELL);
		break;
	case MILLI:
		print_milli(n, buf, CTL_CELL);
		break;
	case SECONDS:
		ctl_seconds_to_str(n, buf, CTL_CELL);
		break;
	}
	return buf;
}

static void print_line(const struct ctl_table *t, const struct ctl_row *row, const int *widths,
		       FILE *out)
{
	char buf[CTL_CELL];

	for (size_t i = 0; i < t->count; i++) {
		enum ctl_column c = t->shown[i];
		bool left = columns[c].kind == TEXT, last = i + 1 == t->count;

		if (row) {
			ctl_row_cell(row, c, buf);
		} else {
			snprintf(buf, sizeof(buf), "%s", columns[c].name);
			for (char *p = buf; *p; p++)
				*p = (char)toupper((unsigned char)*p);
		}
		fprintf(out, "%*s%s", left ? (last ? 0 : -widths[i]) : widths[i], buf,
			last ? "\n" : "  ");
	}
}

void ctl_table_print(const struct ctl_table *t, bool header, FILE *out)
{
	int widths[CTL_COLUMN_COUNT] = {0};
	char buf[CTL_CELL];

	for (size_t i = 0; i < t->count; i++) {
		widths[i] = header ? (int)strlen(columns[t->shown[i]].name) : 0;
		for (size_t r = 0; r < t->n_rows; r++) {
			ctl_row_cell(&t->rows[r], t->shown[i], buf);
			if ((int)strlen(buf) > widths[i])
				widths[i] = (int)strlen(buf);
		}
	}
	if (header)
		print_line(t, NULL, widths, out);
	for (size_t r = 0; r < t->n_rows; r++)
		print_line(t, &t->rows[r], widths, out);
}

static json_t *value_to_json(const struct ctl_row *row, enum ctl_column c)
{
	if (columns[c].kind == TEXT)
		return row->text[c][0] ? json_string(row->text[c]) : json_null();
	if (!row->has[c])
		return json_null();
	if (columns[c].kind == MILLI)
		return json_real((double)row->number[c] / 1000);
	return json_integer((json_int_t)row->number[c]);
}

json_t *ctl_table_to_json(const struct ctl_table *t)
{
	auto_json json_t *list = json_array();

	if (!list)
		return NULL;
	for (size_t r = 0; r < t->n_rows; r++) {
		json_t *o = json_object();

		for (size_t i = 0; o && i < t->count; i++)
			json_object_set_new(o, columns[t->shown[i]].name,
					    value_to_json(&t->rows[r], t->shown[i]));
		if (json_array_append_new(list, o))
			return NULL;
	}
	return json_pack("{s:i, s:O}", "version", JSON_VERSION, "containers", list);
}
