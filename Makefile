# Two commands are enough for a newcomer: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
AUDIT := .venv-audit
INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test coverage lint docs method-pages tables faults fuzz audit mutants clean

demo: $(DEMO)/installed  ## fetch weights and the ICBM152 brain, label 4 slices, segment the other 185
	rm -rf demo-run
	$(DEMO)/bin/samplar demo -o demo-run

# One thread for each of the two processes of tests and for what they start.
test: export OMP_NUM_THREADS ?= 1
# Tests on real data run where the shared data sets lie beside the checkout.
test: export SAMPLAR_DATA ?= $(abspath $(wildcard ../shared/data))
test: $(DEV)/installed lint  ## everything CI runs
	$(DEV)/bin/python -m pytest -n 2 --dist loadfile $(COVER)

coverage:  ## the same tests, counting what they reach; fails below 95 % (a third slower)
	$(MAKE) test COVER="--cov --cov-report=term"
	$(DEV)/bin/python tools/coverage_floors.py

lint: $(DEV)/installed
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

faults: $(DEV)/installed  ## kill, cut the power and fail the disk at every step (half an hour)
	SAMPLAR_FAULTS=full $(DEV)/bin/python -m pytest -q tests/faults

fuzz: $(DEV)/installed  ## damage files of every format in tens of thousands of ways; prints a table
	PYTHONPATH=tests/support $(DEV)/bin/python -m fuzzing

audit: $(DEV)/installed $(AUDIT)/installed  ## licences of what is installed, known vulnerabilities
	$(DEV)/bin/python tools/licences.py
	$(AUDIT)/bin/python tools/vulnerabilities.py constraints.txt

mutants: $(DEV)/installed  ## change the code in small ways and count how many the tests notice
	$(DEV)/bin/python tools/mutants.py

docs: $(DEV)/installed  ## run the snippets of docs/ and check its links
	$(DEV)/bin/python -m pytest tests/docs

tables: $(DEV)/installed  ## put the tables of benchmarks/*/results into README and docs
	$(DEV)/bin/python tools/tables.py

METHODS = import samplar.methods.registry as r; print(*r.cards())
method-pages: $(DEV)/installed  ## write docs/reference/methods/ from the cards
	for name in $$($(DEV)/bin/python -c "$(METHODS)"); do \
	  $(DEV)/bin/samplar methods $$name --weights sam-vit-b > docs/reference/methods/$$name.md; done

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(INSTALL) -e '.[dev]'
	touch $@

$(DEMO)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(INSTALL) .
	touch $@

$(AUDIT)/installed:
	$(PYTHON) -m venv $(AUDIT)
	-$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9'
	touch $@

clean:
	rm -rf $(DEV) $(DEMO) $(AUDIT) demo-run build dist .coverage* .mypy_cache .pytest_cache .ruff_cache
