// SPDX-License-Identifier: GPL-2.0-only
/* STATE/ID through kills, races and reboots; what may be done when. */
#include "place.h"

#include <time.h>

/* What gmtime(3) says of the moment, or of the second before. */
static bool is_now(const char *created)
{
	time_t now = time(NULL);
	char text[40];

	for (int i = 0; i < 2; i++, now--) {
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
		if (!strcmp(text, created))
			return true;
	}
	return false;
}

static void saved_and_read(void **state)
{
	struct place *p = *state;
	auto_ct struct ct a = CT_INIT, b = CT_INIT;
	const char *text = NULL;

	ok(ct_state_new(p->state, "101", "create", &a, &e));
	assert_true(is_now(a.s.created));
	assert_int_equal(a.s.status, CT_CREATING);
	assert_int_equal(place_status(&a), CT_CREATING);
	snprintf(a.s.bundle, sizeof(a.s.bundle), "/b/101");
	snprintf(a.s.cgroup, sizeof(a.s.cgroup), "skep/101");
	snprintf(a.s.terminal, sizeof(a.s.terminal), "8800:1a");
	a.s.id_base = 4000000000u;
	a.s.pid = 1234567;
	a.s.pid_start = 1ull << 40;
	a.s.stop_signal = SIGPWR;
	a.s.stop_timeout_s = 7;
	a.s.system = true;
	a.s.status = CT_CREATED;
	snprintf(a.s.rootfs, sizeof(a.s.rootfs), "/b/rootfs");
	a.s.annotations = json_pack("{s:s}", "org.x", "y");
	a.s.streams = json_pack("[s, s, s]", "/dev/null", "pipe:[7]", "");
	ok(ct_state_save(&a, &e));
	/* Without the lock, while the other one has it. */
	ok(ct_open(p->state, "101", NULL, &b, &e));
	assert_string_equal(b.s.id, "101");
	assert_string_equal(b.s.bundle, "/b/101");
	assert_string_equal(b.s.cgroup, "skep/101");
	assert_string_equal(b.s.terminal, "8800:1a");
	assert_int_equal(b.s.id_base, 4000000000u);
	assert_int_equal(b.s.pid, 1234567);
	assert_true(b.s.pid_start == 1ull << 40);
	assert_int_equal(b.s.stop_signal, SIGPWR);
	assert_int_equal(b.s.stop_timeout_s, 7);
	assert_true(b.s.system);
	assert_false(b.s.stale);
	assert_string_equal(b.s.created, a.s.created);
	assert_int_equal(strlen(b.s.created), 20);
	ok(json_get_str(b.s.annotations, "org.x", &text, &e));
	assert_string_equal(text, "y");
	assert_true(json_equal(a.s.streams, b.s.streams));
	assert_string_equal(b.s.rootfs, "/b/rootfs");
	assert_int_equal(place_status(&b), CT_STOPPED); /* no such process */
	ok(ct_delete(&a, false, &e));
	assert_int_equal(place_count(p), 0);
}

static void names(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	char path[256];

	refused(ct_state_new(p->state, "../x", "create", &ct, &e), ERR_VALUE);
	refused(ct_state_new(p->state, ".net.lock", "create", &ct, &e), ERR_VALUE);
	refused(ct_open(p->state, "nobody", NULL, &ct, &e), ERR_NO_SUCH_CT);
	refused(ct_open(p->state, "nobody", "stop", &ct, &e), ERR_NO_SUCH_CT);
	place_path(p, "none/at/all", path);
	refused(ct_open(path, "101", NULL, &ct, &e), ERR_NO_SUCH_CT);
	assert_int_equal(place_count(p), 0);
}

static int note(struct ct *ct, void *arg, struct err *e)
{
	char *seen = arg;

	(void)e;
	strncat(seen, ct->s.id, 100);
	strncat(seen, " ", 2);
	return 0;
}

static void walked(void **state)
{
	struct place *p = *state;
	char seen[256] = "", path[256];

	for (const char *const *id = (const char *const[]){"b", "a", "c", NULL}; *id; id++) {
		auto_ct struct ct ct = CT_INIT;

		ok(ct_state_new(p->state, *id, "create", &ct, &e));
		ct.s.status = CT_CREATED;
		ok(ct_state_save(&ct, &e));
	}
	place_path(p, ".hidden", path);
	assert_int_equal(mkdir(path, 0700), 0);
	place_path(p, "file", path);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	place_path(p, "broken", path);
	assert_int_equal(mkdir(path, 0700), 0);
	place_path(p, "broken/state.json", path);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ok(ct_each(p->state, note, seen, &e));
	assert_string_equal(seen, "a b c ");
	ok(ct_each("/nonexistent/skep", note, seen, &e));
}

