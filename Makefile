# Everything happens in .venv. `make help` lists the targets; `make check` is what CI runs.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CODE   := src tests $(wildcard demo bench)
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

# Tried in this order; `make setup PYTHON=/path/to/python` names one.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
# A Python will do if it is new enough and complete: some systems ship it without venv or SQLite.
USABLE := import sys, ensurepip, sqlite3, ssl, venv; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check bench fmt clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

# A .venv whose Python is gone (upgraded, moved) is made again whatever the dates of the files say.
ifeq ($(shell $(BIN)/python -c 'print("alive")' 2>/dev/null),)
.PHONY: $(READY)
endif

setup: $(READY)  ## make .venv with everything in it (does nothing when it is up to date)

$(READY): pyproject.toml constraints.txt
	@if ! $(BIN)/python -c '' >/dev/null 2>&1; then \
	  for candidate in $(PYTHONS); do \
	    if "$$candidate" -c '$(USABLE)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$${found:-}" ]; then \
	    echo 'error: no usable Python among `$(PYTHONS)`: install Python 3.11 or newer with its venv and sqlite3 modules, or name one with `make setup PYTHON=/path/to/python`' >&2; \
	    exit 1; \
	  fi; \
	  echo "making $(VENV) with $$("$$found" --version); this takes a minute or two, once"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check -c constraints.txt hatchling </dev/null
	@$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]' </dev/null
	@touch $(READY)

demo: setup  ## replay the incident and print what was stopped (ends by itself)
	@$(BIN)/python -m demo

up: setup  ## the same services, kept running to play with (Ctrl-C ends them)
	@$(BIN)/python -m demo --keep

bench: setup  ## ratios against peers, measured in one run (a few minutes)
	@$(BIN)/python -m bench

test: setup  ## the tests
	@$(PYTEST) -m 'not wheel'

check: setup  ## what CI runs: format, lint, types, imports, tests, the built wheel
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/basedpyright --pythonpath $(BIN)/python --level error
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(PYTEST)

fmt: setup  ## format, and repair what ruff can repair
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

clean:  ## remove .venv, build output and caches
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
