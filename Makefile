# Everything from a fresh machine with Python >= 3.11 (constraints.txt, SAM 2) and pip. A second call does not install
# again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
comma := ,
space := $(subst ,, )
EXTRAS := $(subst $(space),$(comma),$(strip dev docs train annotate $(patsubst plugins/iiszoo_%,%,$(PLUGINS))))
INSTALLED := $(VENV)/installed

# one thread per process, and none that spins: tests and benchmarks share the cores between processes
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-slow lint docs dist lowest speed clean

demo: $(INSTALLED)
	$(BIN)/iiszoo bench

test: $(INSTALLED)
	IISZOO_STRICT_PLUGINS=1 $(BIN)/pytest -m "not slow" -n 2

test-slow: $(INSTALLED)
	IISZOO_STRICT_PLUGINS=1 $(BIN)/pytest -m slow -n 2

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# what is published: a source distribution and a wheel of each project, in dist/
dist: $(INSTALLED)
	rm -rf dist
	$(foreach project,. $(PLUGINS),$(BIN)/python -m build --no-isolation --outdir dist $(project) &&) true
	$(BIN)/twine check --strict dist/*

# whether pip finds a set of releases with every dependency at its lower bound; fetches about 3 GB
lowest: $(INSTALLED)
	$(BIN)/python tests/publishing/lowest.py

# the site, from the Markdown pages as they are: docs/_build/html/index.html; warnings are errors, nothing is fetched
docs: $(INSTALLED)
	$(BIN)/sphinx-build -q -W --keep-going -c docs . docs/_build/html

speed: $(INSTALLED)
	$(BIN)/python benchmarks/speed/harness.py
	$(BIN)/python benchmarks/speed/interpreter.py
	$(BIN)/python benchmarks/speed/robots.py
	$(BIN)/python benchmarks/speed/encodings.py
	$(BIN)/python benchmarks/speed/sam.py
	$(BIN)/python benchmarks/speed/sam2.py
	$(BIN)/python benchmarks/speed/ritm.py --size 512 512
	$(BIN)/python benchmarks/speed/focalclick.py
	$(BIN)/python benchmarks/speed/simpleclick.py --sessions 2
	$(BIN)/python benchmarks/speed/cfricl.py --sessions 2
	$(BIN)/python benchmarks/speed/segnext.py --sessions 1
	$(BIN)/python benchmarks/speed/gto99.py
	$(BIN)/python benchmarks/speed/samhq.py --model samhq/tiny
	$(BIN)/python benchmarks/speed/annotate.py
	$(BIN)/python benchmarks/speed/runtimes.py

$(INSTALLED): pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make needs Python 3.11 or later, for which \
	constraints.txt pins versions; name it, such as make demo PYTHON=python3.11")'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt \
		-e ".[$(EXTRAS)]" $(foreach plugin,$(PLUGINS),-e $(plugin))
	touch $@

clean:
	rm -rf $(VENV) docs/_build docs/api
