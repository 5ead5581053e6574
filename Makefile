# neurocompare, one command each; `make help` lists them. Needs a POSIX shell and GNU make 3.81 or newer.
#
# Variables:  make run CORES=4               how many jobs run side by side (default: all CPUs)
#             make PYTHON=/path/to/python    the Python that makes the environment (default: the first that fits)
#             make run ARGS="kriegeskorte2008 -n"    further arguments of snakemake, or of pytest for `make test`

SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# Each candidate is run, not only looked up: a version manager's stand-in can exist and yet fail.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c '$(SUPPORTED)' >/dev/null 2>&1 && echo "$$p" && break; done)
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.logicalcpu 2>/dev/null || echo 1)
ARGS ?=
UV ?= uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate pyproject.toml

# Written last, so that an environment whose making was interrupted is made afresh.
READY := .venv/.complete
# Written when the packages that ours is compared with are in the environment as well.
ORACLES := .venv/.oracles
# `python -m` works in a checkout that has been moved; the commands in .venv/bin do not.
RUN := .venv/bin/python -m

.PHONY: run resume report test conformance bench format measures lock clean help
.DEFAULT_GOAL := run

run: $(READY)  ## compute the default studies, or what ARGS names
	$(RUN) snakemake --cores $(CORES) $(ARGS)

resume: $(READY)  ## go on after a run that was killed
	$(RUN) snakemake --unlock $(ARGS)
	$(RUN) snakemake --rerun-incomplete --cores $(CORES) $(ARGS)

report: run  ## run, then gather the figures in results/report.html
	$(RUN) snakemake --report results/report.html $(ARGS)

test: $(READY)  ## run the tests
	OMP_NUM_THREADS=1 $(RUN) pytest --numprocesses $(CORES) --maxprocesses 8 --dist loadfile $(ARGS)

conformance: $(ORACLES)  ## test the numbers against other packages, which this installs first
	OMP_NUM_THREADS=1 $(RUN) pytest --numprocesses $(CORES) --maxprocesses 8 --dist loadfile tests/conformance $(ARGS)

bench: $(ORACLES)  ## measure speed and memory against other packages (half an hour); ARGS=--quick takes a minute
	.venv/bin/python tests/bench $(ARGS)

format: $(READY)  ## format and check the code
	$(RUN) ruff format .
	$(RUN) ruff check --fix .
	$(RUN) snakefmt Snakefile workflow

measures: $(READY)  ## write the table of measures into README.md
	.venv/bin/python .ci/measures.py

lock:  ## pin the dependencies anew (needs uv); ARGS=--upgrade takes newer releases
	$(COMPILE) --extra test --extra oracles --custom-compile-command "make lock" $(ARGS) --output-file requirements.lock
	$(COMPILE) --extra test --no-header --constraint requirements.lock | "$(PYTHON)" .ci/environment.py

clean:  ## remove the environment and caches; results, data and Snakemake's records stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build workflow/neurocompare.egg-info
	find workflow tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*  ## /\1	/p' Makefile

# The lock only constrains: packages for graphics cards and oracles are in it, but come in only if asked for.
# The editable install points at workflow/, so no stale copy of the library can hide the source.
$(READY): requirements.lock pyproject.toml
	@system="$$(uname -sm) $$(sw_vers -productVersion 2>/dev/null)"; case "$$system" in \
		"Linux x86_64 " | "Linux aarch64 " | "Darwin arm64 "1[4-9]* | "Darwin arm64 "[2-9][0-9]*) ;; \
		*) echo "neurocompare: needs Linux on x86_64 or aarch64, or macOS 14+ on arm64; this is $$system" >&2; exit 1;; \
	esac
	@"$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "neurocompare: needs Python 3.11–3.13 with venv and pip; install one, or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; }
	@echo "Making the environment in .venv with $(PYTHON); this downloads its packages and takes some minutes."
	@"$(PYTHON)" -m venv --clear .venv
	@$(RUN) pip install -qq --disable-pip-version-check --no-input --constraint requirements.lock --editable '.[test]'
	@touch $@
	@echo "The environment is ready."

$(ORACLES): $(READY)
	@echo "Adding the packages that ours is compared with to the environment in .venv."
	@$(RUN) pip install -qq --disable-pip-version-check --no-input --constraint requirements.lock --editable '.[oracles]'
	@touch $@
