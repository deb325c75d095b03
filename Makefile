# Targets for people and for CI; `make help` lists them.
SHELL := /bin/sh
BIN := .venv/bin
# Modules of tests on four processes, more than cores because broker tests mostly wait, in the order of
# tests/conftest.py; "make test PARALLEL=" runs all in one.
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.SILENT:
.PHONY: help setup demo test test-fast experiments prove simulate faults faults-full warm-up docs lint types format broker topics wheel lock audit clean bot-demo clients

help: ## List the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## Make .venv with pinned packages and fetch the broker; nothing to do the second time
	requirements/install.sh

demo: setup ## Run the whole path live and show it [DATA=PATH for historical files]
	$(BIN)/liqmon demo $(if $(DATA),--data "$(DATA)")

bot-demo: setup ## Have a liquidation bot bring a crash's accounts back, at a toy venue
	$(BIN)/python -m examples.bot_demo $(ARGS)

clients: ## Build the Go and TypeScript clients, where their tools are
	clients/build.sh

test: warm-up clients ## Run all tests, those on a broker included [ARGS="-k name"]
	$(BIN)/python -m pytest $(PARALLEL) -m "not experiment" $(ARGS)

experiments: warm-up ## Run the experiments on Faust that the worker's form rests on
	$(BIN)/python -m pytest -m experiment tests/integration/worker

test-fast: warm-up ## Run the tests that need no broker [ARGS=...]
	$(BIN)/python -m pytest $(PARALLEL) -m "not broker and not local_broker and not portability and not experiment" $(ARGS)

prove: warm-up ## Prove on long streams that certificates change no event [RECORDS=100000 SEEDS=1,2]
	$(BIN)/python -m tests.equality $(if $(RECORDS),--records $(RECORDS)) $(if $(SEEDS),--seeds "$(SEEDS)")

warm-up: setup ## Compile the kernels, so that no test waits for it
	$(BIN)/liqmon warm-up >/dev/null

docs: setup ## Build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

simulate: warm-up ## Run workers in simulation, with faults [SEEDS=10000 FIRST=0 RECORDS=2000]
	$(BIN)/python -m tests.simulator $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(RECORDS),--records $(RECORDS))

faults: warm-up ## Meet each fault a few times on Apache Kafka [ARGS="--fault F1"]
	$(BIN)/python -m tests.faults $(ARGS)

faults-full: warm-up ## Meet each fault as often as before a release [ARGS="--fault F1"]
	$(BIN)/python -m tests.faults --full $(ARGS)

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
	$(or $(UV),uv) pip compile pyproject.toml -q --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --extra alerts -c requirements/dev.txt -o requirements/alerts.txt

audit: setup ## Check the lock, dated exceptions, and known vulnerabilities [ARGS=--offline-ok]
	$(BIN)/python requirements/audit.py $(ARGS)

clean: ## Remove .venv, caches and builds; the broker's jars stay in the user's cache
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
