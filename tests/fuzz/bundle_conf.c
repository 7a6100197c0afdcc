// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the file of words for criu that an annotation names: criu gets none that it must not, and the whole file, or there is an error. */
// words of: checkpoint/bundle_conf.c
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "checkpoint/bundle.h"
#include "checkpoint/bundle_conf.h"
#include "checkpoint/criu.h"
#include "runtime/spec.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cr_bundle plain = {.status_fd = -1};

/* Undo what a checkpoint is, or have criu execute a program, or are skep's own. criu takes what begins such a word for it, too. */
static const char *const never[] = {
	"--action-script",    "--config",
	"--daemon",	      "--exec-cmd",
	"--images-dir",	      "--inherit-fd",
	"--lazy-pages",	      "--leave-running",
	"--leave-stopped",    "--no-default-config",
	"--page-server",      "--pidfile",
	"--restore-detached", "--root",
	"--status-fd",	      "--tree",
	"--track-mem",	      "--unprivileged",
	"--work-dir",
};

static void judge_word(const char *word)
{
	size_t len = strcspn(word, "=");

	if (strncmp(word, "--", 2) != 0 || len < 3 || strchr(word, '\n') ||
	    strspn(word + 2, "abcdefghijklmnopqrstuvwxyz-") != len - 2)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (!strncmp(word, never[i], len))
			abort();
}

/* What no word of the file changes. */
static void judge_rest(const struct cr_bundle *how, const struct cr_bundle_conf *conf)
{
	if (how->images || how->work || how->parent || how->page_server || how->lsm_profile ||
	    how->lsm_mount_context || how->status_fd != plain.status_fd || how->leave_running ||
	    how->lazy_pages || how->pre_dump || how->groups != conf->groups)
		abort();
}

/* A line that has this word and value. Within quotes a backslash cannot be the last: it would be the quote's. */
static void write_line(FILE *f, const char *word, size_t len, const char *value)
{
	fprintf(f, "%.*s", (int)len, word);
	if (value && *value && *value != '"' && !strpbrk(value, " \t\r#")) {
		fprintf(f, " = %s", value);
	} else if (value) {
		fputs(" = \"", f);
		for (; *value; value++)
			fprintf(f, *value == '"' ? "\\\"" : "%c", *value);
		fputc('"', f);
	}
	fputc('\n', f);
}

static char *as_text(const struct cr_bundle *how, const struct cr_bundle_conf *conf)
{
	const struct {
		const char *word;
		bool given;
	} options[] = {
		{"tcp-established", how->tcp_established},
		{"skip-in-flight", how->tcp_skip_in_flight},
		{"link-remap", how->link_remap},
		{"ext-unix-sk", how->ext_unix_sk},
		{"shell-job", how->shell_job},
		{"file-locks", how->file_locks},
		{"auto-dedup", how->auto_dedup},
		{"manage-cgroups", conf->groups != NULL},
		{"log-file", conf->log != NULL},
	};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	for (unsigned i = 0; i < conf->n; i++) {
		const char *word = conf->words[i] + 2, *value = strchr(word, '=');

		write_line(f, word, strcspn(word, "="), value ? value + 1 : NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].given)
			write_line(f, options[i].word, strlen(options[i].word),
				   !strcmp(options[i].word, "log-file")		? conf->log
				   : !strcmp(options[i].word, "manage-cgroups") ? conf->groups
										: NULL);
	fclose(f);
	return text;
}

/* Written down as a file, it is read as the same. */
static void judge_again(const struct cr_bundle *how, const struct cr_bundle_conf *conf)
{
	auto_free char *text = as_text(how, conf), *text_again = NULL;
	auto_bundle_conf struct cr_bundle_conf again = {0};
	struct cr_bundle how_again = plain;
	struct err e = {0};

	if (cr_bundle_conf_parse(text, "again", &how_again, &again, &e) < 0)
		abort();
	text_again = as_text(&how_again, &again);
	if (strcmp(text, text_again) != 0)
		abort();
}

static void judge_criu(const struct cr_bundle_conf *conf)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;

	cr_bundle_conf_add(&c, conf);
	if (c.word_count < conf->n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	struct ct_spec spec = {0};
	struct cr_bundle how = plain;
	struct err e = {0};
	char path[sizeof(place_path) + 8];
	auto_json json_t *annotations = NULL;

	place_file(place_dir(), "conf", data, size);
	snprintf(path, sizeof(path), "%s/conf", place_path);
	annotations = json_pack("{s:s}", "org.criu.config", path);
	spec.annotations = annotations;
	if (cr_bundle_conf_load(&spec, &how, &conf, &e) < 0) {
		judge_error(&e);
		return 0;
	}
	/* A string would end there, and with it the file. */
	if (memchr(data, 0, size))
		abort();
	for (unsigned i = 0; i < conf.n; i++)
		judge_word(conf.words[i]);
	judge_rest(&how, &conf);
	judge_again(&how, &conf);
	judge_criu(&conf);
	return 0;
}
