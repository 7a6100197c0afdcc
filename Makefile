# SPDX-License-Identifier: GPL-2.0-only
# Builds skep out of the source tree: `make help` names the targets and the variables.

BUILD      ?= build
PREFIX     ?= /usr
DESTDIR    ?=
CC         := $(if $(filter default,$(origin CC)),gcc,$(CC))
AR         := $(if $(filter default,$(origin AR)),ar,$(AR))
PKG_CONFIG ?= pkg-config
NM         ?= nm
STATIC_CC  ?= $(shell command -v musl-gcc || echo $(CC))
LIBEXECDIR  = $(PREFIX)/libexec/skep
MANDIR      = $(PREFIX)/share/man
COMPDIR     = $(PREFIX)/share/bash-completion/completions
UNITDIR     = $(PREFIX)/lib/systemd/system

JOBS ?= $(shell nproc)
# One word and the target a line; V=1 shows the commands, -s nothing.
Q   := $(if $(V),,@)
say  = @$(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-4s %s\n' $(1) $@)

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

FOLDERS := base ns cgroups net storage runtime checkpoint ctl
PKGS    := libcap libseccomp libmnl libcgroup libnftables jansson libarchive libzstd
# Parsing this file must work before `make deps` has installed pkg-config; the compiler then names what is missing.
pkg      = $(shell $(PKG_CONFIG) $(1) 2>/dev/null)

WARN     := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
            -Wno-format-nonliteral $(WERROR)
CFLAGS   ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -I. -DSKEP_LIBEXECDIR='"$(LIBEXECDIR)"'
SKEPFLAGS = -std=gnu11 -ffunction-sections $(WARN) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) $(call pkg,--cflags $(PKGS))
# libnftables is opened by who needs it (net/nft.c).
LDLIBS    = $(or $(call pkg,--libs $(filter-out libnftables,$(PKGS))),-lcap -lseccomp -lmnl -lcgroup -ljansson -larchive -lzstd) -lm
CMOCKA    = $(or $(call pkg,--libs cmocka),-lcmocka)

# Programs of libskep, and tiny static ones that stay resident or run inside a container and link nothing of it.
MAINS       := ctl/skepctl.c ctl/skep.c
STATIC_MAINS := runtime/skep_monitor_main.c checkpoint/skep_criu_hook_main.c checkpoint/skep_pages_main.c checkpoint/skep_criu_tool_main.c
# One that links a library which has no static archive in Debian: skep executes it where it is needed.
DYNAMIC_MAINS := runtime/skep_systemd_main.c
PROGRAMS    := $(patsubst ctl/%.c,$(BUILD)/%,$(wildcard $(MAINS)))
LIBEXEC     := $(if $(wildcard runtime/skep_monitor_main.c),$(BUILD)/skep-monitor) \
               $(if $(wildcard checkpoint/skep_criu_hook_main.c),$(BUILD)/skep-criu-hook) \
               $(if $(wildcard checkpoint/skep_pages_main.c),$(BUILD)/skep-pages) \
               $(if $(wildcard checkpoint/skep_criu_tool_main.c),$(BUILD)/skep-criu-tool)
