# Zones for Linux. `make demo` and `make test` do all set-up themselves, as root, on Debian
# or Ubuntu with Go, gcc, make and git.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := build

# Go is often installed where root's PATH does not look.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

DESTDIR ?=
PREFIX  ?= /usr/local
BIN     ?= bin

# Reproducible and small; the build cache makes a second build a look at the sources.
GOBUILD := go build -trimpath -buildvcs=false
# VERSION=1.2.3 makes programs of that build (internal/build).
STRIP   := -s -w$(if $(VERSION), -X github.com/linuxzones/zones/internal/build.Version=$(VERSION))
# libcontainer needs cgo; a static program does not load code from wherever it is run.
# `go test` and `go vet` see the same files through the same tags.
TAGS    := seccomp,netgo,osusergo
STATIC  := -linkmode external -extldflags -static

ADMIN  := zoneadm zonecfg zlogin
DAEMON := zoned contractd zsched
# RACE=1 builds the programs whose goroutines matter with the race detector.
ifeq ($(RACE),1)
HOSTBUILD := CGO_ENABLED=1 $(GOBUILD) -race -tags $(TAGS) -ldflags '$(STATIC)'
else
HOSTBUILD := CGO_ENABLED=0 $(GOBUILD) -ldflags '$(STRIP)'
endif

.PHONY: build install deps deps-build deps-bench bpf check conformance crash-matrix test test-short test-vm vm-tests bench bench-peers demo demo-clean fuzz clean

build:
	@mkdir -p $(BIN)/inzone/svc/bin
	@$(HOSTBUILD) -o $(BIN)/ $(addprefix ./cmd/,$(ADMIN) zoned contractd)
	@CGO_ENABLED=0 $(GOBUILD) -ldflags '$(STRIP)' -o $(BIN)/ ./cmd/zsched
	@$(HOSTBUILD) -o $(BIN)/ctrun ./cmd/ct
	@ln -sfn ctrun $(BIN)/ctstat && ln -sfn ctrun $(BIN)/ctwatch
	@CGO_ENABLED=1 $(GOBUILD) -tags $(TAGS) -ldflags '$(STRIP) $(STATIC)' -o $(BIN)/ ./cmd/zrun
	@$(HOSTBUILD) -o $(BIN)/svccfg ./cmd/svc && ln -sfn svccfg $(BIN)/svcprop && ln -sfn svccfg $(BIN)/svcs && ln -sfn svccfg $(BIN)/svcadm
	@CGO_ENABLED=0 $(GOBUILD) -ldflags '$(STRIP)' -o $(BIN)/inzone/svc/bin/ ./cmd/init
	@CGO_ENABLED=0 $(GOBUILD) -ldflags '$(STRIP)' -o $(BIN)/inzone/svc/bin/svc.startd ./cmd/startd
	@CGO_ENABLED=0 $(GOBUILD) -ldflags '$(STRIP)' -o $(BIN)/inzone/svc/bin/svccfg ./cmd/svc
	@./hack/inzone-tree.sh $(BIN)/inzone

# The inzone tree is copied as it stands: its links are relative or lead to /lib/svc/bin,
# where the zone finds it.
install: build
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/zones
	@install -m 0755 $(BIN)/ctrun $(DESTDIR)$(PREFIX)/bin/
	@ln -sfn ../sbin/svccfg $(DESTDIR)$(PREFIX)/bin/svcprop && ln -sfn ../sbin/svccfg $(DESTDIR)$(PREFIX)/bin/svcs
	@ln -sfn ctrun $(DESTDIR)$(PREFIX)/bin/ctstat && ln -sfn ctrun $(DESTDIR)$(PREFIX)/bin/ctwatch
	@install -m 0755 $(addprefix $(BIN)/,$(ADMIN) svccfg) $(DESTDIR)$(PREFIX)/sbin/ && ln -sfn svccfg $(DESTDIR)$(PREFIX)/sbin/svcadm
	@install -m 0755 $(addprefix $(BIN)/,$(DAEMON) zrun) $(DESTDIR)$(PREFIX)/libexec/zones/
	@rm -rf $(DESTDIR)$(PREFIX)/libexec/zones/inzone
	@cp -dR --preserve=mode,links $(BIN)/inzone $(DESTDIR)$(PREFIX)/libexec/zones/inzone
	@for s in 1 5 7 8; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$s && \
		install -m 0644 docs/man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s/; done

