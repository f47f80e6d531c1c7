# Every target sets up what it needs; nothing is assumed but Python 3.11+, make and git.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
# Targets are listed by `make help`.
.PHONY: help setup build test lint types unit ui bench torture audit docs lock snapshot clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (set PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY)  ## Create the virtual environment from the lock file

build: $(READY)  ## Run the main job on synthetic sources (offline, about two minutes)
	$(BIN)/mobility build --profile sample

test: lint types unit  ## All checks: lint, types, architecture, unit, property, parity and end-to-end tests

lint: $(READY)  ## Style and architecture rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## Static types (strict)
	$(BIN)/mypy

unit: $(READY)  ## The test suite alone
	$(BIN)/pytest -n auto --dist loadgroup

ui: $(READY)  ## Open the Dagster UI on loopback
	$(BIN)/mobility ui

bench: $(READY)  ## Measure speed and memory against named alternatives (BENCH="--only survey" for one)
	$(BIN)/python -m benchmarks $(BENCH)

torture: $(READY)  ## Kill builds a hundred times at any moment and compare what is published (about ten minutes)
	$(BIN)/python tests/torture.py --kills 100 --timed

audit: $(READY)  ## Look the locked packages up in a database of known weaknesses, if one can be reached
	$(BIN)/python .ci/audit.py

docs: $(READY)  ## Write the pages that are made from the code
	$(BIN)/python -m outputs.deviations docs/deviations.md
	$(BIN)/python -m outputs.rules.mistakes docs/mistakes.md

snapshot: $(READY)  ## Write the reviewed list of assets, checks, jobs and schedules anew (look at the diff)
	$(BIN)/python tests/definitions_snapshot.py

lock:  ## Resolve the dependencies again (needs uv; writes no registry address)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --no-annotate --no-header --extra dev -o requirements.lock pyproject.toml

clean:  ## Remove the environment and caches (data stay)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
