# Each target makes .venv and installs what it needs, once. PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -c constraints.txt
INPUTS := pyproject.toml constraints.txt
# from npm, for the page's types and its tests; nothing of them is part of the program
TYPESCRIPT := 5.9.3
AXE := 4.14.1
TSC := $(VENV)/node/node_modules/.bin/tsc
NODE := $(VENV)/.node-$(TYPESCRIPT)-$(AXE)

.PHONY: demo test lint slow bench bench-edits bench-serve docs clean

demo: $(VENV)/.core
	$(BIN)/overpaint demo

test: $(VENV)/.dev $(VENV)/.system $(VENV)/.browser $(NODE)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev $(NODE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if [ -e $(NODE) ]; then echo "$(TSC) -p studio.tsconfig.json" && $(TSC) -p studio.tsconfig.json; \
	else echo "The types of the page's scripts were not checked: that needs Node.js."; fi

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

$(VENV)/.browser: $(VENV)/bin/python
	@if command -v chromium >/dev/null; then \
		echo "Chromium is here: the tests of the web page use it."; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing Chromium for the tests of the web page, once: about 120 MB (400 MB installed)." \
		&& apt-get update -qq >/dev/null 2>&1 \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null 2>&1; then \
		echo "Chromium is installed."; \
	else \
		echo "Chromium is not here and cannot be installed from here: tests of the web page will be skipped."; \
	fi
	@touch $@

# no stamp where it fails, so that it is done once it can be
$(NODE): $(VENV)/bin/python
	@if ! command -v npm >/dev/null; then \
		echo "Node.js and npm are not here: the types and the accessibility of the web page are not checked."; \
	elif echo "Installing TypeScript and axe-core into $(VENV)/node, once: about 30 MB." \
		&& npm install --prefix $(VENV)/node --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
			typescript@$(TYPESCRIPT) axe-core@$(AXE); then \
		touch $@; \
	else \
		echo "They cannot be had from npm here: the types and the accessibility of the web page are not checked."; \
	fi

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
