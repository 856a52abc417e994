# bot-bottle: one file, GNU make, no configure step.
#
# A program is the list of rooms it links. Sources and tests are found, never listed.
bottle        := base ui manifest wire policy pool bundle smoldb registry workspace cage image proto sidecar backend launch keeper preflight cmd
bottle-egress := base cage proto wire policy egress
bottle-guest  := base proto guest
bottle-relay  := base cage proto relay
bottle-image  := base cage image reader
bottle-demo-origin := base demo
PROGRAMS      := bottle bottle-egress bottle-guest bottle-relay bottle-image bottle-demo-origin
# Which room holds main(), where the program is put, and how it is linked.
MAIN_bottle := cmd
MAIN_bottle-egress := egress
MAIN_bottle-guest  := guest
MAIN_bottle-relay  := relay
MAIN_bottle-image  := reader
MAIN_bottle-demo-origin := demo
DIR_bottle := bin
DIR_bottle-egress := libexec/bot-bottle
DIR_bottle-guest  := libexec/bot-bottle
DIR_bottle-relay  := libexec/bot-bottle
DIR_bottle-image  := libexec/bot-bottle
DIR_bottle-demo-origin := libexec/bot-bottle
LIBS_bottle        := nettle json-c sqlite3 libseccomp yaml-0.1 libpcre2-8 ncursesw
LIBS_bottle-egress := nettle json-c libseccomp libpcre2-8 libssl libcrypto libcares zlib libbrotlidec libzstd
LIBS_bottle-relay  := nettle json-c libseccomp
LIBS_bottle-image  := nettle json-c libseccomp libarchive
LIBS_bottle-demo-origin := nettle json-c libssl libcrypto
STATIC_bottle-guest := -static

# A builder may set these; V=1 shows the commands, DEV=1 makes warnings errors,
# SANITIZE=address,undefined builds below its own directory.
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
comma   := ,
O       := build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))
Q       := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wformat=2 -Wundef $(if $(DEV),-Werror)
# clang 14, which has libFuzzer, doesn't know zeroed locals; and they would hide a read too early.
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection \
	$(if $(findstring fuzzer,$(SANITIZE)),,-ftrivial-auto-var-init=zero) $(if $(filter x86_64,$(shell uname -m)),-fcf-protection=full)
# glibc's fortify wrappers and the sanitizers' interceptors do not go together.
FORTIFY := $(if $(SANITIZE),-U_FORTIFY_SOURCE,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS  ?= -O2 -g
SAN     := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS  := -std=gnu17 $(WARN) $(HARDEN) $(FORTIFY) $(CFLAGS) $(SAN)
ALL_LIBS    := $(sort $(foreach p,$(PROGRAMS),$(LIBS_$(p))))
# Asked once, and not before the first compilation: `make deps` may just have installed them.
PKG_CFLAGS   = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(ALL_LIBS)))$(PKG_CFLAGS)
CPPFLAGS    += -D_GNU_SOURCE -Isrc -DVERSION='"$(VERSION)"' $(PKG_CFLAGS)
ALL_LDFLAGS := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS) $(SAN)

