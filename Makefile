# caseloop: two commands are enough, `make up` and `make test`; both set up what they need, and are quick the second time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
COMPILE := $(UV) pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
PEERS := build/peers
# More words for the tool behind a target: make test ARGS="tests/unit -k promise"
ARGS ?=
# Long tests come first in the order of the folders: what is left at the end are the many short ones.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | while IFS= read -r line; do
		printf '  make %-15s %s\n' "$${line%%:*}" "$${line##*## }"
	done

.PHONY: setup
setup: $(VENV)/.linked $(VENV)/.prepared ## Make the environment in .venv, every package checked against its hash

.PHONY: up
up: setup ## Start everything, play the demo through it, and stay up until Ctrl-C
	@exec $(BIN)/caseloop up --demo $(ARGS)

.PHONY: demo
demo: setup ## Play the scenarios of the service standard and show the closed loop
	@exec $(BIN)/caseloop demo $(ARGS)

.PHONY: test
test: setup ## Run the whole test suite on real servers, in two processes; with ARGS a part, in one
	@exec $(BIN)/python -m pytest $(or $(ARGS),$(IN_TWO))

.PHONY: chaos
chaos: setup ## Kill, freeze and starve the product under load, and prove that nothing was lost
	@exec $(BIN)/python -m tests.chaos $(ARGS)

.PHONY: simulate
simulate: setup ## Run the production code in virtual time, 200 seeds of faults; ARGS="--seed 7" replays one
	@exec $(BIN)/python -m tests.simulation $(ARGS)

.PHONY: lint
lint: setup ## Check style, format, types and who imports whom
	@echo "== ruff"
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	echo "== mypy"
	$(BIN)/mypy
	echo "== imports"
	$(BIN)/lint-imports --no-cache

.PHONY: check-asyncapi
check-asyncapi: ## Validate contracts/asyncapi.yaml with the official parser (needs Node.js)
	@cd tests/contract/asyncapi
	npm install --no-package-lock --no-audit --no-fund --silent
	node validate.mjs ../../../contracts/asyncapi.yaml

.PHONY: bench
bench: setup $(VENV)/.bench ## Measure every workload beside the limit of this machine; ARGS="W1 W5" measures these
	@exec $(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-peers
bench-peers: setup $(VENV)/.bench $(PEERS)/.python $(PEERS)/.restate $(PEERS)/.streams ## Install what W4p sets beside the product (needs Node.js for Restate) and measure it
	@exec $(BIN)/python -m tests.bench W4p $(ARGS)

.PHONY: bench-audit
bench-audit: setup ## Measure an audit of a million case events
	@exec $(BIN)/python -m tests.bench.audit $(ARGS)

.PHONY: generate
generate: setup ## Write the schemas and asyncapi.yaml anew from the contracts
	@exec $(BIN)/python -m contracts.generate

.PHONY: lock
lock: setup ## Choose the newest allowed packages and write requirements/ anew
	@echo "== requirements"
	$(COMPILE) --upgrade --group pyproject.toml:build -o requirements/build.txt
	$(COMPILE) --upgrade pyproject.toml --extra test --extra bench -o requirements/bench.txt
	$(COMPILE) --constraint requirements/bench.txt pyproject.toml --extra test -o requirements/test.txt
	$(COMPILE) --constraint requirements/bench.txt pyproject.toml -o requirements/run.txt
	$(COMPILE) --upgrade --group pyproject.toml:peers -o requirements/peers.txt

.PHONY: clean
clean: ## Remove everything that was made here, the environment too
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a step runs again only when what it depends on has changed.

$(BIN)/python:
	@echo "== environment in $(VENV)"
	# A distribution's own interpreter comes first: it was built with optimisations that many compiled by hand lack.
	for python in /usr/bin/python3.11 python3.11 python3 python3.12 python3.13; do
		if $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			exec $$python -m venv $(VENV)
		fi
	done
	echo "error: no Python 3.11 or newer was found: install one, then try again" >&2
	exit 1

$(VENV)/.tools: requirements/build.txt | $(BIN)/python
	@echo "== installer"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

$(VENV)/.packages: requirements/test.txt $(VENV)/.tools
	@echo "== packages (about 100, hashes required)"
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $<
	touch $@

$(VENV)/.linked: pyproject.toml $(VENV)/.packages
	@echo "== caseloop itself"
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.prepared: deploy/local/kafka.lock $(VENV)/.linked
	@echo "== Apache Kafka and PostgreSQL for this machine"
	$(BIN)/python -m deploy.local prepare
	touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.packages
	@echo "== packages for measuring"
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $<
	touch $@

$(PEERS)/.python: requirements/peers.txt $(VENV)/.tools
	@echo "== packages of the peers, in an environment of their own"
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(PEERS)/python
	$(UV) pip install --quiet --compile-bytecode --python $(PEERS)/python/bin/python --require-hashes -r $<
	touch $@

$(PEERS)/.restate: tests/bench/peers/restate_server/package-lock.json | $(PEERS)/.python
	@echo "== Restate's server"
	if ! command -v npm >/dev/null; then
		echo "not installed: npm is missing" >&2
		exit 0
	fi
	mkdir -p $(PEERS)/node
	cp tests/bench/peers/restate_server/package*.json $(PEERS)/node
	npm ci --prefix $(PEERS)/node --ignore-scripts --no-audit --no-fund --silent
	touch $@

$(PEERS)/.streams: tests/bench/peers/streams.lock tests/bench/peers/programs/Cases.java $(VENV)/.linked | $(PEERS)/.python
	@echo "== Kafka Streams"
	$(BIN)/python -m tests.bench.peers.streams
	touch $@
