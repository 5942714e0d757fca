# `make run` and `make test` need nothing but Python 3.11+ and make: they build .venv from constraints.txt first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_LOG ?= build/simulate.db

WORKERS ?= auto
# Many tests start an interpreter; compiling the product in each of them would take longer than the tests.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS)

.PHONY: help run test quick check bench crash sweep clean
.DEFAULT_GOAL := help

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Odradek needs Python 3.11 or newer; run make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

run: $(VENV)/.installed ## simulate producers and consumers; the log is RUN_LOG, build/simulate.db by default
	mkdir -p $(dir $(RUN_LOG))
	$(BIN)/odradek simulate --log $(RUN_LOG) --overwrite

test: $(VENV)/.installed ## run every test, with one worker per processor or WORKERS of them
	$(PYTEST) -m "" --hypothesis-profile ci --durations 10

quick: $(VENV)/.installed ## run the tests that take seconds
	$(PYTEST) -m "not square and not on_disk and not slow" --hypothesis-profile fast $(addprefix --ignore tests/,cli examples)

check: $(VENV)/.installed ## run the linter, the formatter, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed ## measure throughput, beside other libraries
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[bench]'
	$(BIN)/python benchmarks/run.py

crash: $(VENV)/.installed ## kill a writing process 100 times, and check that no acknowledged message is lost
	$(BIN)/python benchmarks/crash.py --rounds 50
	$(BIN)/python benchmarks/crash.py --rounds 50 --durability normal

sweep: $(VENV)/.installed ## run thousands of simulated worlds, with faults and with planted bugs
	$(BIN)/python benchmarks/sweep.py

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
