// SPDX-License-Identifier: GPL-2.0-only
/* Finds one number in criu's images and clears one bit of it, in place. */
#include "checkpoint/exe_flags.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/image.h"

/* Fields as in criu's images/{mm,fdinfo,regfile}.proto. */
#define MM_EXE_FILE_ID 12
#define FILE_ENTRY_REG 3
#define REG_ID	       1
#define REG_FLAGS      2
#define EXES_MOST      4096
#define O_PATH_BIT     21 /* of O_PATH, octal 010000000 */
#define VARINT_BITS    7

struct exes {
	uint64_t id[EXES_MOST];
	size_t count;
};

static int note_exe(int images, const char *name, struct exes *exes, struct err *e)
{
	auto_free char *text = NULL;
	struct cr_span all, entry, content;
	int n = cr_image_read(images, name, &text, &all, e);
	unsigned number;
	uint64_t value;

	if (n < 0)
		return err_set(e, -n, "open image %s", name);
	if (!cr_image_next(&all, &entry))
		return cr_image_damaged(name, e);
	while (cr_image_field(&entry, &number, &value, &content))
		if (number == MM_EXE_FILE_ID && exes->count < EXES_MOST)
			exes->id[exes->count++] = value;
	return entry.at == entry.end ? 0 : cr_image_damaged(name, e);
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
static const uint8_t *find_flags(struct cr_span reg, const struct exes *exes)
{
	struct cr_span content, flags = {0};
	uint64_t value, id = 0, bits = 0;
	unsigned number;

	while (cr_image_field(&reg, &number, &value, &content)) {
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
	struct cr_span all, entry, content;
	int n, mended = 0;

	_Static_assert(O_PATH == 1 << O_PATH_BIT, "O_PATH of this architecture");
	if (!exes)
		return err_set(e, ENOMEM, "mend files.img: no memory");
	n = cr_image_read(images, "files.img", &text, &all, e);
	if (n < 0)
		return e->no ? -e->no : 0;
	if (note_exes(images, exes, e) < 0)
		return -e->no;
	file = openat(images, "files.img", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return err_sys(e, "open files.img");
	while (cr_image_next(&all, &entry)) {
		unsigned number;
		uint64_t value;

		while (cr_image_field(&entry, &number, &value, &content)) {
			const uint8_t *flags = number == FILE_ENTRY_REG ? find_flags(content, exes)
									: NULL;

			if (flags && clear_bit(file, (uint8_t *)text, flags, e) < 0)
				return -e->no;
			mended += flags != NULL;
		}
	}
	return all.at == all.end ? mended : cr_image_damaged("files.img", e);
}
