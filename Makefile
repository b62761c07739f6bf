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
OBJCOPY ?= objcopy

Q := $(if $(filter 0,$(V)),@)
msg = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' '$(1)' '$(2)')

# The NF dpi; without it, or with `make HYPERSCAN=`, everything else is built.
HYPERSCAN := $(shell $(PKG_CONFIG) --exists libhs 2>/dev/null && echo libhs)
PKGS := libbpf libxdp jansson yaml-0.1 libmicrohttpd libcap-ng libmnl ncursesw libpcap $(HYPERSCAN)
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
CFLAGS ?= -O2 -g
, := ,
SAN_FLAGS_asan := -fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# It does not know fences, and warns of each; no data here is handed over by a fence alone.
SAN_FLAGS_tsan := -fsanitize=thread -Wno-tsan -fno-omit-frame-pointer
SAN_FLAGS := $(if $(SANITIZE),$(or $(SAN_FLAGS_$(SANITIZE)),$(error SANITIZE=$(SANITIZE): give asan or tsan)))
DEFS := -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"' $(if $(HYPERSCAN),-DSL_HYPERSCAN)
INC := -Iinclude -Iuser -Ibpf -Iheaders -I$(B)/bpf $(if $(HYPERSCAN),$(shell $(PKG_CONFIG) --cflags-only-I libhs))
# No fused multiply-add: priorities must come out alike on every CPU.
ALL_CFLAGS := -std=gnu17 -ffp-contract=off $(CFLAGS) $(WARN) $(DEFS) $(INC) -fPIC -pthread \
	$(SAN_FLAGS) $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -ldl -lm -pthread

# --- BPF objects and skeletons
# Those of benches and tests are built beside the others.
BPF_SRC := $(wildcard bpf/*.bpf.c tests/*/*.bpf.c)
vpath %.bpf.c bpf tests/bench tests/bpf tests/e2e
SKEL := $(patsubst %.bpf.c,$(B)/bpf/%.skel.h,$(notdir $(BPF_SRC)))
BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/ppc64le/powerpc/;s/riscv64/riscv/')
BPF_CFLAGS := -O2 -g -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
	-Iinclude -Ibpf -Iheaders -idirafter /usr/include/$(shell uname -m)-linux-gnu

