// SPDX-License-Identifier: GPL-2.0-only
/* System containers on disk: made, found, received, destroyed; killed at any moment on the way. */
#include "tests/unit/runtime/system_place.h"

#include <time.h>

#include "net/addr.h"
#include "net/link.h"
#include "net/netlink.h"
#include "runtime/system_dir.h"

static void is_made_and_found(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_spec struct ct_spec spec = {0};
	char text[NET_ADDR_STR_MAX];
	enum ct_system_status status;
	struct stat st;

	add_interface(&d, "0.0.0.0");
	ok(ct_system_create(&h, &d, &e));
	ok(ct_system_open(&h, "101", "test", &s, &e));
	assert_memory_equal(&s.d, &d, sizeof(d));
	assert_true(d.id_base >= 0x40000000);
	assert_string_equal(d.nets[0].bridge, "skep0");
	assert_string_equal(net_addr_to_str(&d.nets[0].addrs[0], text), "10.209.0.2/24");
	assert_string_equal(net_addr_to_str(&d.nets[0].gateway4, text), "10.209.0.1/24");
	assert_int_equal(d.nets[0].gateway6.family, 0);
	assert_false(net_mac_is_zero(d.nets[0].mac));
	assert_int_equal(fstatat(s.dir, "upper", &st, 0), 0);
	assert_int_equal(st.st_uid, d.id_base);
	assert_int_equal(ct_dir_kind(s.dir), CT_DIR_CONTAINER);
	assert_int_not_equal(faccessat(s.dir, CT_DEFINITION_CREATING, F_OK, 0), 0);
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_STOPPED);
	ok(ct_system_spec(&s, &spec, &e));
	assert_int_equal(faccessat(s.dir, "config.json", F_OK, 0), 0);
	refused(ct_system_create(&h, &d, &e), ERR_EXISTS);
	ct_system_close(&s);
	ok(ct_system_destroy(&h, "101", false, &e));
	assert_int_equal(directories(&h), 0);
	refused(ct_system_destroy(&h, "101", true, &e), ERR_NO_SUCH_CT);
	refused(ct_system_open(&h, "101", NULL, &s, &e), ERR_NO_SUCH_CT);
	refused(ct_system_open(&h, "../t", NULL, &s, &e), ERR_VALUE);
}

static void nothing_is_shared(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition a = definition("a"), b = definition("b"), c = definition("c");

	add_interface(&a, "0.0.0.0");
	ok(net_addr_parse("::", &a.nets[0].addrs[a.nets[0].addr_count++], &e));
	add_interface(&b, "10.209.0.2/24");
	add_interface(&b, "0.0.0.0");
	ok(ct_system_create(&h, &b, &e));
	ok(ct_system_create(&h, &a, &e));
	/* Its own given one is not picked for its other interface. */
	assert_int_equal(b.nets[1].addrs[0].bytes[3], 3);
	assert_int_equal(a.nets[0].addrs[0].bytes[3], 4);
	assert_int_equal(a.nets[0].addrs[1].family, AF_INET6);
	assert_int_equal(a.nets[0].gateway6.family, AF_INET6);
	assert_int_not_equal(a.id_base, b.id_base);
	assert_memory_not_equal(a.nets[0].mac, b.nets[0].mac, 6);
	add_interface(&c, "10.209.0.4/16");
	refused(ct_system_create(&h, &c, &e), ERR_ADDR_IN_USE);
	ok(net_addr_parse("10.209.0.1/24", &c.nets[0].addrs[0], &e));
	refused(ct_system_create(&h, &c, &e), ERR_ADDR_IN_USE);
	ok(net_addr_parse("10.209.0.9/24", &c.nets[0].addrs[0], &e));
	memcpy(c.nets[0].mac, a.nets[0].mac, 6);
	refused(ct_system_create(&h, &c, &e), ERR_ADDR_IN_USE);
	memset(c.nets[0].mac, 0, 6);
	c.id_base = a.id_base + 65535;
	refused(ct_system_create(&h, &c, &e), ERR_VALUE);
	c.id_base = 0;
	snprintf(c.template, sizeof(c.template), "no");
	refused(ct_system_create(&h, &c, &e), ERR_NO_TEMPLATE);
	/* A refused one leaves nothing. */
	assert_int_equal(directories(&h), 2);
}