static void exists(void **state)
{
	struct place *p = *state;
	auto_ct struct ct a = CT_INIT, b = CT_INIT;
	pid_t pid;

	ok(ct_state_new(p->state, "101", "create", &a, &e));
	pid = place_init(&a, CT_RUNNING, false);
	own_close_fd(&a.lock);
	refused(ct_state_new(p->state, "101", "create", &b, &e), ERR_EXISTS);
	kill(pid, SIGKILL);
	place_reap(pid);
	/* Stopped is not gone: somebody may want to know how it ended. */
	refused(ct_state_new(p->state, "101", "create", &b, &e), ERR_EXISTS);
	assert_int_equal(place_status(&a), CT_STOPPED);
}

/* Each thing that a creation makes, in its order, with a kill after it. */
static void dead_creators(void **state)
{
	struct place *p = *state;

	for (int made = 1; made <= 5; made++)
		for (int then = 0; then < 2; then++) {
			auto_ct struct ct ct = CT_INIT;
			char path[256];

			place_path(p, "101", path);
			assert_int_equal(mkdir(path, 0700), 0);
			for (int i = 2; i <= made && i <= 4; i++) {
				const char *const file[] = {"lock", "ledger", ".state.json.77"};

				snprintf(path, sizeof(path), "%s/101/%s", p->state, file[i - 2]);
				close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
			}
			if (made == 5) {
				ok(ct_open(p->state, "101", "create", &ct, &e));
				ok(ct_state_save(&ct, &e));
				ok(ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, "skep-test-none/101",
						 &e));
				ct_close(&ct);
			}
			if (then) {
				ok(ct_state_new(p->state, "101", "create", &ct, &e));
			} else {
				ok(ct_open(p->state, "101", "delete", &ct, &e));
				assert_int_equal(place_status(&ct), CT_STOPPED);
				own_close_fd(&ct.lock);
				assert_int_equal(place_status(&ct), CT_STOPPED);
			}
			ok(ct_delete(&ct, false, &e));
			assert_int_equal(place_count(p), 0);
		}
}

static void __attribute__((noreturn)) create_and_delete(const struct place *p)
{
	for (;;) {
		struct ct ct = CT_INIT;
		struct err e = {0};

		if (ct_state_new(p->state, "101", "create", &ct, &e) < 0 ||
		    ct_ledger_add(ct.dir, CT_LEDGER_CGROUP, "skep-test-none/101", &e) < 0 ||
		    ct_delete(&ct, true, &e) < 0)
			_exit(e.class == ERR_LOCKED ? 0 : 1);
		ct_close(&ct);
	}
}

static void killed_anywhere(void **state)
{
	struct place *p = *state;

	srand(4711);
	for (int i = 0; i < 300; i++) {
		auto_ct struct ct ct = CT_INIT;
		struct timespec t = {.tv_nsec = rand() % 1500000};
		pid_t pid = fork();

		if (pid == 0)
			create_and_delete(p);
		nanosleep(&t, NULL); /* the random moment */
		kill(pid, SIGKILL);
		assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
		if (i % 2) {
			struct err gone = {0};
			int r = ct_open(p->state, "101", "delete", &ct, &gone);

			if (r < 0)
				assert_int_equal(gone.class, ERR_NO_SUCH_CT);
			else
				ok(ct_delete(&ct, true, &e));
		} else {
			ok(ct_state_new(p->state, "101", "create", &ct, &e));
			ok(ct_delete(&ct, true, &e));
		}
		assert_int_equal(place_count(p), 0);
	}
}

