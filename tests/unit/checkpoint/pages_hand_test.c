// SPDX-License-Identifier: GPL-2.0-only
/* The second thread of skep-pages: puts its part, frees it in the store unless told not to, and stops at what it cannot put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/pages_hand.h"

#define PAGE  4096ul
#define COUNT 300ul /* more than its buffer holds */

struct lab {
	int uffd, store;
	uint8_t *memory;
	struct cr_hand *hand;
};

static int set_up(void **state)
{
	static struct lab l;
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct err e = {0};
	uint8_t page[PAGE];

	l.uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	l.store = memfd_create("test", MFD_CLOEXEC);
	l.memory = mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	assert_true(l.uffd >= 0 && l.store >= 0 && l.memory != MAP_FAILED);
	r.range.start = (uintptr_t)l.memory;
	r.range.len = COUNT * PAGE;
	assert_int_equal(ioctl(l.uffd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(l.uffd, UFFDIO_REGISTER, &r), 0);
	for (size_t i = 0; i < COUNT; i++) {
		memset(page, (int)(i % 251 + 1), PAGE);
		assert_int_equal(pwrite(l.store, page, PAGE, (off_t)((7 + i) * PAGE)), PAGE);
	}
	assert_int_equal(cr_hand_start(&l.hand, &e), 0);
	*state = &l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	cr_hand_stop(l->hand);
	munmap(l->memory, COUNT * PAGE);
	close(l->uffd);
	close(l->store);
	return 0;
}

static uint64_t stored(const struct lab *l)
{
	struct stat st;

	assert_int_equal(fstat(l->store, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE;
}

static struct cr_hand_job do_job(struct lab *l, size_t first, size_t count, bool keep)
{
	struct cr_hand_job job = {.uffd = l->uffd,
				  .store = l->store,
				  .addr = (uintptr_t)l->memory + first * PAGE,
				  .at = (7 + first) * PAGE,
				  .npages = (uint32_t)count,
				  .keep = keep};

	cr_hand_give(l->hand, &job);
	cr_hand_take(l->hand);
	return job;
}

/* Only pages that are there: another one would be waited for for ever. */
static void check(const struct lab *l, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		for (size_t k = 0; k < PAGE; k += 512)
			assert_int_equal(l->memory[i * PAGE + k], i % 251 + 1);
}

static void test_all(void **state)
{
	struct lab *l = *state;
	struct cr_hand_job job = do_job(l, 0, 200, false);

	assert_int_equal(job.error, 0);
	assert_int_equal(job.done, 200);
	assert_int_equal(stored(l), COUNT - 200);
	job = do_job(l, 200, COUNT - 200, true);
	assert_int_equal(job.error, 0);
	assert_int_equal(job.done, COUNT - 200);
	assert_int_equal(stored(l), COUNT - 200);
	check(l, 0, COUNT);
}

static void test_stops(void **state)
{
	struct lab *l = *state;
	struct cr_hand_job job = do_job(l, 150, 1, false);

	assert_int_equal(job.done, 1);
	/* In the middle of a part: what was put before it counts, and nothing behind it is lost from the store. */
	job = do_job(l, 0, COUNT, false);
	assert_int_not_equal(job.error, 0);
	assert_int_equal(job.done, 150);
	assert_int_equal(stored(l), COUNT - 151);
	check(l, 0, 151);
	/* Right at it. */
	job = do_job(l, 150, 10, false);
	assert_int_equal(job.error, EEXIST);
	assert_int_equal(job.done, 0);
	job = do_job(l, 151, COUNT - 151, false);
	assert_int_equal(job.error, 0);
	assert_int_equal(stored(l), 0);
	check(l, 0, COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stops, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
