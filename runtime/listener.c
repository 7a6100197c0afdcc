// SPDX-License-Identifier: GPL-2.0-only
/* runtime-spec, "The Container Process State". */
#include "runtime/listener.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sock.h"
#include "base/sync.h"

int ct_listener_new(const struct ct_spec *spec, json_t **out, struct err *e)
{
	*out = NULL;
	if (!spec->listener_path || !spec->listener_path[0])
		return 0;
	*out = json_pack("{s:s, s:b, s:s*}", "path", spec->listener_path, "asked", spec->notifies,
			 "metadata", spec->listener_metadata);
	return *out ? 0 : err_set(e, ENOMEM, "out of memory for the listener");
}

static int describe(const struct ct *ct, const json_t *listener, enum ct_status status, pid_t pid,
		    char **text, struct err *e)
{
	auto_json json_t *state = NULL;
	auto_json json_t *all = NULL;
	const json_t *version;

	if (ct_state_to_hook(ct, status, ct->s.pid, &state, e) < 0)
		return -e->no;
	version = json_object_get(state, "ociVersion");
	all = json_pack("{s:O, s:[s], s:i, s:O*, s:O}", "ociVersion", version, "fds", "seccompFd",
			"pid", (int)pid, "metadata", json_object_get(listener, "metadata"), "state",
			state);
	*text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	return *text ? 0 : err_set(e, ENOMEM, "out of memory for the container process state");
}

int ct_listener_pass(const struct ct *ct, const json_t *listener, enum ct_status status, pid_t pid,
		     struct sync *from, unsigned step, struct err *e)
{
	const char *path = json_string_value(json_object_get(listener, "path"));
	auto_free char *text = NULL;
	auto_fd int fd = -EBADF;
	auto_fd int agent = -EBADF;

	if (sync_expect(from, step, SYNC_FD, NULL, &fd, e) < 0)
		return -e->no;
	if (!path)
		return err_set(e, EINVAL, "container %s: its state has no path of a listener",
			       ct->s.id);
	if (describe(ct, listener, status, pid, &text, e) < 0 || !text)
		return -e->no;
	agent = sock_connect(path, "linux.seccomp.listenerPath", e);
	if (agent < 0 && json_is_false(json_object_get(listener, "asked"))) {
		err_clear(e);
		return 0;
	}
	if (agent < 0)
		return agent;
	if (sock_send_fd(agent, text, strlen(text), fd, e) < 0)
		return err_wrap(e, "linux.seccomp.listenerPath %s", path);
	return 0;
}
