# make book: the environment, the chapters and the pages. make test: the environment and the tests.
PROFILE ?= quick
# 1: Part I alone, in ten minutes; all: the laboratories of Part II as well.
PARTS ?= 1
DATA ?=
# One more than two cores: chapters also draw, read and wait, with one core idle.
JOBS ?= 3
PORT ?= 8000
# Any Python from 3.11 on.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Optional: the address of a package index with CPU-only builds of PyTorch; spares several GB of CUDA libraries.
TORCH_INDEX ?=
# What only serves graphics processors is left out of a CPU-only environment.
CUDA_ONLY := ^(nvidia-|cuda-|triton==)
RIQA := .venv/bin/riqa

.DEFAULT_GOAL := help
.PHONY: help book test unit-test test-isa bad-inputs book-test serve lint strip clean lock \
  decide-keep bench bench-fov bench-fov-speed bench-train bench-assess bench-memory bench-cost bench-phantom bench-keep

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17
	@echo
	@echo 'Settings: PROFILE=quick PARTS=1 DATA=folder JOBS=3 PORT=8000 TORCH_INDEX=address'

book: .venv/.ok ## build the book of PROFILE (default quick) into _build/PROFILE/html
	@$(RIQA) book --profile '$(PROFILE)' --data '$(DATA)' --jobs '$(JOBS)' --parts '$(PARTS)'

serve: .venv/.ok ## read the built book of PROFILE at http://localhost:PORT
	@$(RIQA) serve --profile '$(PROFILE)' --port '$(PORT)'

test: lint unit-test book-test ## all tests: lint, the module, and the smoke book in a browser

unit-test: .venv/.ok ## the module's tests alone
	.venv/bin/pytest -q -n 2 --durations=15 -m 'not book'

test-isa: .venv/.ok ## tests that compute with networks, as on other processors (AVX2, AVX-512 and so on; minutes)
	.venv/bin/python -m tests.processors -n 2

bad-inputs: .venv/.ok ## a thousand generated bad inputs, each judged by how the command ends (minutes)
	PYTHONPATH=. .venv/bin/python benchmarks/bad_inputs.py --count 1000 --seed 0

book-test: .venv/.ok ## the smoke book, built and looked at page by page
	@$(RIQA) book --profile smoke --parts all
	.venv/bin/pytest -q -n 2 --durations=15 --dist loadfile --no-loadscope-reorder -m book

lint: .venv/.ok ## style, types of slips that a tool finds, and outputs left in notebooks
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/oxlint --deny-warnings --silent book/_static
	.venv/bin/nbstripout --verify $(STRIP) notebooks/*.ipynb

STRIP := --keep-id --drop-tagged-cells injected-parameters \
  --extra-keys 'metadata.papermill cell.metadata.papermill metadata.language_info.version'

strip: .venv/.ok ## take outputs out of the notebooks, before a commit
	.venv/bin/nbstripout $(STRIP) notebooks/*.ipynb

lock: .venv/.ok ## pin every package anew from pyproject.toml
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
	  -o requirements.lock --custom-compile-command 'make lock'

bench: bench-fov-speed bench-train bench-assess bench-memory bench-cost ## speed and memory against others, a result a benchmark in _build/bench

bench-fov: bench-fov-speed ## field of view: speed and accuracy against public peers, margins (RIQA_DATA=folder of JPEGs)
	PYTHONPATH=. OMP_NUM_THREADS=1 _build/bench/peers/bin/python benchmarks/fov_accuracy.py
ifneq ($(RIQA_DATA),)
	PYTHONPATH=. OMP_NUM_THREADS=1 _build/bench/peers/bin/python benchmarks/fov_margins.py
endif

bench-fov-speed: _build/bench/peers/.ok ## field of view: speed alone
	PYTHONPATH=. OMP_NUM_THREADS=1 _build/bench/peers/bin/python benchmarks/fov_speed.py

bench-train: .venv/.ok ## training: images/s against its bare step and against a loop over image files
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/train_speed.py
	PYTHONPATH=. .venv/bin/python benchmarks/train_speed.py --all-cores

bench-assess: .venv/.ok ## riqa assess: images/s against bare decoding and inference and against QuickQual's way
	PYTHONPATH=. .venv/bin/python benchmarks/assess_speed.py

bench-memory: .venv/.ok ## memory of a training on a store of EyeQ's size, which takes 4.3 GB of disk meanwhile
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/train_memory.py

bench-cost: .venv/.ok ## operations of the trainings of profile paper, and how fast one core does them
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/training_cost.py

bench-phantom: .venv/.ok ## how well phantoms agree with EyeQ-D, and how real they are (RIQA_DATA=folder with eyeq-d/, eyeq/)
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/fit_phantom.py $(RIQA_DATA)
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv/bin/python benchmarks/phantom_realism.py $(RIQA_DATA) --half report

bench-keep: .venv/.ok ## keep what make bench measured, for the book's page "Cost and speed"
	PYTHONPATH=. .venv/bin/python benchmarks/results.py

decide-keep: .venv/.ok ## keep what make book PROFILE=decide found, for the first page of chapter 12
	PYTHONPATH=. .venv/bin/python benchmarks/decided.py

# The peers pin other versions than this project does. opencv-python-headless stands for opencv-python, too.
_build/bench/peers/.ok: benchmarks/requirements-fov.txt | .venv/.ok
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python _build/bench/peers
ifeq ($(TORCH_INDEX),)
	.venv/bin/uv pip install --quiet --no-deps --python _build/bench/peers/bin/python -r $<
else
	grep -vE '$(CUDA_ONLY)' $< > _build/bench/peers/requirements-cpu.txt
	.venv/bin/uv pip install --quiet --no-deps --python _build/bench/peers/bin/python \
	  --extra-index-url '$(TORCH_INDEX)' --index-strategy unsafe-best-match -r _build/bench/peers/requirements-cpu.txt
endif
	@touch $@

clean: ## remove everything that builds made; the environment stays
	rm -rf _build .snakemake .pytest_cache .ruff_cache .hypothesis

# One stamp for the whole environment: made when all is installed, and again when what to install has changed.
.venv/.ok: requirements.lock pyproject.toml
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'riqa needs Python 3.11 or newer; name one by make PYTHON=/path/to/python3.11'; exit 2; }
	@test -x .venv/bin/python || '$(PYTHON)' -m venv .venv
ifeq ($(TORCH_INDEX),)
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
else
	grep -vE '$(CUDA_ONLY)' requirements.lock > .venv/requirements-cpu.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --extra-index-url '$(TORCH_INDEX)' \
	  -r .venv/requirements-cpu.txt
endif
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
