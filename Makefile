# make run     builds what changed and starts a demo on http://127.0.0.1:8080
# make test    every test and check          make lint        formatting, clippy, shellcheck, web
# make build   dist/p2ppool and dist/p2pnode  make test-long   the tests that take minutes
# make bench   speed beside other tools       make clean       deletes everything that was built
# make fuzz    what reads strangers' bytes, given random ones: FUZZ='xml_rpc cron' FUZZ_SECONDS=60
# make geoip   fetches DB-IP City Lite (optional) for the manager of this user
# make screenshots  pictures of the pages   make test-big  100,000 nodes in the browser
# make setup   installs what is missing from the distribution (Debian, Ubuntu)

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOP := $(CURDIR)
TARGET := $(or $(CARGO_TARGET_DIR),$(TOP)/target)
STAMPS := $(TOP)/.make
CARGO ?= cargo
# Arguments of `p2ppool demo` for `make run`.
DEMO ?=

# The node is found by the manager's build script (embedded) and by the tests.
NODE_TARGET := $(shell uname -m)-unknown-linux-gnu
export P2PPOOL_NODE := $(TOP)/dist/p2pnode
export P2PNODE_BIN := $(TOP)/dist/p2pnode

say = @printf '\n\033[1m%s\033[0m\n' "$(1)"
TALLY := .ci/tally
WEB := $(wildcard web/package.json)
WEB_SOURCES := $(if $(WEB),$(shell find web \( -name node_modules -o -name dist -o -name test-results \) -prune -o -type f -print | grep -v '[ :]'))
E2E := $(wildcard e2e/package.json)
SCRIPTS := $(shell find crates $(wildcard packaging) -name '*.sh')
# not called MAKE, so that `make -n` only shows it
PART := $(MAKE) --no-print-directory
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help run build test lint test-long fuzz bench clean setup geoip web node manager debug \
	test-rust test-kill test-managers test-scripts test-api test-web test-e2e

help:
	@sed -n '1,/^$$/s/^# //p' Makefile

# ---------------------------------------------------------------- what the machine needs

setup: $(STAMPS)/setup-build $(STAMPS)/setup-test

$(STAMPS)/setup-build $(STAMPS)/setup-test: $(STAMPS)/setup-%: .ci/setup
	@.ci/setup $*
	@mkdir -p $(STAMPS) && touch $@

# ---------------------------------------------------------------- building

