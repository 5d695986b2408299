# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make quick   sets up, runs the quick suite on built-in data, prints the table
#   make test    sets up, runs lint, types and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: setup quick test lint types unit coverage docs format clean

setup: $(READY)

# What a run needs; the developers' tools and the text encoders come on top for `make test`.
$(CORE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mmea-bench needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $(CORE)

$(READY): $(CORE)
	$(INSTALL) -e ".[dev]"
	@touch $(READY)

quick: $(CORE)
	$(BIN)/python -m bench run --suite quick

test: lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# Beside `make test`: measuring costs the tests about half their time again.
coverage: setup
	$(INSTALL) -e ".[coverage]"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered

# The documentation site, in build/site; a warning is an error.
docs: setup
	$(INSTALL) -e ".[docs]"
	$(BIN)/python -m mkdocs build --strict

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
