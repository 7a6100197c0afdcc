// SPDX-License-Identifier: GPL-2.0-only
/* What a process keeps of its pidfds is found and renewed from outside, and nothing else of it; what another host says of them is checked. */
#include "tests/unit/cgroups/fixture.h"

#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/json.h"
#include "checkpoint/pidfds.h"

#define AT_ONCE (256u << 10) /* as it is read there */
#define STALE	UINT64_C(123456789012345)

struct record {
	int32_t pid, fd;
	uint64_t ino;
};

/* In the worker's heap, seen by both of us by its address. */
struct place {
	struct record *plain, *across, *other_fd, *other_pid, *odd;
	struct record own;
	bool ready;
};

struct lab {
	struct cg cg;
	struct place *place;
	int images;
	pid_t pid;
};

static uint64_t heap_begin(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t from = 0;

	while (maps && !from && fgets(line, sizeof(line), maps))
		if (strstr(line, " [heap]"))
			from = strtoull(line, NULL, 16);
	if (maps)
		fclose(maps);
	return from;
}

static int keeps_records(void *arg)
{
	struct place *p = arg;
	int fd = pidfd_open(getpid(), 0);
	uint64_t at = ((uint64_t)(uintptr_t)sbrk(3 * AT_ONCE) + 63) & ~UINT64_C(63);
	uint64_t across = heap_begin() + AT_ONCE - 8;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	p->own = (struct record){getpid(), fd, st.st_ino};
	p->plain = (struct record *)(uintptr_t)(at + 4096 + 8);
	p->other_fd = p->plain + 1;
	p->other_pid = p->plain + 2;
	p->odd = (struct record *)((char *)(p->plain + 4) + 4);
	while (across < at + 8192)
		across += AT_ONCE - 8;
	p->across = (struct record *)(uintptr_t)across;
	*p->plain = *p->across = *p->other_fd = *p->other_pid = p->own;
	memcpy(p->odd, &p->own, sizeof(p->own));
	p->other_fd->fd++;
	p->other_pid->pid++;
	__atomic_store_n(&p->ready, true, __ATOMIC_RELEASE);
	return test_pause(NULL);
}

static int set_up(void **state)
{
	static struct lab l;
	char dir[] = "/tmp/skep-pidfds-XXXXXX";
	unsigned looks = 0;

	l.place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(l.place, MAP_FAILED);
	assert_non_null(mkdtemp(dir));
	l.images = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_make("pidfds", &l.cg);
	l.pid = test_spawn(&l.cg, keeps_records, l.place);
	while (!__atomic_load_n(&l.place->ready, __ATOMIC_ACQUIRE))
		assert_true(test_again(&looks));
	*state = &l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	char path[64], dir[128] = {0};

	kill(l->pid, SIGKILL);
	test_reap(l->pid);
	test_end(&l->cg);
	unlinkat(l->images, CR_PIDFDS_FILE, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->images);
	assert_true(readlink(path, dir, sizeof(dir) - 1) > 0);
	close(l->images);
	munmap(l->place, 4096);
	return rmdir(dir);
}

/* Those of Linux before 6.9 have no numbers, and nobody keeps them. */
static void need_numbers(void)
{
	int fd = pidfd_open(getpid(), 0);
	struct statfs fs;

	assert_int_equal(fstatfs(fd, &fs), 0);
	close(fd);
	if (fs.f_type == 0x50494446)
		return;
	print_message("skip: the kernel has no pidfs\n");
	skip();
}

static struct record peek(const struct lab *l, const struct record *at)
{
	struct record r = {0};
	struct iovec here = {&r, sizeof(r)}, there = {(void *)(uintptr_t)at, sizeof(r)};

	assert_int_equal(process_vm_readv(l->pid, &here, 1, &there, 1, 0), sizeof(r));
	return r;
}

static void poke(const struct lab *l, const struct record *at, struct record r)
{
	struct iovec here = {&r, sizeof(r)}, there = {(void *)(uintptr_t)at, sizeof(r)};

	assert_int_equal(process_vm_writev(l->pid, &here, 1, &there, 1, 0), sizeof(r));
}

