# Everything a developer or a first-time user needs, with Python 3.11+, git and make only.
# Each target sets up what it needs; see README.md.

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
SHELL := bash
READY := .venv/.ready
PYTHON ?=
PYTEST_OPTIONS ?= -n logical --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench build smoke sample clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Virtual environment, packages and system libraries

$(READY): pyproject.toml constraints.txt scripts/setup.sh scripts/system-libraries.sh
	PYTHON="$(PYTHON)" bash scripts/setup.sh
	@touch $(READY)

demo: $(READY)  ## Train on one patient of the sample study, predict the other, show the result
	$(BIN)/gr2st demo

test: $(READY)  ## All tests, a process per core, with or without a display
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: $(READY)  ## Style, types, walls between the rooms, manifest, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports gr2st-napari
	$(BIN)/typos

format: $(READY)  ## Put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Encoder throughput, training steps, gene switch, start-up
	$(BIN)/python -m benchmarks.report

build: $(READY)  ## Source distribution and wheel in dist/
	rm -rf dist
	$(BIN)/python -m build

smoke: build  ## The wheel in a fresh environment, outside this folder
	PYTHON="$(BIN)/python" bash scripts/smoke-wheel.sh dist

sample: $(READY)  ## Make sample_data/ again from its seeds
	$(BIN)/python sample_data/make_sample_data.py

clean:  ## Remove everything that was made here, the virtual environment too
	rm -rf .venv dist build demo .asv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
