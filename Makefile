# Each target builds .venv when it is missing or out of date.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# Threads that wait must not spin, and glibc should keep memory from step to step instead of giving it back.
RUN := OMP_WAIT_POLICY=PASSIVE MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824 HF_HUB_OFFLINE=1 $(VENV)/bin/python
# Files go to the workers whole, in the order of tests/conftest.py: long ones first.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
QUICK := runs/finetune-mini

.PHONY: quickstart test fast lint report gate speed notebooks

quickstart: $(VENV)/.installed  ## Fine-tune, export, set it beside the shipped model and keywords on data/test, read an article with it
	$(RUN) -m train.quickstart configs/waqia-mini/quickstart.yaml
	$(VENV)/bin/waqia read samples/article.txt --artefact $(QUICK)/artefact
	$(VENV)/bin/waqia read samples/article.txt --artefact $(QUICK)/artefact --format html > $(QUICK)/article.html
	@echo "The same as a page: $(QUICK)/article.html"

test: $(VENV)/.installed
	$(RUN) -m pytest $(WORKERS) --durations=15

fast: $(VENV)/.installed  ## Without the tests marked slow
	$(RUN) -m pytest $(WORKERS) -m "not slow" --durations=15

speed: $(VENV)/.installed  ## Whether everything that is measured for speed still runs; no thresholds
	$(RUN) -m eval.speed --quick

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

report: $(VENV)/.installed  ## Judge the model in the package on data/test.jsonl: one page, its data, a model card
	$(RUN) -m eval.report src/waqia/artefacts/waqia-mini-int8 data/test.jsonl runs/report --train data/train.jsonl $(addprefix --curve ,$(wildcard models/learning-curve.json)) $(addprefix --engines ,$(wildcard models/speed.json))

gate: report  ## End with 5 where the model in the package falls below configs/gates.yaml
	$(RUN) -m eval.gate runs/report/report.json

notebooks: $(VENV)/.installed  ## Execute examples/*.ipynb and store their outputs
	$(RUN) -m tests.examples.execute

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@
