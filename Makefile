# Any of these can be set on the command line: make run TORCH="torch==2.9.1"
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
# MUTAG has 188 graphs: batches of 32 leave something to choose.
RUN_ARGS ?= compare MUTAG --batch-size 32 --seeds 0,1,2
TEST_ARGS ?= -n auto

# Without a word about TORCH, an environment keeps the torch that it has.
TORCH_GIVEN = $(if $(filter-out file,$(origin TORCH)),--replace-torch)
SET_UP = "$(PYTHON)" scripts/set_up.py "$(VENV)" --torch '$(TORCH)' $(TORCH_GIVEN)

.DEFAULT_GOAL := help
.PHONY: help setup extensions run test lint clean python

help:  ## Show this list
	@echo "Targets:"
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables:"
	@echo "  PYTHON      Python 3.11 or newer ($(PYTHON))"
	@echo "  VENV        folder of the environment ($(VENV))"
	@echo "  TORCH       what to hand to pip for torch ($(TORCH)); for another build,"
	@echo "              CUDA for one, add the index that PyTorch's site names for it:"
	@echo '              make run TORCH="torch==2.13.0 --index-url URL"'
	@echo "  RUN_ARGS    what the main job is ($(RUN_ARGS))"
	@echo "  TEST_ARGS   options for pytest ($(TEST_ARGS))"

setup: python  ## Install everything into VENV, unless it is there
	@$(SET_UP)

extensions: python  ## Build torch-cluster and torch-scatter again
	@$(SET_UP) --rebuild-extensions

run: setup  ## The main job: uniform batches against ProSampler on MUTAG
	@"$(VENV)/bin/prosampler" $(RUN_ARGS)

test: setup  ## The whole test suite
	OMP_NUM_THREADS=1 "$(VENV)/bin/python" -m pytest $(TEST_ARGS)

lint: setup  ## Style, format and types
	"$(VENV)/bin/ruff" check
	"$(VENV)/bin/ruff" format --check
	"$(VENV)/bin/mypy" pyg_prosampler benchmarks

clean:  ## Remove caches and build output; VENV, data and runs stay
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find pyg_prosampler scripts tests -name __pycache__ -exec rm -rf {} +

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	"Python 3.11 or newer is needed, and '$(PYTHON)' is not: make PYTHON=python3.12, say"; \
	exit 1; }
