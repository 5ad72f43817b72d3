# make book | make test | make help. Needs Python 3.11 or newer and make; everything else is set up in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup book pdf test lint unit nbval notebooks

VENV := .venv
PY := $(VENV)/bin/python
# Named after what was installed, so that a changed list of versions installs again and an unchanged one does not.
STAMP := $(VENV)/.installed-$(shell cat requirements.txt pyproject.toml | cksum | cut -d' ' -f1)
# For example: make book CONFIG="scale=reduced dataset=cub200 data_root=/data"
CONFIG ?=

# Snakemake keeps a cache below the home folder; where there is none to write to, below this one.
CACHE := $(shell test -w "$$HOME" || echo XDG_CACHE_HOME=$(CURDIR)/.snakemake/cache)

export PYTHONUNBUFFERED := 1
export TQDM_DISABLE := 1
unexport MPLBACKEND

help:
	@echo "make book    run the notebooks at toy scale, build the book, say which page to open"
	@echo "make test    style and types, unit tests, and the notebooks against their stored outputs"
	@echo "make pdf     print the whole book as one file; needs Chromium"
	@echo "make setup   only create $(VENV) and install into it (the others do it too)"
	@echo "Other scales and data: make book CONFIG=\"scale=reduced dataset=cub200 data_root=/data\""

setup: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@if [ ! -x $(PY) ]; then \
	  found=""; \
	  for candidate in $${PYTHON:-} python3 python3.12 python3.11 python3.13 python3.14 python; do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	      found="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer with venv and ensurepip was found; tried \$$PYTHON, python3, python3.11 to python3.14." >&2; \
	    echo "Install one (on Debian or Ubuntu also its -venv package), or name it: make $(firstword $(MAKECMDGOALS) book) PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$("$$found" --version)"; \
	  "$$found" -m venv $(VENV); \
	fi
	@echo "Installing requirements.txt and fd2lib into $(VENV) (the first time about 4 minutes and 6 GB)"
	@# What is imported is compiled then; compiling all that is installed takes a minute of one core.
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt -e .
	@rm -f $(VENV)/.installed-*
	@touch $@

notebooks: $(STAMP)
	@mkdir -p _build book/executed
	@touch _build/.started
	@# No lock of Snakemake's: a killed run would leave it behind, and run folders and pages guard themselves.
	@$(CACHE) $(PY) -m snakemake --snakefile Snakefile --cores all --nolock --quiet rules progress host reason \
	  --rerun-incomplete --rerun-triggers mtime params \
	  $(if $(CONFIG),--config $(CONFIG))
	@fresh=$$(find book/executed -maxdepth 1 -name '*.ipynb' ! -name '*.failed.ipynb' -newer _build/.started -exec basename {} .ipynb \; | sort | xargs); \
	kept=$$(find book/executed -maxdepth 1 -name '*.ipynb' ! -name '*.failed.ipynb' ! -newer _build/.started -exec basename {} .ipynb \; | sort | xargs); \
	echo "Executed now: $${fresh:-nothing}."; \
	echo "Reused, because neither the notebook nor the library changed since: $${kept:-nothing}."

book: notebooks
	@# A failed build forgets its pages: otherwise the next one would skip them and their warnings.
	@$(VENV)/bin/jupyter-book build . -W -n --keep-going --quiet || { rm -rf _build/.doctrees; exit 1; }
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html"

# All pages as one, so that numbers of figures and links between pages lead within the file.
pdf: book
	@$(VENV)/bin/jupyter-book build . --builder custom --custom-builder singlehtml -n --keep-going --quiet
	@$(PY) book/print.py _build/singlehtml _build/book.pdf

test: lint unit nbval

lint: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet . || { $(PY) -m ruff format --diff .; exit 1; }
	@$(PY) -m mypy
	@$(PY) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(PY) -m check_jsonschema --quiet --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(PY) -m check_jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff

# As many processes as cores, so each has one thread: more would wait for each other.
unit nbval: export OMP_NUM_THREADS := 1

# Children of the tests of faults are forks, which may train only where their parent never did.
unit: $(STAMP)
	@$(PY) -m pytest -n auto --dist loadfile
	@$(PY) -m pytest -n auto tests/record/test_faults.py

nbval: $(STAMP)
	@$(PY) -m pytest --nbval notebooks -n auto --dist loadfile
