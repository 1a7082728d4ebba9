# Every target is one line of what a person would type; the thinking is in scripts/ and in quidam.
SHELL := /bin/bash
BIN := .venv/bin
PACKAGES := rtl_gen characterize models explore quidam
TECH ?= osu018
# Minutes that each of the two plans of `make models` takes at most; none for what the plan says.
BUDGET ?=
# Rows and columns of the accelerators of `make validate`.
SIZE ?= 4
# How many processes to use; the default is what the machine has.
WORKERS ?= $(shell nproc)

.DEFAULT_GOAL := help
.PHONY: help setup setup-python demo test check regress bench models validate format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing (Debian packages, .venv); again costs a second
	@scripts/setup

setup-python:
	@scripts/setup --python

demo: setup ## the main job, from config to Pareto front (outputs in build/demo)
	@WORKERS=$(WORKERS) scripts/demo

test: setup ## the whole test suite, EDA tools included
	$(BIN)/pytest -m "not regress" -n $(WORKERS) --dist loadfile

check: setup-python ## lint, types, architecture, fast tests: a minute or two, no EDA tool
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not eda and not regress" -n $(WORKERS) --quiet

regress: setup ## the long checks that `make test` leaves out
	$(BIN)/pytest -m regress -n $(WORKERS) --dist loadfile

bench: setup-python ## designs per second of explore (TECH=osu018), values per second of formats
	$(BIN)/python -m explore.bench --tech $(TECH)
	$(BIN)/python -m rtl_gen.formats.bench

models: setup ## characterize and fit a technology anew (TECH=osu018, BUDGET=minutes of each plan)
	$(BIN)/quidam characterize --tech $(TECH) --store build/models/$(TECH) --workers $(WORKERS) \
	    $(if $(BUDGET),--budget $(BUDGET))
	$(BIN)/quidam characterize --tech $(TECH) --store build/models/$(TECH) --workers $(WORKERS) \
	    --plan examples/plans/clock-target.yaml $(if $(BUDGET),--budget $(BUDGET))
	$(BIN)/quidam fit build/models/$(TECH) -o models/trained/$(TECH).json

validate: setup ## hold the models that ship against whole accelerators (TECH=osu018, SIZE=4 or 8)
	$(BIN)/quidam validate --tech $(TECH) --size $(SIZE) --store build/validate/$(TECH) \
	    --workers $(WORKERS) -o models/trained/$(TECH)-validation$(if $(filter 8,$(SIZE)),-8x8)

format: setup-python ## rewrite the sources as ruff wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve the dependencies of pyproject.toml anew into requirements.lock
	@scripts/lock

clean: ## remove what was built; .venv stays
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
