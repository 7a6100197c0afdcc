// SPDX-License-Identifier: GPL-2.0-only
/* state.json: a container's state as JSON, and the document that OCI tools want to see. */
#include "runtime/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/streams.h"

#define VERSION	    1
#define OCI_VERSION "1.2.0"
#define BOOT_ID	    "/proc/sys/kernel/random/boot_id"

static const char *const status_words[] = {
#define X(name, word) [CT_##name] = word,
	CT_STATUSES(X)
#undef X
};

const char *ct_status_to_str(enum ct_status status)
{
	return status_words[status];
}

/* It does not change as long as we live. */
static int boot_id(char out[40], struct err *e)
{
	static char known[40];
	auto_free char *text = NULL;

	if (known[0]) {
		memcpy(out, known, sizeof(known));
		return 0;
	}

	if (file_read_at(AT_FDCWD, BOOT_ID, 64, &text, e) < 0)
		return -e->no;
	text[strcspn(text, "\n")] = 0;
	snprintf(known, sizeof(known), "%.39s", text);
	memcpy(out, known, sizeof(known));
	return 0;
}

int ct_state_save(struct ct *ct, struct err *e)
{
	const struct ct_state *s = &ct->s;
	auto_json json_t *j = NULL;
	auto_free char *text = NULL;
	char boot[40];

	if (boot_id(boot, e) < 0)
		return err_wrap(e, "container %s", s->id);
	j = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:i, s:I, s:s, s:I, s:i, s:i, s:b, "
		"s:s, s:s, s:b, s:O*, s:O*, s:o*}",
		"version", VERSION, "id", s->id, "boot", boot, "status",
		ct_status_to_str(s->status), "bundle", s->bundle, "rootfs", s->rootfs, "cgroup",
		s->cgroup, "pid", (int)s->pid, "pidStart", (json_int_t)s->pid_start, "monitor",
		(int)s->monitor, "monitorStart", (json_int_t)s->monitor_start, "created",
		s->created, "idBase", (json_int_t)s->id_base, "stopSignal", s->stop_signal,
		"stopTimeout", s->stop_timeout_s, "system", s->system, "terminal", s->terminal,
		"scope", s->scope, "hooked", s->hooked, "annotations", s->annotations, "listener",
		s->listener, "external_descriptors", ct_streams_to_text(s->streams));
	text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	if (!text)
		return err_set(e, ENOMEM,
			       "container %s: state: no memory, or a string that is not UTF-8",
			       s->id);
	/* The annotations of a config.json that is as large as it may be are larger here, by what the indents take. */
	if (json_fits(CT_STATE_FILE, strlen(text), e) < 0 ||
	    file_replace_volatile_at(ct->dir, CT_STATE_FILE, text, strlen(text), 0600, e) < 0)
		return err_wrap(e, "container %s", s->id);
	return 0;
}

static int get_string(const json_t *j, const char *key, char *out, size_t size, struct err *e)
{
	const char *text = "";

	if (json_get_str(j, key, &text, e) < 0)
		return -e->no;
	if (strlen(text) >= size) {
		err_set(e, EINVAL, "\"%s\" is too long", key);
		return err_class(e, ERR_CONFIG);
	}
	snprintf(out, size, "%s", text);
	return 0;
}

static int get_status(const json_t *j, enum ct_status *status, struct err *e)
{
	const char *word = "";

	if (json_get_str(j, "status", &word, e) < 0)
		return -e->no;
	for (size_t i = 0; i < ARRAY_SIZE(status_words); i++)
		if (!strcmp(word, status_words[i])) {
			*status = (enum ct_status)i;
			return 0;
		}
	err_set(e, EINVAL, "\"status\" is '%.20s'", word);
	return err_class(e, ERR_CONFIG);
}

