# Everything runs from .venv, which any target makes when it is missing or out of date.
# Another interpreter: make PYTHON=python3.12. More test workers: make test WORKERS=8.

PYTHON  ?= python3
WORKERS ?= 2

VENV     := .venv
BIN      := $(VENV)/bin
LOCKED   := $(VENV)/.locked      # stamp: the packages of requirements.lock are installed
READY    := $(VENV)/.ready       # stamp: and so is this project, in place
PACKAGES := orsched fluid policies proofs_check experiments
UV_EXPORT = $(BIN)/uv export --no-config --frozen --quiet --no-header --no-emit-project

# One thread per process: tests and experiments are parallel by process.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all lint format docs bench lock clean distclean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(READY) ## make .venv with everything pinned in requirements.lock

demo: $(READY) ## a first tour: simulate, bound, compare
	@$(BIN)/orsched demo

test: $(READY) ## the tests, without those marked slow
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-all: $(READY) ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --timeout 1800

lint: $(READY) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(PACKAGES)
	$(BIN)/lint-imports

format: $(READY) ## put the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## build the site into build/site, from docs/ and the docstrings
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/site
	@echo "open build/site/index.html"

bench: $(READY) ## speed of the engine
	$(BIN)/orsched bench engine

lock: $(READY) ## resolve pyproject.toml anew into uv.lock and requirements.lock
	env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
		$(BIN)/uv lock --no-config
	$(UV_EXPORT) --output-file requirements.lock

clean: ## remove caches and build products
	rm -rf build dist .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## and .venv
	rm -rf $(VENV)

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "orsched needs Python 3.11 or newer, but '$(PYTHON) --version' says: $$($(PYTHON) --version 2>&1)" >&2; \
		echo "Name another interpreter: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV) (minutes, the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --no-input -r requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-input --no-deps --no-build-isolation --editable .
	@touch $@
