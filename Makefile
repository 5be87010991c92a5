# Tandem's commands. Needs Python 3.11 or newer, git and make; uv is used where it is installed, else pip.
# A stamp in .venv says which installation is done, so nothing is resolved or installed twice.

PYTHON  ?= python3
PORT    ?= 8501
VENV    := .venv
PY      := $(VENV)/bin/python
BENCH   := .venv-bench
STREAMLIT = $(PY) -m streamlit run app.py --server.port $(PORT)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help app serve test lint unit browser test-engines screens chromium nginx format bench-forecast bench-revenue bench-measures bench-intake bench-scale bench-latency bench-load bench-memory bench-session test-faults fuzz audit lock clean

help: ## List the commands
	@echo "Usage: make COMMAND [PORT=8501] [PYTHON=python3]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

app: $(VENV)/.app ## Open Tandem on this machine, with the demo company
	@echo "Tandem: http://localhost:$(PORT) (Ctrl-C stops it)"
	@exec $(STREAMLIT) --server.address localhost

serve: $(VENV)/.app ## Serve Tandem to the network, without opening a browser
	@echo "Tandem: port $(PORT) on every address of this machine (Ctrl-C stops it)"
	@exec $(STREAMLIT) --server.headless true

test: lint unit browser test-engines ## Install what tests need and run everything

lint: $(VENV)/.test ## Check style, formatting and the direction of imports
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check --output-format concise
	@$(VENV)/bin/lint-imports --no-logo

unit: $(VENV)/.test ## Run the tests that need no browser, on all cores
	@$(PY) -m pytest --ignore tests/browser --ignore tests/engines -m "not thorough" --numprocesses auto --maxprocesses 4 --dist worksteal

browser: $(VENV)/.test chromium nginx ## Run the tests in a browser
	@$(PY) -m pytest tests/browser

test-engines: $(VENV)/.engines ## Compare DuckDB, PostgreSQL and Spark on the same data (as part of test: without what takes minutes)
	@TANDEM_REQUIRE_ENGINES=1 $(PY) -m pytest tests/engines $(if $(filter test,$(MAKECMDGOALS)),-m "not thorough")

test-faults: $(VENV)/.test ## Full disks, lost databases, killed servers, cut lines, no network (as part of test: without what takes long)
	@$(PY) -m pytest tests/faults tests/test_log.py

screens: $(VENV)/.test chromium ## Take a picture of every page into docs/screens
	@$(PY) -m tests.browser.screens

chromium: ## Install Chromium from Debian if there is none (as root)
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "No Chromium, so the browser tests are skipped. Install it with: sudo apt-get install chromium"; fi

nginx: ## Install nginx from Debian if there is none (as root): the tests of deploy/ run it
	@command -v nginx >/dev/null || /usr/sbin/nginx -v 2>/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; \
	else echo "No nginx, so the tests of deploy/ are skipped. Install it with: sudo apt-get install nginx-light"; fi

format: $(VENV)/.test ## Put the code into the house's format
	@$(VENV)/bin/ruff check --quiet --fix-only
	@$(VENV)/bin/ruff format

bench-forecast: $(BENCH)/.done ## Score the forecast against an oracle and its peers (20 minutes)
	@$(BENCH)/bin/python benchmarks/forecast.py --write

bench-revenue: $(BENCH)/.done ## Compare ways to compute the distribution of revenue
	@$(BENCH)/bin/python benchmarks/revenue.py --write

bench-measures: $(VENV)/.app ## Time all measures on 100,000 opportunities
	@$(PY) benchmarks/measures.py --write

bench-intake: $(VENV)/.app ## Time the reading of a million opportunities, beside pandas
	@$(PY) benchmarks/intake.py --write

bench-scale: $(VENV)/.engines ## Time everything from 10,000 to 10 million opportunities, on DuckDB, Spark and pandas
	@$(PY) benchmarks/scale.py --write

bench-latency: $(VENV)/.test chromium ## Time a moved slider in a browser, beside an empty Streamlit fragment
	@$(PY) benchmarks/latency.py --write

bench-load: $(VENV)/.test nginx ## Time the sliders of 25 people at once, through nginx (20 minutes)
	@$(PY) benchmarks/load.py --write

bench-memory: $(VENV)/.test ## Memory of the server over 50 uploads of 20 MB in a row
	@$(PY) benchmarks/memory.py --write

bench-session: $(VENV)/.test ## Time, memory and failures of 5,000 actions of one session
	@$(PY) benchmarks/long_session.py --write

fuzz: $(VENV)/.test ## Random uploads, levers and pages for MINUTES=5
	@$(PY) -m tests.fuzz $(or $(MINUTES),5)

audit: $(VENV)/.created ## Look up known weaknesses of the pinned versions (asks pypi.org)
	@$(PY) -m pip install --quiet --disable-pip-version-check pip-audit
	@$(PY) -m pip_audit --requirement requirements-engines.txt --no-deps --disable-pip --strict

# One version of everything, from the oldest Python to the newest, so that numbers do not depend on it.
COMPILE = compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--custom-compile-command "make lock"

lock: $(VENV)/.created ## Refresh the exact versions from the ranges in pyproject.toml
	@uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet uv
	@PATH="$$PATH:$(VENV)/bin" uv pip $(COMPILE) --output-file requirements.txt
	@PATH="$$PATH:$(VENV)/bin" uv pip $(COMPILE) --output-file requirements-test.txt --group test --constraints requirements.txt
	@PATH="$$PATH:$(VENV)/bin" uv pip $(COMPILE) --output-file requirements-engines.txt --group test --group engines --constraints requirements-test.txt

clean: ## Remove everything that was installed or cached
	@rm -rf $(VENV) $(BENCH) test-results .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Tandem needs Python 3.11 or newer. Name one: make app PYTHON=python3.12"; exit 1; }
	@if uv --version >/dev/null 2>&1; \
	then uv venv --quiet --seed --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV); \
	else $(PYTHON) -m venv --clear $(VENV); fi || \
		{ echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.app: requirements.txt $(VENV)/.created
	@$(call install,$<)
	@touch $@

$(VENV)/.test: requirements-test.txt $(VENV)/.created
	@$(call install,$<)
	@touch $@

$(VENV)/.engines: requirements-engines.txt $(VENV)/.test
	@$(call install,$<)
	@touch $@

$(BENCH)/.done: benchmarks/requirements.txt requirements.txt $(VENV)/.created
	@if uv --version >/dev/null 2>&1; then uv venv --quiet --seed --clear --python $(PY) $(BENCH); \
	else $(PY) -m venv --clear $(BENCH); fi
	@$(call install,$<,$(BENCH))
	@touch $@

define install
echo "Installing $(1) into $(or $(2),$(VENV)), once"; \
if uv --version >/dev/null 2>&1; \
then uv pip install --quiet --compile-bytecode --python $(or $(2),$(VENV))/bin/python --requirement $(1); \
else $(or $(2),$(VENV))/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(1); fi
endef
