// SPDX-License-Identifier: GPL-2.0-only
/* One pass over the text, no copies but those that the values keep. */
/*
 * Parsing a config by jansson, a function call and a copy for each character, was a sixth of a container's start. This takes only what it knows for certain; a second
 * parser may be stricter than the first, never laxer.
 */
#include "runtime/spec_plain.h"

#include <stdbool.h>
#include <string.h>

#define MOST_LEVELS 32
#define MOST_NAME   128
#define MOST_DIGITS 18

struct at {
	const char *p;
	const char *without;
	size_t without_len;
	unsigned level;
};

static json_t *value(struct at *a);

static void skip_space(struct at *a)
{
	while (*a->p == ' ' || *a->p == '\n' || *a->p == '\t' || *a->p == '\r')
		a->p++;
}

static bool take(struct at *a, char c)
{
	if (*a->p != c)
		return false;
	a->p++;
	return true;
}

/* A string's text, between its quotes, as long as it stands for itself. a->p is behind it then. */
static const char *plain_text(struct at *a, size_t *len)
{
	const char *begin = a->p + 1, *p = begin;

	/* Ends at any control character, the 0 at the end among them, and at any byte over 127. */
	while (*p >= ' ' && *p < 127 && *p != '"' && *p != '\\')
		p++;
	if (*p != '"')
		return NULL;
	*len = (size_t)(p - begin);
	a->p = p + 1;
	return begin;
}

static json_t *string(struct at *a)
{
	size_t len;
	const char *text = plain_text(a, &len);

	return text ? json_stringn_nocheck(text, len) : NULL;
}

static json_t *number(struct at *a)
{
	bool negative = take(a, '-');
	const char *begin = a->p;
	json_int_t n = 0;

	for (; *a->p >= '0' && *a->p <= '9'; a->p++) {
		if (a->p - begin == MOST_DIGITS)
			return NULL;
		n = n * 10 + (*a->p - '0');
	}
	if (a->p == begin || (*begin == '0' && a->p > begin + 1) || strchr(".eE", *a->p))
		return NULL; /* also at the end of the text, which strchr(3) finds */
	return json_integer(negative ? -n : n);
}

static json_t *word(struct at *a, const char *text, json_t *means)
{
	size_t len = strlen(text);

	if (strncmp(a->p, text, len) != 0)
		return NULL;
	a->p += len;
	return means;
}

/* What follows a member: true: another one, false with *end: none. Neither: nothing that we know. */
static bool goes_on(struct at *a, char closing, bool *end)
{
	skip_space(a);
	*end = take(a, closing);
	if (*end || !take(a, ','))
		return false;
	skip_space(a);
	return true;
}

static bool member(struct at *a, json_t *object)
{
	char name[MOST_NAME];
	size_t len;
	const char *text = *a->p == '"' ? plain_text(a, &len) : NULL;

	if (!text || len >= sizeof(name))
		return false;
	memcpy(name, text, len);
	name[len] = 0;
	skip_space(a);
	if (!take(a, ':') || json_object_get(object, name))
		return false;
	skip_space(a);
	return json_object_set_new_nocheck(object, name, value(a)) == 0;
}

static json_t *object(struct at *a)
{
	json_t *all = json_object();
	bool end, fine = all != NULL;

	a->p++;
	skip_space(a);
	if (fine && take(a, '}'))
		return all;
	do
		fine = fine && member(a, all);
	while (fine && goes_on(a, '}', &end));
	if (fine && end)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *array(struct at *a)
{
	json_t *all = json_array();
	bool end, fine = all != NULL;

	a->p++;
	skip_space(a);
	if (fine && take(a, ']'))
		return all;
	do
		fine = fine && json_array_append_new(all, value(a)) == 0;
	while (fine && goes_on(a, ']', &end));
	if (fine && end)
		return all;
	json_decref(all);
	return NULL;
}

/* jansson takes a NULL for a failure of its own functions, too. */
static json_t *value(struct at *a)
{
	json_t *j;

	if (a->p == a->without) {
		a->p += a->without_len;
		return json_null();
	}
	if (a->level == MOST_LEVELS)
		return NULL;
	a->level++;
	switch (*a->p) {
	case '{':
		j = object(a);
		break;
	case '[':
		j = array(a);
		break;
	case '"':
		j = string(a);
		break;
	case 't':
		j = word(a, "true", json_true());
		break;
	case 'f':
		j = word(a, "false", json_false());
		break;
	case 'n':
		j = word(a, "null", json_null());
		break;
	default:
		j = number(a);
	}
	a->level--;
	return j;
}

json_t *ct_plain_parse(const char *text, const char *without, size_t without_len)
{
	struct at a = {.p = text, .without = without, .without_len = without_len};
	json_t *j;

	skip_space(&a);
	j = *a.p == '{' ? value(&a) : NULL;
	skip_space(&a);
	if (!*a.p)
		return j;
	json_decref(j);
	return NULL;
}
