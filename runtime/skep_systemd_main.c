// SPDX-License-Identifier: GPL-2.0-only
/* skep-systemd: a container's control group as a transient scope of systemd, asked for over D-Bus. */

/*
 * A program of its own because libsystemd has no static archive in Debian, and skep is static: it is executed only where systemd is the maker of control groups.
 *   skep-systemd start WHOSE UNIT SLICE DESCRIPTION [PROPERTY=VALUE...]   makes the scope with this process in it, says "ok CONTROL-GROUP", and stays in it until its input ends
 *   skep-systemd set WHOSE UNIT PROPERTY=VALUE...     "ok" when systemd has taken them
 *   skep-systemd attach WHOSE UNIT SUBGROUP PID       "ok" when the process is there: a user's own systemd may ask the system's to move what the user may not
 *   skep-systemd stop WHOSE UNIT                      "ok" when there is no such unit any more
 * WHOSE: system, or user. The answer is one line on standard output: "ok…", "error TEXT", "exists TEXT" when the unit is somebody's already, or "nobus TEXT" when systemd cannot be reached at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define MANAGER	     "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_FACE "org.freedesktop.systemd1.Manager"
#define SCOPE_FACE   "org.freedesktop.systemd1.Scope"

/* A scope has one process to move or some to end: what takes longer does not come. */
#define JOB_MS 30000

#define CPUS_MOST 8192

#define SIZE(a) (sizeof(a) / sizeof((a)[0]))

static sd_bus *bus;

static _Noreturn void say(const char *word, const char *what, const char *why)
{
	printf("%s %s: %s\n", word, what, why);
	fflush(stdout);
	exit(1);
}

static _Noreturn void fail(const char *what, int r, const sd_bus_error *error)
{
	say("error", what, error && error->message ? error->message : strerror(-r));
}

/* systemd's own socket is there without a bus daemon, for root of the system and for the user. */
static int open_private(bool user)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char address[256] = "unix:path=/run/systemd/private";
	int r = sd_bus_new(&bus);

	if (user && (!dir || snprintf(address, sizeof(address), "unix:path=%s/systemd/private",
				      dir) >= (int)sizeof(address)))
		return -ENOENT;
	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	return r < 0 ? r : sd_bus_start(bus);
}

static void open_bus(const char *whose)
{
	bool user = !strcmp(whose, "user");
	int r = user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
	const char *name;

	/* The daemon's answer is waited for here: a socket that nobody serves is as good as none. */
	if (r >= 0)
		r = sd_bus_get_unique_name(bus, &name);
	if (r < 0) {
		bus = sd_bus_close_unref(bus);
		if (open_private(user) < 0)
			say("nobus", user ? "reach the user's systemd" : "reach systemd",
			    strerror(-r));
	}
}

/* CPUs or memory nodes "0-3,6" as systemd has them: a bit each. Returns the number of bytes. */
static size_t read_list(const char *text, uint8_t bits[CPUS_MOST / 8])
{
	size_t most = 0;

	while (*text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			say("error", "read a list", text);
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= CPUS_MOST || (*end && *end != ','))
			say("error", "read a list", text);
		for (unsigned long n = first; n <= last; n++)
			bits[n / 8] |= (uint8_t)(1u << n % 8);
		most = last / 8 + 1 > most ? last / 8 + 1 : most;
		text = *end ? end + 1 : end;
	}
	return most;
}

/* All of them but the lists are uint64 in systemd; its word for no limit is the greatest. */
static int add_property(sd_bus_message *m, char *word)
{
	char *value = strchr(word, '=');
	uint8_t bits[CPUS_MOST / 8] = {0};
	size_t n;
	int r;

	if (!value)
		say("error", "read a property", word);
	*value++ = 0;
	if (strncmp(word, "Allowed", strlen("Allowed")) != 0)
		return sd_bus_message_append(m, "(sv)", word, "t",
					     strcmp(value, "infinity") ? strtoull(value, NULL, 10)
								       : UINT64_MAX);
	n = read_list(value, bits);
	r = sd_bus_message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', word);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', bits, n);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static sd_bus_message *new_call(const char *method)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, MANAGER, MANAGER_PATH, MANAGER_FACE,
					       method);

	if (r < 0)
		fail(method, r, NULL);
	return m;
}

static void built(const char *method, int r)
{
	if (r < 0)
		fail(method, r, NULL);
}

/* How the job that we wait for ended. */
struct job {
	char path[128];
	char result[32];
};

static int on_job_removed(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const char *path, *unit, *result;
	struct job *job = arg;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0 &&
	    !strcmp(path, job->path))
		snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

