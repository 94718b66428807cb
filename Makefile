# Every target sets up what it needs from nothing but make and a Python 3.11 or 3.12 with venv and pip.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-check test check campaign lock lock-check clean
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --quiet
INSTALL := $(UV) pip install --python $(BIN)/python
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(if $(UPGRADE),--upgrade)
PYTEST_ARGS ?=

# No telemetry (P15). MLflow understands only the word `true`.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- run ---------------------------------------------------------------------------------------

demo: $(VENV)/demo.stamp ## build the demonstration deployment, then serve it on 127.0.0.1:8000
	$(BIN)/vigil demo

demo-check: $(VENV)/demo.stamp ## the same in a folder of its own, without staying up
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && $(BIN)/vigil demo --check --home "$$home/demo-home"

# --- verify ------------------------------------------------------------------------------------

test: $(VENV)/test.stamp ## run all tests but the campaigns
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/test.stamp ## format, lint, types, import contracts and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -m "not (campaign or slow or browser or postgres)" $(PYTEST_ARGS)

campaign: $(VENV)/test.stamp ## the long runs: soak, fault campaigns, large benchmarks
	$(BIN)/python -m pytest -m campaign $(PYTEST_ARGS)
	set -e; for script in tests/benchmarks/bench_*.py; do $(BIN)/python "$$script"; done

# --- maintain ----------------------------------------------------------------------------------

lock: $(VENV)/uv.stamp ## write requirements/ anew, keeping versions (UPGRADE=1: the newest that fit)
	$(COMPILE) pyproject.toml --extra postgresql -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra demo -c requirements/runtime.txt -o requirements/demo.txt
	$(COMPILE) pyproject.toml --all-extras --group test --group bootstrap \
		-c requirements/runtime.txt -o requirements/test.txt
	$(COMPILE) --group bootstrap -c requirements/test.txt -o requirements/bootstrap.txt
	@! grep -nE 'https?://|--index|--find-links|--extra-index' requirements/*.txt

clean: ## remove the environment and what tools cached
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# --- set-up: a stamp is older than its lock exactly when there is something to install ---------

$(VENV)/uv.stamp: requirements/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or 3.12 found; set PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "make: $(PYTHON) cannot create an environment; install its venv module" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The project itself: a path entry to this checkout, nothing resolved and nothing downloaded.
$(VENV)/project.stamp: pyproject.toml $(VENV)/uv.stamp
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/demo.stamp: requirements/demo.txt $(VENV)/project.stamp
	$(INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/project.stamp
	$(INSTALL) --require-hashes -r $<
	@touch $@ $(VENV)/demo.stamp
