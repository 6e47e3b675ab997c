# Every target sets itself up in .venv from nothing but Python (3.11 or newer) and pip. `make help` lists them.
SHELL := /bin/bash
BIN := .venv/bin
# Extra words for the command behind a target: make run ARGS="--seed 7", make test ARGS=tests/unit/risk
ARGS ?=
# Two cores: pytest runs two files at a time.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run dashboard test check audit bench docs site lock clean

help: ## Show this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/.main ## Trade a day of perpetuals on the embedded venue (no keys, no network)
	@$(BIN)/gpt-trader run --profile dev_entry $(ARGS)

dashboard: .venv/.dashboard ## Watch the last run in a browser, running or ended; it prints the address
	@$(BIN)/gpt-trader dashboard $(or $(ARGS),last)

test: .venv/.dev ## Run the tests
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: .venv/.dev ## Check format, lint, types and architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

audit: .venv/.dev ## Look for known vulnerabilities in what is locked; says so where their data cannot be reached
	@tools/audit

bench: .venv/.dev ## Measure ours and the peers in the same run (ARGS=--quick; peers: bench/peers)
	@$(BIN)/python bench/run.py $(ARGS)

docs: .venv/.dev ## Write the generated pages of docs/ again
	@$(BIN)/python docs/generate.py

site: .venv/.dev ## Build the documentation as a site, into build/site
	@$(BIN)/python -m sphinx -b html -W --keep-going -q -d build/doctrees docs build/site
	@echo "written: build/site/index.html"

lock: .venv/.dev ## Resolve the dependencies again and pin them with hashes (ARGS=--upgrade for newer ones)
	@tools/lock $(ARGS)

clean: ## Remove the environment and everything that was built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.main: requirements-uv.lock requirements.lock tools/setup
	@tools/setup requirements.lock
	@touch $@

.venv/.dashboard: requirements-uv.lock requirements-dashboard.lock tools/setup
	@tools/setup requirements-dashboard.lock
	@touch $@

.venv/.dev: requirements-uv.lock requirements-dev.lock tools/setup
	@tools/setup requirements-dev.lock
	@touch $@
