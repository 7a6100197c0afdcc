// SPDX-License-Identifier: GPL-2.0-only
/* Frames between two hosts. */
#include "checkpoint/protocol.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

/* How long a peer that closed its reading side gets to tell why: what it said before is in our buffer already. */
#define BLAME_MS 2000

struct header {
	uint32_t magic, type, length;
};

static const char *const cans[] = {
#define X(name, word) [CR_CAN_##name] = word,
	CR_CANS(X)
#undef X
};

const char *cr_frame_to_str(unsigned frame)
{
	switch ((enum cr_frame)frame) {
#define X(name)               \
	case CR_FRAME_##name: \
		return #name;
		CR_FRAMES(X)
#undef X
	case CR_FRAME_NONE:
	case CR_FRAME_END:
		break;
	}
	return "?";
}

/* Whatever errno a dead peer shows itself by: one number, one sentence. */
static int gone(const struct cr_link *l, struct err *e)
{
	if (e->no && e->no != EPIPE && e->no != ECONNRESET && e->no != EAGAIN)
		return err_wrap(e, "talk to %s", l->peer);
	if (e->no == EAGAIN) {
		err_clear(e);
		err_set(e, ETIMEDOUT, "%s took or sent nothing for too long", l->peer);
	} else {
		err_clear(e);
		err_set(e, EPIPE, "%s ended the connection", l->peer);
	}
	return err_class(e, ERR_MIGRATE);
}

int cr_link_judge(const struct cr_link *l, int r, struct err *e)
{
	if (r >= 0 || (e->no != EPIPE && e->no != ECONNRESET && e->no != EAGAIN))
		return r;
	return gone(l, e);
}

static int write_all(struct cr_link *l, const void *data, size_t len, struct err *e)
{
	if (file_write_all(l->out, data, len, e) < 0)
		return gone(l, e);
	l->sent += len;
	return 0;
}

static int read_exactly(struct cr_link *l, void *data, size_t len, struct err *e)
{
	if (file_read_exactly_within(l->in, data, len, cr_link_silence(l), e) < 0)
		return gone(l, e);
	l->received += len;
	return 0;
}

/* parts[0] is the frame's. */
static int send_parts(struct cr_link *l, enum cr_frame frame, const json_t *payload,
		      struct iovec *parts, size_t n, struct err *e)
{
	auto_free char *text = payload ? json_dumps(payload, JSON_COMPACT) : strdup("{}");
	size_t len = text ? strlen(text) : 0;
	auto_free char *whole = malloc(sizeof(struct header) + len + 1);
	struct header h = {htole32(CR_FRAME_MAGIC), htole32(frame), htole32((uint32_t)len)};

