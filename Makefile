# Everything starts from a fresh checkout: Python and PyPI are all it needs.
#
#   make demo [ARGS=--once]   the mesh with the demo shop and real traffic
#   make check                lint, types, import rules, fast tests: under a minute
#   make test                 everything CI checks: lint, types, import rules, all tests, those with real Envoys too
#   make soak                 the long forms of live tests: minutes of load and restarts, not in CI
#   make bench                measure; writes bench/RESULTS.md
#   make build                wheel and sdist into dist/
#   make constraints          the versions that the image is made of, in deploy/constraints.txt
#   make compat               the table of fields in docs/compatibility.md, made anew
#   make format               format the code
#   make clean                remove everything that was made here

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Reinstalled when what they were made from changes; otherwise a re-run starts at once.
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo check test lint types imports fast thorough live soak bench build compat constraints format clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "weft needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(RUN): pyproject.toml hatch_build.py $(wildcard build_tools/*.py) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(RUN)
	$(BIN)/weft demo $(ARGS)

check: lint types imports fast

test: lint types imports thorough live

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

imports: $(DEV)
	$(BIN)/lint-imports

fast: $(DEV)
	$(BIN)/pytest -q -m "not live and not slow and not soak" -n 2 --hypothesis-profile=quick

# The fast ones too: with more examples.
thorough: $(DEV)
	$(BIN)/pytest -m "not live and not soak" -n 2 --hypothesis-profile=thorough

# They mostly wait, so more of them at once than two; tests/conftest.py says which are never at once.
live: $(DEV)
	$(BIN)/pytest -m "live and not soak" -n 3 --dist loadfile --no-loadscope-reorder

# One after the other: each wants the machine for itself.
soak: $(DEV)
	$(BIN)/pytest -m soak -v

bench: $(DEV)
	$(BIN)/python -m bench $(ARGS)

build: $(DEV)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

constraints: $(DEV)
	$(BIN)/python -m build_tools.constraints

compat: $(DEV)
	$(BIN)/python -m build_tools.compat

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist src/weft/_pb .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
