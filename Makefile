# Perigee: what one does here. `make setup` runs by itself before the others; PYTHON=/path/to/python3.12 chooses one.
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench soak-purge bench-purge bench-dns replay-tiers format reference lock

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(STAMP) ## Make .venv from requirements.lock (does nothing when it is up to date)

$(STAMP): requirements.lock pyproject.toml tools/find_python.sh
	@test -x $(BIN)/python || { python=$${PYTHON:-$$(bash tools/find_python.sh)} && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: setup ## An edge on 127.0.0.1:8080; ORIGIN=http://host:port or, without it, a bundled demo origin
	@$(BIN)/perigee demo $(if $(ORIGIN),--origin $(ORIGIN)) $(ARGS)

test: setup ## All tests
	$(BIN)/python -m pytest

check: setup ## Format, lint, types, architecture contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure this machine (see tools/bench.py)
	$(BIN)/python -m tools.bench $(ARGS)

soak-purge: setup ## Purges under faults on real processes, two minutes (see tools/soak_purge.py)
	$(BIN)/python -m tools.soak_purge $(ARGS)

bench-purge: setup ## Measure purges on this machine (see tools/bench_purge.py)
	$(BIN)/python -m tools.bench_purge $(ARGS)

bench-dns: setup ## Measure the DNS server beside PowerDNS and gdnsd (see tools/bench_dns.py)
	$(BIN)/python -m tools.bench_dns $(ARGS)

replay-tiers: setup ## What a shield spares an origin, by an access log: LOG=FILE (see tools/replay_tiers.py)
	$(BIN)/python -m tools.replay_tiers $(LOG) $(ARGS)

format: setup ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: setup ## Write the generated pages of docs/reference anew
	$(BIN)/python -m tools.reference

lock: ## Resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --no-header --no-annotate --quiet --upgrade -o requirements.lock
