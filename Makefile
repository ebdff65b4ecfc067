# Short names for what the project does; everything real is in packaging/run.py.
PYTHON ?= python3
VENV_BIN := .venv/bin

.PHONY: run test lint format wheel clean

run:
	$(PYTHON) packaging/run.py

test:
	$(PYTHON) packaging/run.py test

# The ones below need an environment that `make test` has made.
lint:
	$(VENV_BIN)/ruff check
	$(VENV_BIN)/ruff format --check
	$(VENV_BIN)/mypy

format:
	$(VENV_BIN)/ruff check --fix
	$(VENV_BIN)/ruff format

wheel:
	$(VENV_BIN)/python -m build --wheel

clean:
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
