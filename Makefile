# Every target first sets up a virtual environment with the locked packages: `make demo` and `make study` with those of
# requirements.lock, the others with those of requirements-dev.lock too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PARAMS_READY := $(VENV)/.ready-params
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

# compiled code is kept, whatever the user's shell says of it: a test starts hundreds of processes
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo study test quick lab check pages bench clean

demo: $(READY)
	@$(BIN)/python runner.py all --params base.yaml
	@echo "open runs/index.html: every run, the paper and the release"

# a params file that cannot be used is refused before the long part of the set-up
study:
	@test -n "$(PARAMS)" || { echo "name a params file: make study PARAMS=mine.yaml" >&2; exit 2; }
	@$(MAKE) --no-print-directory $(PARAMS_READY)
	@$(BIN)/python runner.py params "$(PARAMS)" > /dev/null
	@$(MAKE) --no-print-directory $(READY)
	@$(BIN)/python runner.py all --params "$(PARAMS)"
	@$(BIN)/python runner.py index --open

test: $(DEV_READY)
	@$(PYTEST)

quick: $(DEV_READY)
	@$(PYTEST) -m "not slow"

lab: $(DEV_READY)
	@$(BIN)/python -m jupyterlab --notebook-dir=.

check: $(DEV_READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

$(PARAMS_READY): requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint requirements.lock pydantic PyYAML
	@touch $(PARAMS_READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(DEV_READY): $(READY) requirements-dev.lock
	$(PIP) --requirement requirements-dev.lock
	@touch $(DEV_READY)

pages: $(DEV_READY)
	@$(BIN)/python tools/pages.py

# on a machine that does nothing else
bench: $(DEV_READY)
	@$(BIN)/python benchmarks/all.py

clean:
	rm -rf $(VENV)