/* Many make and delete the same name: two never have it at once, and none fails but for the lock's time. */
static void one_at_a_time(void **state)
{
	struct place *p = *state;
	int *holders = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[8];

	assert_true(holders != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int n = 0; n < 100; n++) {
			struct ct ct = CT_INIT;
			struct err e = {0};

			if (ct_state_new(p->state, "101", "create", &ct, &e) < 0) {
				fprintf(stderr, "%s\n", e.text);
				_exit(1);
			}
			if (__atomic_add_fetch(holders, 1, __ATOMIC_SEQ_CST) != 1)
				_exit(2);
			__atomic_sub_fetch(holders, 1, __ATOMIC_SEQ_CST);
			if (ct_delete(&ct, true, &e) < 0) {
				fprintf(stderr, "%s\n", e.text);
				_exit(3);
			}
			ct_close(&ct);
		}
		_exit(0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_int_equal(place_reap(pids[i]), 0);
	assert_int_equal(place_count(p), 0);
	munmap(holders, 4096);
}

static void what_is_true(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	auto_json json_t *oci = NULL;
	const char *text = NULL;
	siginfo_t ended;
	pid_t pid;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	pid = place_init(&ct, CT_CREATED, false);
	assert_int_equal(place_status(&ct), CT_CREATED);
	ct.s.status = CT_RUNNING;
	assert_int_equal(place_status(&ct), CT_RUNNING);
	ok(ct_state_to_oci(&ct, &oci, &e));
	ok(json_get_str(oci, "status", &text, &e));
	assert_string_equal(text, "running");
	assert_int_equal(json_integer_value(json_object_get(oci, "pid")), pid);
	/* Somebody else with its pid is not it. */
	ct.s.pid_start++;
	assert_int_equal(place_status(&ct), CT_STOPPED);
	ct.s.pid_start--;
	/* Dead is stopped, also before it is reaped. */
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_int_equal(place_status(&ct), CT_STOPPED);
	place_reap(pid);
	assert_int_equal(place_status(&ct), CT_STOPPED);
}

static bool watches(pid_t pid)
{
	char dir[32], path[320], target[64];
	DIR *d;
	bool found = false;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	d = opendir(dir);
	for (struct dirent *f; d && !found && (f = readdir(d));) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
		n = readlink(path, target, sizeof(target));
		found = n == 18 && !memcmp(target, "anon_inode:inotify", 18);
	}
	if (d)
		closedir(d);
	return found;
}

/* Who asks for the state between two steps of its creator. */
static void waits_for_its_creator(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT, seen = CT_INIT;
	enum { CREATED, HOOKED, KILLED, ENDS };

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	for (int end = 0; end < ENDS; end++) {
		pid_t waiter;
		int status;

		ct.s.hooked = false;
		ct.s.status = CT_CREATING;
		ok(ct_state_save(&ct, &e));
		waiter = fork();
		if (waiter == 0) {
			struct err e = {0};
			auto_ct struct ct other = CT_INIT;

			/* Else the lock has two holders. */
			close(ct.lock);
			if (ct_open(p->state, "101", NULL, &other, &e) < 0 ||
			    ct_await_creator(&other, &e) != 1)
				_exit(9);
			_exit(other.s.hooked ? 2 : other.s.status == CT_CREATED ? 1 : 3);
		}
		/* It ends by itself after a while: so does this. */
		while (!watches(waiter) && waitpid(waiter, NULL, WNOHANG) == 0)
			usleep(1000);
		ct.s.hooked = end == HOOKED;
		ct.s.status = end == CREATED ? CT_CREATED : CT_CREATING;
		if (end == KILLED) {
			close(ct.lock);
			ct.lock = -EBADF;
		} else {
			ok(ct_state_save(&ct, &e));
		}
		assert_int_equal(waitpid(waiter, &status, 0), waiter);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), end == CREATED ? 1 : end == HOOKED ? 2 : 3);
	}
	/* Nobody works at it: there is nothing to wait for. */
	ok(ct_open(p->state, "101", NULL, &seen, &e));
	assert_int_equal(ok(ct_await_creator(&seen, &e)), 0);
}

static void after_a_reboot(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT, old = CT_INIT;
	auto_json json_t *j = NULL;
	pid_t pid;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	pid = place_init(&ct, CT_RUNNING, false);
	ok(json_load_at(ct.dir, CT_STATE_FILE, &j, &e));
	json_object_set_new(j, "boot", json_string("00000000-0000-0000-0000-000000000000"));
	ok(json_save_at(ct.dir, CT_STATE_FILE, j, &e));
	ct_close(&ct);
	ok(ct_open(p->state, "101", NULL, &old, &e));
	assert_true(old.s.stale);
	assert_int_equal(place_status(&old), CT_STOPPED);
	/* Taken over without a word, and the process that has that pid now stays alive. */
	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	place_reap(pid);
}

