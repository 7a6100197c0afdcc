// SPDX-License-Identifier: GPL-2.0-only
/* Just enough of criu's image format to find one number and clear one bit, in place. */
#include "checkpoint/exe_flags.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

/* An image is two magic numbers, then entries: a length (u32, host order) and a protobuf message. Fields as in criu's images/{mm,fdinfo,regfile}.proto. */
#define MAGIC_BYTES    8
#define MM_EXE_FILE_ID 12
#define FILE_ENTRY_REG 3
#define REG_ID	       1
#define REG_FLAGS      2
#define IMAGE_MOST     (64u << 20)
#define EXES_MOST      4096
#define O_PATH_BIT     21 /* of O_PATH, octal 010000000 */
#define VARINT_BITS    7

/* A part of an image. */
struct span {
	const uint8_t *at, *end;
};

struct exes {
	uint64_t id[EXES_MOST];
	size_t count;
};

static bool read_varint(struct span *s, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; s->at < s->end && shift < 64; shift += VARINT_BITS) {
		uint8_t byte = *s->at++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* The next field of a message: its number; a varint's value and place, or a message's content. False: the end, or nonsense (then s->at is not s->end). */
static bool next_field(struct span *s, unsigned *number, uint64_t *value, struct span *content)
{
	struct span saved = *s;
	uint64_t key, len;

	*value = 0;
	*content = (struct span){0};
	if (s->at == s->end)
		return false;
	if (!read_varint(s, &key))
		goto nonsense;
	*number = (unsigned)(key >> 3);
	switch (key & 7) {
	case 0: /* varint */
		content->at = s->at;
		if (!read_varint(s, value))
			goto nonsense;
		content->end = s->at;
		return true;
	case 2: /* bytes */
		if (!read_varint(s, &len) || len > (uint64_t)(s->end - s->at))
			goto nonsense;
		*content = (struct span){s->at, s->at + len};
		s->at += len;
		return true;
	case 1: /* 64 bits */
	case 5: /* 32 bits */
		len = (key & 7) == 1 ? 8 : 4;
		if (len > (uint64_t)(s->end - s->at))
			goto nonsense;
		s->at += len;
		return true;
	}
nonsense:
	*s = saved;
	return false;
}

/* The next entry of an image. False: the end, or nonsense, as above. */
static bool next_entry(struct span *s, struct span *entry)
{
	uint32_t len;

	if ((size_t)(s->end - s->at) < sizeof(len))
		return false;
	memcpy(&len, s->at, sizeof(len));
	if (len > (size_t)(s->end - s->at) - sizeof(len))
		return false;
	*entry = (struct span){s->at + sizeof(len), s->at + sizeof(len) + len};
	s->at = entry->end;
	return true;
}

static int nonsense(const char *name, struct err *e)
{
	return err_set(e, EPROTO, "image %s is damaged", name);
}

static int note_exe(int images, const char *name, struct exes *exes, struct err *e)
{
	auto_free char *text = NULL;
	int n = file_read_at(images, name, IMAGE_MOST, &text, e);
	struct span all, entry, content;
	unsigned number;
	uint64_t value;

	if (n < 0)
		return n;
	if (n < MAGIC_BYTES)
		return nonsense(name, e);
	all = (struct span){(uint8_t *)text + MAGIC_BYTES, (uint8_t *)text + n};
	if (!next_entry(&all, &entry))
		return nonsense(name, e);
	while (next_field(&entry, &number, &value, &content))
		if (number == MM_EXE_FILE_ID && exes->count < EXES_MOST)
			exes->id[exes->count++] = value;
	return entry.at == entry.end ? 0 : nonsense(name, e);
}

static int note_exes(int images, struct exes *exes, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int r = 0, copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list the images");
	while (r >= 0 && (entry = readdir(d)))
		if (!strncmp(entry->d_name, "mm-", 3) && strstr(entry->d_name, ".img"))
			r = note_exe(images, entry->d_name, exes, e);
	return r;
}

static bool is_exe(const struct exes *exes, uint64_t id)
{
	for (size_t i = 0; i < exes->count; i++)
		if (exes->id[i] == id)
			return true;
	return false;
}

/* A regular file's entry: the place of its flags, if it is some task's executable and was opened by O_PATH. */
static const uint8_t *find_flags(struct span reg, const struct exes *exes)
{
	struct span content, flags = {0};
	uint64_t value, id = 0, bits = 0;
	unsigned number;

	while (next_field(&reg, &number, &value, &content)) {
		if (number == REG_ID)
			id = value;
		if (number == REG_FLAGS) {
			bits = value;
			flags = content;
		}
	}
	return bits & O_PATH && is_exe(exes, id) ? flags.at : NULL;
}

/* The number keeps its length: a varint may end in zeros (its last byte is then 0, which protobuf reads as well). */
static int clear_bit(int file, const uint8_t *start, const uint8_t *flags, struct err *e)
{
	const uint8_t *at = flags + O_PATH_BIT / VARINT_BITS;
	uint8_t byte = *at & (uint8_t) ~(1u << O_PATH_BIT % VARINT_BITS);

	return pwrite(file, &byte, 1, at - start) == 1 ? 1 : err_sys(e, "mend files.img");
}

int cr_exe_flags_mend(int images, struct err *e)
{
	auto_free struct exes *exes = calloc(1, sizeof(*exes));
	auto_free char *text = NULL;
	auto_fd int file = -EBADF;
	struct span all, entry, content;
	int n, mended = 0;

	_Static_assert(O_PATH == 1 << O_PATH_BIT, "O_PATH of this architecture");
	if (!exes)
		return err_set(e, ENOMEM, "mend files.img: no memory");
	n = file_try_read_at(images, "files.img", IMAGE_MOST, &text, e);
	if (n < 0)
		return e->no ? -e->no : 0;
	if (n < MAGIC_BYTES)
		return nonsense("files.img", e);
	if (note_exes(images, exes, e) < 0)
		return -e->no;
	file = openat(images, "files.img", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return err_sys(e, "open files.img");
	all = (struct span){(uint8_t *)text + MAGIC_BYTES, (uint8_t *)text + n};
	while (next_entry(&all, &entry)) {
		unsigned number;
		uint64_t value;

		while (next_field(&entry, &number, &value, &content)) {
			const uint8_t *flags = number == FILE_ENTRY_REG ? find_flags(content, exes)
									: NULL;

			if (flags && clear_bit(file, (uint8_t *)text, flags, e) < 0)
				return -e->no;
			mended += flags != NULL;
		}
	}
	return all.at == all.end ? mended : nonsense("files.img", e);
}