static void same(const struct lab *l, const struct record *at, struct record r)
{
	struct record now = peek(l, at);

	assert_memory_equal(&now, &r, sizeof(r));
}

/* The two records that are one, and no other words. */
static void found_where_they_are(void **state)
{
	const struct lab *l = *state;
	const struct place *p = l->place;
	json_t *all = NULL, *list;
	struct err e = {0};
	char number[16];

	need_numbers();
	OK(cr_pidfds_save(l->images, &l->cg, &e));
	OK(json_load_at(l->images, CR_PIDFDS_FILE, &all, &e));
	snprintf(number, sizeof(number), "%d", l->pid);
	list = json_object_get(all, number);
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		json_int_t at, ino;
		struct record r;

		assert_int_equal(json_unpack(json_array_get(list, i), "[I, i, i, I!]", &at, &r.pid,
					     &r.fd, &ino),
				 0);
		r.ino = (uint64_t)ino;
		assert_memory_equal(&r, &p->own, sizeof(r));
		assert_int_equal(at, (uintptr_t)(i ? p->across : p->plain));
	}
	json_decref(all);
}

static void write_file(const struct lab *l, const char *records)
{
	struct err e = {0};
	char text[512];

	snprintf(text, sizeof(text), "{\"%d\":%s}", l->pid, records);
	OK(file_replace_volatile_at(l->images, CR_PIDFDS_FILE, text, strlen(text), 0600, &e));
}

static void claim(const struct lab *l, const struct record *at, struct record r)
{
	char text[128];

	snprintf(text, sizeof(text), "[[%llu,%d,%d,%llu]]", (unsigned long long)(uintptr_t)at,
		 r.pid, r.fd, (unsigned long long)r.ino);
	write_file(l, text);
}

static void renewed(void **state)
{
	const struct lab *l = *state;
	const struct place *p = l->place;
	struct record stale = p->own, other;
	struct err e = {0};

	need_numbers();
	stale.ino = STALE;
	for (int all_there = 0; all_there < 2; all_there++) {
		poke(l, p->across, stale);
		claim(l, p->across, stale);
		OK(cr_pidfds_restore(l->images, &l->cg, all_there, &e));
		same(l, p->across, p->own);
	}
	/* It is another one now: what the file says is not what is there. */
	other = stale;
	other.ino++;
	poke(l, p->plain, other);
	claim(l, p->plain, stale);
	OK(cr_pidfds_restore(l->images, &l->cg, true, &e));
	same(l, p->plain, other);
	/* A descriptor that is another one now, or none. */
	other = stale;
	other.pid++;
	poke(l, p->plain, other);
	claim(l, p->plain, other);
	OK(cr_pidfds_restore(l->images, &l->cg, true, &e));
	same(l, p->plain, other);
	other = stale;
	other.fd += 500;
	poke(l, p->plain, other);
	claim(l, p->plain, other);
	OK(cr_pidfds_restore(l->images, &l->cg, true, &e));
	same(l, p->plain, other);
	/* Nothing is there. */
	claim(l, (void *)8, stale);
	OK(cr_pidfds_restore(l->images, &l->cg, true, &e));
	OK(cr_pidfds_restore(l->images, &l->cg, false, &e));
	poke(l, p->plain, p->own);
}

static void nonsense(void **state)
{
	static const char *const lists[] = {"7",	   "[7]",	    "[[]]",
					    "[[4,1,1,1]]", "[[0,1,1,1]]",   "[[-8,1,1,1]]",
					    "[[8,0,1,1]]", "[[8,1,-1,1]]",  "[[8,1,1,0]]",
					    "[[8,1,1]]",   "[[8,1,1,1,1]]", "[[8,1,1,\"1\"]]"};
	const struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct err e = {0};

		write_file(l, lists[i]);
		assert_int_equal(cr_pidfds_restore(l->images, &l->cg, true, &e), -EPROTO);
		assert_int_equal(e.class, ERR_RESTORE);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_where_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
	};

	alarm(60);
	return cmocka_run_group_tests_name("pidfds", tests, NULL, test_clean);
}