LIBEXEC_DYNAMIC := $(if $(wildcard runtime/skep_systemd_main.c),$(BUILD)/skep-systemd)
# Names under which criu finds skep-criu-tool.
CRIU_TOOLS  := tar $(foreach v,iptables ip6tables,$(v)-save $(v)-restore $(v)-legacy-save $(v)-legacy-restore)
TEST_STATIC := $(if $(wildcard tests/probe.c),$(BUILD)/probe $(BUILD)/plant $(BUILD)/pattern $(BUILD)/estate $(BUILD)/timers $(BUILD)/trespass $(BUILD)/notify $(BUILD)/inject) $(patsubst tests/bench/%.c,$(BUILD)/%,$(wildcard tests/bench/*.c))

LIB      := $(BUILD)/libskep.a
LIB_SRCS := $(filter-out $(MAINS) $(STATIC_MAINS) $(DYNAMIC_MAINS),$(wildcard $(FOLDERS:%=%/*.c)))
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/%.o)
UNITS    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/unit/*/*_test.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
MANPAGES := $(patsubst ctl/man/%.in,$(BUILD)/man/%,$(wildcard ctl/man/*.in))
DEPS     := $(LIB_OBJS:.o=.d) $(BUILD)/net/static/mnl.d $(BUILD)/ctl/static/entry.d $(MAINS:%.c=$(BUILD)/%.d) $(UNITS:=.d) $(FUZZERS:=.d)

.PHONY: all deps demo tests check check-hosts soak hosts hosts-stop lint fmt asan fuzz fuzzers bench bench-migrate start-order install deb clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIB) $(PROGRAMS) $(LIBEXEC) $(LIBEXEC_DYNAMIC) $(CRIU_TOOLS:%=$(BUILD)/criu-tools/%) $(MANPAGES) ## build skepctl, skep, their helper programs and manual pages

tests: all $(UNITS) $(TEST_STATIC) $(BUILD)/fault-points ## build the unit tests, the probe and the bench's floor too

deps: ## install what build and tests need, and a CRIU that works on this kernel
	@tools/deps

# Compiling starts in a second make: pkg-config and the headers may be there only after `make deps`.
demo: deps ## show it all in a minute: limits, exec, suspend, a migration under a client
	@$(MAKE) --no-print-directory all $(BUILD)/probe
	@BUILD=$(BUILD) tests/demo/run

check: deps ## run all tests; T=net/veth or T=start runs one, MUST_RUN=1 forbids unknown skips
	@$(MAKE) --no-print-directory tests
	@BUILD=$(BUILD) T="$(T)" TIERS="$(TIERS)" tests/run

check-hosts: deps ## run the tests in virtual machines of Debian 13; T=limits runs one file
	@$(MAKE) --no-print-directory tests
	@BUILD=$(BUILD) T="$(T)" TIERS=hosts tests/run

soak: deps ## take containers live to another host and back, ROUNDS=20 times, natively and between virtual machines; F=REGEX, TIERS=hosts
	@$(MAKE) --no-print-directory tests
	@for tier in $(or $(TIERS),native hosts); do \
		BUILD=$(BUILD) ROUNDS=$(or $(ROUNDS),20) TEST_SECONDS=7200 FILE_SECONDS=28800 TOTAL_SECONDS=28800 \
			T=$$tier/rounds TIERS=$$tier tests/run || exit; done

hosts: deps ## leave two virtual machines of Debian 13 with skep running for you, and say how to reach them
	@$(MAKE) --no-print-directory tests
	@BUILD=$(BUILD) tests/hosts/play start

hosts-stop: ## end them (they end by themselves after 4 hours)
	@tests/hosts/play stop

lint: ## check format, include arrows, headers, both compilers, clang-tidy, shellcheck
	@tools/lint $(CHECKS)

fmt: ## format all C files
	clang-format -i $(wildcard $(FOLDERS:%=%/*.[ch]) tests/*.[ch] tests/*/*.[ch] tests/unit/*/*.[ch])

asan: ## run the unit and native tests under ASan and UBSan; TIERS=unit or T=net/veth runs less
	@$(MAKE) --no-print-directory check TIERS="$(or $(TIERS),unit native)" BUILD=build/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

fuzz: ## feed what others wrote, and what comes from other hosts, with nonsense, FOR=60 seconds each; T=pagemap runs one
	@$(MAKE) --no-print-directory fuzzers BUILD=build/fuzz CC=clang CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
	@BUILD=build/fuzz T="$(T)" FOR="$(FOR)" tests/fuzz/run

fuzzers: $(FUZZERS)

bench: ## measure against runc, lxc-start, the bare floor, and beside CROWD=1000 others; JSON=1 prints JSON lines
	@$(MAKE) --no-print-directory tests >&2
	@BUILD=$(BUILD) JSON="$(JSON)" RUNS="$(RUNS)" CROWD="$(CROWD)" tests/bench/run

start-order: $(BUILD)/skep $(BUILD)/probe $(BUILD)/touched ## order the program anew by what a start executes (ctl/static/start.ld); when bench's start_true_rss has grown
	tools/start-order $(BUILD)/skep.map $(BUILD)/skep $(BUILD)/touched

$(BUILD)/touched: tools/touched.c $(BUILD)/flags
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) -o $@ $<

bench-migrate: ## measure live migration against criu by hand, seen by an outside client; RUNS MODES MTUS MB DIRTY SIZES SMALL_MODES, JSON=1
	@$(MAKE) --no-print-directory tests >&2
	@BUILD=$(BUILD) JSON="$(JSON)" RUNS="$(RUNS)" MODES="$(MODES)" MTUS="$(MTUS)" MB="$(MB)" DIRTY="$(DIRTY)" \
		$(if $(filter undefined,$(origin SIZES)),,SIZES="$(SIZES)") $(if $(filter undefined,$(origin SMALL_MODES)),,SMALL_MODES="$(SMALL_MODES)") \
		tests/bench/migrate

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPDIR) $(DESTDIR)$(UNITDIR)
	$(if $(PROGRAMS),install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin)
	$(if $(strip $(LIBEXEC)),install -m 755 $(LIBEXEC) $(LIBEXEC_DYNAMIC) $(DESTDIR)$(LIBEXECDIR))
	install -d $(DESTDIR)$(LIBEXECDIR)/criu-tools
	for tool in $(CRIU_TOOLS); do ln -sfn ../skep-criu-tool $(DESTDIR)$(LIBEXECDIR)/criu-tools/$$tool || exit; done
	install -m 644 $(MANPAGES) $(DESTDIR)$(MANDIR)/man8
	$(if $(wildcard ctl/completion/*),install -m 644 $(wildcard ctl/completion/*) $(DESTDIR)$(COMPDIR))
	install -m 644 systemd/* $(DESTDIR)$(UNITDIR)

deb: ## the Debian package for the Debian that this runs on, below $(BUILD)/deb
	@mkdir -p $(BUILD) && tools/deb $(BUILD)

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile
	@echo '  variables: CC BUILD CFLAGS WERROR=-Werror V=1 PREFIX DESTDIR T FOR MUST_RUN CHAOS=all HOSTS=all FAULTS=all KILLS=all JSON RUNS CROWD MODES MTUS ROUNDS JOBS CHECKS'

# A change of compiler or flags rebuilds everything: the file changes only when they do.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); echo '$(subst ','\'',$(CC) $(SKEPFLAGS) $(LDLIBS))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(CC) $(SKEPFLAGS) $(LDLIBS))' >$@

# The archive is made anew each time its list of sources changes, so that a removed file leaves it.
$(BUILD)/sources: FORCE
	@mkdir -p $(@D); echo '$(LIB_SRCS)' | cmp -s - $@ || echo '$(LIB_SRCS)' >$@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(SKEPFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJS) $(BUILD)/sources
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $(LIB_OBJS)

$(filter-out $(BUILD)/skep,$(PROGRAMS)): $(BUILD)/%: $(BUILD)/ctl/%.o $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# The dynamic linker would take longer than the whole start of a container: skep is linked statically where all libraries can be (libmnl.a is
# rare: net/static), else as the others. What it warns of then, NSS and dlopen, is asked for by rare verbs only, and may fail.
# What a start runs lies together (ctl/static/start.ld): each 64 KiB of the program that it touches is a page fault, and up to as much memory.
# Where it finds itself in memory is told to it in 4,200 places: as a bit map of 1 KiB, which glibc 2.36 is the first to know in such a program, and not a list of 100 KiB.
RELR = $(shell $(CC) -dM -E -x c -include features.h /dev/null 2>/dev/null | awk '$$2 == "__GLIBC__" { a = $$3 } $$2 == "__GLIBC_MINOR__" { b = $$3 } END { if (a == 2 && b >= 36) print "-Wl,-z,pack-relative-relocs" }')
STATIC_LDFLAGS = -static-pie $(RELR) -Wl,-e,skep_entry -Wl,--gc-sections -Wl,-T,ctl/static/start.ld -Wl,-Map=$@.map
STATIC_LDLIBS = -Wl,--no-warnings $(filter-out -lmnl -larchive -lzstd,$(LDLIBS))
# Where it begins nothing of libc works yet, and a compiler may make a call of it of any loop.
ENTRY_NEEDS = __ehdr_start _start ns_self_mount
$(BUILD)/ctl/static/entry.o: SKEPFLAGS += -fno-lto
$(BUILD)/skep: $(BUILD)/ctl/skep.o $(LIB) $(BUILD)/net/static/mnl.o $(BUILD)/ctl/static/entry.o ctl/static/start.ld
	@rm -f $@; $(if $(SANITIZE),:,seen=$$($(NM) -uj $(BUILD)/ctl/static/entry.o) || exit 1; calls=$$(echo "$$seen" | grep -vxF $(ENTRY_NEEDS:%=-e %)); \
		[ -z "$$calls" ] || { echo "ctl/static/entry.c: the compiler made calls of libc: $$calls" >&2; exit 1; })
	$(call say,LD)
	$(Q)$(if $(SANITIZE),false,$(CC) $(CFLAGS) $(STATIC_LDFLAGS) $(LDFLAGS) -o $@ $(filter-out %.ld,$^) $(STATIC_LDLIBS) 2>/dev/null) || \
		$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(UNITS): $(BUILD)/%: tests/%.c $(LIB) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SKEPFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB) $(CMOCKA) $(LDLIBS)

$(FUZZERS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SKEPFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(LIB) $(LDLIBS)

# What the options' tables know is written by them: the pages cannot drift from --help.
$(BUILD)/manual: tools/manual.c $(LIB) $(BUILD)/flags
	$(call say,LD)
	$(Q)$(CC) $(SKEPFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(BUILD)/man/%.8: ctl/man/%.8.in $(BUILD)/manual
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$(BUILD)/manual $* <$< >$@

$(BUILD)/fault-points: tests/fault_points.c $(LIB) $(BUILD)/flags
	$(call say,LD)
	$(Q)$(CC) $(SKEPFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# The static programs are few files each and carry no sanitizer: they run where no library is.
# musl-gcc hides the kernel's headers: they come last, after musl's own.
KERNEL_HEADERS = $(if $(findstring musl,$(STATIC_CC)),-idirafter /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch))
STATIC_OPT     = -Os
STATIC_BUILD   = $(STATIC_CC) -std=gnu11 -static $(STATIC_OPT) -g $(WARN) -D_GNU_SOURCE -I. $(KERNEL_HEADERS) -MMD -MP -MF $@.d -o $@ $(filter %.c,$^)
$(BUILD)/skep-monitor: runtime/skep_monitor_main.c
$(BUILD)/skep-criu-hook: checkpoint/skep_criu_hook_main.c checkpoint/heir.c checkpoint/repair_task.c
$(BUILD)/skep-pages: checkpoint/skep_pages_main.c $(patsubst %,checkpoint/%.c,pages pages_flow pages_hand pages_index pages_lazy pages_task pages_plan pages_push pages_source pages_ranges pagemap image) base/err.c base/file.c \
                     $(wildcard checkpoint/pages*.h) checkpoint/pagemap.h checkpoint/image.h base/err.h base/file.h base/own.h base/sys.h
# Those two work through gigabytes while somebody waits.
$(BUILD)/skep-pages $(BUILD)/skep-criu-tool: STATIC_OPT = -O2
$(BUILD)/skep-criu-tool: checkpoint/skep_criu_tool_main.c checkpoint/tmpfs_pack.c checkpoint/tmpfs_unpack.c base/err.c base/file.c \
                         checkpoint/tmpfs_tar.h checkpoint/criu_tools.h base/err.h base/file.h base/own.h
$(BUILD)/criu-tools/%: | $(BUILD)/skep-criu-tool
	@mkdir -p $(@D)
	@ln -sfn ../skep-criu-tool $@
$(BUILD)/probe: tests/probe.c
$(BUILD)/plant: tests/plant.c tests/plant_files.c tests/plant_sockets.c
$(BUILD)/pattern: tests/pattern.c
$(BUILD)/estate: tests/estate.c
$(BUILD)/timers: tests/timers.c
$(BUILD)/inject: tests/inject.c
$(BUILD)/trespass: tests/trespass.c
$(BUILD)/notify: tests/notify.c
$(BUILD)/floor $(BUILD)/gap $(BUILD)/pair $(BUILD)/resident $(BUILD)/warm $(BUILD)/wire: $(BUILD)/%: tests/bench/%.c
$(LIBEXEC) $(TEST_STATIC): $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(STATIC_BUILD)

$(LIBEXEC_DYNAMIC): $(BUILD)/%: runtime/skep_systemd_main.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) $(call pkg,--cflags libsystemd) $(LDFLAGS) -o $@ $< $(or $(call pkg,--libs libsystemd),-lsystemd)

-include $(DEPS) $(wildcard $(BUILD)/*.d)
