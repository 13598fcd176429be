# Two commands from an empty checkout, with only python3 (3.11 or later), pip and make:
#   make demo    the main job on a real CT, report in out/demo/report.html
#   make test    style, types, import contract, tests and the documentation's snippets
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements/environment.lock requirements/data.lock

.PHONY: demo test lint lock clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/hilum demo out/demo

test: lint
	$(BIN)/pytest -n 2

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# PyTorch is not in the lock: plain pip takes the build that fits the machine, for CPU or CUDA.
# Byte-code is compiled at install: the first import would pay for it otherwise.
$(READY): $(LOCKS) requirements/bootstrap.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps --require-hashes $(LOCKS:%=-r %)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Run by hand to take newer versions; the lock files name no index and no address.
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock: $(READY)
	$(COMPILE) pyproject.toml --group dev --output-file requirements/environment.lock
	$(COMPILE) --no-deps requirements/data.in --output-file requirements/data.lock
	$(COMPILE) requirements/bootstrap.in --output-file requirements/bootstrap.lock

clean:
	rm -rf $(VENV) out
