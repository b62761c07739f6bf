# SPDX-License-Identifier: GPL-2.0-or-later
# Sluice. `make help` lists the targets. Everything built goes to $(B).
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION := $(shell sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=
B ?= build$(if $(SANITIZE),/$(SANITIZE))
V ?= 0

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config

Q := $(if $(filter 0,$(V)),@)
msg = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' '$(1)' '$(2)')

PKGS := libbpf libxdp jansson yaml-0.1 libmicrohttpd libcap-ng libmnl ncursesw libpcap
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
CFLAGS ?= -O2 -g
, := ,
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
DEFS := -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"'
INC := -Iinclude -Iuser -Ibpf -Iheaders -I$(B)/bpf
ALL_CFLAGS := -std=gnu17 $(CFLAGS) $(WARN) $(DEFS) $(INC) -fPIC -pthread \
	$(SAN_FLAGS) $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -ldl -lm -pthread

# --- BPF objects and skeletons
BPF_SRC := $(wildcard bpf/*.bpf.c)
SKEL := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.skel.h)
BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/ppc64le/powerpc/;s/riscv64/riscv/')
BPF_CFLAGS := -O2 -g -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
	-Iinclude -Ibpf -Iheaders -idirafter /usr/include/$(shell uname -m)-linux-gnu

# --- libraries: each folder one archive
LIB_DIRS := control platform dataplane nf
LIB_SRC := $(foreach d,$(LIB_DIRS),$(wildcard user/$(d)/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
CLI_SRC := $(wildcard user/cli/*.c user/cli/*/*.c)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/%.o)
DAEMON_SRC := $(wildcard user/daemon/*.c)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(B)/%.o)

BIN := $(B)/sluice $(B)/sluiced
LIBA := $(B)/libsluice.a
LIBSO := $(B)/libsluice.so.0

# --- tests: every file test_*.c is a program
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
BPFT := $(patsubst %.c,$(B)/%,$(wildcard tests/bpf/test_*.c))
BENCH := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/bench_*.c))
FUZZ := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
E2E := $(patsubst %.c,$(B)/%,$(filter-out tests/e2e/nf_%,$(wildcard tests/e2e/*.c)))
E2E_NF := $(patsubst %.c,$(B)/%.so,$(wildcard tests/e2e/nf_*.c))
TEST_LIBS := $(shell $(PKG_CONFIG) --libs criterion 2>/dev/null)

.PHONY: all
all: $(BIN) $(LIBA) $(LIBSO) $(B)/libsluice.pc $(B)/bpf/steer.bpf.o

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | tools
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@.tmp && llvm-strip -g $@.tmp && mv $@.tmp $@

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

.PHONY: tools
tools:
	@command -v $(CLANG) >/dev/null && command -v $(BPFTOOL) >/dev/null && $(PKG_CONFIG) --exists $(PKGS) || \
		{ echo 'sluice: build packages are missing: run sudo ./scripts/setup' >&2; exit 1; }

# A compile flag that changed must rebuild what it was used for.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c $(B)/flags | $(SKEL)
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIBA): $(LIB_OBJ)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIBSO): $(LIB_OBJ) user/libsluice.map
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -shared -Wl,-soname,libsluice.so.0 -Wl,--version-script=user/libsluice.map \
		-o $@ $(LIB_OBJ) $(LIBS)
	$(Q)ln -sf libsluice.so.0 $(B)/libsluice.so

$(B)/libsluice.pc: user/libsluice.pc.in CHANGELOG.md
	$(Q)mkdir -p $(@D)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|;s|@VERSION@|$(VERSION)|' $< > $@

# NFs loaded with --nf ./x.so find sl_flow_* and sl_packet_* in the program.
$(B)/sluice: $(CLI_OBJ) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -Wl,--export-dynamic-symbol='sl_flow_*' -Wl,--export-dynamic-symbol='sl_packet_*' \
		-o $@ $(CLI_OBJ) -Wl,--whole-archive $(LIBA) -Wl,--no-whole-archive $(LIBS)

$(B)/sluiced: $(DAEMON_OBJ) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $^ $(LIBS)

$(UNIT) $(BPFT): $(B)/tests/%: $(B)/tests/%.o $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $< $($(notdir $@)_OBJ) $(LIBA) $(LIBS) $(TEST_LIBS)
# What a test takes from the command line.
test_options_OBJ := $(addprefix $(B)/user/cli/,options.o option_values.o move_words.o)
test_top_OBJ := $(addprefix $(B)/user/cli/,options.o option_values.o output.o sample.o move_log.o top/layout.o)
$(B)/tests/unit/test_options: $(test_options_OBJ)
$(B)/tests/unit/test_top: $(test_top_OBJ)
test_handover_model_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/model/*.c))
$(B)/tests/unit/test_handover_model: $(test_handover_model_OBJ)

$(BENCH) $(FUZZ) $(E2E): $(B)/tests/%: $(B)/tests/%.o $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $< $(LIBA) $(LIBS) $($(notdir $@)_LIBS)
bench_shard_LIBS := -lurcu-qsbr -lurcu-cds

# NFs of tests and examples: nothing but the public headers, and nothing to link with.
$(B)/%.so: $(B)/%.o
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -shared -o $@ $<

.PHONY: tests unit
tests: $(UNIT) $(BPFT) $(FUZZ) $(E2E) $(E2E_NF)
benches: $(BENCH)
unit: $(UNIT)
	$(Q)for t in $(UNIT); do $$t || exit 1; done

.PHONY: clean
clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- the rest of a project's life
.PHONY: benches check demo bench lint fmt fmt-check asan install help

help:
	@echo 'all install clean        build, install (DESTDIR, PREFIX), remove build/'
	@echo 'demo check bench         what scripts/demo, scripts/check and scripts/bench do'
	@echo 'unit lint fmt asan       unit tests; clang-tidy, cppcheck, shellcheck, man pages; clang-format; sanitizers'

check:
	./scripts/check
demo:
	./scripts/demo
bench:
	./scripts/bench all

C_FILES := $(wildcard bpf/*.[ch] include/sluice/*.h user/*/*.[ch] user/cli/*/*.[ch] tests/*/*.[ch] docs/examples/*.c)

fmt:
	$(Q)clang-format -i $(C_FILES)
fmt-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES)

LINT_C := $(LIB_SRC) $(CLI_SRC) $(DAEMON_SRC)
lint: $(SKEL) fmt-check
	$(call msg,TIDY,$(words $(LINT_C)) files)
	$(Q)printf '%s\n' $(LINT_C) | xargs -P "$$(nproc)" -n 4 clang-tidy --quiet --warnings-as-errors='*' \
		-- -std=gnu17 $(DEFS) $(INC) $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null) 2>/dev/null
	$(call msg,CPPCHECK,user)
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --error-exitcode=1 -j "$$(nproc)" $(INC) $(DEFS) user
	$(call msg,SHELL,scripts)
	$(Q)shellcheck -x $(filter-out scripts/packages,$(wildcard scripts/*)) $(wildcard tests/bench/*.sh) docs/sluice.bash
	$(call msg,MANDOC,docs)
	$(Q)mandoc -Tlint -Wwarning docs/*.[58]

asan:
	$(Q)./scripts/check --sanitize

MAN8 := $(wildcard docs/*.8)
MAN5 := $(wildcard docs/*.5)
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
		$(DESTDIR)$(PREFIX)/lib/sluice $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/include/sluice $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/doc/sluice
	install $(B)/sluice $(B)/sluiced $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 $(LIBSO) $(LIBA) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libsluice.so.0 $(DESTDIR)$(PREFIX)/lib/libsluice.so
	install -m 644 $(B)/bpf/steer.bpf.o $(DESTDIR)$(PREFIX)/lib/sluice/
	install -m 644 $(B)/libsluice.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m 644 include/sluice/*.h $(DESTDIR)$(PREFIX)/include/sluice/
	install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 docs/sluice.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice
	for u in sluiced sluice@; do \
		sed 's|@PREFIX@|$(PREFIX)|' docs/systemd/$$u.service \
			> $(DESTDIR)$(PREFIX)/lib/systemd/system/$$u.service || exit 1; done
	install -m 644 README.md CHANGELOG.md docs/sluice.yaml $(DESTDIR)$(PREFIX)/share/doc/sluice/
