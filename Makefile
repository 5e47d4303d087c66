# Each target works alone on a fresh clone: it makes .venv when that is missing or out of date.
PYTHON ?= python3
THREADS ?= 8
SEED ?= $(shell date +%s)
MINUTES ?= 10
CLUSTER ?= local
BIN := .venv/bin

.PHONY: help train train-cluster play test test-all torture lint check curves bench compare large-machine results pictures clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or newer, or give PYTHON=/path/to/python3." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11: install a newer one, or give PYTHON=/path/to/python3." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 15))' || { echo "make: $(PYTHON) is newer than Python 3.14, and ale-py and torch have no build for it yet: give PYTHON=/path/to/python3.14 or an older one, from 3.11 on." >&2; exit 2; }
	@$(PYTHON) -c 'import platform, sys; sys.exit((sys.platform, platform.machine()) == ("darwin", "x86_64"))' || { echo "make: PyTorch and ale-py have no build for a Mac with an Intel processor: use Linux, or a Mac with Apple silicon." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) lacks the venv module: on Debian and Ubuntu, apt install python3-venv." >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

.venv/installed-cluster: requirements-cluster.txt .venv/installed
	$(BIN)/python -m pip install --quiet -r requirements-cluster.txt
	@touch $@

train: .venv/installed ## Train on Breakout with 8 actor-learners (THREADS=N)
	$(BIN)/python train.py --threads $(THREADS)

train-cluster: .venv/installed-cluster ## The same on the Ray cluster of this machine, or on this machine alone (CLUSTER=auto)
	$(BIN)/python train.py --threads $(THREADS) --cluster $(CLUSTER)

play: .venv/installed ## Watch the newest checkpoint play, or the published model
	$(BIN)/python play.py --render

curves: .venv/installed ## Show the curves of all runs in a browser
	$(BIN)/tensorboard --logdir runs

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint ## Lint, formatting and types
	$(BIN)/mypy

test: lint ## Run the checks and the tests, in under ten minutes
	$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder -m "not slow and not torture"; tests=$$?; \
	wait $$types && exit $$tests

test-all: check ## The same, and that every method learns
	$(BIN)/python -m pytest -m "not torture"

torture: .venv/installed-dev ## Kill it, damage its files, fill its disk, for 10 minutes (MINUTES=N SEED=N)
	TORTURE_SEED=$(SEED) TORTURE_MINUTES=$(MINUTES) $(BIN)/python -m pytest tests/torture

bench: .venv/installed ## Measure the speed beside the bare emulator's
	$(BIN)/python -m benchmarks.speed.throughput

compare: .venv/installed ## Train with every method on CartPole, and draw them side by side
	$(BIN)/python -m benchmarks.learning.compare

large-machine: .venv/installed ## Measure what many cores bring, in under eight minutes, or a GPU (DEVICE=cuda)
	$(BIN)/python -m benchmarks.speed.large_machine $(if $(DEVICE),--device $(DEVICE))

results: .venv/installed ## Write the tables of the results into the pages
	$(BIN)/python -m benchmarks.results_tables --write

pictures: .venv/installed ## Take all pictures of the pages again
	docs/make_pictures.sh

clean: ## Remove the virtual environment and caches; checkpoints and runs stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
