# Two commands are all anyone needs: `make up` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KERNELS := kernels/pyproject.toml kernels/hatch_build.py $(wildcard kernels/dougong_kernels/src/*)
PIP := $(BIN)/python -m pip --disable-pip-version-check
FAMILY ?= norm
PROFILE ?= standard
UP_FLAGS ?=
TEST_JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help up test check judge-selftest judge-contrib format bench new-operator screenshots changelog clean

##@ Use it
up: $(VENV)/.installed-run ## Install everything, start the hub, submit and judge the first-party operators
	$(BIN)/dougong up --submit plugins --submit kernels $(UP_FLAGS)

##@ Work on it
# A thread each: workers that wait for each other's threads in torch take four times as long.
# Compiled modules are kept, whatever a container says: the suite starts hundreds of interpreters.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.installed-dev ## Install everything and run the whole suite (CPU, no network)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder -m "not alone" $(PYTEST_FLAGS)
	$(BIN)/python -m pytest -m alone $(PYTEST_FLAGS) || [ $$? = 5 ] # 5: none of those asked for

check: $(VENV)/.installed-dev ## Lint, formatting, types, import directions, changelog fragments
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dougong_registry makemigrations --check --dry-run
	$(BIN)/towncrier build --draft --version next > /dev/null

judge-selftest: $(VENV)/.installed-dev ## Judge the whole catalogue of cheats and the honest controls
	$(BIN)/python tests/ci/corpus/selftest.py

judge-contrib: $(VENV)/.installed-dev ## Judge every plugin in contrib/ that has no current verdict: make judge-contrib PROFILE=standard
	$(BIN)/python -m dougong_ci.contribution judge contrib --profile $(PROFILE)

format: $(VENV)/.installed-dev ## Fix what can be fixed by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## Run every benchmark; results as tables
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

new-operator: $(VENV)/.installed-run ## Scaffold a community plugin: make new-operator NAME=my-norm FAMILY=norm
	$(BIN)/dougong new $(FAMILY) $(NAME) --directory contrib/$(NAME)

screenshots: $(VENV)/.installed-dev ## Take docs/screenshots from a running hub: make screenshots URL=http://127.0.0.1:8000
	$(BIN)/python docs/screenshots/take.py --url $(URL) --out docs/screenshots

changelog: $(VENV)/.installed-dev ## Fold the fragments into CHANGELOG.md: make changelog VERSION=0.1.0
	$(BIN)/towncrier build --yes --version $(VERSION)

clean: ## Remove the environment and build products
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Dougong needs Python 3.11 or newer, found $$($(PYTHON) --version); set PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "python -m venv failed; on Debian and Ubuntu install the package python3-venv, or set PYTHON to another Python"; exit 2; }

# One line where the compiled kernels are missing; never a failure.
KERNELS_SAID = test -f kernels/dougong_kernels/libdougong_kernels.so || \
  echo "no C++ compiler: dougong-kernels runs in plain PyTorch, slower; install g++ and run make again"

$(VENV)/.installed-run: pyproject.toml plugins/pyproject.toml $(KERNELS) ci/constraints.txt | $(BIN)/python
	$(PIP) install -q -c ci/constraints.txt -e '.[hub,toolchain]' -e plugins -e kernels hatchling editables
	@$(KERNELS_SAID)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml plugins/pyproject.toml $(KERNELS) ci/constraints.txt | $(BIN)/python
	$(PIP) install -q -c ci/constraints.txt -e '.[dev]' -e plugins -e kernels
	@$(KERNELS_SAID)
	@touch $@ $(VENV)/.installed-run

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
