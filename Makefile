# Every target sets itself up from a fresh clone, in .venv. PYTHON chooses another interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test quick lint bench docs clean
.DEFAULT_GOAL := test

demo: .venv/demo.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" docs/demo/demo.sh

test: lint
	@$(BIN)/python -m pytest -q -n auto --dist worksteal

quick: .venv/test.stamp
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow"

lint: .venv/test.stamp
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

bench: .venv/demo.stamp
	@$(BIN)/python -m tests.bench

# The manual pages and docs/cli.md, from the commands themselves.
docs: .venv/test.stamp
	@$(BIN)/python -m gitexp.cli.reference docs

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/%.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gitexp needs Python 3.11 or newer: make PYTHON=…")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
