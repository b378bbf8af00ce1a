# Two commands do everything on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
# While working: `make check` (lint, format, types: seconds) and `make quick` (two minutes on two cores).
PYTHON ?= python3
BIN := .venv/bin
# Whole files to each of two workers: what a file films and trains is made once.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# Each worker, and each of the hundreds of child processes, would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check quick test demo docs wheel clean

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

check: .venv/.installed
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/pyright

quick: .venv/.installed
	$(PYTEST) -m "not slow"

test: check
	$(PYTEST)

demo: .venv/.installed
	$(BIN)/selfhvd demo --output demo --overwrite

.venv/.docs: .venv/.installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The sdist and the wheel, into dist/; the wheel's demo in an environment of its own.
wheel: .venv/.installed
	$(BIN)/python bench/wheel.py

clean:
	rm -rf .venv demo site dist
