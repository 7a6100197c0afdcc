// SPDX-License-Identifier: GPL-2.0-only
/* A directory of checkpoint images over the link of a migration. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/protocol.h"
#include "runtime/system.h"

#define IMAGES_MAX 100000
/* Below this an image goes in chunks only if they will be packed. */
#define LARGE (64U << 10)

/* Logs stay here; the marker is each side's own decision. */
static bool travels(const char *name)
{
	size_t len = strlen(name);

	return path_name_ok(name) && strcmp(name, CT_CHECKPOINT_MARKER) != 0 &&
	       !(len > 4 && !strcmp(name + len - 4, ".log"));
}

static int open_dir(int dir, DIR **d, struct err *e)
{
	auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open the images");
	*d = fdopendir(fd);
	if (!*d)
		return err_sys(e, "list the images");
	take_fd(&fd);
	return 0;
}

/* Calls fn for each regular file that travels. */
static int
each_image(int dir, int (*fn)(int file, const char *name, uint64_t size, void *arg, struct err *e),
	   void *arg, struct err *e)
{
	auto_dir DIR *d = NULL;
	struct dirent *entry;
	int r = open_dir(dir, &d, e);

	while (r >= 0 && (errno = 0, entry = readdir(d)) != NULL) {
		auto_fd int file = -EBADF;
		struct stat st;

		if (!travels(entry->d_name))
			continue;
		file = openat(dir, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (file < 0 && errno == ELOOP)
			continue;
		if (file < 0 || fstat(file, &st) < 0)
			return err_sys(e, "open image %s", entry->d_name);
		if (S_ISREG(st.st_mode))
			r = fn(file, entry->d_name, (uint64_t)st.st_size, arg, e);
	}
	if (r >= 0 && errno)
		return err_sys(e, "list the images");
	return r < 0 ? r : 0;
}

struct sum {
	uint64_t files, bytes;
};

static int add(int file, const char *name, uint64_t size, void *arg, struct err *e)
{
	struct sum *sum = arg;

	(void)file, (void)name, (void)e;
	sum->files++;
	sum->bytes += size;
	return 0;
}

int cr_images_measure(int dir, uint64_t *files, uint64_t *bytes, struct err *e)
{
	struct sum sum = {0};
	int r = each_image(dir, add, &sum, e);

	*files = sum.files;
	*bytes = sum.bytes;
	return r;
}

/* A head and what it announces; packed or, since it would not become smaller, as it is. */
static int send_chunk(struct cr_link *l, const void *data, size_t size, uint32_t mark,
		      struct err *e)
{
	const uint32_t head = htole32((uint32_t)size | mark);
	int r = cr_link_send_bytes(l, &head, sizeof(head), e);

	return r < 0 || !data ? r : cr_link_send_bytes(l, data, size, e);
}

static int try_chunk(struct cr_link *l, int file, uint64_t at, size_t len, void *room,
		     struct err *e)
{
	ssize_t n = pread(file, room, len, (off_t)at);
	const void *packed;
	size_t size;
	int r;

	if (n < 0)
		return err_sys(e, "read");
	if ((size_t)n < len)
		return err_set(e, EIO, "it became shorter");
	size = squeeze_pack(l->squeeze, room, len, &packed);
	r = size ? send_chunk(l, packed, size, CR_CHUNK_PACKED, e) : send_chunk(l, room, len, 0, e);
	squeeze_passed(l->squeeze, len, size ? size : len);
	return r;
}

static int send_chunks(struct cr_link *l, int file, uint64_t size, struct err *e)
{
	auto_free void *room = malloc(CR_CHUNK);
	int r = room ? 0 : err_set(e, ENOMEM, "out of memory");

	for (uint64_t at = 0; r >= 0 && at < size; at += CR_CHUNK) {
		size_t len = size - at < CR_CHUNK ? (size_t)(size - at) : CR_CHUNK;

		if (squeeze_wants(l->squeeze)) {
			r = try_chunk(l, file, at, len, room, e);
			continue;
		}
		/* Nothing needs it here: from file to link. */
		r = send_chunk(l, NULL, len, 0, e);
		if (r >= 0)
			r = cr_link_send_part(l, file, at, len, e);
		squeeze_passed(l->squeeze, len, len);
	}
	return r;
}

static int send_one(int file, const char *name, uint64_t size, void *arg, struct err *e)
{
	struct cr_link *l = arg;
	bool chunks = l->squeeze && (size >= LARGE || squeeze_wants(l->squeeze));
	auto_json json_t *j = json_pack("{s:s, s:I}", "name", name, "size", (json_int_t)size);
	int r;

	if (!j || (chunks && json_object_set_new(j, "chunks", json_true()) < 0))
		return err_set(e, ENOMEM, "send image %s: out of memory", name);
	r = cr_link_send(l, CR_FRAME_FILE, j, e);
	if (r >= 0)
		r = chunks ? send_chunks(l, file, size, e) : cr_link_send_file(l, file, size, e);
	return r < 0 ? err_wrap(e, "send image %s", name) : 0;
}

int cr_images_send(struct cr_link *l, int dir, uint64_t *bytes, struct err *e)
{
	auto_json json_t *j = NULL;
	uint64_t files, sum;
	int r = cr_images_measure(dir, &files, &sum, e);

	if (r < 0)
		return r;
	if (bytes)
		*bytes = sum;
	j = json_pack("{s:I, s:I}", "files", (json_int_t)files, "bytes", (json_int_t)sum);
	if (!j)
		return err_set(e, ENOMEM, "send the images: out of memory");
	r = cr_link_send(l, CR_FRAME_IMAGES, j, e);
	return r < 0 ? r : each_image(dir, send_one, l, e);
}

/* room: of two chunks, for what comes and for what it becomes. */
static int receive_packed(struct cr_link *l, int file, size_t len, size_t size, uint8_t *room,
			  struct err *e)
{
	int r = cr_link_receive_bytes(l, room + CR_CHUNK, size, e);

	if (r >= 0)
		r = squeeze_unpack(room + CR_CHUNK, size, room, len, e);
	return r < 0 ? r : file_write_all(file, room, len, e);
}

static int receive_chunks(struct cr_link *l, int file, uint64_t left, struct err *e)
{
	auto_free uint8_t *room = malloc(2 * (size_t)CR_CHUNK);
	int r = room ? 0 : err_set(e, ENOMEM, "out of memory");

	while (r >= 0 && left) {
		size_t len = left < CR_CHUNK ? (size_t)left : CR_CHUNK, size;
		uint32_t head = 0;

		r = cr_link_receive_bytes(l, &head, sizeof(head), e);
		if (r < 0)
			break;
		head = le32toh(head);
		size = head & ~CR_CHUNK_PACKED;
		if (head & CR_CHUNK_PACKED && size < len)
			r = receive_packed(l, file, len, size, room, e);
		else if (size == len && !(head & CR_CHUNK_PACKED))
			r = cr_link_receive_file(l, file, len, e);
		else
			r = err_set(e, EPROTO, "%s sent a piece of a size that cannot be", l->peer);
		left -= len;
	}
	return r;
}

static int receive_one(struct cr_link *l, int dir, uint64_t *left, struct err *e)
{
	auto_json json_t *j = NULL;
	auto_fd int file = -EBADF;
	const char *name = "";
	bool chunks = false;
	int64_t size = -1;
	int r = cr_link_expect(l, CR_FRAME_FILE, &j, CR_SILENCE_MS, e);

	if (r >= 0)
		r = json_get_str(j, "name", &name, e);
	if (r >= 0)
		r = json_get_int(j, "size", &size, e);
	if (r >= 0)
		r = json_get_bool(j, "chunks", &chunks, e);
	if (r < 0)
		return r;
	if (!travels(name) || size < 0 || (uint64_t)size > *left)
		return err_set(e, EPROTO, "%s sent an image of a name or size that cannot be",
			       l->peer);
	*left -= (uint64_t)size;
	file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return err_sys(e, "create image %s", name);
	r = chunks ? receive_chunks(l, file, (uint64_t)size, e)
		   : cr_link_receive_file(l, file, (uint64_t)size, e);
	return r < 0 ? err_wrap(e, "receive image %s", name) : 0;
}

/* Said before the copying, with the numbers, and not in the middle of it. */
static int check_room(int dir, uint64_t bytes, struct err *e)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(dir, &fs) < 0)
		return err_sys(e, "look for room for the images");
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes <= room)
		return 0;
	err_set(e, ENOSPC, "no room for %" PRIu64 " MiB of images (%" PRIu64 " MiB free)",
		bytes >> 20, room >> 20);
	return err_class(e, ERR_NO_SPACE);
}

int cr_images_receive(struct cr_link *l, int dir, const json_t *announced, struct err *e)
{
	auto_json json_t *j = NULL;
	int64_t files = -1, bytes = -1;
	uint64_t left;
	int r = announced ? 0 : cr_link_expect(l, CR_FRAME_IMAGES, &j, -1, e);

	if (r >= 0 && !announced)
		announced = j;
	if (r >= 0)
		r = json_get_int(announced, "files", &files, e);
	if (r >= 0)
		r = json_get_int(announced, "bytes", &bytes, e);
	if (r < 0)
		return r;
	if (files < 0 || files > IMAGES_MAX || bytes < 0)
		return err_set(e, EPROTO, "%s announced images that cannot be", l->peer);
	left = (uint64_t)bytes;
	r = check_room(dir, left, e);
	for (int64_t i = 0; r >= 0 && i < files; i++)
		r = receive_one(l, dir, &left, e);
	if (r >= 0 && left)
		return err_set(e, EPROTO, "%s sent less than it announced", l->peer);
	return r;
}
