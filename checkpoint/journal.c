// SPDX-License-Identifier: GPL-2.0-only
/* Journals and records, as JSON files. */
#include "checkpoint/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"

#define JOURNAL_VERSION 1

static const char *const points[] = {
#define X(name, word) [CR_POINT_##name] = word,
	CR_POINTS(X)
#undef X
};

static const char *const lives[] = {
#define X(name, word) [CR_LIFE_##name] = word,
	CR_LIVES(X)
#undef X
};

static const char *const modes[] = {
#define X(name, word) [CR_MODE_##name] = word,
	CR_MODES(X)
#undef X
};

static int find(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -ENOENT;
}

const char *cr_mode_to_str(enum cr_mode mode)
{
	return modes[mode];
}

int cr_mode_from_str(const char *word, enum cr_mode *mode, struct err *e)
{
	int i = find(modes, ARRAY_SIZE(modes), word);

	if (i < 0) {
		err_set(e, EINVAL, "there is no migration mode \"%s\"", word);
		err_hint(e,
			 "modes: auto, live, precopy, content, hybrid, postcopy, suspend, restart");
		return err_class(e, ERR_VALUE);
	}
	*mode = (enum cr_mode)i;
	return 0;
}

const char *cr_point_to_str(enum cr_point point)
{
	return points[point];
}

const char *cr_life_to_str(enum cr_life life)
{
	return lives[life];
}

int cr_life_from_str(const char *word, enum cr_life *life, struct err *e)
{
	int i = find(lives, ARRAY_SIZE(lives), word);

	if (i < 0)
		return err_set(e, EINVAL, "a container cannot be \"%s\"", word);
	*life = (enum cr_life)i;
	return 0;
}

static int copy_words(char to[][CR_REMOTE_WORD], const char *const *words, struct err *e)
{
	for (int i = 0; words && words[i]; i++) {
		if (i < CR_REMOTE_WORDS && words[i][0] &&
		    (size_t)snprintf(to[i], CR_REMOTE_WORD, "%s", words[i]) < CR_REMOTE_WORD)
			continue;
		err_set(e, E2BIG,
			"the command for the other host has an empty, a too long, or too many words");
		return err_class(e, ERR_VALUE);
	}
	return 0;
}

int cr_journal_init(struct cr_journal *j, const struct cr_remote *remote, struct err *e)
{
	unsigned char random[(CR_TOKEN_SIZE - 1) / 2];
	int r;

	*j = (struct cr_journal){.point = CR_POINT_STARTED};
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(e, "make a token");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(j->token + 2 * i, 3, "%02x", random[i]);
	if ((size_t)snprintf(j->host, sizeof(j->host), "%s", remote->host) >= sizeof(j->host)) {
		err_set(e, EINVAL, "the host's name is too long");
		return err_class(e, ERR_VALUE);
	}
	r = copy_words(j->rsh, remote->rsh, e);
	return r < 0 ? r : copy_words(j->skepctl, remote->skepctl, e);
}

bool cr_token_ok(const char *token)
{
	return strlen(token) == CR_TOKEN_SIZE - 1 &&
	       strspn(token, "0123456789abcdef") == CR_TOKEN_SIZE - 1;
}

static json_t *words_to_json(const char words[][CR_REMOTE_WORD])
{
	json_t *a = json_array();

	for (int i = 0; a && i < CR_REMOTE_WORDS && words[i][0]; i++)
		json_array_append_new(a, json_string(words[i]));
	return a;
}

static int words_from_json(const json_t *j, const char *key, char words[][CR_REMOTE_WORD],
			   struct err *e)
{
	json_t *a = NULL;
	int r = json_get_array(j, key, &a, e);

	for (size_t i = 0; r >= 0 && a && i < json_array_size(a); i++) {
		const char *word = json_string_value(json_array_get(a, i));

		if (!word || i >= CR_REMOTE_WORDS || strlen(word) >= CR_REMOTE_WORD)
			return err_set(e, EINVAL, "%s is no list of words", key);
		snprintf(words[i], CR_REMOTE_WORD, "%s", word);
	}
	return r;
}