# --- libraries: each folder one archive
LIB_DIRS := control platform dataplane nf
LIB_SRC := $(filter-out user/nf/dpi%,$(foreach d,$(LIB_DIRS),$(wildcard user/$(d)/*.c))) \
	$(if $(HYPERSCAN),$(filter-out %_absent.c,$(wildcard user/nf/dpi*.c)),user/nf/dpi_absent.c)
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
CLI_SRC := $(wildcard user/cli/*.c user/cli/*/*.c)
# What is of programs and tests and not of libsluice: the load balancer, pages over HTTP, the simulator.
LB_SRC := $(wildcard user/lb/*.c)
LB_OBJ := $(LB_SRC:%.c=$(B)/%.o)
HTTP_SRC := $(wildcard user/http/*.c)
HTTP_OBJ := $(HTTP_SRC:%.c=$(B)/%.o)
SIM_SRC := $(wildcard user/sim/*.c)
SIM_OBJ := $(SIM_SRC:%.c=$(B)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/%.o) $(LB_OBJ) $(SIM_OBJ) $(HTTP_OBJ)
DAEMON_SRC := $(wildcard user/daemon/*.c)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(B)/%.o) $(HTTP_OBJ)

BIN := $(B)/sluice $(B)/sluiced
LIBA := $(B)/libsluice.a
LIBSO := $(B)/libsluice.so.0
LBA := $(B)/lb.a

# --- tests: every file test_*.c is a program
UNIT := $(patsubst %.c,$(B)/%,$(filter-out $(if $(HYPERSCAN),,tests/unit/test_dpi.c),$(wildcard tests/unit/test_*.c)))
BPFT := $(patsubst %.c,$(B)/%,$(wildcard tests/bpf/test_*.c))
BENCH := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/bench_*.c))
FUZZ := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
# What quic.bats is skipped without.
NGTCP2_PKGS := libngtcp2 libngtcp2_crypto_gnutls gnutls
NGTCP2 := $(shell $(PKG_CONFIG) --exists $(NGTCP2_PKGS) 2>/dev/null && echo yes)
E2E := $(patsubst %.c,$(B)/%,$(filter-out tests/e2e/nf_% $(if $(NGTCP2),,tests/e2e/quic_server.c) %.bpf.c,$(wildcard tests/e2e/*.c)))
E2E_NF := $(patsubst %.c,$(B)/%.so,$(wildcard tests/e2e/nf_*.c))
TEST_LIBS := $(shell $(PKG_CONFIG) --libs criterion 2>/dev/null)

.PHONY: all
all: $(BIN) $(LIBA) $(LIBSO) $(B)/static/libsluice.a $(B)/bpf/steer.bpf.o

$(B)/bpf/%.bpf.o: %.bpf.c | tools
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@.tmp && llvm-strip -g $@.tmp && mv $@.tmp $@

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q){ echo '/* NOLINTBEGIN: generated */' && $(BPFTOOL) gen skeleton $< name $*_bpf && echo '/* NOLINTEND */'; } > $@

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
$(LBA): $(LB_OBJ)
$(LIBA) $(LBA):
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIBSO): $(LIB_OBJ) user/libsluice.map
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -shared -Wl,-soname,libsluice.so.0 -Wl,--version-script=user/libsluice.map \
		-o $@ $(LIB_OBJ) $(LIBS)
	$(Q)ln -sf libsluice.so.0 $(B)/libsluice.so

# The archive that is installed: one object that has the names of the shared library and no others.
$(B)/static/libsluice.a: $(LIB_OBJ) user/libsluice.map
	$(call msg,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)sed -n 's/^\t\t\(sl_.*\);/\1/p' user/libsluice.map > $(@D)/symbols
	$(Q)$(CC) -r -nostdlib -o $(@D)/libsluice.o $(LIB_OBJ)
	$(Q)$(OBJCOPY) --keep-global-symbols=$(@D)/symbols $(@D)/libsluice.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(@D)/libsluice.o

# NFs loaded with --nf ./x.so find the functions of sluice/nf.h in the program.
NF_SYMBOLS := sl_flow_expire_in sl_flow_lookup sl_flow_lookup_batch \
	sl_flow_peek sl_flow_remove sl_nf_find_port_v4 sl_nf_hash_v4 sl_packet_flow_key
$(B)/sluice: $(CLI_OBJ) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) $(NF_SYMBOLS:%=-Wl,--export-dynamic-symbol=%) \
		-o $@ $(CLI_OBJ) -Wl,--whole-archive $(LIBA) -Wl,--no-whole-archive $(LIBS) -lz

$(B)/sluiced: $(DAEMON_OBJ) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $^ $(LIBS)

$(UNIT) $(BPFT): $(B)/tests/%: $(B)/tests/%.o $(LBA) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $< $($(notdir $@)_OBJ) $(LBA) $(LIBA) $(LIBS) $(TEST_LIBS) $($(notdir $@)_LIBS)
test_plan_optimum_LIBS := -lglpk
# What a test takes from the command line.
test_options_OBJ := $(addprefix $(B)/user/cli/,options.o option_values.o move_words.o)
test_top_OBJ := $(addprefix $(B)/user/cli/,options.o option_values.o output.o sample.o move_log.o top/layout.o)
$(B)/tests/unit/test_options: $(test_options_OBJ)
$(B)/tests/unit/test_top: $(test_top_OBJ)
test_announce_OBJ := $(B)/user/daemon/apply.o
$(B)/tests/unit/test_announce: $(test_announce_OBJ)
test_sched_trace_OBJ := $(addprefix $(B)/user/cli/sched/,csv.o ends.o google.o read.o replay.o sort.o users.o)
test_sched_trace_LIBS := -lz
$(B)/tests/unit/test_sched_trace: $(test_sched_trace_OBJ)
# What AES is compared with.
NETTLE := $(shell $(PKG_CONFIG) --exists nettle 2>/dev/null && echo nettle)
test_quic_lb_LIBS := $(if $(NETTLE),$(shell $(PKG_CONFIG) --libs nettle))
$(B)/tests/unit/test_quic_lb.o: ALL_CFLAGS += $(if $(NETTLE),-DSL_NETTLE)
test_sim_OBJ := $(SIM_OBJ)
$(B)/tests/unit/test_sim: $(SIM_OBJ)
test_pool_OBJ := $(SIM_OBJ)
$(B)/tests/unit/test_pool: $(SIM_OBJ)
test_handover_model_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/model/*.c))
$(B)/tests/unit/test_handover_model: $(test_handover_model_OBJ)

$(BENCH) $(FUZZ) $(E2E): $(B)/tests/%: $(B)/tests/%.o $(LBA) $(LIBA)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -o $@ $< $(LBA) $(LIBA) $(LIBS) $($(notdir $@)_LIBS)
bench_shard_LIBS := -lurcu-qsbr -lurcu-cds
# Its device is memory: ethtool's door is its own.
fake_nic_LIBS := $(B)/user/cli/gen/port.o $(LIBA) -Wl,--wrap=sl_rss_kernel
$(B)/tests/e2e/fake_nic: $(B)/user/cli/gen/port.o

quic_server_LIBS := $(if $(NGTCP2),$(shell $(PKG_CONFIG) --libs $(NGTCP2_PKGS)))

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
.PHONY: benches check check-vm demo bench lint fmt fmt-check asan tsan install uninstall help

help:
	@echo 'all install clean        build, install (DESTDIR, PREFIX; and uninstall), remove build/'
	@echo 'demo check bench         what scripts/demo, scripts/check and scripts/bench do'
	@echo 'unit lint fmt            unit tests; clang-tidy, cppcheck, shellcheck, man pages; clang-format'
	@echo 'check-vm                 scenarios on other kernels and NICs, in QEMU guests (tests/vm)'
	@echo 'asan tsan                tests under address and undefined-behaviour sanitizers; fire under the thread sanitizer'

check:
	./scripts/check
check-vm: all tests
	./tests/vm/check
demo:
	./scripts/demo
bench:
	./scripts/bench all

C_FILES := $(wildcard bpf/*.[ch] headers/*.h include/sluice/*.h user/*/*.[ch] user/cli/*/*.[ch] tests/*/*.[ch] docs/examples/*.c)

fmt:
	$(Q)clang-format -i $(C_FILES)
fmt-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES)

LINT_C := $(LIB_SRC) $(LB_SRC) $(HTTP_SRC) $(SIM_SRC) $(CLI_SRC) $(DAEMON_SRC)
# cppcheck does not know jansson's loops, nor that sizeof(((struct x *)0)->field), in the option tables of cli/, reads
# nothing. clang-tidy takes its flags from a file, one a line, with absolute paths.
$(B)/compile_flags.txt: Makefile $(B)/flags
	$(Q)printf '%s\n' -std=gnu17 $(DEFS) $(foreach i,$(INC:-I%=%),-I$(abspath $(i))) > $@
lint: $(SKEL) $(B)/compile_flags.txt fmt-check
	$(call msg,TIDY,$(words $(LINT_C)) files)
	$(Q)printf '%s\n' $(LINT_C) | xargs -P "$$(nproc)" -n 4 clang-tidy --quiet -p $(B) 2>$(B)/tidy.log || \
		{ grep -v 'warnings generated\|Suppressed\|^Use -' $(B)/tidy.log >&2; exit 1; }
	$(call msg,CPPCHECK,user)
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress='nullPointer:user/cli/*' --error-exitcode=1 \
		-D'json_array_foreach(a, i, v)=for (i = 0; (v = json_array_get(a, i)); i++)' \
		-D'json_object_foreach(o, k, v)=for (k = ""; (v = json_object_get(o, k));)' \
		-j "$$(nproc)" $(INC) $(DEFS) user
	$(call msg,SHELL,scripts)
	$(Q)shellcheck -x $(filter-out scripts/packages,$(wildcard scripts/*)) $(wildcard tests/bench/*.sh) docs/sluice.bash
	$(Q)shellcheck -x $(filter-out %.md %.py,$(wildcard tests/vm/[!s]*)) $(wildcard tests/vm/scenarios/*)
	$(Q)shellcheck -x -S warning $(wildcard tests/e2e/*.bats) # a ! in the middle of a test fails nothing
	$(call msg,MANDOC,docs)
	$(Q)mandoc -Tlint -Wwarning docs/*.[358]

# asan takes about twenty minutes on 2 CPUs, tsan five; SLUICE_FIRE_SECONDS, SLUICE_KILLS and SLUICE_CYCLES shorten
# what lasts longest (30 s, 50 and 200 times).
asan:
	$(Q)./scripts/check --sanitize
tsan:
	$(Q)./scripts/check --threads

BINDIR = $(DESTDIR)$(PREFIX)/sbin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
INCDIR = $(DESTDIR)$(PREFIX)/include/sluice
SHARE = $(DESTDIR)$(PREFIX)/share
MAN8 := $(wildcard docs/*.8)
MAN5 := $(wildcard docs/*.5)
MAN3 := $(wildcard docs/*.3)
UNITS := $(wildcard docs/systemd/*.service)
COMPLETION = $(SHARE)/bash-completion/completions/sluice

install: all
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(LIBDIR)/sluice $(LIBDIR)/systemd/system $(INCDIR) \
		$(SHARE)/man/man8 $(SHARE)/man/man5 $(SHARE)/man/man3 $(dir $(COMPLETION)) $(SHARE)/doc/sluice/examples \
		$(SHARE)/doc/sluice/scenarios/lb
	install $(BIN) $(BINDIR)/
	install -m 644 $(LIBSO) $(B)/static/libsluice.a $(LIBDIR)/
	ln -sf $(notdir $(LIBSO)) $(LIBDIR)/libsluice.so
	install -m 644 $(B)/bpf/steer.bpf.o $(LIBDIR)/sluice/
	sed 's|@PREFIX@|$(PREFIX)|;s|@VERSION@|$(VERSION)|;s|@HYPERSCAN@|$(HYPERSCAN)|' user/libsluice.pc.in > $(LIBDIR)/pkgconfig/libsluice.pc
	install -m 644 include/sluice/*.h $(INCDIR)/
	install -m 644 $(MAN8) $(SHARE)/man/man8/
	install -m 644 $(MAN5) $(SHARE)/man/man5/
	install -m 644 $(MAN3) $(SHARE)/man/man3/
	install -m 644 docs/sluice.bash $(COMPLETION)
	for u in $(notdir $(UNITS)); do \
		sed 's|@PREFIX@|$(PREFIX)|' docs/systemd/$$u > $(LIBDIR)/systemd/system/$$u || exit 1; done
	install -m 644 README.md CHANGELOG.md docs/sluice.yaml $(SHARE)/doc/sluice/
	install -m 644 docs/examples/*.c $(SHARE)/doc/sluice/examples/
	install -m 644 docs/scenarios/*.yaml $(SHARE)/doc/sluice/scenarios/
	install -m 644 docs/scenarios/lb/*.yaml $(SHARE)/doc/sluice/scenarios/lb/

uninstall:
	rm -f $(addprefix $(BINDIR)/,$(notdir $(BIN))) $(addprefix $(LIBDIR)/,$(notdir $(LIBSO)) libsluice.a \
		libsluice.so pkgconfig/libsluice.pc $(addprefix systemd/system/,$(notdir $(UNITS)))) \
		$(addprefix $(SHARE)/man/man8/,$(notdir $(MAN8))) \
		$(addprefix $(SHARE)/man/man5/,$(notdir $(MAN5))) \
		$(addprefix $(SHARE)/man/man3/,$(notdir $(MAN3))) $(COMPLETION)
	rm -rf $(LIBDIR)/sluice $(INCDIR) $(SHARE)/doc/sluice
