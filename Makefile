# make demo: install amla with PyTorch, and search a network for scikit-learn's digits.
# make test: install what the tests need, and run them all.
# make docs: install what the documentation needs, and make a site of it in build/site; nothing is fetched to read it.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint requirements.lock --editable

.PHONY: demo test docs format clean

demo: $(VENV)/demo
	$(BIN)/amla search digits

test: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/installed.py
	$(BIN)/python tests/audit.py
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --durations 30 --durations-min 5

docs: $(VENV)/docs
	$(BIN)/python -m sphinx -W --keep-going -n -q -c docs -d build/doctrees . build/site
	@echo 'Open build/site/index.html in a browser.'

format: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build/site build/doctrees .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/demo: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[torch,datasets]'
	touch $@

$(VENV)/test: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[torch,datasets,test]'
	touch $@ $(VENV)/demo $(VENV)/docs

$(VENV)/docs: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[docs]'
	touch $@
