// SPDX-License-Identifier: GPL-2.0-only
/* What the target takes in before it is asked whether it is ready. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/haste.h"
#include "checkpoint/memory.h"
#include "checkpoint/pages.h"
#include "checkpoint/target.h"
#include "storage/stream.h"

/* The tree that a frame has announced. */
static int receive_pass(struct cr_target *t, const char *point, struct err *e)
{
	int r = fault_at(point, e);

	if (r < 0)
		return r;
	r = st_stream_receive_within(t->upper.dir, t->s.d.id_base, t->link.in,
				     cr_link_silence(&t->link), NULL, e);
	return cr_link_judge(&t->link, r, e);
}

/* Passes while it runs there, as many as the source likes, and one when it does not any more. */
static int receive_passes(struct cr_target *t, struct err *e)
{
	bool last = false;
	int r = 0;

	while (r >= 0 && !last) {
		auto_json json_t *payload = NULL;

		r = cr_link_expect(&t->link, CR_FRAME_DELTA, &payload,
				   CR_SILENCE_MS + t->patience_ms, e);
		if (r >= 0)
			r = json_get_bool(payload, "last", &last, e);
		if (r >= 0)
			r = receive_pass(t, "receive.delta", e);
	}
	return r;
}

/* images: the payload of IMAGES, or NULL: that frame comes next. */
static int receive_images(struct cr_target *t, const json_t *announced, struct err *e)
{
	auto_json json_t *payload = NULL;
	auto_fd int images = -EBADF;
	int r = fault_at("receive.images", e);

	if (r < 0 || !cr_offer_has_images(&t->offer))
		return r;
	if (!announced)
		r = cr_link_expect(&t->link, CR_FRAME_IMAGES, &payload,
				   CR_SILENCE_MS + t->patience_ms, e);
	if (r < 0)
		return r;
	images = file_mkdirs_at(t->s.dir, CT_CHECKPOINT_DIR, 0700, e);
	r = images < 0 ? images
		       : cr_images_receive(&t->link, images, announced ? announced : payload, e);
	/*
	 * It makes them a checkpoint. Whose it is, is still open: nothing resumes a container that is only incoming. Not flushed: it would be frozen for
	 * longer, and a power failure takes the memory of a running container as well.
	 */
	return r < 0 ? r : file_replace_volatile_at(images, CT_CHECKPOINT_MARKER, "", 0, 0600, e);
}

static int receive_page(struct cr_target *t, const json_t *payload, struct err *e)
{
	int r = fault_at("receive.pages", e);

	return r < 0 ? r : cr_memory_in(&t->link, payload, t->pages, e);
}

/* The source hears that all of it is here, which tells it how fast we are. */
static int answer_round(struct cr_target *t, const json_t *payload, struct err *e)
{
	int r = fault_at("receive.round", e);

	return r < 0 ? r : cr_link_send(&t->link, CR_FRAME_ROUND, payload, e);
}

