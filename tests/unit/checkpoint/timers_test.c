// SPDX-License-Identifier: GPL-2.0-only
/* A process' timerfds are read and set from outside; what another host says of them is checked. */
#include "tests/unit/cgroups/fixture.h"

#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/file.h"
#include "checkpoint/timers.h"

#define NUMBER 50 /* of the timer, in both of us */
#define SECOND INT64_C(1000000000)

struct lab {
	struct cg cg;
	int images, timer;
	pid_t pid;
};

static int set_up(void **state)
{
	static struct lab l;
	char dir[] = "/tmp/skep-timers-XXXXXX";
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	assert_non_null(mkdtemp(dir));
	l.images = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l.timer = dup3(fd, NUMBER, O_CLOEXEC);
	close(fd);
	assert_int_equal(l.timer, NUMBER);
	test_make("timers", &l.cg);
	l.pid = test_spawn(&l.cg, test_pause, NULL); /* which has it, too */
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
	unlinkat(l->images, CR_TIMERS_FILE, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->images);
	assert_true(readlink(path, dir, sizeof(dir) - 1) > 0);
	close(l->images);
	close(l->timer);
	return rmdir(dir);
}

static void arm(const struct lab *l, int64_t seconds)
{
	struct itimerspec spec = {.it_value.tv_sec = seconds};

	assert_int_equal(timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &spec, NULL), 0);
}

static int64_t point(const struct lab *l)
{
	struct itimerspec left;
	struct timespec now;
	int64_t at;

	assert_int_equal(timerfd_gettime(l->timer, &left), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
		return 0;
	at = (now.tv_sec + left.it_value.tv_sec) * SECOND;

	/* Never is as far away as the kernel's clock goes. */
	return __builtin_add_overflow(at, now.tv_nsec + left.it_value.tv_nsec, &at) ? INT64_MAX
										    : at;
}

static void comes_back(const struct lab *l)
{
	struct err e = {0};

	OK(cr_timers_restore(l->images, &l->cg, l->pid, &e));
}

static void points_come_back(void **state)
{
	const struct lab *l = *state;
	struct itimerspec spec = {0};
	struct timespec now;
	struct err e = {0};
	uint64_t ticks = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	arm(l, now.tv_sec + 1000);
	OK(cr_timers_save(l->images, &l->cg, l->pid, &e));
	arm(l, now.tv_sec + 2000);
	comes_back(l);
	assert_in_range(llabs(point(l) - (now.tv_sec + 1000) * SECOND), 0, 10 * SECOND);

	arm(l, 1); /* long ago */
	OK(cr_timers_save(l->images, &l->cg, l->pid, &e));
	arm(l, now.tv_sec + 2000);
	comes_back(l);
	assert_int_equal(point(l), 0);
	assert_int_equal(read(l->timer, &ticks, sizeof(ticks)), sizeof(ticks));
	assert_int_equal(ticks, 1);

	assert_int_equal(timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &spec, NULL), 0);
	OK(cr_timers_save(l->images, &l->cg, l->pid, &e));
	arm(l, 1);
	comes_back(l);
	assert_int_equal(point(l), 0);
	assert_int_equal(read(l->timer, &ticks, sizeof(ticks)), -1);
}

static void write_file(const struct lab *l, const char *timer)
{
	struct err e = {0};
	char text[256];

	snprintf(text, sizeof(text), "{\"%d\":{\"%d\":%s}}", l->pid, NUMBER, timer);
	OK(file_replace_volatile_at(l->images, CR_TIMERS_FILE, text, strlen(text), 0600, &e));
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"1",
		"[]",
		"[1,1,0,5]",
		"[1,1,0,5,0,0]",
		"[\"1\",1,0,5,0]",
		"[2,1,0,5,0]", /* the clock of a process */
		"[77,1,0,5,0]",
		"[1,4,0,5,0]",
		"[1,1,-1,5,0]",
		"[1,1,0,-5,0]",
		"[1,1,0,5,-1]",
	};
	const struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {0};

		write_file(l, bad[i]);
		if (cr_timers_restore(l->images, &l->cg, l->pid, &e) >= 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.class, ERR_RESTORE);
	}
	write_file(l, "[1,1,0,9223372036854775807,9223372036854775807]"); /* never is no nonsense */
	comes_back(l);
	assert_true(point(l) != 0);
}

/* Of a descriptor that is something else, or not there, nothing is set. */
static void another_file(void **state)
{
	const struct lab *l = *state;
	struct err e = {0};
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"%d\":{\"0\":[1,1,0,5,0],\"999\":[1,1,0,5,0],\"..\":[1,1,0,5,0]}}", l->pid);
	OK(file_replace_volatile_at(l->images, CR_TIMERS_FILE, text, strlen(text), 0600, &e));
	comes_back(l);
	unlinkat(l->images, CR_TIMERS_FILE, 0);
	comes_back(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(points_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_file, set_up, tear_down),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, test_clean);
}
