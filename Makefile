# Needs make and Python 3.11 or newer; everything else goes into .venv.
#
#   make demo        an earthquake and a sinking town, simulated, measured and compared with the truth
#   make test        lint, types, import contracts and all tests
#   make lint        the first three of these
#   make format      rewrite the code as ruff wants it
#   make docs        build the documentation into site/
#   make benchmark   accuracy and speed tables (long)
#   make clean       remove what the other targets made
#
# PYTHON=/path/to/python chooses the interpreter, ARGS="-k name" adds options to pytest.

VENV := .venv
BIN := $(VENV)/bin
CANDIDATES := $(or $(PYTHON),python3.11 python3 python3.12 python3.13 python3.14)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: demo test lint format docs benchmark clean
.DEFAULT_GOAL := test

demo: $(VENV)/installed
	$(BIN)/groundshift demo -o demo-output

test: lint
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmark: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) site demo-output build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing groundshift into $(VENV); the first time takes a few minutes"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing groundshift and its development tools into $(VENV); the first time takes a few minutes"
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(VENV)/installed $@

$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    if "$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        exec "$$python" -m venv --clear $(VENV); \
	    fi; \
	done; \
	echo "groundshift needs Python 3.11 or newer with venv and ensurepip; found none among: $(CANDIDATES)." >&2; \
	echo "Install one (on Debian and Ubuntu python3-venv belongs to it), or name it: make PYTHON=/path/to/python3.11" >&2; \
	exit 1
