# make run    the default study: data, analyses, emulators, figures, report
# make test   the fast tests

PYTHON ?= python3
CORES ?= $(shell nproc)
STUDY ?= config/config.yaml
BIN := .venv/bin

.PHONY: run test test-slow lint benchmark-study readme clean

run: .venv/.made
	$(BIN)/snakemake --cores $(CORES) --configfile $(STUDY)

test: .venv/.made
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile

test-slow: .venv/.made
	$(BIN)/python -m pytest -m "slow or workflow_slow"

readme: run
	$(BIN)/python docs/fill_readme.py

benchmark-study: .venv/.made
	$(BIN)/python benchmarks/default_study.py

lint: .venv/.made
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

.venv/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .snakemake