ROOMS    := $(sort $(foreach p,$(PROGRAMS),$($(p))))
sources   = $(wildcard src/$(1)/*.c)
objects   = $(patsubst %.c,$(O)/%.o,$(call sources,$(1)))
archive   = $(O)/src/$(1)/$(1).a
BUILT    := $(foreach p,$(PROGRAMS),$(if $(call sources,$(MAIN_$(p))),$(O)/$(DIR_$(p))/$(p)))

all: $(BUILT) data ## build the programs

define room
$(call archive,$(1)): $(call objects,$(1))
	$(Q)mkdir -p $$(@D); rm -f $$@; $(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

# The program's own room is linked whole; of the others, what it uses.
define program
$(O)/$(DIR_$(1))/$(1): $(call objects,$(MAIN_$(1))) $(foreach r,$(filter-out $(MAIN_$(1)),$($(1))),$(call archive,$(r)))
	$(Q)mkdir -p $$(@D); echo "  LD    $$@"; \
	$(CC) $(if $(STATIC_$(1)),-static,-pie) -o $$@ $(call objects,$(MAIN_$(1))) \
		-Wl,--start-group $(foreach r,$(filter-out $(MAIN_$(1)),$($(1))),$(call archive,$(r))) -Wl,--end-group \
		$(ALL_LDFLAGS) $(if $(LIBS_$(1)),$(shell pkg-config --libs $(LIBS_$(1)) 2>/dev/null))
endef
# The static helper runs where there is no library: it can't carry a sanitizer's runtime, and
# neither can what it is linked from.
PLAIN := $(if $(SANITIZE),$(filter $(foreach p,$(PROGRAMS),$(if $(STATIC_$(p)),$(p))),$(PROGRAMS)))
$(foreach p,$(filter-out $(PLAIN),$(PROGRAMS)),$(eval $(call program,$(p))))
define plain_program
$(O)/$(DIR_$(1))/$(1): FORCE
	$(Q)$(MAKE) --no-print-directory SANITIZE= build/$(DIR_$(1))/$(1) && mkdir -p $$(@D) && cp -p build/$(DIR_$(1))/$(1) $$@
endef
$(foreach p,$(PLAIN),$(eval $(call plain_program,$(p))))
FORCE:

$(O)/%.o: %.c
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program per file, linked against every room but the mains.
TEST_ROOMS  := $(filter-out $(sort $(foreach p,$(PROGRAMS),$(MAIN_$(p)))),$(ROOMS)) $(LIB_OF_MAINS)
UNIT_TESTS  := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< -Wl,--start-group $(foreach r,$(TEST_ROOMS),$(call archive,$(r))) \
		-Wl,--end-group $(ALL_LDFLAGS) $(shell pkg-config --libs $(ALL_LIBS) cmocka 2>/dev/null)
# Fuzzing: each harness with libFuzzer (`make fuzz`), and over its corpus with a plain driver.
FUZZERS  := $(sort $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
REPLAYS  := $(FUZZERS:%=$(O)/tests/fuzz/%)
FUZZ_SECONDS ?= 60
ROOM_LIBS = -Wl,--start-group $(foreach r,$(TEST_ROOMS),$(call archive,$(r))) -Wl,--end-group \
	$(ALL_LDFLAGS) $(shell pkg-config --libs $(ALL_LIBS) 2>/dev/null)
ROOM_ARCHIVES := $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
$(REPLAYS): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/driver/replay.o $(ROOM_ARCHIVES)
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $(filter %.o,$^) $(ROOM_LIBS)
$(FUZZERS:%=$(O)/tests/fuzz/hunt/%): $(O)/tests/fuzz/hunt/%: $(O)/tests/fuzz/%.o $(ROOM_ARCHIVES)
	$(Q)mkdir -p $(@D); echo "  LD    $@"; $(CC) -fsanitize=fuzzer -pie -o $@ $< $(ROOM_LIBS)
# How fast the parsers and the decision are: built by hand, in no check.
$(O)/tests/bench/wire: $(O)/tests/bench/wire.o $(ROOM_ARCHIVES)
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(ROOM_LIBS)
$(O)/tests/bench/smoldb: $(O)/tests/bench/smoldb.o $(ROOM_ARCHIVES)
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(ROOM_LIBS)
# Our parser's reading of a request stream, for tests/diff.
$(O)/tests/diff/requests: $(O)/tests/diff/requests.o $(ROOM_ARCHIVES)
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(ROOM_LIBS)
# Programs that the suites of tests/cage and tests/bench run: any file there with a main().
# "inside" ones run in a cage, where they may not need a library.
CAGE_TOOLS := $(patsubst tests/cage/%.c,$(O)/tests/cage/%,$(filter-out $(wildcard tests/cage/inside_*.c),$(wildcard tests/cage/*.c)))
CAGE_INSIDE := $(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/cage/inside_*.c tests/attacks/inside_*.c tests/vm/inside_*.c))
$(O)/tests/cage/inside_attempts: $(wildcard tests/cage/attempts/*.c)
$(CAGE_INSIDE): $(O)/tests/%: tests/%.c
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static -pthread -o $@ $^
$(CAGE_TOOLS) $(O)/tests/bench/cage_true: $(O)/%: $(O)/%.o $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< -Wl,--start-group $(foreach r,$(TEST_ROOMS),$(call archive,$(r))) \
		-Wl,--end-group $(ALL_LDFLAGS) $(shell pkg-config --libs $(ALL_LIBS) 2>/dev/null)
# A double of smolvm, for the tests of what is around it.
FAKES := $(O)/tests/fakes/smolvm
$(FAKES): $(wildcard tests/fakes/smolvm/*.[ch])
	$(Q)mkdir -p $(@D); echo "  CC    $@"; $(CC) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra -O2 -o $@ $(filter %.c,$^) \
		$(shell pkg-config --libs sqlite3 libcrypto)
.SECONDARY:

# The gateway's own room, without its main().
EGRESS_PARTS := $(filter-out $(O)/src/egress/main.o,$(call objects,egress))
$(O)/tests/unit/test_egress_%: $(O)/tests/unit/test_egress_%.o $(EGRESS_PARTS) $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(EGRESS_PARTS) -Wl,--start-group \
		$(foreach r,$(TEST_ROOMS),$(call archive,$(r))) -Wl,--end-group $(ALL_LDFLAGS) \
		$(shell pkg-config --libs $(ALL_LIBS) cmocka 2>/dev/null)
# The gateway's suite runs the real program against origins of its own, in namespaces of its own.
# Of the keeper its launcher has the writer of the log, for the benchmark.
GATEWAY_LAUNCH := $(O)/tests/gateway/launch
LAUNCH_ROOMS   := base cage proto sidecar keeper
$(GATEWAY_LAUNCH): $(O)/tests/gateway/launch.o $(foreach r,$(LAUNCH_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< -Wl,--start-group $(foreach r,$(LAUNCH_ROOMS),$(call archive,$(r))) \
		-Wl,--end-group $(ALL_LDFLAGS) $(shell pkg-config --libs nettle json-c libseccomp 2>/dev/null)
check-attacks: all $(CAGE_INSIDE) $(DOUBLED) $(FAKES) ## tests/attacks/TABLE, and real bottles attacked; BACKEND=NAME for one
	$(Q)BUILD=$(abspath $(O)) BACKEND=$(BACKEND) tests/run tests/attacks/run
check-gateway: $(O)/libexec/bot-bottle/bottle-egress $(GATEWAY_LAUNCH) ## the egress gateway, attacked from both sides
	$(Q)BUILD=$(abspath $(O)) tests/run tests/gateway/run

check-launch: all $(CAGE_INSIDE) $(CAGE_TOOLS) ## real bottles, from start to end
	$(Q)BUILD=$(abspath $(O)) tests/run $(sort $(wildcard tests/launch/*.bats))

check-terminal: all ## real bottles behind a pseudo-terminal
	$(Q)BUILD=$(abspath $(O)) tests/run tests/terminal/run

# A `bottle` that can be made to fail or to wait at any step: its own fault.o comes before
# launch's. Nothing of it is in the one that is installed.
FAULTY := $(O)/tests/faults/bottle
$(FAULTY): $(O)/tests/faults/fault.o $(call objects,cmd) $(foreach r,$(filter-out cmd,$(bottle)),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(call objects,cmd) -Wl,--start-group \
		$(foreach r,$(filter-out cmd,$(bottle)),$(call archive,$(r))) -Wl,--end-group $(ALL_LDFLAGS) \
		$(shell pkg-config --libs $(LIBS_bottle) 2>/dev/null)
# The step of smolvm that becomes a VMM, with libkrun as its authors have it.
KRUN := $(O)/tests/vm/krun
$(KRUN): $(O)/%: %.c
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -o $@ $< -ldl
# What the launch asks of a row, by itself: for rows of the real engine.
POSTURE := $(O)/tests/machine/posture
$(POSTURE): $(O)/tests/machine/posture.o $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< $(ROOM_LIBS)
# The same, for the double of smolvm: /dev/kvm is not asked for, and who hangs is waited for briefly.
DOUBLED := $(O)/tests/fakes/doubled/bottle
DOUBLES := $(patsubst %.c,$(O)/%.o,$(wildcard tests/fakes/bottle/*.c)) $(O)/tests/faults/fault.o
$(DOUBLED): $(DOUBLES) $(call objects,cmd) $(foreach r,$(filter-out cmd,$(bottle)),$(call archive,$(r)))
	$(Q)mkdir -p $(@D); echo "  LD    $@"; $(CC) -pie -o $@ $(DOUBLES) $(call objects,cmd) -Wl,--start-group \
		$(foreach r,$(filter-out cmd,$(bottle)),$(call archive,$(r))) -Wl,--end-group $(ALL_LDFLAGS) \
		$(shell pkg-config --libs $(LIBS_bottle) 2>/dev/null)
check-faults: all $(FAULTY) $(DOUBLED) $(FAKES) $(CAGE_INSIDE) ## each step fails, each process is killed, at each moment
	$(Q)BUILD=$(abspath $(O)) tests/run tests/faults/run

# What a container of the docker bundle is made from: the relay, the gateway, and the libraries
# that they link. Nothing else is in it: no shell, no account, no file to write.
IMAGE := $(O)/share/bot-bottle/sidecar-image.tar
IMAGE_PROGRAMS := $(O)/libexec/bot-bottle/bottle-relay $(O)/libexec/bot-bottle/bottle-egress
$(IMAGE): src/bundle/image $(IMAGE_PROGRAMS)
	$(Q)mkdir -p $(@D); echo "  TAR   $@"; src/bundle/image $@ $(IMAGE_PROGRAMS)
sidecar-image: $(IMAGE) ## the image of the docker bundle's sidecars

# Skipped, saying why, where no dockerd can be started: it takes docker's packages, and root.
check-docker: all $(IMAGE) $(CAGE_INSIDE) $(FAULTY) $(FAKES) $(DOUBLED) ## the docker bundle, against a dockerd of the suite's own
	$(Q)BUILD=$(abspath $(O)) tests/run $(sort $(wildcard tests/docker/*.bats))

.PHONY: sidecar-image check-docker

.PHONY: all data check check-launch check-terminal check-all check-corpus check-diff hunt check-unit check-faults check-attacks check-gateway check-cage check-cli check-clients check-layers check-man asan fuzz bench bench-deps lint fmt deps deps-lint demo \
	pages install uninstall clean help FORCE

# What is shipped as it stands: one file per provider.
PROVIDERS := $(patsubst src/providers/%,$(O)/share/bot-bottle/providers/%,$(wildcard src/providers/*.yaml))
data: $(PROVIDERS)
$(O)/share/bot-bottle/providers/%: src/providers/%
	$(Q)mkdir -p $(@D); cp $< $@

check: deps ## every test; installs what is missing first
	$(Q)$(MAKE) --no-print-directory check-all

# One suite: a cmocka program, a file of bats, or any program that exits 0.
SUITES = $(UNIT_TESTS) $(REPLAYS) $(sort $(wildcard tests/*/*.bats)) $(filter-out tests/bench/run,$(sort $(wildcard tests/*/run))) \
	tests/nix/check tests/nix/defects
check-all: all $(IMAGE) check-layers check-man $(UNIT_TESTS) $(REPLAYS) $(GATEWAY_LAUNCH) $(FAULTY) $(O)/tests/diff/requests \
	$(CAGE_TOOLS) $(CAGE_INSIDE) $(FAKES) $(DOUBLED) $(POSTURE)
	$(Q)BUILD=$(abspath $(O)) tests/run $(SUITES)

check-unit: $(UNIT_TESTS) ## the rooms, each by itself
	$(Q)BUILD=$(abspath $(O)) tests/run $(UNIT_TESTS)

check-cage: all $(CAGE_TOOLS) $(CAGE_INSIDE) ## attempts that must fail, inside a real cage
	$(Q)BUILD=$(abspath $(O)) tests/run $(sort $(wildcard tests/cage/*.bats))

check-machine: all $(CAGE_INSIDE) $(FAKES) $(DOUBLED) $(POSTURE) ## the microVM's backend: a double of smolvm; the real one's rows
	$(Q)BUILD=$(abspath $(O)) tests/run $(sort $(wildcard tests/machine/*.bats))

check-vm: deps ## a real smolvm, libkrun and our cage on Linux 6.1, in a VM with nested virtualisation; takes long
	$(Q)tests/deps $(DEPS_VM)
	$(Q)$(MAKE) --no-print-directory all $(CAGE_TOOLS) $(CAGE_INSIDE) $(KRUN)
	$(Q)tests/vm/check $(VM_SUITES)

check-cli: all ## the program, as a person meets it
	$(Q)BUILD=$(abspath $(O)) tests/run $(sort $(wildcard tests/cli/*.bats))

check-clients: all ## curl, git, npm, agents and more, in real bottles
	$(Q)BUILD=$(abspath $(O)) tests/run tests/clients/run

check-corpus: $(REPLAYS) ## every fuzz corpus once more
	$(Q)BUILD=$(abspath $(O)) tests/run $(REPLAYS)

check-diff: $(O)/tests/diff/requests ## our HTTP parser against Node's
	$(Q)BUILD=$(abspath $(O)) tests/run tests/diff/requests.bats

# The working corpus grows below build/; tests/fuzz/corpus holds what was chosen by hand.
fuzz: deps-lint ## libFuzzer on every parser, FUZZ_SECONDS=60 each; FUZZERS="a b" to choose
	$(Q)$(MAKE) --no-print-directory CC=clang SANITIZE=fuzzer-no-link,address,undefined hunt

hunt: $(FUZZERS:%=$(O)/tests/fuzz/hunt/%)
	$(Q)set -e; for f in $(FUZZERS); do \
		mkdir -p $(O)/corpus/$$f; echo "  FUZZ  $$f, $(FUZZ_SECONDS) s"; \
		$(O)/tests/fuzz/hunt/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix=$(O)/corpus/$$f.crash- $(O)/corpus/$$f tests/fuzz/corpus/$$f \
			>$(O)/corpus/$$f.log 2>&1 || { tail -40 $(O)/corpus/$$f.log; exit 1; }; \
		sed -n 's/^stat::number_of_executed_units: */        runs: /p' $(O)/corpus/$$f.log; \
	done

check-layers: ## includes go down only (tests/layers)
	$(Q)tests/check-layers

# NIXPKGS_LIB=DIR names a copy of nixpkgs' lib; the module's evaluation needs it.
check-nix: all ## the flake: syntax, lock, sandboxed build, examples, module
	$(Q)tests/nix/check
	$(Q)tests/nix/defects

asan: deps ## every test again, under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined check-all

# Packages of Debian 12: what builds, what the tests run, what `lint` and `fuzz` run.
DEPS_BUILD := gcc:gcc pkg-config:pkg-config libc6-dev nettle-dev libjson-c-dev libsqlite3-dev libseccomp-dev libyaml-dev libpcre2-dev \
	libssl-dev libncurses-dev libc-ares-dev zlib1g-dev libbrotli-dev libzstd-dev libarchive-dev scdoc:scdoc ca-certificates
DEPS_TEST  := libcmocka-dev bats:bats nginx-light:nginx curl:curl git:git python3:python3 nodejs:node npm:npm jq:jq \
	man-db:man nix-bin:nix-instantiate python3-pip:pip3 openssl:openssl sqlite3:sqlite3 procps:ps util-linux:unshare iproute2:ip \
	patch:patch strace:strace busybox-static:busybox bash-static:bash-static python3-websocket
DEPS_LINT  := clang:clang libclang-rt-dev clang-tidy:clang-tidy clang-format:clang-format cppcheck:cppcheck shellcheck:shellcheck
DEPS_VM    := qemu-system-x86:qemu-system-x86_64 busybox-static kmod:modprobe cpio:cpio e2fsprogs:mkfs.ext4
# What only root's tests use.
DEPS_ROOT  := docker.io:dockerd iptables:iptables
deps: ## install what is missing (Debian)
	$(Q)tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(if $(filter 0,$(shell id -u)),$(DEPS_ROOT))
deps-lint:
	$(Q)tests/deps $(DEPS_BUILD) $(DEPS_LINT)

# Every file of C, and every script that names a shell.
LINTED := $(sort $(wildcard src/*/*.c src/*/*.h tests/*/*.c tests/*/*.h tests/*/*/*.c tests/*/*/*.h))
SCRIPTS = $(sort $(shell grep -lE '^\#!.*\b(ba|da)?sh$$' -r .ci nix src tests 2>/dev/null) $(wildcard tests/*/*.bash tests/*/*.bats))
lint: deps-lint check-layers ## clang-tidy, cppcheck, shellcheck, format, and the house's own rules
	$(Q)tests/lint '$(subst ',,$(CPPFLAGS))' $(LINTED) $(SCRIPTS)

fmt: ## let .clang-format decide
	$(Q)clang-format -i $(or $(FILES),$(LINTED))

bench: all $(O)/tests/bench/cage_true $(O)/tests/bench/smoldb $(GATEWAY_LAUNCH) $(FAKES) $(DOUBLED) $(CAGE_INSIDE) ## ours beside its peers, in one run; results in build/bench.json
	$(Q)tests/bench/run $(O)

bench-deps: deps ## install the peers: Debian's, and sandbox-runtime from npm into a cache
	$(Q)tests/bench/deps

demo: ## the tour: one bottle, what it may do and what it may not
	$(Q)tests/deps $(DEPS_BUILD) curl:curl
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(O)/bin/bottle demo

# Manual pages: written in src/man; the tables of section 5 are printed by the program itself.
SHARE := $(O)/share
MAN   := $(patsubst src/man/%.1.scd,$(SHARE)/man/man1/%.1,$(wildcard src/man/*.1.scd)) \
	$(patsubst src/man/%.5.scd,$(SHARE)/man/man5/%.5,$(wildcard src/man/*.5.scd))
define man_section
$(SHARE)/man/man$(1)/%.$(1): src/man/%.$(1).scd $(O)/bin/bottle
	$$(Q)mkdir -p $$(@D); $(O)/bin/bottle manual <$$< >$$@.scd && scdoc <$$@.scd >$$@.new && rm $$@.scd && mv $$@.new $$@
endef
$(foreach s,1 5,$(eval $(call man_section,$(s))))
COMPLETIONS := $(SHARE)/bash-completion/completions/bottle $(SHARE)/zsh/site-functions/_bottle \
	$(SHARE)/fish/vendor_completions.d/bottle.fish
$(COMPLETIONS): $(O)/bin/bottle
	$(Q)mkdir -p $(@D); $< completion $(if $(findstring /zsh/,$@),zsh,$(if $(findstring /fish/,$@),fish,bash)) >$@
pages: $(MAN) $(COMPLETIONS)

check-man: pages ## manual pages are well formed and name every verb
	$(Q)tests/check-man $(O)/bin/bottle $(MAN)

# What is installed is what stands in the build tree's bin, libexec and share.
INSTALLED = cd $(O) && find bin libexec share -type f
install: all pages ## to DESTDIR and PREFIX
	$(Q)$(INSTALLED) | while read -r f; do \
		mode=644; if [ -x "$$f" ]; then mode=755; fi; \
		install -D -m $$mode "$$f" "$(DESTDIR)$(PREFIX)/$$f" || exit 1; done
uninstall: all pages ## removes exactly that
	$(Q)$(INSTALLED) | while read -r f; do rm -f "$(DESTDIR)$(PREFIX)/$$f"; done
	$(Q)cd $(O) && find libexec share -depth -type d -path '*bot-bottle*' | while read -r d; do \
		rmdir "$(DESTDIR)$(PREFIX)/$$d" 2>/dev/null || true; done

clean: ## remove what was built
	$(Q)rm -rf build

help: ## this list
	$(Q)sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