static int from_json(const json_t *j, struct ct_state *s, struct err *e)
{
	int64_t version = 0, pid = 0, pid_start = 0, monitor = 0, monitor_start = 0, id_base = 0;
	int64_t stop_signal = 0, stop_timeout = 0;
	json_t *annotations = NULL, *listener = NULL;
	char boot[40], now[40];

	if (json_get_int(j, "version", &version, e) < 0 ||
	    get_string(j, "boot", boot, sizeof(boot), e) < 0 ||
	    get_string(j, "id", s->id, sizeof(s->id), e) < 0 ||
	    get_string(j, "bundle", s->bundle, sizeof(s->bundle), e) < 0 ||
	    get_string(j, "rootfs", s->rootfs, sizeof(s->rootfs), e) < 0 ||
	    get_string(j, "cgroup", s->cgroup, sizeof(s->cgroup), e) < 0 ||
	    get_string(j, "created", s->created, sizeof(s->created), e) < 0 ||
	    get_string(j, "terminal", s->terminal, sizeof(s->terminal), e) < 0 ||
	    get_string(j, "scope", s->scope, sizeof(s->scope), e) < 0 ||
	    get_status(j, &s->status, e) < 0 || json_get_int(j, "pid", &pid, e) < 0 ||
	    json_get_int(j, "pidStart", &pid_start, e) < 0 ||
	    json_get_int(j, "monitor", &monitor, e) < 0 ||
	    json_get_int(j, "monitorStart", &monitor_start, e) < 0 ||
	    json_get_int(j, "idBase", &id_base, e) < 0 ||
	    json_get_int(j, "stopSignal", &stop_signal, e) < 0 ||
	    json_get_int(j, "stopTimeout", &stop_timeout, e) < 0 ||
	    json_get_bool(j, "system", &s->system, e) < 0 ||
	    json_get_bool(j, "hooked", &s->hooked, e) < 0 ||
	    json_get_object(j, "annotations", &annotations, e) < 0 ||
	    json_get_object(j, "listener", &listener, e) < 0 || boot_id(now, e) < 0)
		return -e->no;
	if (version != VERSION) {
		err_set(e, EINVAL, "version %lld, this program knows %d", (long long)version,
			VERSION);
		return err_class(e, ERR_CONFIG);
	}
	if (ct_streams_from_text(json_object_get(j, "external_descriptors"), &s->streams, e) < 0)
		return -e->no;
	s->pid = (pid_t)pid;
	s->pid_start = (uint64_t)pid_start;
	s->monitor = (pid_t)monitor;
	s->monitor_start = (uint64_t)monitor_start;
	s->id_base = (uint32_t)id_base;
	s->stop_signal = (int)stop_signal;
	s->stop_timeout_s = (int)stop_timeout;
	s->stale = strcmp(boot, now) != 0;
	s->annotations = json_incref(annotations);
	s->listener = json_incref(listener);
	return 0;
}

int ct_state_reload(struct ct *ct, struct err *e)
{
	struct ct_state s = {.status = CT_CREATING};
	auto_json json_t *j = NULL;
	struct err why = {0};
	int r = json_load_at(ct->dir, CT_STATE_FILE, &j, &why);

	snprintf(s.id, sizeof(s.id), "%s", ct->s.id);
	/* The creator died, or has not come, between mkdir and its first save. */
	if (r >= 0)
		r = from_json(j, &s, &why);
	if (r < 0 && r != -ENOENT) {
		err_wrap(&why, "state of container %s", ct->s.id);
		err_hint(&why,
			 "skepctl stop --kill %s, or skep delete --force %s, ends what runs of it",
			 ct->s.id, ct->s.id);
		if (!e->no)
			*e = why;
		return -why.no;
	}
	ct_state_drop(&ct->s);
	ct->s = s;
	return 0;
}

int ct_state_to_hook(const struct ct *ct, enum ct_status status, pid_t pid, json_t **out,
		     struct err *e)
{
	/* In the order of the others: some read it by pattern. */
	*out = json_pack("{s:s, s:s, s:o*, s:s, s:s, s:s, s:O*}", "ociVersion", OCI_VERSION, "id",
			 ct->s.id, "pid", pid ? json_integer(pid) : NULL, "status",
			 ct_status_to_str(status), "bundle", ct->s.bundle, "created", ct->s.created,
			 "annotations", ct->s.annotations);
	return *out ? 0 : err_set(e, ENOMEM, "state of container %s: no memory", ct->s.id);
}

int ct_state_to_oci(const struct ct *ct, json_t **out, struct err *e)
{
	enum ct_status status;
	int r = ct_status(ct, &status, e);
	bool has_init = r >= 0 && status != CT_STOPPED && status != CT_CREATING;

	/* Runtime-spec: pid is there when the container is created or running. */
	return r < 0 ? r : ct_state_to_hook(ct, status, has_init ? ct->s.pid : 0, out, e);
}

int ct_exit_read(const struct ct *ct, int *wait_status, struct err *e)
{
	uint64_t value = 0;
	int r = file_read_u64_at(ct->dir, CT_EXIT_FILE, &value, e);

	if (r < 0)
		return r;
	if (value > 0xffff)
		return err_set(e, EINVAL, "container %s: its end note holds no wait status",
			       ct->s.id);
	*wait_status = (int)value;
	return 0;
}
