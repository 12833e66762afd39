# What CI runs, a person runs. `make demo` and `make test` work on a bare clone: they make their own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find src native -type f -not -name '*.so' -not -path '*/__pycache__/*')

.PHONY: demo test lint types doctest unit paths sanitize slow docs wheel clean

$(VENV)/made:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/made $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/made $(SOURCES)
	# By its exact version torch comes as a build for CPUs; the range of the extra would fetch gigabytes for GPUs.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[test,sequence]'
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/heldout demo

# Tests run against the installed package (built from the wheel), never against src.
test: lint types doctest unit

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-for-tests
	$(BIN)/mypy

doctest: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -q --doctest-modules --pyargs heldout -p no:cacheprovider

unit: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -rs

# The engine alone, without Python, under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer.
sanitize:
	$(MAKE) -j2 -C native/checks

# The engine built to count the paths it takes, and the tests that then ask whether they were taken.
paths: $(VENV)/installed-for-tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target build/paths \
		-C cmake.define.HELDOUT_COUNT_PATHS=ON -C build-dir=build/paths-objects .
	HELDOUT_EXPECT_PATHS=1 PYTHONPATH=build/paths $(BIN)/python -m pytest -q tests/boosting/test_paths.py

# The README's picture and the command line reference, made anew from the product.
docs: $(VENV)/installed-for-tests
	$(BIN)/python docs/make_command_line.py
	$(BIN)/python docs/make_picture.py

wheel:
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