static int copy_text(char *to, size_t size, const char *from, const char *what, struct err *e)
{
	if ((size_t)snprintf(to, size, "%s", from) < size)
		return 0;
	return err_set(e, EINVAL, "%s is too long", what);
}

static int journal_from_json(const json_t *o, struct cr_journal *j, struct err *e)
{
	const char *point = "", *mode = "", *was = "", *token = "", *host = "", *uuid = "";
	int64_t version = 0, receiver = 0, start = 0;
	int at;

	if (json_get_int(o, "version", &version, e) < 0 ||
	    json_get_str(o, "point", &point, e) < 0 || json_get_str(o, "mode", &mode, e) < 0 ||
	    json_get_str(o, "was", &was, e) < 0 || json_get_str(o, "token", &token, e) < 0 ||
	    json_get_str(o, "host", &host, e) < 0 || json_get_bool(o, "keep", &j->keep, e) < 0 ||
	    json_get_str(o, "uuid", &uuid, e) < 0 ||
	    json_get_int(o, "receiver", &receiver, e) < 0 ||
	    json_get_int(o, "receiver_start", &start, e) < 0)
		return -e->no;
	at = find(points, ARRAY_SIZE(points), point);
	if (version != JOURNAL_VERSION || at < 0 || !cr_token_ok(token) || !strcmp(mode, "auto") ||
	    !strcmp(mode, "live"))
		return err_set(e, EINVAL, "not a migration's journal of this version of skep");
	j->point = (enum cr_point)at;
	memcpy(j->token, token, CR_TOKEN_SIZE);
	j->receiver = receiver > 0 && receiver <= INT_MAX ? (pid_t)receiver : 0;
	j->receiver_start = (uint64_t)start;
	if (copy_text(j->uuid, sizeof(j->uuid), uuid, "uuid", e) < 0 ||
	    cr_mode_from_str(mode, &j->mode, e) < 0 || cr_life_from_str(was, &j->was, e) < 0 ||
	    copy_text(j->host, sizeof(j->host), host, "host", e) < 0 ||
	    words_from_json(o, "rsh", j->rsh, e) < 0 ||
	    words_from_json(o, "skepctl", j->skepctl, e) < 0)
		return -e->no;
	return 0;
}

/* 1: *out is the caller's; 0: no such file. */
static int load(int dir, const char *name, json_t **out, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look for %s", name);
	return json_load_at(dir, name, out, e) < 0 ? -e->no : 1;
}

int cr_journal_load(int dir, struct cr_journal *j, struct err *e)
{
	auto_json json_t *o = NULL;
	int r = load(dir, CT_JOURNAL_FILE, &o, e);

	*j = (struct cr_journal){0};
	if (r <= 0)
		return r;
	if (journal_from_json(o, j, e) < 0) {
		err_wrap(e, CT_JOURNAL_FILE);
		return err_class(e, ERR_CONFIG);
	}
	return 1;
}

int cr_journal_save(int dir, const struct cr_journal *j, struct err *e)
{
	auto_json json_t *o = json_pack(
		"{s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:o*, s:o*, s:s, s:i, s:I}", "version",
		JOURNAL_VERSION, "point", points[j->point], "mode", modes[j->mode], "was",
		lives[j->was], "keep", j->keep, "token", j->token, "host", j->host, "rsh",
		words_to_json(j->rsh), "skepctl", words_to_json(j->skepctl), "uuid", j->uuid,
		"receiver", (int)j->receiver, "receiver_start", (json_int_t)j->receiver_start);

	if (!o)
		return err_set(e, ENOMEM,
			       "write the migration's journal: not in UTF-8, or out of memory");
	return json_save_at(dir, CT_JOURNAL_FILE, o, e);
}

static int remove_durably(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "remove %s", name);
	}
	return fsync(dir) < 0 ? err_sys(e, "flush the removal of %s", name) : 0;
}