deps:
	@./hack/deps.sh test

deps-build:
	@./hack/deps.sh build

deps-bench:
	@./hack/deps.sh bench

# The collector's BPF object is kept with its source, so that a build needs no compiler for it.
# Another version of the compiler makes another object: a test compares with this one's.
BPF   := contract/collector/load/bpf
CLANG := clang-14
bpf:
	@cd $(BPF) && $(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror \
		-ffile-prefix-map=$(abspath $(BPF))=. -c collector.c -o $(or $(OUT),collector.o)
	@$(subst clang,llvm-strip,$(CLANG)) -g $(or $(OUT),$(BPF)/collector.o)

# What needs no running. The formatting and the house rules are tests of hack/lint.
check: deps
	@go vet -tags $(TAGS) ./...

# docs/CONFORMANCE.md, from the tests. ALL=1 runs also those that take root and zones.
conformance: $(if $(filter 1,$(ALL)),build)
	@ZONES_BIN=$(abspath $(BIN)) go run ./hack/conformance $(if $(filter 1,$(ALL)),-all)

# Every program is killed at each of its steps. FULL=1 takes all of them, about an hour, and makes
# docs/CRASHES.md; otherwise a part, by SEED or at random.
crash-matrix: build
	@ZONES_BIN=$(abspath $(BIN)) go run ./hack/crash $(if $(filter 1,$(FULL)),-full) $(if $(SEED),-seed $(SEED)) $(if $(RUN),-run '$(RUN)')

# Two packages at a time: the machine's cores are the tests' clock. -count=1: a test of the
# kernel is not cached. check has vetted all. The guest is last and alone, since emulation eats a core.
RACEFLAG := $(if $(filter 1,$(RACE)),-race)
GOTEST := go test -json $(RACEFLAG) -tags $(TAGS) -p 2 -count=1 -vet=off -timeout 15m

test: check build
	@ZONES_BIN=$(abspath $(BIN)) go run ./hack/citest -go '$(GOTEST) ./...' -script 'vm=./hack/vm/test.sh'

test-short: check build
	@ZONES_BIN=$(abspath $(BIN)) go run ./hack/citest -go '$(GOTEST) -short ./...'

# The test programs that the guest runs, those that take longest first, and what they need.
TESTS   ?= .cache/tests
INGUEST := $(addprefix contract/,server collector kernel) $(addprefix hack/e2e/,events smf) $(addprefix contract/,mnttab fuse ctfs quota)
vm-tests: build
	@mkdir -p $(TESTS)
	@printf '%s\n' $(notdir $(INGUEST)) >$(TESTS)/packages
	@for p in $(INGUEST); do CGO_ENABLED=0 go test -c -trimpath -tags $(TAGS) -ldflags '$(STRIP)' \
		-o $(TESTS)/$${p##*/}.test ./$$p; done
	@gcc -O1 -Wall -pthread -static -o $(TESTS)/work contract/collector/testdata/work.c
	@cp -dRT --preserve=mode,links $(BIN) $(TESTS)/bin

test-vm: deps build
	@go run ./hack/citest -script 'vm=./hack/vm/test.sh'

bench: deps-bench build
	@ZONES_BIN=$(abspath $(BIN)) go run ./hack/bench

# Beside container supervisors; takes an hour. QUICK=1 and WHAT="A C" do less.
bench-peers: deps-build build
	@./hack/bench/peers/run.sh $(abspath $(BIN)) $(WHAT)

demo: deps-build build
	@./hack/demo.sh $(abspath $(BIN))

demo-clean: deps-build build
	@./hack/demo-clean.sh $(abspath $(BIN))

# Every fuzz target in turn, FUZZTIME each.
FUZZTIME ?= 20s
fuzz:
	@./hack/fuzz.sh $(FUZZTIME)

clean:
	@rm -rf bin .cache
