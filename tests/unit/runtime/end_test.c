// SPDX-License-Identifier: GPL-2.0-only
/* The ends of a container: asked, killed, deleted; frozen, deaf, half-made. A process in an own control group stands for init. */
#include "place.h"

#include "cgroups/entry.h"
#include "cgroups/kill.h"

/* A container of that status whose init is our child, in a group that its ledger names. */
static pid_t make(struct place *p, struct ct *ct, const char *id, enum ct_status status, bool deaf)
{
	auto_cg struct cg cg = CG_INIT;
	pid_t pid;

	ok(ct_state_new(p->state, id, "create", ct, &e));
	snprintf(ct->s.cgroup, sizeof(ct->s.cgroup), "skep-test-%d/%s", getpid(), id);
	ct->s.stop_timeout_s = 10;
	ok(ct_ledger_add(ct->dir, CT_LEDGER_CGROUP, ct->s.cgroup, &e));
	ok(cg_create(ct->s.cgroup, &cg, &e));
	pid = place_init(ct, status, deaf);
	ok(cg_add(&cg, pid, true, &e));
	return pid;
}

/* As the monitor does: whoever kills init waits for it to be gone, and only its parent can do that. */
static pid_t reaper(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static bool has_group(const struct ct *ct)
{
	auto_cg struct cg cg = CG_INIT;
	struct err e = {0};

	return cg_open(ct->s.cgroup, &cg, &e) >= 0;
}

static void gone(struct place *p, struct ct *ct)
{
	assert_false(has_group(ct));
	assert_int_equal(place_count(p), 0);
	ct_close(ct);
}

static void stops_by_itself(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, false);

	assert_int_equal(ok(ct_stop(&ct, -1, &e)), 0);
	assert_int_equal(place_reap(pid), SIGTERM);
	refused(ct_stop(&ct, -1, &e), ERR_NOT_RUNNING);
	refused(ct_kill(&ct, SIGKILL, false, &e), ERR_NOT_RUNNING);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

static void own_stop_signal(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, true);

	ct.s.stop_signal = SIGRTMIN + 3;
	assert_int_equal(ok(ct_stop(&ct, -1, &e)), 0);
	assert_int_equal(place_reap(pid), SIGRTMIN + 3);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

static void deaf_one_is_killed(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, true);
	uint64_t since = log_now_ns();

	assert_int_equal(ok(ct_stop(&ct, 1, &e)), 1);
	assert_true(log_now_ns() - since >= 1000000000u);
	assert_int_equal(place_reap(pid), SIGKILL);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

/* What was never started has no program that could hear a signal: no waiting for it. */
static void created_one_is_killed_at_once(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_CREATED, true);
	uint64_t since = log_now_ns();

	assert_int_equal(ok(ct_stop(&ct, 60, &e)), 1);
	assert_true(log_now_ns() - since < 5000000000u);
	assert_int_equal(place_reap(pid), SIGKILL);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

static void paused(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, false);

	refused(ct_resume(&ct, &e), ERR_RUNNING);
	ok(ct_pause(&ct, &e));
	assert_int_equal(place_status(&ct), CT_PAUSED);
	refused(ct_pause(&ct, &e), ERR_NOT_RUNNING);
	refused(ct_delete(&ct, false, &e), ERR_RUNNING);
	ok(ct_resume(&ct, &e));
	assert_int_equal(place_status(&ct), CT_RUNNING);
	ok(ct_pause(&ct, &e));
	assert_int_equal(ok(ct_stop(&ct, 60, &e)), 0);
	assert_int_equal(place_reap(pid), SIGTERM);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

static void paused_one_is_killed(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, false);

	ok(ct_pause(&ct, &e));
	ok(ct_kill(&ct, SIGKILL, false, &e));
	assert_int_equal(place_reap(pid), SIGKILL);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

/* A child of init's, in init's group. Its end is seen by way of the pipe. */
static void kill_reaches_all(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, false), other = reaper();

	if (other == 0) {
		ct_close(&ct);
		while (pause())
			;
	}
	ok(cg_open(ct.s.cgroup, &cg, &e));
	ok(cg_add(&cg, other, true, &e));
	ok(ct_kill(&ct, SIGUSR1, false, &e));
	assert_int_equal(place_reap(pid), SIGUSR1);
	assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
	/* init is gone: what it left is ended by a delete, all the same. */
	ok(ct_delete(&ct, false, &e));
	assert_int_equal(place_reap(other), SIGKILL);
	gone(p, &ct);

	pid = make(p, &ct, "a", CT_RUNNING, false);
	other = reaper();
	if (other == 0) {
		ct_close(&ct);
		while (pause())
			;
	}
	cg_close(&cg);
	ok(cg_open(ct.s.cgroup, &cg, &e));
	ok(cg_add(&cg, other, true, &e));
	ok(ct_kill(&ct, SIGUSR2, true, &e));
	assert_int_equal(place_reap(pid), SIGUSR2);
	assert_int_equal(place_reap(other), SIGUSR2);
	ok(ct_delete(&ct, false, &e));
	gone(p, &ct);
}

static void delete_by_force(void **state)
{
	struct place *p = *state;
	struct ct ct = CT_INIT;
	pid_t pid = make(p, &ct, "a", CT_RUNNING, true);

	refused(ct_delete(&ct, false, &e), ERR_RUNNING);
	assert_true(has_group(&ct));
	ok(ct_delete(&ct, true, &e));
	assert_int_equal(place_reap(pid), SIGKILL);
	gone(p, &ct);
}

/* A delete that is killed at any of its points is finished by the next one. */
static void delete_killed_at_each_point(void **state)
{
	static const char *const points[] = {"stop.kill:kill", "delete.ledger:kill",
					     "delete.state:kill"};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct ct ct = CT_INIT;
		pid_t pid = make(p, &ct, "a", CT_RUNNING, true), killed = fork();
		struct err why = {0};

		if (killed == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			setenv("SKEP_FAULT", points[i], 1);
			(void)ct_delete(&ct, true, &why);
			_exit(0);
		}
		ct_close(&ct);
		assert_int_equal(place_reap(killed), SIGKILL);
		ok(ct_open(p->state, "a", "delete", &ct, &e));
		ok(ct_delete(&ct, true, &e));
		assert_int_equal(place_reap(pid), SIGKILL);
		gone(p, &ct);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stops_by_itself, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(own_stop_signal, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(deaf_one_is_killed, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(created_one_is_killed_at_once, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(paused, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(paused_one_is_killed, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(kill_reaches_all, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(delete_by_force, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(delete_killed_at_each_point, place_setup,
						place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
