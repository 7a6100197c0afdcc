// SPDX-License-Identifier: GPL-2.0-only
/* Entries, fields and varints of criu's images, within their bounds. */
#include "checkpoint/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define VARINT_BITS 7
#define MORE_BIT    0x80

static bool read_varint(struct cr_span *s, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; s->at < s->end && shift < 64; shift += VARINT_BITS) {
		uint8_t byte = *s->at++;

		*value |= (uint64_t)(byte & (MORE_BIT - 1)) << shift;
		if (!(byte & MORE_BIT))
			return true;
	}
	return false;
}

uint8_t *cr_image_put_varint(uint8_t *to, uint64_t value)
{
	for (; value >= MORE_BIT; value >>= VARINT_BITS)
		*to++ = (uint8_t)(value | MORE_BIT);
	*to++ = (uint8_t)value;
	return to;
}

bool cr_image_field(struct cr_span *s, unsigned *number, uint64_t *value, struct cr_span *content)
{
	struct cr_span saved = *s;
	uint64_t key, len;

	*value = 0;
	*content = (struct cr_span){0};
	if (s->at == s->end)
		return false;
	/* A number has 29 bits, and is not 0: what protobuf's own readers make of another is not for us to guess. */
	if (!read_varint(s, &key) || key > UINT32_MAX || key < 8)
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
		*content = (struct cr_span){s->at, s->at + len};
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

bool cr_image_next(struct cr_span *s, struct cr_span *entry)
{
	uint32_t len;

	if ((size_t)(s->end - s->at) < sizeof(len))
		return false;
	memcpy(&len, s->at, sizeof(len));
	if (len > (size_t)(s->end - s->at) - sizeof(len))
		return false;
	*entry = (struct cr_span){s->at + sizeof(len), s->at + sizeof(len) + len};
	s->at = entry->end;
	return true;
}

int cr_image_damaged(const char *name, struct err *e)
{
	return err_set(e, EPROTO, "image %s is damaged", name);
}

int cr_image_read(int images, const char *name, char **text, struct cr_span *entries, struct err *e)
{
	int n = file_try_read_at(images, name, CR_IMAGE_MOST, text, e);

	if (n < 0)
		return n;
	if (n < CR_IMAGE_MAGIC_BYTES)
		return cr_image_damaged(name, e);
	*entries = (struct cr_span){(const uint8_t *)*text + CR_IMAGE_MAGIC_BYTES,
				    (const uint8_t *)*text + n};
	return 0;
}

int cr_image_open_all(int images, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d || fchmod(images, 0711) < 0)
		return err_sys(e, "open the images for the restore");
	while ((entry = readdir(d)))
		if (entry->d_type == DT_REG && strstr(entry->d_name, ".img") &&
		    fchmodat(images, entry->d_name, 0644, 0) < 0)
			return err_sys(e, "open image %s for the restore", entry->d_name);
	return 0;
}
