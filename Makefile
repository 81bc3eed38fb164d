# carebus: `make demo` and `make test` are all that a fresh machine needs; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
DEMO ?= # options of the demo, such as DEMO="--port-offset 100"
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/contracts libs/runtime services/extractor services/converter services/loader services/console services/generator tools/cli tools/stack tools/demo tools/quality
SOURCES := libs services tools tests

.PHONY: help setup demo test test-full check format lint types imports unit integration e2e bench bench-generator docs lock clean

help: ## Show this list.
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(VENV)/.ready: requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "carebus needs Python 3.11 or newer; install it (Debian 12: apt install python3 python3-venv), or name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing; install it (Debian: apt install python3-venv)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --system-certs --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

setup: $(VENV)/.ready ## Install everything into .venv.

demo: setup ## Run the main job end to end on real OMOP data, and show what arrived.
	@$(BIN)/python -m carebus_demo $(DEMO)

test: lint types imports ## All tests, real servers included (what CI runs).
	$(BIN)/pytest tests

test-full: lint types imports ## Also the slow extras: everything validated, more kills.
	CAREBUS_TEST_FULL=1 $(BIN)/pytest tests

check: setup lint types imports unit ## The fast half: lint, types, import rules, unit and contract tests.

lint: setup
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: setup
	$(BIN)/mypy $(foreach p,contracts runtime extractor converter loader console generator cli stack demo quality,-p carebus_$(p))

imports: setup
	$(BIN)/lint-imports

unit: setup
	$(BIN)/pytest -q tests/unit tests/contract

format: setup ## Format and fix what can be fixed.
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

integration: setup ## Each system alone, for real.
	$(BIN)/pytest tests/integration

e2e: setup ## The workers together, with kills and restarts.
	$(BIN)/pytest tests/e2e

bench: setup ## Speed, as ratios against limits measured in the same run.
	PYTHONPATH=tests $(BIN)/python -m bench

bench-generator: setup ## Speed and memory of the generator, alone and with Kafka.
	PYTHONPATH=tests $(BIN)/python -m bench.bench_generator

docs: setup ## Generate docs/reference from the code.
	PYTHONPATH=tests $(BIN)/python -m support.reference_docs

lock: ## Pin all dependencies again: requirements/*.txt, hashed, without addresses.
	$(BIN)/uv lock --quiet --system-certs --upgrade
	$(BIN)/uv export --quiet --system-certs --frozen --all-packages --all-groups --no-emit-workspace --no-annotate --no-header --format requirements-txt -o requirements/dev.txt
	for name in extractor converter loader console generator; do \
	  $(BIN)/uv export --quiet --system-certs --frozen --package carebus-$$name --no-dev --no-emit-workspace --no-annotate --no-header --format requirements-txt -o requirements/$$name.txt; done
	rm uv.lock

clean: ## Stop the local stack and remove what was made here.
	-$(BIN)/carebus stack down --wipe
	rm -rf $(VENV) .carebus
