# Every command prepares what it needs by itself: a plain python3 with venv is enough.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CODE := proto services deploy tests

# The two halves of the tests. Those that start the whole system kill and time
# its processes, so they have the machine to themselves: two of them mostly wait.
PARTS := -n 2 --dist loadfile -m "not e2e"
WHOLE := -n 2 --dist loadgroup -m e2e

# What `make sim` plays: a range of seeds unless one of the others is asked for.
SIM := $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM)) \
    $(if $(SEED),--seed $(SEED)) $(if $(DETERMINISM),--determinism $(DETERMINISM)) \
    $(if $(MUTANTS),--mutants $(if $(ONLY),--only $(ONLY))) $(if $(REAL),--real) \
    $(if $(CRASHES),--crash-points) $(if $(QUIET),--quiet)

.DEFAULT_GOAL := help
.PHONY: help demo test check up down fmt lint types sim deep apps security bench dist clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## connect two accounts full of contacts and watch them sync
	$(BIN)/python -m deploy.demo

test: $(READY)  ## run everything from unit to end-to-end on real parts
	$(BIN)/python -m pytest $(PARTS)
	$(BIN)/python -m pytest $(WHOLE)

check: lint types test  ## run what CI runs

up: $(READY)  ## start Postgres, NATS and the four services; DEMO=1: two apps too
	$(BIN)/python -m deploy.local up $(if $(DEMO),--demo)

down: $(READY)  ## stop what `make up` started
	$(BIN)/python -m deploy.local down

fmt: $(READY)  ## format the code, and write the tables of behaviours and apps
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/python -m tests.tidy.behaviours
	$(BIN)/python -m tests.tidy.apps

lint: $(READY)  ## check style and the import contract
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports

types: $(READY)  ## check types
	$(BIN)/mypy

sim: $(READY)  ## simulate; SEEDS= FROM= SEED= MUTANTS= ONLY=, see docs/howto/simulate.md
	$(BIN)/python -m tests.simulation $(SIM)

deep: $(READY)  ## try tens of thousands of examples of each law; ONLY=a file of them
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest $(or $(ONLY),tests/engine)

apps: $(READY)  ## try every app against the suite; ONLY=a,b; PAIRS=1 FROM=a,b: two by two
	$(BIN)/python -m tests.contract $(if $(PAIRS),--pairs $(if $(FROM),--from $(FROM))) $(ONLY)

security: $(READY)  ## attack every wall, in full, and print the figures as JSON
	$(BIN)/python -m tests.security

bench: $(READY)  ## measure a first sync, scans of 100,000 records; ONLY=scans APPS=a,b
	$(BIN)/python -m tests.bench $(ONLY) $(if $(APPS),--apps $(APPS))

dist: $(READY)  ## build what is installed from what is committed, into dist/
	$(BIN)/python -m deploy.dist

clean:  ## remove the environment, local data and caches
	@for place in .local .local/demo; do \
	    if [ -d $$place ] && [ -x $(BIN)/python ]; then \
	        $(BIN)/python -m deploy.local --directory $$place down || exit 1; fi; done
	rm -rf .venv .local dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Locked versions only, each checked against its hash; again when the lock changes.
$(READY): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Tandem needs Python 3.11 or newer; set PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	    echo "Python has no venv module; on Debian: apt install python3-venv." >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "Preparing .venv (a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --require-hashes --only-binary=:all: --no-binary=nkeys \
	    -r requirements/dev.txt
	@touch $@