static void on_lo(const char *text, bool remove)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info lo;
	struct net_addr a;

	ok(net_addr_parse(text, &a, &e));
	ok(net_nl_open(&nl, -1, &e));
	ok(net_link_get(&nl, "lo", &lo, &e));
	if (remove)
		net_nl_addr_remove(&nl, lo.index, &a);
	else
		net_nl_addr_add(&nl, lo.index, &a, false);
	ok(net_nl_commit(&nl, &e));
}

/* The host's own addresses are seen without a wire. */
static void the_hosts_address(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");

	on_lo("10.5.5.5/32", false);
	add_interface(&d, "10.5.5.5/24");
	refused(ct_system_create(&h, &d, &e), ERR_ADDR_IN_USE);
	assert_int_equal(directories(&h), 0);
	on_lo("10.5.5.5/32", true);
	ok(ct_system_create(&h, &d, &e));
}

static void many_at_once(void **state)
{
	struct ct_host h = host_of(*state);
	bool seen[256] = {false};
	uint32_t ids[40];
	pid_t pids[4];
	int n = 0;

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int k = 0; k < 10; k++) {
			char name[32];
			struct ct_definition d;
			struct err e = {0};

			snprintf(name, sizeof(name), "%d", i * 10 + k);
			d = definition(name);
			add_interface(&d, "0.0.0.0");
			if (ct_system_create(&h, &d, &e) < 0) {
				fprintf(stderr, "%s\n", e.text);
				_exit(1);
			}
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(place_reap(pids[i]), 0);
	for (int i = 0; i < 40; i++) {
		auto_system struct ct_system s = CT_SYSTEM_INIT;
		char name[32];

		snprintf(name, sizeof(name), "%d", i);
		ok(ct_system_open(&h, name, NULL, &s, &e));
		assert_false(seen[s.d.nets[0].addrs[0].bytes[3]]);
		seen[s.d.nets[0].addrs[0].bytes[3]] = true;
		for (int k = 0; k < n; k++)
			assert_int_not_equal(ids[k], s.d.id_base);
		ids[n++] = s.d.id_base;
	}
}

struct list {
	char names[512];
	int broken;
};

static int note(struct ct_system *s, const struct err *broken, void *arg, struct err *e)
{
	struct list *l = arg;

	(void)e;
	snprintf(l->names + strlen(l->names), sizeof(l->names) - strlen(l->names), "%s%s ",
		 s->d.name, broken ? "!" : "");
	l->broken += broken != NULL;
	return 0;
}

static void walked_in_order(void **state)
{
	static const char *const names[] = {"web", "9", "101", "a10", "a2"};
	struct ct_host h = host_of(*state);
	struct list l = {0};
	char path[300];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct ct_definition d = definition(names[i]);

		ok(ct_system_create(&h, &d, &e));
	}
	snprintf(path, sizeof(path), "%s/ct/101/definition.json", h.root);
	write_file(path, "{\"version\": 1,");
	/* A remnant is none. */
	snprintf(path, sizeof(path), "%s/ct/remnant", h.root);
	assert_int_equal(mkdir(path, 0700), 0);
	ok(ct_system_each(&h, note, &l, &e));
	assert_string_equal(l.names, "9 101! a2 a10 web ");
}

static void broken_ones(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition a = definition("a"), b = definition("b");
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	char path[300];

	ok(ct_system_create(&h, &a, &e));
	snprintf(path, sizeof(path), "%s/ct/a/definition.json", h.root);
	write_file(path, "{}");
	refused(ct_system_open(&h, "a", "test", &s, &e), ERR_CONFIG);
	/* Its ids are still its own. */
	b.id_base = a.id_base;
	refused(ct_system_create(&h, &b, &e), ERR_VALUE);
	b.id_base = 0;
	ok(ct_system_create(&h, &b, &e));
	ok(ct_system_destroy(&h, "a", false, &e));
	assert_int_equal(directories(&h), 1);
}

