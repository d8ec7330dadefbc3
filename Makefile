# Each target makes .venv and installs what it needs, once. PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -c constraints.txt
INPUTS := pyproject.toml constraints.txt

.PHONY: demo test lint slow bench bench-edits bench-serve docs clean

demo: $(VENV)/.core
	$(BIN)/overpaint demo

test: $(VENV)/.dev $(VENV)/.system
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.speed $(BENCH_ARGS)

bench-edits: $(VENV)/.dev
	$(BIN)/python -m benchmarks.edits $(BENCH_ARGS)

bench-serve: $(VENV)/.dev
	$(BIN)/python -m benchmarks.serve $(BENCH_ARGS)

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Overpaint needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python $(INPUTS)
	@echo "Installing Overpaint into $(VENV), once. Downloads: about 0.5 GB with a CPU build of PyTorch (1.7 GB installed);"
	@echo "from PyPI on Linux, whose PyTorch is the CUDA build, about 2.9 GB (5.2 GB installed). Without a GPU, install"
	@echo "PyTorch's CPU build into $(VENV) first (README, Install), or set PIP_INDEX_URL / PIP_FIND_LINKS as pip reads them."
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "Installing the test tools into $(VENV), once: about 60 MB."
	$(PIP) -e '.[dev]'
	@touch $@

# what pip cannot bring: without it the tests that need it are skipped, and say so
$(VENV)/.system: $(VENV)/bin/python
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		echo "PostgreSQL is here: the server's tests use it."; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing PostgreSQL for the server's tests, once: about 60 MB." \
		&& apt-get update -qq >/dev/null 2>&1 \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null 2>&1; then \
		echo "PostgreSQL is installed."; \
	else \
		echo "PostgreSQL is not here and cannot be installed from here: tests that need it will be skipped."; \
	fi
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
