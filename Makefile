# Two commands do everything on a fresh machine: `make demo` and `make test`.  Only Python 3.11 with venv is assumed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types contracts tests bench examples clean

demo: .venv/installed
	$(BIN)/tenantproof demo

test: lint types contracts tests

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed
	$(BIN)/mypy

contracts: .venv/installed
	$(BIN)/lint-imports

tests: .venv/installed
	$(BIN)/python -m pytest -n 2

examples: .venv/installed
	$(BIN)/python -m tests.examples

bench: .venv/installed
	$(BIN)/python benchmarks/matrix.py
	$(BIN)/python benchmarks/pytest_plugin.py

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
