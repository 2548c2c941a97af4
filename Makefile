# Every target works from a fresh clone, for a new user, without root. What each does: CONTRIBUTING.md.
# Where packages come from is the machine's own pip configuration (PIP_INDEX_URL, PIP_FIND_LINKS, pip.conf).

PYTHON ?= $(shell .ci/python)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: demo test check soak bench lock system clean

demo: $(VENV)/core ## set up, run the flagship question over two synthetic health systems, say where the report is
	$(BIN)/vitrail demo --dir demo

test: system $(VENV)/dev ## set up, check, and run every test that is not slow; says what it skipped
	@status=0; \
	$(MAKE) --no-print-directory check || status=1; \
	$(BIN)/pytest -m "not slow" -n $(JOBS) --dist worksteal || status=1; \
	exit $$status

check: $(VENV)/dev ## style, types, import contracts, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python .ci/size.py src

soak: $(VENV)/dev ## the slow tests
	$(BIN)/pytest -m slow -n $(JOBS) --dist worksteal --timeout 7200

bench: $(VENV)/dev ## side-by-side benchmarks
	$(BIN)/python -m bench

lock: $(VENV)/dev ## choose the newest versions that pyproject.toml allows, and write them down
	$(BIN)/python .ci/lock.py

system: ## programs that some tests need: installed where that is possible, named where not
	@.ci/system

clean: ## remove everything that the other targets made
	rm -rf $(VENV) demo var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/core: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Vitrail needs Python 3.11 or later. Install it, or name it: make PYTHON=..." >&2; exit 2; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --no-compile --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/core requirements-dev.lock
	@echo "Adding what the tests need"
	@$(PIP) install --no-deps --no-compile --require-hashes -r requirements-dev.lock
	@touch $@
