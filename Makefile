# One command builds the deck from a bare machine: make deck
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help setup deck live test bench lint lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 14

setup: $(INSTALLED) ## Install everything into .venv and look for a Chromium
	@$(BIN)/python -c 'from gpudeck.deck.browser import HINT, find_browser as find; \
	  exit(None if find(install=True) else f"make setup: {HINT}")' || true

deck: setup ## Build the default scenario into export/default/zh and export/default/en
	@$(BIN)/gpudeck build --lang both

live: setup ## Start the slideshow in JupyterLab
	@$(BIN)/gpudeck live

test: setup ## Run all tests
	@$(BIN)/pytest -n 2 --dist loadfile notebooks
	$(BIN)/pytest -n 2 --dist loadfile tests lib $(PYTEST_FLAGS)

bench: setup ## Print the speed of everything that has to be fast
	@for file in benchmarks/bench_*.py; do $(BIN)/python "$$file"; done

lint: $(INSTALLED) ## Check style, spelling, types and the direction of imports
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

lock: ## Write requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-strip-extras \
	  --no-header --no-annotate --upgrade --quiet --output-file requirements.lock

clean: ## Remove .venv, exports and caches
	@rm -rf .venv export .coverage* .*_cache .hypothesis
	find lib tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# uv when it is there (three times faster), else venv and pip; either way only hashed files.
$(INSTALLED): requirements.lock pyproject.toml
	@say() { echo "make setup: $$*" >&2; exit 1; }
	command -v $(PYTHON) >/dev/null || say "$(PYTHON) is missing; install Python 3.11 or newer"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
	  say "$$($(PYTHON) --version) is too old; name Python 3.11 or newer: make setup PYTHON=python3.12"
	if command -v uv >/dev/null; then
	  test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) .venv
	  uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	else
	  package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null ||
	    { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq $$package; } ||
	    say "$(PYTHON) cannot make environments; run: sudo apt-get install $$package"
	  test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	  $(BIN)/pip install --quiet --require-hashes -r requirements.lock
	  $(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	fi
	touch $@
