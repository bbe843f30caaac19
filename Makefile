# make demo: install amla with PyTorch, and search a network for scikit-learn's digits.
# make test: install what the tests need, and run them all.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint requirements.lock --editable

.PHONY: demo test format clean

demo: $(VENV)/demo
	$(BIN)/amla search digits

test: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/installed.py
	$(BIN)/python tests/audit.py
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

format: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/demo: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[torch,datasets]'
	touch $@

$(VENV)/test: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[torch,datasets,test]'
	touch $@ $(VENV)/demo