static int find_room(const struct cr_target *t, uint64_t *room, struct err *e)
{
	auto_free char *text = NULL;
	const char *line;
	unsigned long long kib = 0;

	if (file_try_read_at(AT_FDCWD, "/proc/meminfo", 64 << 10, &text, e) < 0)
		return e->no ? -e->no : err_set(e, ENOENT, "/proc is not mounted");
	line = strstr(text, "MemAvailable:");
	if (!line || sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
		return err_set(e, EPROTO, "/proc/meminfo does not say what is available");
	*room = kib << 10;
	if (t->offer.memory <= *room)
		return 0;
	err_set(e, ENOMEM, "it has %" PRIu64 " MiB in memory, and %" PRIu64 " MiB are free here",
		t->offer.memory >> 20, *room >> 20);
	return err_class(e, ERR_NO_SPACE);
}

/* Pages that came in a round and are others at the source by now: they are asked for. */
static int drop_stale(struct cr_target *t, const json_t *payload, struct err *e)
{
	int64_t id = 0;
	json_t *runs = NULL, *run;
	size_t at;
	int r = fault_at("receive.stale", e);

	if (r >= 0)
		r = json_get_int(payload, "id", &id, e);
	if (r >= 0)
		r = json_get_array(payload, "runs", &runs, e);
	if (r < 0)
		return r;
	json_array_foreach (runs, at, run) {
		json_int_t vaddr = json_integer_value(json_array_get(run, 0));
		json_int_t npages = json_integer_value(json_array_get(run, 1));

		if (id <= 0 || id > UINT32_MAX || vaddr < 0 || npages <= 0)
			return err_set(e, EPROTO, "the source names pages that cannot be");
		r = cr_pages_drop(t->pages, (uint32_t)id, (uint64_t)vaddr, (uint64_t)npages, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* While it runs there: rounds of memory and passes of files in any order. Its images come when it is frozen, as the last. */
static int receive_live(struct cr_target *t, struct err *e)
{
	uint64_t room = 0;
	int r = find_room(t, &room, e);

	/* It grows while it is being sent, by nobody knows how much: the host's own room is what bounds it. */
	if (r >= 0)
		r = cr_pages_new(room, &t->pages, e);
	while (r >= 0) {
		auto_json json_t *payload = NULL;

		r = cr_link_receive(&t->link, &payload, CR_SILENCE_MS + t->patience_ms, e);
		if (r < 0)
			break;
		switch ((enum cr_frame)r) {
		case CR_FRAME_PAGES:
			r = receive_page(t, payload, e);
			continue;
		case CR_FRAME_ROUND:
			r = answer_round(t, payload, e);
			continue;
		case CR_FRAME_DELTA:
			r = receive_pass(t, "receive.delta", e);
			continue;
		case CR_FRAME_STALE:
			r = drop_stale(t, payload, e);
			continue;
		case CR_FRAME_SOON:
			/* Each is a process, whose end takes a grace period. */
			if (t->soon)
				return err_set(e, EPROTO, "the source says SOON twice");
			t->soon = true;
			t->haste = cr_haste_begin();
			continue;
		case CR_FRAME_IMAGES:
			cr_upper_close(&t->upper);
			return receive_images(t, payload, e);
		default:
			return err_set(e, EPROTO, "the source sent %s in the middle of its memory",
				       cr_frame_to_str((unsigned)r));
		}
	}
	return r;
}

/* Without a source to ask, what is not in the store is lost. */
static int check_memory(struct cr_target *t, struct err *e)
{
	auto_fd int images = openat(t->s.dir, CT_CHECKPOINT_DIR,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct cr_pages_need need;

	if (images < 0)
		return err_sys(e, "open the images");
	if (cr_pages_check(t->pages, images, &need, e) < 0)
		return -e->no;
	if (!need.missing || cr_mode_is_lazy(t->offer.mode))
		return 0;
	return err_set(e, EPROTO, "the source sent %" PRIu64 " of %" PRIu64 " pages of memory",
		       need.stored, need.lazy);
}

int cr_target_receive(struct cr_target *t, struct err *e)
{
	int r = cr_upper_open(&t->s, false, &t->upper, e);

	if (r >= 0)
		r = cr_link_expect(&t->link, CR_FRAME_ROOTFS, NULL, CR_SENDING_MS + t->patience_ms,
				   e);
	if (r >= 0)
		r = cr_link_bound(&t->link, CR_SENDING_MS + t->patience_ms, e);
	if (r >= 0)
		r = receive_pass(t, "receive.rootfs", e);
	if (r >= 0)
		r = cr_link_bound(&t->link, CR_SILENCE_MS + t->patience_ms, e);
	if (r >= 0 && cr_offer_is_live(&t->offer)) {
		r = receive_live(t, e);
		cr_upper_close(&t->upper);
		return r < 0 ? r : check_memory(t, e);
	}
	if (r >= 0 && t->offer.was == CR_LIFE_RUNNING)
		r = receive_passes(t, e);
	/* A start or a restore mounts the disk image itself. */
	cr_upper_close(&t->upper);
	return r < 0 ? r : receive_images(t, NULL, e);
}
