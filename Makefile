# On a fresh machine: git, make and Python 3.11 to 3.13 are enough. Every target prepares .venv first, if it is not up to date.
PYTHON ?= python3
PY := .venv/bin/python
CODE := swiftclaw_local tests scripts
ARGS ?=
# Each of these processes starts a PostgreSQL of its own; beyond four they save no time.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal
SEEDS ?= 1-300
DB = sqlite

.DEFAULT_GOAL := help
.PHONY: help run test check format format-check lint types docs lock frameworks browser receivers histories bench simulate simulate-long fuzz mutants crash soak clean setup

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Start the server and a sample receiver, deliver one signed event to it, and go on serving until ^C
	@exec $(PY) -m scripts.run $(ARGS)

test: setup ## Run the tests, on all processors (ARGS="-k signing" chooses, ARGS=-n0 takes one; node is needed for the page's Node sample)
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

check: format-check lint types test ## Run all that must pass: format, lint, types, tests

format: setup ## Format the code
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --select I --fix --quiet $(CODE)

format-check: setup ## Fail when the code is not formatted
	@$(PY) -m ruff format --check --quiet $(CODE) || { echo 'Type: make format'; exit 1; }

lint: setup ## Look for mistakes that a linter sees
	@$(PY) -m ruff check --no-cache $(CODE) # its cache does not notice that an imported module came or went

types: setup ## Check the types
	@$(PY) -m mypy

docs: setup ## Write docs/reference again from the code
	@$(PY) -m scripts.docs

lock: setup ## Write the lock files again from pyproject.toml (ARGS=--upgrade for the newest of everything)
	@$(PY) -m scripts.lock $(ARGS)

frameworks: setup ## Start the page's samples and the starters in FastAPI, Flask, Quart, aiohttp, Django, Express, Fastify, Next.js, Go (needs npm)
	@$(PY) -m scripts.frameworks
	@FRAMEWORKS=full $(PY) -m pytest tests/frameworks -q $(ARGS)

browser: setup ## Drive the machine's Chromium through the console, page by page, and print the figures (needs chromium)
	@$(PY) -m scripts.browser
	@BROWSER=full $(PY) -m pytest tests/browser -q -s $(ARGS)

receivers: setup ## Play every receiver that misbehaves, with either parser and on either database, and print the tables
	@RECEIVERS=full $(PY) -m pytest tests/misbehaving -q -s $(ARGS)
	@RECEIVERS_DB=postgresql $(PY) -m pytest tests/misbehaving/test_rows.py tests/misbehaving/test_sequences.py -q -s $(ARGS)
	@AIOHTTP_NO_EXTENSIONS=1 $(PY) -m pytest tests/misbehaving/test_rows.py tests/misbehaving/test_sequences.py -q -s $(ARGS)

histories: setup ## Try 2,000 random histories of webhooks and deliveries against a small model, on each database
	@MODEL_HISTORIES=2000 $(PY) -m pytest tests/engine/test_model.py -q $(ARGS)
	@MODEL_HISTORIES=2000 MODEL_DB=postgresql $(PY) -m pytest tests/engine/test_model.py -q $(ARGS)

bench: setup ## Measure, and print the tables
	@$(PY) -m tests.bench $(ARGS)

simulate: setup ## Simulate seeds with crashes and a failing database (SEEDS=1-300 or SEEDS=17; DB=postgresql: several dispatchers): no promise may break
	@$(PY) -m tests.simulation --seeds $(SEEDS) --db $(DB) $(ARGS)

simulate-long: setup ## Simulate 5,000 seeds on SQLite and 1,000 on PostgreSQL, on two processors
	@$(PY) -m tests.simulation --seeds 1-5000 --jobs 2 $(ARGS)
	@$(PY) -m tests.simulation --seeds 1-1000 --jobs 2 --db postgresql $(ARGS)

fuzz: setup ## Send 10,000 requests made up from the OpenAPI document, and 5,000 bodies of JSON that means harm, to a server
	@$(PY) -m tests.fuzz $(ARGS)

mutants: setup ## Take each guard out of a copy of the code, and say which seed or test misses it
	@$(PY) -m tests.mutants $(ARGS)

crash: setup ## Kill, freeze and starve real servers on both databases, hours of it (ARGS="frozen --rounds 5"; ARGS=--help)
	@$(PY) -m tests.crash $(ARGS)

soak: setup ## Serve receivers that misbehave for 30 minutes, with one kill a minute: nothing grows (ARGS="--minutes 5 --db postgresql")
	@$(PY) -m tests.crash.soak $(ARGS)

clean: ## Remove what was built and installed; keeps .swiftclaw, where your data is
	@rm -rf .venv .tools .frameworks .browser .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find swiftclaw_local tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@command -v $(PYTHON) >/dev/null || { echo 'error: there is no $(PYTHON). Install Python 3.11 to 3.13, then type the same again.'; exit 1; }
	@$(PYTHON) scripts/setup.py
