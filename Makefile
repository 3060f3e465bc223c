# make run    the default study: data, analyses, emulators, figures, report
# make test   the fast tests

PYTHON ?= python3
CORES ?= $(shell nproc)
STUDY ?= config/config.yaml
BIN := .venv/bin
PEER_PYTHON ?=
DAPPER := 1.8.1

.PHONY: run test test-workflow test-slow lint benchmark-study benchmark-assimilation benchmark-models benchmark-learners readme pages clean

run: .venv/.made
	$(BIN)/snakemake --cores $(CORES) --configfile $(STUDY)

test: .venv/.made
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile

test-workflow: .venv/.made
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile -m workflow_slow

test-slow: .venv/.made
	$(BIN)/python -m pytest -m "slow or workflow_slow"

readme: run
	$(BIN)/python docs/fill_pages.py

# tables and pictures of all studies that have been run
pages: .venv/.made
	$(BIN)/python docs/fill_pages.py

benchmark-study: .venv/.made
	$(BIN)/python benchmarks/default_study.py

# both sides run on one thread each, but for the sweep; PEER_PYTHON names a python of 3.12 or newer
benchmark-assimilation: .venv/.made .venv-dapper/.made
	$(BIN)/python benchmarks/assimilation.py --peer .venv-dapper/bin/python

benchmark-models: .venv/.made
	$(BIN)/python benchmarks/models.py

benchmark-learners: .venv/.made
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/learners.py

lint: .venv/.made
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

.venv/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m assimilearn compile config/config.yaml
	touch $@

.venv-dapper/.made:
	peer=$$(python3 benchmarks/find_python.py "$(PEER_PYTHON)") && "$$peer" -m venv .venv-dapper
	.venv-dapper/bin/python -m pip install -q dapper==$(DAPPER)
	touch $@

clean:
	rm -rf .venv .venv-dapper .snakemake
