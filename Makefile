# Targets for people and for CI; `make help` lists them.
SHELL := /bin/sh
BIN := .venv/bin
# Modules of tests on three processes, more than cores because broker tests mostly wait, in the order of
# tests/conftest.py; "make test PARALLEL=" runs all in one.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.SILENT:
.PHONY: help setup demo test test-fast warm-up lint types format broker topics wheel lock clean

help: ## List the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## Make .venv with pinned packages and fetch the broker; nothing to do the second time
	requirements/install.sh

demo: setup ## Run the whole path live and show it [DATA=PATH for historical files]
	$(BIN)/liqmon demo $(if $(DATA),--data "$(DATA)")

test: warm-up ## Run all tests, those on a broker included [ARGS="-k name"]
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-fast: warm-up ## Run the tests that need no broker [ARGS=...]
	$(BIN)/python -m pytest $(PARALLEL) -m "not broker and not local_broker and not portability" $(ARGS)

warm-up: setup ## Compile the kernels, so that no test waits for it
	$(BIN)/python -c "from kernels import warmup; from monitor.models import warmup as models; warmup.warm_up(); models.warm_up()"

lint: setup ## Check rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Check types
	$(BIN)/mypy

format: setup ## Format, and repair what a rule can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

broker: setup ## Run a local broker until Ctrl-C [PORT=9092]
	$(BIN)/liqmon broker $(if $(PORT),--port $(PORT))

topics: setup ## Create the topics on BROKER_URL
	$(BIN)/liqmon topics apply

wheel: setup ## Build dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: ## Resolve requirements/*.txt again [UV=uv]
	$(or $(UV),uv) pip compile pyproject.toml -q --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --extra test --extra dev --extra embedded -o requirements/dev.txt
	$(or $(UV),uv) pip compile pyproject.toml -q --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 -c requirements/dev.txt -o requirements/run.txt

clean: ## Remove .venv, caches and builds; the broker's jars stay in the user's cache
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