/* What a create that died after its n-th deed leaves: swept by the next create or destroy, of whatever name. */
static void remnants(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("other");

	for (int n = 0; n < 4; n++)
		for (int then = 0; then < 3; then++) {
			struct ct_definition dead = definition("dead");
			char path[300], to[310];

			ok(ct_system_create(&h, &dead, &e));
			snprintf(path, sizeof(path), "%s/ct/dead/definition.json", h.root);
			snprintf(to, sizeof(to), "%s/ct/dead/definition.creating", h.root);
			if (n == 3) { /* a destroy that died behind its first step */
				snprintf(path, sizeof(path), "%s/ct/dead", h.root);
				snprintf(to, sizeof(to), "%s/ct/.gone-dead.0", h.root);
			}
			assert_int_equal(n == 1 ? unlink(path) : rename(path, to), 0);
			if (then == 0) {
				ok(ct_system_destroy(&h, "dead", false, &e));
			} else if (then == 1) {
				ok(ct_system_create(&h, &d, &e));
				assert_int_equal(directories(&h), 1);
				ok(ct_system_destroy(&h, "other", false, &e));
			} else {
				dead = definition("dead");
				ok(ct_system_create(&h, &dead, &e));
				ok(ct_system_destroy(&h, "dead", false, &e));
			}
			assert_int_equal(directories(&h), 0);
		}
}

static void __attribute__((noreturn)) create_and_destroy(const struct ct_host *h)
{
	for (;;) {
		struct ct_definition d = definition("101");
		struct err e = {0};

		add_interface(&d, "0.0.0.0");
		if (ct_system_create(h, &d, &e) < 0 || ct_system_destroy(h, "101", false, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(1);
		}
	}
}

/* A container that is there is whole. */
static void whole_or_none(const struct ct_host *h)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct err e = {0};

	if (ct_system_open(h, "101", NULL, &s, &e) < 0) {
		if (e.class != ERR_NO_SUCH_CT)
			fail_msg("%s", e.text);
		return;
	}
	assert_int_equal(faccessat(s.dir, "upper", F_OK, 0), 0);
	assert_int_equal(faccessat(s.dir, "work", F_OK, 0), 0);
}

static void killed_anywhere(void **state)
{
	struct ct_host h = host_of(*state);

	srand(815);
	for (int i = 0; i < 200; i++) {
		struct timespec t = {.tv_nsec = rand() % 8000000};
		struct ct_definition d = definition(i % 4 ? "101" : "other");
		struct err e = {0};
		pid_t pid = fork();
		int r;

		if (pid == 0)
			create_and_destroy(&h);
		nanosleep(&t, NULL); /* the random moment */
		kill(pid, SIGKILL);
		assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
		whole_or_none(&h);
		if (i % 2) {
			r = ct_system_destroy(&h, "101", false, &e);
			if (r < 0)
				assert_int_equal(e.class, ERR_NO_SUCH_CT);
		} else {
			r = ct_system_create(&h, &d, &e);
			if (r < 0)
				assert_int_equal(e.class, ERR_EXISTS);
			/* It was complete. */
			err_clear(&e);
			if (ct_system_destroy(&h, "101", false, &e) < 0)
				assert_int_equal(e.class, ERR_NO_SUCH_CT);
			err_clear(&e);
			if (ct_system_destroy(&h, "other", false, &e) < 0)
				assert_int_equal(e.class, ERR_NO_SUCH_CT);
		}
		assert_int_equal(directories(&h), 0);
	}
}

/* Runs a create or destroy that is killed at that point. */
static void strike(const struct ct_host *h, const char *point)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ct_definition d = definition("101");
		struct err e = {0};
		char fault[64];

		snprintf(fault, sizeof(fault), "%s:kill", point);
		setenv("SKEP_FAULT", fault, 1);
		if (!strncmp(point, "create.", 7))
			ct_system_create(h, &d, &e);
		else
			ct_system_destroy(h, "101", false, &e);
		_exit(0);
	}
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
}

static void killed_at_each_step(void **state)
{
	static const struct {
		const char *point;
		bool there;
	} points[] = {{"create.directory", false}, {"create.reserve", false},
		      {"create.layers", false},	   {"create.definition", false},
		      {"destroy.end", true},	   {"destroy.hide", true},
		      {"destroy.remove", false}};
	struct ct_host h = host_of(*state);

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct ct_definition d = definition("101"), other = definition("other");
		auto_system struct ct_system s = CT_SYSTEM_INIT;

		if (!strncmp(points[i].point, "destroy.", 8))
			ok(ct_system_create(&h, &d, &e));
		strike(&h, points[i].point);
		if (points[i].there) {
			ok(ct_system_open(&h, "101", "test", &s, &e));
			whole_or_none(&h);
		} else {
			refused(ct_system_open(&h, "101", "test", &s, &e), ERR_NO_SUCH_CT);
		}
		ct_system_close(&s);
		ok(ct_system_create(&h, &other, &e));
		assert_int_equal(directories(&h), 1 + points[i].there);
		ok(ct_system_destroy(&h, "other", false, &e));
		if (points[i].there)
			ok(ct_system_destroy(&h, "101", false, &e));
		assert_int_equal(directories(&h), 0);
	}
}