/* Before the call that makes the job. On systemd's own socket messages have no sender. */
static void watch_jobs(struct job *job)
{
	const char *name;
	bool daemon = sd_bus_get_unique_name(bus, &name) >= 0;
	int r = sd_bus_match_signal(bus, NULL, daemon ? MANAGER : NULL, MANAGER_PATH, MANAGER_FACE,
				    "JobRemoved", on_job_removed, job);

	if (r >= 0)
		r = sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_FACE, "Subscribe", NULL,
				       NULL, "");
	if (r < 0)
		fail("watch systemd's jobs", r, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wait_job(struct job *job, sd_bus_message *reply, const char *what)
{
	uint64_t until = now_ms() + JOB_MS, now;
	const char *path;
	int r = sd_bus_message_read(reply, "o", &path);

	if (r < 0)
		fail(what, r, NULL);
	snprintf(job->path, sizeof(job->path), "%s", path);
	while (!job->result[0]) {
		r = sd_bus_process(bus, NULL);
		if (r < 0)
			fail(what, r, NULL);
		now = now_ms();
		if (r == 0 && now >= until)
			say("error", what, "systemd does not get it done");
		if (r == 0 && !job->result[0])
			sd_bus_wait(bus, (until - now) * 1000);
	}
	if (strcmp(job->result, "done") != 0)
		say("error", what, job->result);
}

/* An earlier one of the name that failed, and that nobody has taken notice of, is no reason. */
static void reset_failed(const char *unit)
{
	sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_FACE, "ResetFailedUnit", NULL, NULL,
			   "s", unit);
}

static sd_bus_message *start_call(char *argv[])
{
	sd_bus_message *m = new_call("StartTransientUnit");
	int r = sd_bus_message_append(m, "ss", argv[0], "fail");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(
			m, "(sv)(sv)(sv)(sv)(sv)(sv)", "Slice", "s", argv[1], "Description", "s",
			argv[2], "PIDs", "au", 1, (uint32_t)getpid(), "Delegate", "b", 1,
			"DefaultDependencies", "b", 0, "CollectMode", "s", "inactive-or-failed");
	for (char **p = argv + 3; r >= 0 && *p; p++) {
		char word[256];

		snprintf(word, sizeof(word), "%s", *p);
		r = add_property(m, word);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	built("ask for a scope", r);
	return m;
}

static void say_group(const char *unit)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *path = NULL;
	char *group = NULL;
	int r = sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_FACE, "GetUnit", &error,
				   &reply, "s", unit);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		r = sd_bus_get_property_string(bus, MANAGER, path, SCOPE_FACE, "ControlGroup",
					       &error, &group);
	if (r < 0)
		fail("ask for the scope's control group", r, &error);
	printf("ok %s\n", group);
	fflush(stdout);
}

/* UNIT SLICE DESCRIPTION PROPERTY=VALUE... */
static int start(int argc, char *argv[])
{
	struct job job = {0};
	sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char byte;
	int r;

	if (argc < 3)
		say("error", "start", "too few words");
	watch_jobs(&job);
	r = sd_bus_call(bus, start_call(argv), 0, &error, &reply);
	if (r < 0 && sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists")) {
		reset_failed(argv[0]);
		sd_bus_error_free(&error);
		r = sd_bus_call(bus, start_call(argv), 0, &error, &reply);
	}
	if (r < 0 && sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists"))
		say("exists", "ask for a scope", error.message);
	if (r < 0)
		fail("ask for a scope", r, &error);
	wait_job(&job, reply, "make the scope");
	say_group(argv[0]);
	/* The scope exists as long as there is a process in it. */
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

static int done(void)
{
	puts("ok");
	return fflush(stdout) ? 1 : 0;
}

/* UNIT PROPERTY=VALUE... */
static int set(int argc, char *argv[])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = new_call("SetUnitProperties");
	/* For its life, which is what a transient unit has. */
	int r = argc < 1 ? -EINVAL : sd_bus_message_append(m, "sb", argv[0], 1);

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	for (int i = 1; r >= 0 && i < argc; i++)
		r = add_property(m, argv[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	built("set limits", r);
	r = sd_bus_call(bus, m, 0, &error, NULL);
	if (r < 0)
		fail("set the scope's limits", r, &error);
	return done();
}

/* UNIT SUBGROUP PID */
static int attach(int argc, char *argv[])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	if (argc != 3)
		say("error", "attach", "not three words");
	r = sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_FACE, "AttachProcessesToUnit",
			       &error, NULL, "ssau", argv[0], argv[1], 1,
			       (uint32_t)strtoul(argv[2], NULL, 10));
	if (r < 0)
		fail("move a process into the scope", r, &error);
	return done();
}

/* UNIT. Its processes have been ended, or there is a placeholder that died. */
static int stop(int argc, char *argv[])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct job job = {0};
	int r;

	if (argc != 1)
		say("error", "stop", "not one word");
	watch_jobs(&job);
	r = sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_FACE, "StopUnit", &error, &reply,
			       "ss", argv[0], "replace");
	if (r >= 0)
		wait_job(&job, reply, "stop the scope");
	else if (!sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
		fail("stop the scope", r, &error);
	reset_failed(argv[0]);
	return done();
}

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} verbs[] = {{"start", start}, {"set", set}, {"attach", attach}, {"stop", stop}};

int main(int argc, char *argv[])
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 3 && i < SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name)) {
			open_bus(argv[2]);
			return verbs[i].run(argc - 3, argv + 3);
		}
	fputs("skep-systemd is skep's own: see --systemd-cgroup in skep(8)\n", stderr);
	return 2;
}