static void refusals(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	enum ct_status found;
	pid_t pid;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	refused(ct_may(&ct, CT_EVENT_START, NULL, &e), ERR_LOCKED);
	pid = place_init(&ct, CT_CREATED, false);
	ok(ct_may(&ct, CT_EVENT_START, &found, &e));
	assert_int_equal(found, CT_CREATED);
	ok(ct_may(&ct, CT_EVENT_KILL, NULL, &e));
	refused(ct_may(&ct, CT_EVENT_DELETE, NULL, &e), ERR_RUNNING);
	refused(ct_may(&ct, CT_EVENT_RESUME, NULL, &e), ERR_NOT_RUNNING);
	refused(ct_may(&ct, CT_EVENT_CHECKPOINT, NULL, &e), ERR_NOT_RUNNING);
	ct.s.status = CT_RUNNING;
	refused(ct_may(&ct, CT_EVENT_START, NULL, &e), ERR_RUNNING);
	refused(ct_may(&ct, CT_EVENT_DELETE, NULL, &e), ERR_RUNNING);
	refused(ct_delete(&ct, false, &e), ERR_RUNNING);
	ok(ct_may(&ct, CT_EVENT_EXEC, NULL, &e));
	ok(ct_may(&ct, CT_EVENT_PAUSE, NULL, &e));
	kill(pid, SIGKILL);
	place_reap(pid);
	for (enum ct_event ev = CT_EVENT_START; ev < CT_EVENT_DELETE; ev++)
		refused(ct_may(&ct, ev, NULL, &e), ERR_NOT_RUNNING);
	ok(ct_may(&ct, CT_EVENT_DELETE, NULL, &e));
}

static void how_it_ended(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	struct err untouched = {0};
	int status = 0;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	assert_int_equal(ct_exit_read(&ct, &status, &untouched), -ENOENT);
	assert_int_equal(untouched.no, 0);
	ok(file_replace_volatile_at(ct.dir, CT_EXIT_FILE, "256\n", 4, 0600, &e));
	ok(ct_exit_read(&ct, &status, &e));
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* A creation that died before it said what it was may be cleaned up by either front; nobody else's may. */
static void whose_it_is(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	ct_close(&ct);
	ok(ct_open(p->state, "101", NULL, &ct, &e));
	assert_false(ct_state_is_system(&ct));
	ct_close(&ct);
	ok(ct_open(p->state, "101", "destroy", &ct, &e));
	assert_true(ct_state_is_system(&ct));
	ct.s.status = CT_RUNNING;
	ok(ct_state_save(&ct, &e));
	assert_false(ct_state_is_system(&ct));
	ct.s.system = true;
	ok(ct_state_save(&ct, &e));
	ct_close(&ct);
	ok(ct_open(p->state, "101", NULL, &ct, &e));
	assert_true(ct_state_is_system(&ct));
	ct_close(&ct);
}

static void stopping(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	uint64_t began;
	pid_t pid;

	ok(ct_state_new(p->state, "101", "create", &ct, &e));
	pid = place_init(&ct, CT_RUNNING, false);
	assert_int_equal(ok(ct_stop(&ct, 5, &e)), 0);
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGTERM);
	refused(ct_stop(&ct, 5, &e), ERR_NOT_RUNNING);
	pid = place_init(&ct, CT_RUNNING, true);
	began = log_now_ns();
	assert_int_equal(ok(ct_stop(&ct, 1, &e)), 1);
	assert_in_range((log_now_ns() - began) / 1000000, 990, 10000);
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
	pid = place_init(&ct, CT_RUNNING, false);
	ok(ct_kill(&ct, SIGUSR1, false, &e));
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGUSR1);
	refused(ct_kill(&ct, SIGKILL, false, &e), ERR_NOT_RUNNING);
	pid = place_init(&ct, CT_RUNNING, true);
	ok(ct_delete(&ct, true, &e));
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
	assert_int_equal(place_count(p), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		T(saved_and_read), T(names),	     T(walked),
		T(exists),	   T(dead_creators), T(killed_anywhere),
		T(one_at_a_time),  T(what_is_true),  T(waits_for_its_creator),
		T(after_a_reboot), T(refusals),	     T(how_it_ended),
		T(stopping),	   T(whose_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
