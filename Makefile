# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make quick   sets up, runs the quick suite on built-in data, prints the table
#   make test    sets up, runs lint, types and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt
# All processors at once, where pip takes one; some packages bring templates that are no Python. A third of all, tests
# of packages and models of transformers, is hardly ever imported.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests/|transformers/models/' $(VENV)/lib || true
# One process more than there are processors, four at most: many tests wait for a process or a file.
WORKERS = $$($(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n "$(WORKERS)" --dist loadfile

.PHONY: setup quick test lint types unit coverage docs release format clean

setup: $(READY)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mmea-bench needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What a run needs.
$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	$(COMPILE)
	@touch $(CORE)

# The developers' tools and the text encoders beside it, in one go where nothing is installed yet.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[dev]"
	$(COMPILE)
	@touch $(CORE) $(READY)

# Its cells are small: as many at once as there are processors, four at most, take half the time and give equal numbers.
JOBS = $$($(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')
quick: $(CORE)
	$(BIN)/python -m bench run --suite quick --jobs "$(JOBS)"

# Types and tests side by side: neither fills all processors all the time.
test: lint
	$(MAKE) -j2 types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Ends with the share of the program's lines that tests reach in their own process.
unit: setup
	$(PYTEST) -p tests.lines_covered

# Beside `make test`: branches and the processes of cells, too, which takes half as long again.
coverage: setup
	$(INSTALL) -e ".[coverage]"
	$(PYTEST) --cov --cov-report=term:skip-covered

# The documentation site, in build/site; a warning is an error.
docs: setup
	$(BIN)/python -m mkdocs build --strict

# Source archive and wheel of a clean checkout in build/release, checked, tried from the wheel alone, with their
# SHA-256 sums; `make release KEY=~/.ssh/id_ed25519` signs the sums. Nothing is uploaded.
RELEASE := build/release
TRIAL := build/trial
release: setup
	@test -z "$$(git status --porcelain)" || { echo "the checkout has changes that are not committed"; exit 1; }
	@grep -q "^## $$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" CHANGELOG.md \
		|| { echo "CHANGELOG.md has no heading for the version of pyproject.toml"; exit 1; }
	$(INSTALL) -e ".[release]"
	rm -rf $(RELEASE) $(TRIAL)
	$(BIN)/python -m build --outdir $(RELEASE)
	$(PYTHON) -m venv $(TRIAL)
	$(TRIAL)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(RELEASE)/*.whl
	cd $(TRIAL) && bin/mmea-bench --version && bin/mmea-bench run --suite quick --out quick
	cd $(RELEASE) && sha256sum *.whl *.tar.gz > SHA256SUMS
	@test -z "$(KEY)" || ssh-keygen -Y sign -n mmea-bench -f "$(KEY)" $(RELEASE)/SHA256SUMS

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
