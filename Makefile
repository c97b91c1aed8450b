# Two commands are enough for a newcomer: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint docs clean

demo: $(DEMO)/installed  ## fetch weights and the ICBM152 brain, label 4 slices, segment the other 185
	rm -rf demo-run
	$(DEMO)/bin/samplar demo -o demo-run

# One thread for each of the two processes of tests and for what they start.
test: export OMP_NUM_THREADS ?= 1
# Tests on real data run where the shared data sets lie beside the checkout.
test: export SAMPLAR_DATA ?= $(abspath $(wildcard ../shared/data))
test: $(DEV)/installed lint  ## everything CI runs
	$(DEV)/bin/python -m pytest -n 2 --cov --cov-report=term
lint: $(DEV)/installed
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

docs: $(DEV)/installed  ## run the snippets of docs/ and check its links
	$(DEV)/bin/python -m pytest tests/docs

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(INSTALL) -e '.[dev]'
	touch $@

$(DEMO)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(INSTALL) .
	touch $@

clean:
	rm -rf $(DEV) $(DEMO) demo-run build dist .coverage* .mypy_cache .pytest_cache .ruff_cache