int cr_journal_remove(int dir, struct err *e)
{
	auto_fd int real = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (real < 0)
		return err_sys(e, "open the container's directory");
	return remove_durably(real, CT_JOURNAL_FILE, e);
}

static int open_taken(const char *root, struct err *e)
{
	auto_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %s", root);
	return file_mkdirs_at(dir, CR_TAKEN_DIR, 0700, e);
}

int cr_taken_prepare(const char *root, struct err *e)
{
	auto_fd int dir = open_taken(root, e);

	return dir < 0 ? dir : 0;
}

static int taken_load_at(int dir, const char *token, struct cr_taken *t, struct err *e)
{
	auto_json json_t *o = NULL;
	const char *name = "", *uuid = "", *moved_to = "", *boot = "";
	int r = load(dir, token, &o, e);

	*t = (struct cr_taken){0};
	if (r <= 0)
		return r;
	if (json_get_str(o, "name", &name, e) < 0 || json_get_str(o, "uuid", &uuid, e) < 0 ||
	    json_get_str(o, "moved_to", &moved_to, e) < 0 ||
	    json_get_bool(o, "start", &t->start, e) < 0 || json_get_str(o, "boot", &boot, e) < 0 ||
	    json_get_bool(o, "flushed", &t->flushed, e) < 0 ||
	    copy_text(t->boot, sizeof(t->boot), boot, "boot", e) < 0 ||
	    path_name_check("container", name, e) < 0 ||
	    copy_text(t->name, sizeof(t->name), name, "name", e) < 0 ||
	    copy_text(t->uuid, sizeof(t->uuid), uuid, "uuid", e) < 0 ||
	    copy_text(t->moved_to, sizeof(t->moved_to), moved_to, "moved_to", e) < 0)
		return err_wrap(e, CR_TAKEN_DIR "/%s", token);
	return 1;
}

static int taken_save_at(int dir, const char *token, const struct cr_taken *t, struct err *e)
{
	auto_json json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:s, s:b}", "name", t->name, "uuid",
					t->uuid, "moved_to", t->moved_to, "start", t->start, "boot",
					t->boot, "flushed", t->flushed);

	if (!o)
		return err_set(e, ENOMEM, "write down what was taken: out of memory");
	return json_save_at(dir, token, o, e);
}

int cr_taken_load(const char *root, const char *token, struct cr_taken *t, struct err *e)
{
	auto_fd int dir = open_taken(root, e);

	return dir < 0 ? dir : taken_load_at(dir, token, t, e);
}

int cr_taken_save(const char *root, const char *token, const struct cr_taken *t, struct err *e)
{
	auto_fd int dir = open_taken(root, e);

	return dir < 0 ? dir : taken_save_at(dir, token, t, e);
}

int cr_taken_remove(const char *root, const char *token, struct err *e)
{
	auto_fd int dir = open_taken(root, e);

	return dir < 0 ? dir : remove_durably(dir, token, e);
}

int cr_taken_moved_on(const char *root, const char *uuid, const char *host, struct err *e)
{
	auto_fd int dir = open_taken(root, e);
	auto_dir DIR *d = NULL;
	struct dirent *entry;
	int r = 0, copy;

	if (dir < 0)
		return dir;
	copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		r = err_sys(e, "list " CR_TAKEN_DIR);
		own_close_fd(&copy);
		return r;
	}
	while (r >= 0 && (entry = readdir(d)) != NULL) {
		struct cr_taken t;

		if (!cr_token_ok(entry->d_name))
			continue;
		r = taken_load_at(dir, entry->d_name, &t, e);
		if (r <= 0 || strcmp(t.uuid, uuid) != 0 || t.moved_to[0])
			continue;
		snprintf(t.moved_to, sizeof(t.moved_to), "%s", host);
		r = taken_save_at(dir, entry->d_name, &t, e);
	}
	return r < 0 ? r : 0;
}
