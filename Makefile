# Every target makes the environment it needs in .venv; nothing else on the machine is touched but,
# for browser tests, a missing Chromium (see .ci/browser).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := .venv/.demo
TARGETS := demo test lint types check bench gold matrix samples wheel clean
.PHONY: help $(TARGETS)
.DEFAULT_GOAL := help

help:
	@echo "make demo    record the failing sample agent and open the web UI on it"
	@echo "make test    all tests (ARGS='-k name -x' is handed to pytest)"
	@echo "make lint    ruff and the layers"
	@echo "make types   mypy --strict, tests too"
	@echo "make check   lint, types and test: what CI runs"
	@echo "make bench   the figures of README"
	@echo "make matrix  every framework's and SDK's agent, old and new (ARGS='sdks adk oldest' picks; ARGS=spans)"
	@echo "make samples record the sample traces again"
	@echo "make gold    accept the present output as the gold files of tests/gold"

.venv/bin/python:
	@PYTHON="$(PYTHON)" bash .ci/venv

# The stamp makes a second run install nothing; a changed pyproject.toml installs again.
$(INSTALLED): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# A tenth of what the tests need, for those who only want to look.
$(DEMO): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

demo: $(DEMO)
	$(BIN)/tracer demo $(ARGS)

test: $(INSTALLED)
	@bash .ci/test $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(INSTALLED)
	$(BIN)/mypy

# One after the other, also under `make -j`, so that the first failure is the last thing printed.
check: $(INSTALLED)
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory test

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(ARGS)

gold: $(INSTALLED)
	TRACER_GOLD=accept $(BIN)/python -m pytest -m "not browser" -q tests -k gold $(ARGS)
	@git --no-pager diff --stat -- tests/gold || true

matrix: $(INSTALLED)
	$(BIN)/python -m tests.frameworks.matrix $(ARGS)

samples: $(DEMO)
	$(BIN)/python sample_traces/record.py

wheel: $(INSTALLED)
	$(BIN)/python -m build --wheel

clean:
	rm -rf .venv .tools .matrix dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
