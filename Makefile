# Each target makes what it needs. PYTHON=python3.12 make setup chooses another interpreter.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
DEMO ?= runs/demo
# Processes that the tests are shared out among, of up to 3 GB; WORKERS=0 runs them in one, as python -m pytest does.
WORKERS ?= 2
# Python may write bytecode beside the files: without it each of the tests' processes compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check clean

help:
	@echo "make setup   a virtual environment in .venv with everything (about 6 GB with PyTorch)"
	@echo "make demo    train on one photograph of a forest, count the trees in another, write a report"
	@echo "make test    the tests, in two processes (WORKERS=2)"
	@echo "make check   ruff, mypy and import-linter"

setup: .venv/complete

.venv/complete: pyproject.toml constraints.txt
	@echo "== making .venv and installing into it (some minutes, once)"
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/complete
	@echo "== sample photographs"
	$(RUN) tools/fetch_neon.py --into data/neon
	@echo "== train on a photograph with 574 trees"
	$(RUN) -m detect.train experiment=neon data.root=data/neon/train data.annotations=data/neon/train output=$(DEMO)/model overwrite=true
	@echo "== count the trees of a photograph that was not seen"
	$(RUN) -m detect.predict model=$(DEMO)/model/model.safetensors images=data/neon/test output=$(DEMO)/counts overwrite=true
	$(RUN) -m detect.evaluate predictions=$(DEMO)/counts annotations=data/neon/test output=$(DEMO)/counts radius=20
	@$(RUN) tools/say_demo.py $(DEMO)

test: .venv/complete
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

check: .venv/complete
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache .mypy_cache .hypothesis
