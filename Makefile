# bot-bottle: one file, GNU make, no configure step.
#
# A program is the list of rooms it links. Sources and tests are found, never listed.
bottle        := base ui manifest wire policy pool smoldb registry workspace cage proto sidecar backend launch keeper preflight cmd
bottle-egress := base cage proto wire policy egress
bottle-guest  := base proto guest
PROGRAMS      := bottle bottle-egress bottle-guest
# Which room holds main(), where the program is put, and how it is linked.
MAIN_bottle := cmd
MAIN_bottle-egress := egress
MAIN_bottle-guest  := guest
DIR_bottle := bin
DIR_bottle-egress := libexec/bot-bottle
DIR_bottle-guest  := libexec/bot-bottle
LIBS_bottle        := json-c sqlite3 libseccomp yaml-0.1 libpcre2-8 libcrypto ncursesw
LIBS_bottle-egress := json-c libseccomp libpcre2-8 libssl libcrypto libcares zlib libbrotlidec libzstd
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
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection \
	-ftrivial-auto-var-init=zero $(if $(filter x86_64,$(shell uname -m)),-fcf-protection=full)
# glibc's fortify wrappers and the sanitizers' interceptors do not go together.
FORTIFY := $(if $(SANITIZE),-U_FORTIFY_SOURCE,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS  ?= -O2 -g
SAN     := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS  := -std=gnu17 $(WARN) $(HARDEN) $(FORTIFY) $(CFLAGS) $(SAN)
ALL_LIBS    := $(sort $(foreach p,$(PROGRAMS),$(LIBS_$(p))))
CPPFLAGS    += -D_GNU_SOURCE -Isrc -DVERSION='"$(VERSION)"' $(shell pkg-config --cflags $(ALL_LIBS) 2>/dev/null)
ALL_LDFLAGS := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS) $(SAN)

ROOMS    := $(sort $(foreach p,$(PROGRAMS),$($(p))))
sources   = $(wildcard src/$(1)/*.c)
objects   = $(patsubst %.c,$(O)/%.o,$(call sources,$(1)))
archive   = $(O)/src/$(1)/$(1).a
BUILT    := $(foreach p,$(PROGRAMS),$(if $(call sources,$(MAIN_$(p))),$(O)/$(DIR_$(p))/$(p)))

all: $(BUILT) data ## build the programs

# The static helper runs where there is no library: it can't carry a sanitizer's runtime.
$(O)/libexec/bot-bottle/bottle-guest: SAN :=

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
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(O)/%.o: %.c
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program per file, linked against every room but the mains.
TEST_ROOMS  := $(filter-out $(sort $(foreach p,$(PROGRAMS),$(MAIN_$(p)))),$(ROOMS)) $(LIB_OF_MAINS)
UNIT_TESTS  := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(foreach r,$(TEST_ROOMS),$(call archive,$(r)))
	$(Q)echo "  LD    $@"; $(CC) -pie -o $@ $< -Wl,--start-group $(foreach r,$(TEST_ROOMS),$(call archive,$(r))) \
		-Wl,--end-group $(ALL_LDFLAGS) $(shell pkg-config --libs $(ALL_LIBS) cmocka 2>/dev/null)
.SECONDARY:

.PHONY: all data check check-unit check-layers asan fuzz bench lint fmt deps demo install uninstall clean help

data: ;

check: all check-layers check-unit ## every test

check-unit: $(UNIT_TESTS)
	$(Q)for t in $(UNIT_TESTS); do echo "  TEST  $$t"; $$t >$$t.log 2>&1 || { cat $$t.log; exit 1; }; done

check-layers: ## includes go down only (tests/layers)
	$(Q)tests/check-layers

clean: ## remove what was built
	$(Q)rm -rf build

help: ## this list
	$(Q)sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

-include $(shell find $(O) -name '*.d' 2>/dev/null)