web: $(if $(WEB),web/dist/index.html)

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	$(call say,Installing the web page's packages (npm ci))
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	$(call say,Building the web page into web/dist)
	cd web && npm run build
	@touch $@

# Static: it runs on hosts with nothing installed. A folder of its own, else the flags evict the manager's build.
node: $(STAMPS)/setup-build
	$(call say,Building dist/p2pnode (static; about 4 minutes the first time))
	CARGO_TARGET_DIR='$(TARGET)/node' RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' \
		$(CARGO) build --locked --profile node -p p2pnode --target $(NODE_TARGET)
	@mkdir -p dist
	@# an equal file keeps its time, so the manager isn't built again
	@cmp -s '$(TARGET)/node/$(NODE_TARGET)/node/p2pnode' dist/p2pnode || \
		{ cp '$(TARGET)/node/$(NODE_TARGET)/node/p2pnode' dist/p2pnode.new && mv dist/p2pnode.new dist/p2pnode; }

manager: node web
	$(call say,Building dist/p2ppool (release; about 9 minutes the first time))
	$(CARGO) build --locked --release -p p2ppool --bin p2ppool
	@cp '$(TARGET)/release/p2ppool' dist/p2ppool.new && mv dist/p2ppool.new dist/p2ppool

build: manager
	@ls -l dist/p2ppool dist/p2pnode

# The same packages and features as `make test`, so that one build serves both.
debug: node web
	$(call say,Building the manager (debug; about 5 minutes the first time))
	$(CARGO) build --locked --workspace

run: debug
	$(call say,Starting the demo: 12 nodes on this machine; Ctrl-C ends it)
	@exec '$(TARGET)/debug/p2ppool' demo $(DEMO)

# GEOIP: arguments of `p2ppool geoip install`, such as --data DIR. Nothing depends on it.
geoip: debug
	@'$(TARGET)/debug/p2ppool' geoip install $(GEOIP) || echo 'Nothing was installed; the manager works without it.'

# ---------------------------------------------------------------- testing

# Every part runs even if an earlier one failed; `tally end` adds up and fails if one did.
test: setup
	@$(TALLY) start
	@$(TALLY) run build check $(PART) node web
	@$(TALLY) run fmt check $(CARGO) fmt --all --check
	@$(TALLY) run clippy check $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@$(TALLY) run rust cargo $(PART) test-rust
	@$(TALLY) run scripts lines $(PART) test-scripts
	@$(TALLY) run api lines $(PART) test-api
	@$(TALLY) run shellcheck check $(PART) lint-shell
	@$(if $(WEB),$(TALLY) run web-check check $(PART) lint-web)
	@$(if $(WEB),$(TALLY) run web vitest $(PART) test-web)
	@$(if $(E2E),$(TALLY) run e2e playwright $(PART) test-e2e)
	@$(TALLY) end

# Ignored tests need what `make` has built (P2PNODE_BIN); those named long_… take minutes.
test-rust:
ifneq ($(NEXTEST),)
	$(CARGO) nextest run --locked --workspace --no-fail-fast --run-ignored all -E 'not test(/(^|::)long_/)'
	$(CARGO) test --locked --workspace --doc --no-fail-fast
else
	$(CARGO) test --locked --workspace --no-fail-fast -- --include-ignored --skip long_
endif

# Kills the manager at chosen moments of install, upgrade, stop and rotate key: `make test-kill KILLS=100`.
test-kill: node
	KILLS='$(or $(KILLS),10)' $(CARGO) test --locked --workspace --test it -- --ignored --nocapture actions::kill::

# Three managers on a real PostgreSQL; one is killed in the middle of an install of 30 hosts.
test-managers: node
	$(CARGO) test --locked --workspace --test it -- --include-ignored --nocapture actions::managers::

test-scripts:
	sh .ci/tally-test
	sh crates/remote/scripts/test.sh

API_VENV := $(TARGET)/api-venv

$(API_VENV)/.ready: crates/manager/tests/api/requirements.txt $(STAMPS)/setup-test
	$(call say,Installing schemathesis into $(API_VENV))
	python3 -m venv '$(API_VENV)'
	'$(API_VENV)/bin/pip' install --quiet --disable-pip-version-check -r crates/manager/tests/api/requirements.txt
	@touch '$@'

# Everything that the API's description allows, as each role: `make test-api EXAMPLES=100`.
test-api: node $(API_VENV)/.ready
	$(CARGO) test --locked --workspace --no-run
	crates/manager/tests/api/run.sh '$(TARGET)/debug/p2ppool' '$(API_VENV)/bin/st' $(EXAMPLES)

test-web: web
	cd web && npm test

e2e/node_modules/.package-lock.json: e2e/package.json e2e/package-lock.json
	cd e2e && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund
	@touch $@

# The browser is Debian's; the program is the one that the Rust tests were run with.
test-e2e: node web e2e/node_modules/.package-lock.json
	$(CARGO) test --locked --workspace --no-run
	cd e2e && P2PPOOL_BIN='$(TARGET)/debug/p2ppool' npm test

# Prints how fast the page is with a crawl of 100,000 nodes and a task of 10,000 hosts.
test-big: debug e2e/node_modules/.package-lock.json
	$(CARGO) build --locked -p p2ppool --example fill_store
	cd e2e && P2PPOOL_BIN='$(TARGET)/debug/p2ppool' FILL_STORE_BIN='$(TARGET)/debug/examples/fill_store' npm run big

# Pictures of every page in both themes, into web/screenshots.
screenshots: debug e2e/node_modules/.package-lock.json
	cd e2e && P2PPOOL_BIN='$(TARGET)/debug/p2ppool' npm run screenshots

test-long: setup debug
	$(call say,Running the tests that take minutes)
	$(CARGO) test --locked --workspace --no-fail-fast -- --ignored long_
	$(PART) test-api EXAMPLES=100
	$(PART) test-kill KILLS=100
	$(PART) fuzz

# Each target for so many seconds. What is found is kept in fuzz/artifacts; corpora are only read.
FUZZ_SECONDS ?= 60
fuzz: setup
	fuzz/run '$(TARGET)/fuzz' '$(FUZZ_SECONDS)' $(FUZZ)

# ---------------------------------------------------------------- checking

.PHONY: lint-rust lint-shell lint-web
lint: setup web lint-rust lint-shell $(if $(WEB),lint-web)

lint-rust: node
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint-shell:
	shellcheck .ci/run .ci/setup .ci/tally .ci/tally-test fuzz/run $(SCRIPTS)

lint-web: web/node_modules/.package-lock.json $(if $(E2E),e2e/node_modules/.package-lock.json)
	cd web && npm run check
	$(if $(E2E),cd e2e && npm run check)

# ---------------------------------------------------------------- measuring

VENV := $(TARGET)/bench-venv

$(VENV)/.ready: bench/requirements.txt $(STAMPS)/setup-test
	@.ci/setup bench
	$(call say,Installing the tools to compare with into $(VENV))
	python3 -m venv '$(VENV)'
	'$(VENV)/bin/pip' install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch '$@'

# BENCH: arguments of bench/run.py
bench: $(VENV)/.ready manager e2e/node_modules/.package-lock.json
	$(call say,Building what is measured (release))
	$(CARGO) build --locked --release -p p2ppool-remote --example fanout
	$(CARGO) build --locked --release -p p2ppool-overlay --example crawl_bench --example brunet_bench --example overlay_host
	$(CARGO) build --locked --release -p p2ppool --example outcomes --example fill_store
	$(CARGO) build --locked --release -p p2ppool-store --features testing --example history
	PATH="$(VENV)/bin:$$PATH" python bench/run.py $(BENCH)

clean:
	rm -rf dist web/dist web/node_modules e2e/node_modules bench/results.json $(STAMPS)
	$(CARGO) clean