static void received(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition here = definition("here"), d = definition("101"), again;
	auto_system struct ct_system s = CT_SYSTEM_INIT, o = CT_SYSTEM_INIT;
	enum ct_system_status status;
	struct list l = {0};

	add_interface(&here, "10.209.0.9/24");
	ok(ct_system_create(&h, &here, &e));
	d.id_base = 0x50000000;
	add_interface(&d, "10.209.0.5/24");
	ok(ct_system_receive(&h, &d, &s, &e));
	assert_int_equal(d.id_base, 0x50000000);
	refused(ct_system_open(&h, "101", "start", &o, &e), ERR_IN_DOUBT);
	again = definition("101");
	refused(ct_system_create(&h, &again, &e), ERR_EXISTS);
	again = definition("b");
	add_interface(&again, "10.209.0.5/24");
	refused(ct_system_create(&h, &again, &e), ERR_ADDR_IN_USE);
	ok(ct_system_each(&h, note, &l, &e));
	assert_string_equal(l.names, "101 here ");
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_MIGRATING);
	/* Its receiver died. */
	ct_system_close(&s);
	refused(ct_system_destroy(&h, "101", false, &e), ERR_IN_DOUBT);
	refused(ct_system_receive_open(&h, "here", &s, &e), ERR_NO_SUCH_CT);
	ok(ct_system_receive_open(&h, "101", &s, &e));
	ok(ct_system_receive_commit(&s, &e));
	ok(ct_system_receive_commit(&s, &e));
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_STOPPED);
	ct_system_close(&s);
	ok(ct_system_open(&h, "101", NULL, &o, &e));
	ok(ct_system_destroy(&h, "101", false, &e));
	/* A range that is taken is replaced; an address is not. */
	d = definition("102");
	d.id_base = here.id_base;
	ok(ct_system_receive(&h, &d, &s, &e));
	assert_int_not_equal(d.id_base, here.id_base);
	ok(ct_system_receive_abort(&s, &e));
	assert_int_equal(directories(&h), 1);
	add_interface(&d, "10.209.0.9/24");
	refused(ct_system_receive(&h, &d, &s, &e), ERR_ADDR_IN_USE);
	assert_int_equal(directories(&h), 1);
}

static void templates_in_use(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");
	auto_fd int templates = ok(ct_host_templates(&h, &e));
	char who[65] = "";

	assert_int_equal(ok(ct_system_template_used("t", who, sizeof(who), &h, &e)), 0);
	ok(ct_system_create(&h, &d, &e));
	assert_int_equal(ok(ct_system_template_used("t", who, sizeof(who), &h, &e)), 1);
	assert_string_equal(who, "101");
	refused(st_template_remove(templates, "t", ct_system_template_used, &h, &e), ERR_SYSTEM);
	ok(ct_system_destroy(&h, "101", false, &e));
	ok(st_template_remove(templates, "t", ct_system_template_used, &h, &e));
}

/* With this journal start, stop and destroy refuse it in the same words, and with a command that works. */
static void tells(struct ct_system *s, const char *journal, enum ct_system_status wanted,
		  const char *text, const char *hint)
{
	enum ct_system_status status;

	ok(file_replace_at(s->dir, CT_JOURNAL_FILE, journal, strlen(journal), 0600, &e));
	ok(ct_system_status(s, &status, &e));
	assert_int_equal(status, wanted);
	for (int verb = 0; verb < 3; verb++) {
		struct err why = {0};

		assert_true((verb == 0	 ? ct_system_start(s, &why)
			     : verb == 1 ? ct_system_stop(s, 1, false, &why)
					 : ct_system_destroy(s->host, "101", false, &why)) < 0);
		assert_int_equal(why.class, ERR_IN_DOUBT);
		assert_non_null(strstr(why.text, text));
		assert_non_null(strstr(why.hint, hint));
	}
}