	if (!text || !whole)
		return err_set(e, ENOMEM, "talk to %s: out of memory", l->peer);
	if (len > CR_FRAME_MAX)
		return err_set(e, EMSGSIZE, "talk to %s: %s is too large", l->peer,
			       cr_frame_to_str(frame));
	memcpy(whole, &h, sizeof(h));
	memcpy(whole + sizeof(h), text, len + 1);
	parts[0] = (struct iovec){whole, sizeof(h) + len};
	len = 0;
	for (size_t i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (file_write_parts(l->out, parts, n, e) < 0)
		return gone(l, e);
	l->sent += len;
	return 0;
}

int cr_link_send(struct cr_link *l, enum cr_frame frame, const json_t *payload, struct err *e)
{
	struct iovec part;

	return send_parts(l, frame, payload, &part, 1, e);
}

int cr_link_send_bulk(struct cr_link *l, enum cr_frame frame, const json_t *payload,
		      const struct iovec *bulk, size_t n, struct err *e)
{
	struct iovec parts[1 + CR_BULK_PARTS];

	if (n > CR_BULK_PARTS)
		return err_set(e, E2BIG, "talk to %s: too many pieces", l->peer);
	for (size_t i = 0; i < n; i++)
		parts[1 + i] = bulk[i];
	return send_parts(l, frame, payload, parts, 1 + n, e);
}

json_t *cr_err_to_json(const struct err *why)
{
	return json_pack("{s:i, s:s, s:s%, s:s%}", "errno", why->no, "class",
			 err_class_to_str(why->class), "text", why->text, strlen(why->text), "hint",
			 why->hint, strlen(why->hint));
}

void cr_link_send_error(struct cr_link *l, const struct err *why)
{
	auto_json json_t *j = cr_err_to_json(why);
	struct err ignored = {0};

	/* A text that is no UTF-8 (a file name in it) makes no JSON. */
	if (!j)
		j = json_pack("{s:i, s:s, s:s}", "errno", why->no, "class",
			      err_class_to_str(why->class), "text", strerror(why->no));
	cr_link_send(l, CR_FRAME_ERROR, j, &ignored);
}

static enum err_class class_from_str(const char *word)
{
#define X(name, code, meaning)                           \
	if (!strcmp(word, err_class_to_str(ERR_##name))) \
		return ERR_##name;
	ERR_CLASSES(X)
#undef X
	return ERR_SYSTEM;
}

void cr_err_from_json(const json_t *j, const char *peer, struct err *e)
{
	const char *text = "failed and did not say why", *hint = "", *class = "";
	struct err ignored = {0};
	int64_t no = EIO;

	json_get_int(j, "errno", &no, &ignored);
	json_get_str(j, "class", &class, &ignored);
	json_get_str(j, "text", &text, &ignored);
	json_get_str(j, "hint", &hint, &ignored);
	if (no <= 0 || no >= 4096)
		no = EIO;
	err_set(e, (int)no, "%s: %s", peer, text);
	if (hint[0])
		err_hint(e, "%s", hint);
	err_class(e, class_from_str(class));
	if (e->class == ERR_NO_SPACE)
		err_hint(e, "skepctl doctor on %s says how much room there is, and where", peer);
}

static int poll_in(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r;
}

static int wait_readable(const struct cr_link *l, int ms, struct err *e)
{
	bool tell = l->notice_ms > 0 && l->notice_ms < ms;
	int r = poll_in(l->in, tell ? l->notice_ms : ms);

	if (r == 0 && tell) {
		log_warn("%s has been silent for %d s; it is waited for, %d s more at most",
			 l->peer, l->notice_ms / 1000, (ms - l->notice_ms) / 1000);
		r = poll_in(l->in, ms - l->notice_ms);
	}
	if (r < 0)
		return err_sys(e, "wait for %s", l->peer);
	if (r == 0) {
		err_set(e, ETIMEDOUT, "%s did not answer within %d s", l->peer, ms / 1000);
		return err_class(e, ERR_MIGRATE);
	}
	return 0;
}

static int nonsense(const struct cr_link *l, struct err *e, const char *what)
{
	err_set(e, EPROTO, "%s sent %s", l->peer, what);
	err_hint(
		e,
		"is skepctl there of the same version, and does nothing else write to its output?");
	return err_class(e, ERR_MIGRATE);
}

static int read_payload(struct cr_link *l, size_t len, json_t **out, struct err *e)
{
	auto_free char *text = malloc(len + 1);
	json_error_t why;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "talk to %s: out of memory", l->peer);
	r = read_exactly(l, text, len, e);
	if (r < 0)
		return r;
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	/* A NUL inside a string is refused by jansson itself, deep nesting too (2048). */
	if (!*out || !json_is_object(*out))
		return nonsense(l, e, "a frame that is no JSON object");
	return 0;
}

int cr_link_receive(struct cr_link *l, json_t **payload, int ms, struct err *e)
{
	auto_json json_t *j = NULL;
	struct header h;
	uint32_t type;
	int r = wait_readable(l, ms, e);

	if (r >= 0)
		r = read_exactly(l, &h, sizeof(h), e);
	if (r < 0)
		return r;
	type = le32toh(h.type);
	if (le32toh(h.magic) != CR_FRAME_MAGIC)
		return nonsense(l, e, "something that is not skep's");
	if (type == CR_FRAME_NONE || type >= CR_FRAME_END || le32toh(h.length) > CR_FRAME_MAX)
		return nonsense(l, e, "a frame of unknown type or size");
	r = read_payload(l, le32toh(h.length), &j, e);
	if (r < 0)
		return r;
	if (type == CR_FRAME_ERROR) {
		l->refused = true;
		cr_err_from_json(j, l->peer, e);
		return -e->no;
	}
	if (payload)
		*payload = take_ptr(&j);
	return (int)type;
}

int cr_link_expect(struct cr_link *l, enum cr_frame want, json_t **payload, int ms, struct err *e)
{
	auto_json json_t *j = NULL;
	int r = cr_link_receive(l, &j, ms, e);

	if (r < 0)
		return r;
	if (r != (int)want) {
		err_set(e, EPROTO, "%s sent %s, %s was awaited", l->peer,
			cr_frame_to_str((unsigned)r), cr_frame_to_str(want));
		return err_class(e, ERR_MIGRATE);
	}
	if (payload)
		*payload = take_ptr(&j);
	return 0;
}

static int judge_greeting(const struct cr_link *l, const json_t *j, const char *machine,
			  struct err *e)
{
	const char *theirs = "";
	int64_t version = 0;
	int r = json_get_int(j, "version", &version, e);

	if (r >= 0)
		r = json_get_str(j, "machine", &theirs, e);
	if (r < 0)
		return r;
	if (version != CR_PROTOCOL_VERSION) {
		err_set(e, EPROTO,
			"%s speaks version %" PRId64 " of the migration protocol, this host %d",
			l->peer, version, CR_PROTOCOL_VERSION);
		err_hint(e, "install the same version of skep on both hosts");
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (strcmp(theirs, machine) != 0) {
		err_set(e, ENOEXEC, "%s is a machine of another kind than this one (%s)", l->peer,
			machine);
		return err_class(e, ERR_UNSUPPORTED);
	}
	return 0;
}

static json_t *cans_to_json(unsigned can)
{
	json_t *a = json_array();

	for (size_t i = 0; a && i < ARRAY_SIZE(cans); i++)
		if (can >> i & 1)
			json_array_append_new(a, json_string(cans[i]));
	return a;
}

static int cans_from_json(const json_t *j, unsigned *can, struct err *e)
{
	json_t *a = NULL, *word;
	size_t at;
	int r = json_get_array(j, "can", &a, e);

	*can = 0;
	json_array_foreach (a, at, word)
		for (size_t i = 0; i < ARRAY_SIZE(cans); i++)
			if (json_is_string(word) && !strcmp(json_string_value(word), cans[i]))
				*can |= 1U << i;
	return r < 0 ? r : 0;
}

int cr_link_greet(struct cr_link *l, bool first, unsigned can, int ms, struct err *e)
{
	auto_json json_t *theirs = NULL;
	auto_json json_t *ours = NULL;
	struct utsname u;
	int r = 0;

	uname(&u);
	ours = json_pack("{s:i, s:s, s:o*}", "version", CR_PROTOCOL_VERSION, "machine", u.machine,
			 "can", cans_to_json(can));
	if (!ours)
		return err_set(e, ENOMEM, "talk to %s: out of memory", l->peer);
	if (first)
		r = cr_link_send(l, CR_FRAME_HELLO, ours, e);
	if (r >= 0)
		r = cr_link_expect(l, CR_FRAME_HELLO, &theirs, ms, e);
	if (r >= 0)
		r = judge_greeting(l, theirs, u.machine, e);
	if (r >= 0)
		r = cans_from_json(theirs, &l->can, e);
	if (r >= 0 && !first)
		r = cr_link_send(l, CR_FRAME_HELLO, ours, e);
	return r;
}

int cr_link_bound(struct cr_link *l, int ms, struct err *e)
{
	const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	l->silence_ms = 0;
	if (setsockopt(l->in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0)
		return 0;
	if (errno != ENOTSOCK)
		return err_sys(e, "set the time limit of the link");
	l->silence_ms = ms;
	return 0;
}

int cr_link_silence(const struct cr_link *l)
{
	return l->silence_ms > 0 ? l->silence_ms : -1;
}

int cr_link_blame(struct cr_link *l, struct err *e)
{
	uint64_t until = log_now_ns() + BLAME_MS * UINT64_C(1000000), now;
	struct err said = {0};
	int r = 1;

	/*
	 * Only an ERROR is looked for: anything else that was on its way answers what is of no use now. The container may be frozen meanwhile: one that
	 * talks on and on, or stops in the middle of a word, does not keep us.
	 */
	if (cr_link_bound(l, BLAME_MS, &said) < 0)
		err_clear(&said);
	while (r > 0 && (now = log_now_ns()) < until)
		r = cr_link_receive(l, NULL, (int)((until - now) / 1000000) + 1, &said);
	if (said.no && said.no != ETIMEDOUT && said.no != EPIPE && said.no != EPROTO)
		*e = said;
	return -e->no;
}

int cr_link_send_bytes(struct cr_link *l, const void *data, size_t len, struct err *e)
{
	return write_all(l, data, len, e);
}

int cr_link_receive_bytes(struct cr_link *l, void *data, size_t len, struct err *e)
{
	return read_exactly(l, data, len, e);
}

/* Kernels before 5.12 have no sendfile(2) into a pipe. */
static int copy_file(struct cr_link *l, int file, uint64_t at, uint64_t end, struct err *e)
{
	enum { CHUNK = 256 * 1024 };
	auto_free char *buf = malloc(CHUNK);

	if (!buf)
		return err_set(e, ENOMEM, "send a file: out of memory");
	while (at < end) {
		uint64_t left = end - at;
		ssize_t n = pread(file, buf, left < CHUNK ? left : CHUNK, (off_t)at);
		int r;

		if (n < 0)
			return err_sys(e, "send a file");
		if (n == 0)
			return err_set(e, EIO, "send a file: it became shorter");
		r = write_all(l, buf, (size_t)n, e);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return 0;
}

int cr_link_send_file(struct cr_link *l, int file, uint64_t size, struct err *e)
{
	return cr_link_send_part(l, file, 0, size, e);
}

int cr_link_send_part(struct cr_link *l, int file, uint64_t from, uint64_t size, struct err *e)
{
	uint64_t end = from + size;
	off_t at = (off_t)from;

	while ((uint64_t)at < end) {
		uint64_t left = end - (uint64_t)at;
		ssize_t n = sendfile(l->out, file, &at, left < (1U << 24) ? left : (1U << 24));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL)
			return copy_file(l, file, (uint64_t)at, end, e);
		if (n < 0) {
			err_sys(e, "send a file");
			return gone(l, e);
		}
		if (n == 0)
			return err_set(e, EIO, "send a file: it became shorter");
		l->sent += (uint64_t)n;
	}
	return 0;
}

int cr_link_receive_file(struct cr_link *l, int file, uint64_t size, struct err *e)
{
	enum { CHUNK = 256 * 1024 };
	auto_free char *buf = malloc(CHUNK);

	if (!buf)
		return err_set(e, ENOMEM, "receive a file: out of memory");
	while (size) {
		ssize_t n = file_read_within(l->in, buf, size < CHUNK ? size : CHUNK,
					     cr_link_silence(l));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err_sys(e, "receive a file");
		if (n <= 0)
			return gone(l, e);
		if (file_write_all(file, buf, (size_t)n, e) < 0)
			return err_wrap(e, "receive a file");
		l->received += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}
