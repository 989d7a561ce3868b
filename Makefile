# `make demo` and `make test` set everything up first: a virtual environment with the locked dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lab check pages clean

demo: $(READY)
	@$(BIN)/python runner.py all --params base.yaml || test $$? -eq 4
	@echo "open runs/index.html: every run, the paper and the release"

test: $(READY)
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

lab: $(READY)
	@$(BIN)/python -m jupyterlab --notebook-dir=.

check: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

pages: $(READY)
	@$(BIN)/python tools/pages.py

clean:
	rm -rf $(VENV)