static void statuses(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_ct struct ct ct = CT_INIT;
	enum ct_system_status status;
	char path[300];
	pid_t pid;

	ok(ct_system_create(&h, &d, &e));
	/* Without its lock, which the process that stands for init would have, too. */
	ok(ct_system_open(&h, "101", NULL, &s, &e));
	refused(ct_system_stop(&s, 1, false, &e), ERR_NOT_RUNNING);
	assert_int_equal(mkdirat(s.dir, CT_CHECKPOINT_DIR, 0700), 0);
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_STOPPED);
	snprintf(path, sizeof(path), "%s/ct/101/checkpoint/complete", h.root);
	write_file(path, "");
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_SUSPENDED);
	/* Stopping it drops its memory. */
	ok(ct_system_stop(&s, 1, false, &e));
	assert_int_not_equal(faccessat(s.dir, CT_CHECKPOINT_DIR, F_OK, 0), 0);
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_STOPPED);
	ok(file_replace_at(s.dir, CT_JOURNAL_FILE, "{}", 2, 0600, &e));
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_MIGRATING);
	refused(ct_system_stop(&s, 1, false, &e), ERR_IN_DOUBT);
	tells(&s, "{\"point\": \"committed\", \"host\": \"B\"}", CT_SYSTEM_MIGRATING,
	      "its migration is not finished", "migrate 101 --continue");
	tells(&s, "{\"point\": \"moved\", \"host\": \"B\"}", CT_SYSTEM_MIGRATING,
	      "it was moved to B", "migrate 101 --continue");
	tells(&s, "{\"point\": \"kept\", \"host\": \"B\"}", CT_SYSTEM_MOVED,
	      "it was moved to B, and kept here", "destroy --force 101");
	tells(&s, "{\"point\": 7}", CT_SYSTEM_MIGRATING, "not finished", "migrate 101 --continue");
	assert_int_equal(unlinkat(s.dir, CT_JOURNAL_FILE, 0), 0);

	ok(ct_state_new(h.state, "101", "test", &ct, &e));
	ct.s.system = true;
	pid = place_init(&ct, CT_RUNNING, false);
	own_close_fd(&ct.lock);
	ok(ct_system_status(&s, &status, &e));
	assert_int_equal(status, CT_SYSTEM_RUNNING);
	refused(ct_system_destroy(&h, "101", false, &e), ERR_RUNNING);
	/* The reaper of an earlier run leaves it alone. */
	ok(ct_system_reap(&s, &e));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(ok(ct_system_stop(&s, 5, false, &e)), 0);
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGTERM);
	refused(ct_open(h.state, "101", NULL, &ct, &e), ERR_NO_SUCH_CT);
}

static void force_kills(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");
	auto_ct struct ct ct = CT_INIT;
	pid_t pid;

	ok(ct_system_create(&h, &d, &e));
	ok(ct_state_new(h.state, "101", "test", &ct, &e));
	ct.s.system = true;
	pid = place_init(&ct, CT_RUNNING, true);
	own_close_fd(&ct.lock);
	ok(ct_system_destroy(&h, "101", true, &e));
	assert_int_equal(WTERMSIG(place_reap(pid)), SIGKILL);
	assert_int_equal(directories(&h), 0);
	refused(ct_open(h.state, "101", NULL, &ct, &e), ERR_NO_SUCH_CT);
}

/* An OCI container in the same state directory is neither ours nor in the way of our verbs. */
static void not_ours(void **state)
{
	struct ct_host h = host_of(*state);
	struct ct_definition d = definition("101");
	auto_ct struct ct ct = CT_INIT;
	pid_t pid;

	ok(ct_state_new(h.state, "101", "test", &ct, &e));
	pid = place_init(&ct, CT_RUNNING, false);
	own_close_fd(&ct.lock);
	refused(ct_system_create(&h, &d, &e), ERR_EXISTS);
	refused(ct_system_destroy(&h, "101", true, &e), ERR_NO_SUCH_CT);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	place_reap(pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		T(is_made_and_found), T(nothing_is_shared), T(the_hosts_address),
		T(many_at_once),      T(walked_in_order),   T(broken_ones),
		T(remnants),	      T(killed_anywhere),   T(killed_at_each_step),
		T(received),	      T(templates_in_use),  T(statuses),
		T(force_kills),	      T(not_ours),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
