# Every target first runs `install`, which does nothing while .venv is up to date with Pipfile.lock.

PYTHON ?= python3
STAGE ?= dev
PIPENV := $(or $(shell command -v pipenv 2>/dev/null),.pipenv/bin/pipenv)
RUN := .venv/bin/python
PYTEST := -n auto --dist loadfile --no-loadscope-reorder

export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_DONT_LOAD_ENV := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install serve setup deploy smoke undeploy key keys revoke dead-letters retry test test-long bench bench-cold bench-library fuzz soak format corpus lock

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/up-to-date ## create .venv from Pipfile.lock (with pipenv; fetches it if you have none)

serve: install ## run the service on http://127.0.0.1:8000 (elsewhere: PORT=9000 HOST=0.0.0.0 make serve)
	@exec $(RUN) -m quotes serve

setup: install ## prepare your AWS account for a stage: make setup STAGE=dev
	@$(RUN) -m deploy setup $(STAGE)

deploy: install ## deploy or update a stage, then check it: make deploy STAGE=dev
	@$(RUN) -m deploy deploy $(STAGE)

smoke: install ## check a live stage: make smoke STAGE=dev
	@$(RUN) -m deploy smoke $(STAGE)

undeploy: install ## take a stage down, after asking: make undeploy STAGE=dev
	@$(RUN) -m deploy undeploy $(STAGE)

key: install ## create an API key: make key STAGE=dev_key NAME=alice
	@$(RUN) -m deploy key $(STAGE) "$(NAME)"

keys: install ## list who has an API key: make keys STAGE=dev_key
	@$(RUN) -m deploy keys $(STAGE)

revoke: install ## delete an API key: make revoke STAGE=dev_key NAME=alice
	@$(RUN) -m deploy revoke $(STAGE) "$(NAME)"

dead-letters: install ## list the events that failed for good: make dead-letters STAGE=production
	@$(RUN) -m deploy dead-letters $(STAGE)

retry: install ## handle the events of dead-letters again: make retry STAGE=production
	@$(RUN) -m deploy retry $(STAGE)

test: install ## check format, lint and types, then run every test (ten minutes; needs curl and chromium)
	$(RUN) -m ruff format --check
	$(RUN) -m ruff check
	$(RUN) -m mypy
	$(RUN) -m pytest $(PYTEST)

test-long: install ## run every test with all repetitions of the long ones (a quarter of an hour)
	QUOTES_TEST_LONG=1 $(RUN) -m pytest $(PYTEST)

bench: install ## benchmark; writes docs/benchmarks.md (a quarter of an hour; needs wrk)
	$(RUN) -m bench

bench-library: install ## benchmark import and search of a million quotes; writes docs/benchmarks.md (five minutes)
	$(RUN) -m bench --only library

bench-cold: install ## benchmark cold starts against a hello world; writes docs/benchmarks.md (a minute; fetches packages)
	$(RUN) -m bench.cold

fuzz: install ## send 50,000 random requests and check every answer (two minutes)
	$(RUN) -m tests.fuzz

soak: install ## send 500,000 requests with a flaky upstream; check answers, memory and open files (ten minutes)
	$(RUN) -m bench.soak

format: install ## format the code and apply the linter's fixes
	$(RUN) -m ruff format
	$(RUN) -m ruff check --fix

corpus: install ## build quotes/data/corpus.sqlite3 from its text
	$(RUN) -m quotes.corpus_builder

lock: .venv/up-to-date ## lock the newest versions that Pipfile allows, without naming an index
	$(PIPENV) lock
	$(RUN) -c 'import json, pathlib; path = pathlib.Path("Pipfile.lock"); lock = json.loads(path.read_text()); \
	lock["_meta"]["sources"] = []; \
	[package.pop("index", None) for name, group in lock.items() if name != "_meta" for package in group.values()]; \
	path.write_text(json.dumps(lock, indent=4) + "\n")'

.venv/up-to-date: Pipfile.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] \
	+ ". Say which: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(RUN) || $(PYTHON) -m venv .venv
	@test -x "$(PIPENV)" || { $(PYTHON) -m venv .pipenv && .pipenv/bin/python -m pip install --quiet pipenv; }
	$(PIPENV) sync --dev --categories "packages dev-packages postgres"
	@touch $@
