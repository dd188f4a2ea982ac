# make demo and make test set up everything they need: system packages (with apt-get, where root or sudo allow it), a
# virtual environment in .venv with the exact versions of constraints.txt, and the compiled extension.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all coverage faults docs fuzz lint format bench bench-fingerprint bench-encoding bench-embedding-rows clean FORCE
.DELETE_ON_ERROR:

PYTHON ?= python3
FUZZ_SECONDS ?= 600
BENCH ?=
TESTS ?= tests
VENV := .venv
BIN := $(VENV)/bin
DEPENDENCIES := $(VENV)/.dependencies
INSTALLED := $(VENV)/.installed
WAREHOUSES := $(VENV)/.warehouses
SITE := $(VENV)/.site
PEERS := $(VENV)/.peers
MODULES := $(VENV)/.modules
NATIVE_SOURCES := CMakeLists.txt $(wildcard csrc/*/*.cpp csrc/*/*.hpp csrc/include/polyrank/*.hpp)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A process for each core, with whole files of tests, since those share what they prepare.
PYTEST := pytest --numprocesses=auto --dist=loadfile
QUICK := -m "not slow and not spark and not clickhouse and not faults"
CPP_FILES := $(filter %.cpp %.hpp,$(NATIVE_SOURCES)) $(wildcard benchmarks/*/*.cpp)
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@echo "make demo      train, export, publish and serve a ranker on real logs"
	@echo "make test      lint, the site of docs/, then all tests but the slow ones and those of warehouses"
	@echo "make test-all  lint, then all tests but those of make faults"
	@echo "make coverage  the tests of make test, then the lines that none of them runs; TESTS=tests/unit/test_auc.py takes those alone"
	@echo "make faults    kill, fill, cut and starve what runs, POLYRANK_FAULT_ROUNDS (200) times and more, and count what broke"
	@echo "make docs      build the site of docs/ into build/docs"
	@echo "make fuzz      fuzz the kernels and the extension for FUZZ_SECONDS (600) each"
	@echo "make format    format Python and C++"
	@echo "make bench     measure everything anew, renew its tables and pictures in docs, and say what became slower: some hours"
	@echo "make bench-fingerprint  measure fingerprints beside what others do"
	@echo "make bench-encoding     measure how fast rows of a Parquet file become arrays"
	@echo "make bench-embedding-rows  measure lookups and updates of embedding tables"
	@echo "make clean     remove .venv and build"

setup: $(INSTALLED)

# One set-up at a time: a second make waits for the lock, then finds everything in place.
$(DEPENDENCIES): pyproject.toml constraints.txt
	@sh .ci/system-packages.sh $(PYTHON)
	@echo "setting up $(VENV); about a minute"
	@flock .venv.lock sh -ec '\
	  $(PYTHON) -m venv $(VENV); \
	  $(PIP) install -qq --upgrade "pip>=25.1"; \
	  $(PIP) install -qq --constraint constraints.txt --group dev; \
	  touch $(DEPENDENCIES)'

# An editable install knows the modules that there were: one that comes or goes asks for a new one.
$(MODULES): FORCE | $(DEPENDENCIES)
	@find src/polyrank/ train export serving -name '*.py' | sort | cmp -s - $@ || \
	  find src/polyrank/ train export serving -name '*.py' | sort > $@

$(INSTALLED): $(DEPENDENCIES) $(MODULES) $(NATIVE_SOURCES)
	@flock .venv.lock sh -ec '\
	  $(PIP) install -qq --constraint constraints.txt --no-build-isolation --editable ".[all,balancing,demo,report,telemetry,tensorboard,tune]"; \
	  touch $(INSTALLED)'

# Spark, its Java and ClickHouse, for the tests of the SQL we print: a gigabyte that only test-all needs.
$(WAREHOUSES): $(INSTALLED)
	@sh .ci/system-packages.sh $(PYTHON) java
	@flock .venv.lock sh -ec '\
	  $(PIP) install -qq --constraint constraints.txt --group warehouses; \
	  touch $(WAREHOUSES)'

# What benchmarks compare with.
$(PEERS): $(INSTALLED)
	@flock .venv.lock sh -ec '\
	  $(PIP) install -qq --constraint constraints.txt --group bench; \
	  touch $(PEERS)'

# MkDocs and its theme, for the site alone; it reads docstrings, and needs no extension.
$(SITE): $(DEPENDENCIES)
	@flock .venv.lock sh -ec '\
	  $(PIP) install -qq --constraint constraints.txt --group docs; \
	  touch $(SITE)'

demo: $(INSTALLED)
	@$(BIN)/python examples/kuairand/demo.py --out build/demo

test: lint docs
	@sh .ci/system-packages.sh $(PYTHON) browser
	$(BIN)/python -m $(PYTEST) $(QUICK)

test-all: lint $(WAREHOUSES) $(SITE)
	@sh .ci/system-packages.sh $(PYTHON) clang browser emulator
	$(BIN)/python -m $(PYTEST) -m "not faults"

# A test that measuring slows down too much may fail; the lines are told all the same.
coverage: $(INSTALLED)
	@sh .ci/system-packages.sh $(PYTHON) browser
	@rm -rf build/coverage
	-$(BIN)/python -m coverage run -m $(PYTEST) $(QUICK) $(TESTS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report --show-missing --skip-covered

faults: $(INSTALLED)
	$(BIN)/python -m $(PYTEST) tests/faults

docs: $(SITE)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir build/docs
	@echo "build/docs/index.html; with search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs"

fuzz: $(INSTALLED)
	@sh .ci/system-packages.sh $(PYTHON) clang
	$(BIN)/python tests/fuzz/run_fuzzers.py --seconds $(FUZZ_SECONDS)

lint: $(INSTALLED)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	@echo "$(BIN)/clang-format --dry-run --Werror ..."
	@$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)

format: $(INSTALLED)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/clang-format -i $(CPP_FILES)

# BENCH has options of benchmarks/bench.py: BENCH="--only scoring spark", BENCH=--list
bench: $(WAREHOUSES) $(PEERS)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

bench-fingerprint: $(PEERS)
	@$(BIN)/python benchmarks/fingerprint.py

bench-encoding: $(INSTALLED)
	@$(BIN)/python benchmarks/encoding.py

bench-embedding-rows: $(INSTALLED)
	@$(BIN)/python benchmarks/embedding_rows.py

clean:
	rm -rf $(VENV) build
